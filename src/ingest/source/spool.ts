import { mkdir, open, readdir, rm, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limitBytes, newResourceId, Problem } from '#kernel'
import { BytesElsewhere, type ImportsElsewhere } from '../elsewhere.ts'
import type { IngestLimits } from '../limits.ts'
import { type ByteSource, bufferSource } from './byte-source.ts'
import { onDisk } from './on-disk.ts'
import { Quota } from './quota.ts'
import { SealedFile } from './sealed-file.ts'

/** Takes bodies in, so that they can be read more than once. */
export interface Spool {
  /**
   * Small bodies stay in memory. Larger ones go to a file, piece by piece under a scratch seal of the vault, whose key is
   * made for this body and never leaves the process; the file has no name while it is in use, so nothing of it can be read even by
   * somebody who pulls the plug and takes the disk. Whoever gets the source closes it.
   *
   * @param owner  pseudonymous id of the grant that sends it
   * @throws Problem `too-large` · `body.too-large`; `too-large` or `busy` · `ingest.spool-quota`;
   *   `full` or `busy` · `ingest.spool-unwritable`; and what the body throws
   */
  take(body: AsyncIterable<Uint8Array>, owner: string): Promise<ByteSource>
  /**
   * Writes bytes into a file of which the operating system can be told the name, for a library that opens nothing else. They are not
   * sealed: whoever opens the file takes its name away at once (`unname`), and closes it.
   *
   * @param owner  as `take`
   * @throws Problem `too-large` or `busy` · `ingest.spool-quota`; `full` or `busy` · `ingest.spool-unwritable`; and what the bytes throw
   */
  plain(bytes: AsyncIterable<Uint8Array>, owner: string): Promise<PlainFile>
  /** Resolves when what a process that crashed left behind is gone. */
  swept(): Promise<void>
}

/** A file that is not sealed. */
export interface PlainFile {
  readonly path: string
  /** Takes its name away; who has opened it goes on reading. Where a system cannot do so it is done when it is closed. */
  unname(): Promise<void>
  /** Removes it and gives its bytes back. May be called again. */
  close(): Promise<void>
}

const prefix = 'kinhold-spool-'

/** Room on the disk is looked at again after so many bytes. */
const lookEvery = 16 * 1024 ** 2

/**
 * Opens the spool in a folder, which is made when it is first needed and may be shared with other processes.
 *
 * @param folder     where nothing else lies
 * @param elsewhere  processes whose files count as well
 */
export function openSpool(folder: string, limits: IngestLimits, elsewhere?: ImportsElsewhere): Spool {
  const quota = new Quota(limits)
  const sweeping = sweep(folder)
  return {
    take: (body, owner) => take(body, { folder, limits, quota, owner, elsewhere }),
    plain: (bytes, owner) => plain(bytes, { folder, limits, quota, owner, elsewhere }),
    swept: () => sweeping,
  }
}

interface Taking {
  readonly folder: string
  readonly limits: IngestLimits
  readonly quota: Quota
  readonly owner: string
  readonly elsewhere: ImportsElsewhere | undefined
}

async function take(body: AsyncIterable<Uint8Array>, taking: Taking): Promise<ByteSource> {
  const { limits } = taking
  await using owned = new AsyncDisposableStack()
  const held: Uint8Array[] = []
  let size = 0
  let lookedAt = 0
  let file: SealedFile | undefined
  for await (const chunk of limitBytes(body, limits.maxFile)) {
    size += chunk.length
    if (file === undefined && size <= limits.spoolFrom) held.push(chunk)
    else {
      file ??= owned.adopt(await onDisk(() => create(taking)), file => file.close())
      await append(file, [...held.splice(0), chunk])
      if (size - lookedAt >= lookEvery) {
        lookedAt = size
        await onDisk(() => checkFree(taking.folder, limits))
      }
    }
  }
  if (file === undefined) return bufferSource(Buffer.concat(held))
  await onDisk(() => file.finish())
  owned.move()
  return file
}

async function append(file: SealedFile, chunks: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunks) await onDisk(() => file.append(chunk))
}

async function create({ folder, limits, quota, owner, elsewhere }: Taking): Promise<SealedFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await checkFree(folder, limits)
  const path = join(folder, `${prefix}${newResourceId()}`)
  await using owned = new AsyncDisposableStack()
  // A file without a name lives as long as it is open. Windows cannot do so and removes it on closing.
  const shared = elsewhere === undefined ? undefined : new BytesElsewhere(elsewhere, owner, limits)
  const ended = async (bytes: number) => {
    quota.release(owner, bytes)
    shared?.end()
    await rm(path, { force: true })
  }
  const claim = (bytes: number) => {
    quota.claim(owner, bytes)
    return shared?.need(bytes)
  }
  const file = owned.adopt(new SealedFile(await open(path, 'wx+', 0o600), { claim, ended }), file => file.close())
  if (process.platform !== 'win32') await unlink(path)
  owned.move()
  return file
}

async function plain(
  bytes: AsyncIterable<Uint8Array>,
  { folder, limits, quota, owner, elsewhere }: Taking,
): Promise<PlainFile> {
  await onDisk(async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await checkFree(folder, limits)
  })
  const path = join(folder, `${prefix}${newResourceId()}`)
  const shared = elsewhere === undefined ? undefined : new BytesElsewhere(elsewhere, owner, limits)
  let claimed = 0
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    await rm(path, { force: true })
    quota.release(owner, claimed)
    shared?.end()
  }
  await using owned = new AsyncDisposableStack()
  owned.defer(close)
  {
    await using file = await onDisk(() => open(path, 'wx', 0o600))
    for await (const chunk of bytes) {
      quota.claim(owner, chunk.length)
      claimed += chunk.length
      await shared?.need(chunk.length)
      if (claimed % lookEvery < chunk.length) await onDisk(() => checkFree(folder, limits))
      await onDisk(() => file.writeFile(chunk))
    }
  }
  owned.move()
  return { path, unname: () => (process.platform === 'win32' ? Promise.resolve() : rm(path, { force: true })), close }
}

/** The record lies on the same disk and must always find room. @throws Problem `full` · `ingest.spool-unwritable` */
async function checkFree(folder: string, { keepFree }: IngestLimits): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= keepFree) return
  const text = `Less than ${keepFree} bytes are free on the disk of this server, so it takes no large files.`
  throw new Problem('full', 'ingest.spool-unwritable', text, { retryAfterSeconds: 60 })
}

/** A process that crashed between making a file and taking its name away, or on Windows, left it: nobody can open it. */
async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter(one => one.startsWith(prefix)))
    await rm(join(folder, name), { force: true }).catch(() => undefined)
}
