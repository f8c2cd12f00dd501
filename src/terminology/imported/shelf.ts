import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { joinCanonical, splitCanonical } from '../definitions.ts'
import type { CodeSystem } from '../systems/code-system.ts'
import { CodeSystemFile } from './code-system-file.ts'
import { headOf, headsIn, namesIn } from './heads.ts'
import type { ImportedHead } from './layout.ts'

/** Code systems that a person has imported, each in a file of its own. */
export interface Shelf {
  /** Without a version the one that was imported last. */
  codeSystem(canonical: string): CodeSystem | undefined
  /** All that are here, by url and version. */
  heads(): readonly ImportedHead[]
  /** @returns whether there was one */
  remove(url: string, version: string): boolean
  close(): void
}

/** How long a look at the folder counts: what another process imports is found soon after. */
const lookedForMs = 1_000

/**
 * The shelf in a folder, which need not be there. What is imported while it is open is found; files do not change.
 *
 * @param nowMs  for how long a look at the folder counts
 */
export function openShelf(folder: string, nowMs: () => number = () => performance.now()): Shelf {
  return new FolderShelf(folder, nowMs)
}

interface Kept {
  readonly head: ImportedHead
  readonly file: CodeSystemFile
}

class FolderShelf implements Shelf {
  readonly #folder: string
  readonly #nowMs: () => number
  #lookedMs = Number.NEGATIVE_INFINITY
  #kept: ReadonlyMap<string, Kept> = new Map()

  constructor(folder: string, nowMs: () => number) {
    this.#folder = folder
    this.#nowMs = nowMs
  }

  codeSystem(canonical: string): CodeSystem | undefined {
    const { url, version } = splitCanonical(canonical)
    const fitting = this.#look().filter(({ head }) => head.url === url && (version ?? head.version) === head.version)
    return fitting.toSorted((one, other) => (one.head.importedAt < other.head.importedAt ? 1 : -1))[0]?.file
  }

  heads(): readonly ImportedHead[] {
    const nameOf = ({ url, version }: ImportedHead) => joinCanonical(url, version)
    return this.#look()
      .map(({ head }) => head)
      .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  }

  remove(url: string, version: string): boolean {
    const named = headsIn(this.#folder).filter(({ head }) => head.url === url && head.version === version)
    for (const { path } of named) rmSync(path, { force: true })
    this.#lookedMs = Number.NEGATIVE_INFINITY
    return named.length > 0
  }

  close(): void {
    for (const { file } of this.#kept.values()) file.close()
    this.#kept = new Map()
    this.#lookedMs = Number.NEGATIVE_INFINITY
  }

  #look(): readonly Kept[] {
    if (this.#nowMs() - this.#lookedMs < lookedForMs) return [...this.#kept.values()]
    this.#lookedMs = this.#nowMs()
    const found = new Map<string, Kept>()
    for (const name of namesIn(this.#folder)) {
      const kept = this.#keep(name)
      if (kept !== undefined) found.set(name, kept)
    }
    // A file that is gone is not closed: somebody may be going through it. It ends with whoever holds it.
    this.#kept = found
    return [...found.values()]
  }

  #keep(name: string): Kept | undefined {
    const known = this.#kept.get(name)
    if (known !== undefined) return known
    const path = join(this.#folder, name)
    const head = headOf(path)
    return head === undefined ? undefined : { head, file: new CodeSystemFile(path, head) }
  }
}
