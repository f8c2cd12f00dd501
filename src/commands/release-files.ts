import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { crc32 } from 'node:zlib'
import yauzl from 'yauzl'
import { Problem } from '#kernel'
import type { ReleaseFile } from '#terminology'

/** The files of a release, and how it is closed. */
export interface ReleaseFiles {
  readonly files: readonly ReleaseFile[]
  close(): void
}

/**
 * The files of a folder, of a zip, or the one file that is named.
 *
 * @param path  absolute
 * @throws Problem `not-found` · `command.release-absent`; `invalid` · `command.release-unreadable`
 */
export async function openReleaseFiles(path: string): Promise<ReleaseFiles> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Problem('not-found', 'command.release-absent', 'There is no such file or folder.')
  if (found.isDirectory()) return ofFiles(await filesIn(path))
  if (/\.zip$/i.test(path)) return filesOfZip(path)
  return ofFiles([fileAt(path, basename(path), found.size)])
}

const ofFiles = (files: readonly ReleaseFile[]): ReleaseFiles => ({ files, close: () => undefined })

function fileAt(path: string, name: string, sizeBytes: number): ReleaseFile {
  return { path: name, sizeBytes, open: () => createReadStream(path) }
}

async function filesIn(folder: string): Promise<readonly ReleaseFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return Promise.all(
    paths.map(async path => {
      const name = [basename(folder), ...relative(folder, path).split(sep)].join('/')
      return fileAt(path, name, (await stat(path)).size)
    }),
  )
}

async function filesOfZip(path: string): Promise<ReleaseFiles> {
  try {
    const zip = await yauzl.openPromise(path, { autoClose: false })
    const files: ReleaseFile[] = []
    for await (const entry of zip.eachEntry())
      if (!entry.fileName.endsWith('/')) files.push(fileOfZip(zip, entry, basename(path)))
    return { files, close: () => zip.close() }
  } catch (cause) {
    throw damaged(cause)
  }
}

/** The archive's own name is the first part of a path, because some releases say their version there alone. */
function fileOfZip(zip: yauzl.ZipFile, entry: yauzl.Entry, archive: string): ReleaseFile {
  return {
    path: `${archive.replace(/\.zip$/i, '')}/${entry.fileName}`,
    sizeBytes: entry.uncompressedSize,
    open: () => checked(zip, entry),
  }
}

/** The bytes of a file, which are told to be damaged at their end: what was read of them by then is not kept. */
async function* checked(zip: yauzl.ZipFile, entry: yauzl.Entry): AsyncGenerator<Buffer, void, void> {
  let sum = 0
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    sum = crc32(chunk as Buffer, sum)
    yield chunk as Buffer
  }
  if (sum !== entry.crc32) throw damaged(undefined)
}

function damaged(cause: unknown): Problem {
  return new Problem('invalid', 'command.release-unreadable', 'The file is no zip, or a damaged one.', { cause })
}
