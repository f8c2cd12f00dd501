import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { newResourceId } from '#kernel'
import { newScratchSeal } from '#vault'
import type { ByteSource } from './byte-source.ts'
import { onDisk } from './on-disk.ts'
import { SealedFile } from './sealed-file.ts'

/** A file that is kept, and the only thing that opens it: whoever forgets this has destroyed it. */
export interface KeptFile {
  readonly name: string
  /** 32 bytes, base64. */
  readonly key: string
  readonly sizeBytes: number
}

/** Files that wait for a person, in a folder beside the data, each sealed under a key of its own. */
export interface KeptFiles {
  /** @throws Problem `busy` · `ingest.spool-unwritable` */
  keep(source: ByteSource): Promise<KeptFile>
  /** Whoever gets it closes it. @throws Problem as `keep` when it is not there */
  open(kept: KeptFile): Promise<ByteSource>
  drop(name: string): Promise<void>
  /** Removes what nobody knows any more. What is younger than an hour may be known soon. */
  sweep(known: ReadonlySet<string>): Promise<void>
}

const prefix = 'kinhold-held-'
const youngMs = 3_600_000

/** No quota of its own: how much is kept is looked at by whoever keeps it. */
const keeper = { claim: () => undefined, ended: async () => undefined }

export function openKeptFiles(folder: string, clock: { nowMs(): number }): KeptFiles {
  const drop = (name: string) => rm(join(folder, name), { force: true })
  return {
    keep: source => onDisk(() => keep(folder, source)),
    open: kept => onDisk(() => reopen(folder, kept)),
    drop,
    async sweep(known) {
      const names = await readdir(folder).catch(() => [])
      for (const name of names.filter(one => one.startsWith(prefix) && !known.has(one)))
        if (await isOld(join(folder, name), clock.nowMs())) await drop(name)
    },
  }
}

async function keep(folder: string, source: ByteSource): Promise<KeptFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const [name, secret] = [`${prefix}${newResourceId()}`, randomBytes(32)]
  await using owned = new AsyncDisposableStack()
  const path = join(folder, name)
  const file = owned.adopt(new SealedFile(await open(path, 'wx', 0o600), keeper, newScratchSeal(secret)), file =>
    file.close(),
  )
  await using unfinished = new AsyncDisposableStack()
  unfinished.defer(() => rm(path, { force: true }))
  for await (const chunk of source.read(0, source.sizeBytes)) await file.append(chunk)
  await file.finish()
  await file.flush()
  unfinished.move()
  return { name, key: secret.toString('base64'), sizeBytes: source.sizeBytes }
}

async function reopen(folder: string, { name, key, sizeBytes }: KeptFile): Promise<ByteSource> {
  const scratch = newScratchSeal(Buffer.from(key, 'base64'))
  return new SealedFile(await open(join(folder, name), 'r'), keeper, scratch, sizeBytes)
}

async function isOld(path: string, nowMs: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && nowMs - found.mtimeMs > youngMs
}
