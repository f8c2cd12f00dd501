import { type KeyObject, randomFillSync } from 'node:crypto'
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Problem } from '#kernel'
import { takeKey } from '../derive.ts'
import { type RootProvider, unwrapUnderSecret, wrapUnderSecret } from './root-provider.ts'

const kind = 'file'
const keyBytes = 32
const forOthers = 0o077
const checksModes = process.platform !== 'win32'

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code

/**
 * The root is a file of 32 random bytes. It protects a stolen disk or backup only if it lies on another one.
 *
 * Wrapping creates the file (mode 0600) when it is absent; unwrapping never does.
 *
 * @throws Problem `fault` · `vault.key-file-missing`, `vault.key-file-readable`, `vault.key-file-malformed`
 */
export function fileRoot(path: string): RootProvider {
  return {
    kind,
    async wrap(key, context) {
      await createIfAbsent(path)
      return { wrapped: wrapUnderSecret(await readSecret(path), kind, key, context), params: {} }
    },
    async unwrap(wrapped, _params, context) {
      try {
        return unwrapUnderSecret(await readSecret(path), kind, wrapped, context)
      } catch (error) {
        return unwrapUnderNext(path, wrapped, context, error)
      }
    },
  }
}

const nextTo = (path: string): string => `${path}.next`

/**
 * A new key file in place of the one at `path`. It lies beside it until the keystore is wrapped under it; should the process
 * die in between, whichever of the two opens the keystore is the right one, and `fileRoot` finds out.
 */
export function nextFileRoot(path: string): { readonly root: RootProvider; settle(): Promise<string | undefined> } {
  const next = nextTo(path)
  const inner = fileRoot(next)
  let made = false
  return {
    root: {
      ...inner,
      async wrap(key, context) {
        // What an attempt left behind that was cut off has never opened anything.
        if (!made) await rm(next, { force: true })
        made = true
        return inner.wrap(key, context)
      },
    },
    settle: () => putInPlace(path),
  }
}

/** @returns where the file lies now that was there before; it opens older backups of the keystore */
async function putInPlace(path: string): Promise<string | undefined> {
  const aside = `${path}.old-${new Date().toISOString().replaceAll(':', '-')}`
  const kept = await link(path, aside).then(
    () => aside,
    () => undefined,
  )
  await rename(nextTo(path), path)
  await syncFolder(dirname(path))
  return kept
}

/** A change of root was cut off when the keystore had taken the new one already. */
async function unwrapUnderNext(path: string, wrapped: Uint8Array, context: Uint8Array, error: unknown) {
  const next = await readSecret(nextTo(path)).catch(() => undefined)
  if (next === undefined) throw error
  try {
    const key = unwrapUnderSecret(next, kind, wrapped, context)
    await putInPlace(path)
    return key
  } catch {
    throw error
  }
}

async function createIfAbsent(path: string): Promise<void> {
  const file = await openNew(path)
  if (file === undefined) return
  const secret = randomFillSync(Buffer.alloc(keyBytes))
  try {
    await file.writeFile(secret)
    await file.sync()
  } catch (error) {
    // A file of too few bytes would stand in the way of the next try.
    await rm(path, { force: true })
    throw error
  } finally {
    secret.fill(0)
    await file.close()
  }
  await syncFolder(dirname(path))
}

async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined
    throw error
  }
}

/** The file's name must be durable before anything wrapped under it is. */
async function syncFolder(path: string): Promise<void> {
  if (!checksModes) return // Windows cannot open a folder.
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function readSecret(path: string): Promise<KeyObject> {
  const file = await openExisting(path)
  try {
    const { mode } = await file.stat()
    if (checksModes && (mode & forOthers) !== 0)
      throw new Problem(
        'fault',
        'vault.key-file-readable',
        `Others may read the key file ${path}; set its mode to 0600.`,
      )
    return toSecret(path, await file.readFile())
  } finally {
    await file.close()
  }
}

async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT')) throw cause
    throw new Problem(
      'fault',
      'vault.key-file-missing',
      `The key file that opens this keystore is not there: ${path}.`,
      {
        cause,
      },
    )
  }
}

function toSecret(path: string, bytes: Buffer): KeyObject {
  if (bytes.length === keyBytes) return takeKey(bytes)
  bytes.fill(0)
  throw new Problem('fault', 'vault.key-file-malformed', `The key file ${path} must hold exactly ${keyBytes} bytes.`)
}
