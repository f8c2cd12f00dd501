import { type Log, Problem } from '#kernel'
import { nameOf } from './document-entry.ts'
import type { StaleDocument } from './document-rows.ts'

/** The rows that are not what was written last, as they were found when all were compared: nobody gets them. */
export class StaleDocuments {
  readonly #log: Log
  #stale: ReadonlyMap<string, StaleDocument> = new Map()

  constructor(log: Log) {
    this.#log = log
  }

  get all(): readonly StaleDocument[] {
    return [...this.#stale.values()]
  }

  get size(): number {
    return this.#stale.size
  }

  of(document: { readonly collection: string; readonly key: string }): StaleDocument | undefined {
    return this.#stale.get(nameOf(document))
  }

  /** @throws Problem `fault` · `record.document-stale` for a document that is not what was written last */
  checkFresh(collection: string, key: string): void {
    if (this.#stale.size > 0 && this.#stale.has(nameOf({ collection, key }))) throw documentStale()
  }

  /** @throws Problem `fault` · `record.document-stale` where a document of a collection, or of a group of it, is missing */
  checkWhole(collection: string, group?: string): void {
    if (this.#stale.size === 0) return
    for (const stale of this.#stale.values())
      if (stale.isMissing && stale.collection === collection && (group === undefined || stale.group === group))
        throw documentStale()
  }

  /** What was found in place of what had been found before. */
  become(stale: readonly StaleDocument[]): void {
    if (stale.some(each => this.of(each) === undefined)) {
      const text = 'documents are not what was written last: they are refused; run verify'
      this.#log.error(text, { room: 'record', code: 'record.document-stale', count: stale.length })
    }
    this.#stale = new Map(stale.map(each => [nameOf(each), each]))
  }
}

const documentStale = (): Problem =>
  new Problem(
    'fault',
    'record.document-stale',
    'This is not what was written here last: the database was changed or damaged. The administrator runs kinhold verify.',
  )
