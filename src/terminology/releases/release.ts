import { Problem } from '#kernel'
import type { ImportedHead } from '../imported/layout.ts'
import type { Draft } from '../imported/writing.ts'

/** A file of a release, as its publisher gives it out. */
export interface ReleaseFile {
  /** Its path within the archive or folder, with `/`. */
  readonly path: string
  readonly sizeBytes: number
  open(): AsyncIterable<Uint8Array>
}

/** The head of what was read. */
export type ReadHead = Omit<ImportedHead, 'concepts' | 'importedAt'>

/** How releases of one kind are told from others, and read. */
export interface ReleaseReader {
  readonly name: string
  /** The files that it reads; undefined when it is no release of this kind. */
  find(files: readonly ReleaseFile[]): readonly ReleaseFile[] | undefined
  /**
   * @param files  as `find` returned them
   * @throws Problem `invalid` · `terminology.release-malformed`
   */
  read(files: readonly ReleaseFile[], draft: Draft, hooks: ReadingHooks): Promise<ReadHead>
}

/** What is told while a release is read, and what was said beside it. */
export interface ReadingHooks {
  /** More bytes were read. */
  onBytes(count: number): void
  /** The version, where the files do not say it or say it wrongly. */
  readonly version?: string | undefined
}

/** @param what  what is not as the format says; names no content */
export function malformed(file: ReleaseFile, what: string): Problem {
  const name = file.path.split('/').at(-1) ?? ''
  return new Problem('invalid', 'terminology.release-malformed', `${name} is not as its format has it: ${what}.`)
}

/** @throws Problem `invalid` · `terminology.version-unnamed` */
export function versionFrom(hooks: ReadingHooks, told: string | undefined): string {
  const version = hooks.version ?? told
  if (version !== undefined) return version
  throw new Problem(
    'invalid',
    'terminology.version-unnamed',
    'The files do not say which version of the code system they are: say it by --version.',
  )
}

/** The one file whose path fits; the shortest path where several do. */
export function fileLike(files: readonly ReleaseFile[], pattern: RegExp): ReleaseFile | undefined {
  const [found] = files
    .filter(({ path }) => pattern.test(path))
    .sort((one, other) => one.path.length - other.path.length)
  return found
}
