import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { newResourceId } from '#kernel'
import { headsIn } from './heads.ts'
import { createIndexes, createTables, type ImportedHead } from './layout.ts'

/** What a release says of a concept, in whatever order it comes. */
export interface ConceptRow {
  readonly code: string
  readonly display?: string | undefined
  readonly definition?: string | undefined
  readonly isInactive?: boolean
  readonly isAbstract?: boolean
}

/** Another name of a concept. */
export interface NameRow {
  readonly value: string
  readonly language?: string
  /** A text, or `system|code|display`. */
  readonly use?: string
}

/**
 * A code system that is being written: beside the others under a name that nobody reads, and put in its place as a whole. What is
 * said of a code that does not come as a concept is left out.
 */
export interface Draft {
  /** The first row of a code counts. */
  concept(row: ConceptRow): void
  /** Gives a concept its name in the place of the one it has. */
  rename(code: string, display: string): void
  name(code: string, row: NameRow): void
  property(code: string, name: string, value: string): void
  /** Says that one concept is a kind of another. */
  link(below: string, above: string): void
  readonly concepts: number
  /** Puts it in its place. @returns its head */
  finish(head: Omit<ImportedHead, 'concepts' | 'importedAt'>): ImportedHead
  /** Leaves nothing, unless it was finished. */
  close(): void
}

/** Rows that are written in one transaction: a release has millions, and an undo of all of them would lie in memory. */
const rowsAtOnce = 100_000

/** @param folder  of the shelf; made when it is not there */
export function openDraft(folder: string): Draft {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  removeLeftovers(folder)
  const path = join(folder, `${unfinished}${newResourceId()}`)
  const database = new DatabaseSync(path)
  // What is cut off is thrown away, so nothing of it needs to be safe before the end.
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536')
  createTables(database)
  return new WritingDraft(folder, path, database)
}

function flush(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const unfinished = 'unfinished-'
const dayMs = 86_400_000

/** What a killed import left; one that is going on writes all the time. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder).filter(each => each.startsWith(unfinished))) {
    const path = join(folder, name)
    const writtenMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (Date.now() - writtenMs > dayMs) rmSync(path, { force: true })
  }
}

class WritingDraft implements Draft {
  readonly #folder: string
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #ids = new Map<string, number>()
  readonly #insert
  #rows = 0

  constructor(folder: string, path: string, database: DatabaseSync) {
    this.#folder = folder
    this.#path = path
    this.#database = database
    this.#insert = {
      concept: database.prepare(
        'INSERT INTO concept (id, code, display, definition, inactive, abstract) VALUES (?, ?, ?, ?, ?, ?)',
      ),
      rename: database.prepare('UPDATE concept SET display = ? WHERE id = ?'),
      name: database.prepare('INSERT INTO designation (concept, language, use, value) VALUES (?, ?, ?, ?)'),
      property: database.prepare('INSERT INTO property (concept, code, value) VALUES (?, ?, ?)'),
      link: database.prepare('INSERT OR IGNORE INTO link (below, above) VALUES (?, ?)'),
    }
    database.exec('BEGIN')
  }

  get concepts(): number {
    return this.#ids.size
  }

  concept({ code, display, definition, isInactive = false, isAbstract = false }: ConceptRow): void {
    if (this.#ids.has(code)) return
    const id = this.#ids.size + 1
    this.#ids.set(code, id)
    this.#insert.concept.run(id, code, display ?? null, definition ?? null, Number(isInactive), Number(isAbstract))
    this.#count()
  }

  rename(code: string, display: string): void {
    const id = this.#ids.get(code)
    if (id !== undefined) this.#insert.rename.run(display, id)
    this.#count()
  }

  name(code: string, { value, language, use }: NameRow): void {
    const id = this.#ids.get(code)
    if (id !== undefined) this.#insert.name.run(id, language ?? null, use ?? null, value)
    this.#count()
  }

  property(code: string, name: string, value: string): void {
    const id = this.#ids.get(code)
    if (id !== undefined) this.#insert.property.run(id, name, value)
    this.#count()
  }

  link(below: string, above: string): void {
    const [lower, upper] = [this.#ids.get(below), this.#ids.get(above)]
    if (lower !== undefined && upper !== undefined && lower !== upper) this.#insert.link.run(lower, upper)
    this.#count()
  }

  finish(said: Omit<ImportedHead, 'concepts' | 'importedAt'>): ImportedHead {
    const head = { ...said, concepts: this.#ids.size, importedAt: new Date().toISOString() }
    this.#database.prepare('INSERT INTO head (json) VALUES (?)').run(JSON.stringify(head))
    createIndexes(this.#database)
    this.#database.exec('COMMIT')
    this.#database.close()
    // Under its name it is to outlast a power cut.
    flush(this.#path)
    const former = headsIn(this.#folder).filter(
      each => each.head.url === head.url && each.head.version === head.version,
    )
    renameSync(this.#path, join(this.#folder, `${newResourceId()}.sqlite`))
    for (const { path } of former) rmSync(path, { force: true })
    return head
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
    rmSync(this.#path, { force: true })
  }

  #count(): void {
    if (++this.#rows % rowsAtOnce === 0) this.#database.exec('COMMIT; BEGIN')
  }
}
