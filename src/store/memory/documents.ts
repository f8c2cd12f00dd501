import type { Conflict } from '../conflict.ts'
import type { DocumentWrite, StoredDocument } from '../contract.ts'
import { checkHexKey, documentName } from '../well-formed.ts'
import { copyOf } from './copies.ts'

function isAlive(document: StoredDocument, nowMs: number): boolean {
  return document.expiresAtMs === undefined || nowMs < document.expiresAtMs
}

function storedFrom(write: Extract<DocumentWrite, { op: 'put' }>, revision: number): StoredDocument {
  return {
    collection: write.collection,
    key: write.key,
    revision,
    ...(write.group === undefined ? {} : { group: write.group }),
    ...(write.expiresAtMs === undefined ? {} : { expiresAtMs: write.expiresAtMs }),
    sealed: copyOf(write.sealed),
  }
}

/** The documents. */
export class Documents {
  readonly #documents = new Map<string, StoredDocument>()
  #mark = 0

  /** Another number after each write. */
  get mark(): number {
    return this.#mark
  }

  get all(): readonly StoredDocument[] {
    return [...this.#documents.values()]
  }

  /** What writes were decided on that is not so any more. */
  compare(writes: readonly DocumentWrite[], conflict: Conflict): void {
    for (const write of writes)
      if (write.ifRevision !== undefined && write.ifRevision !== this.#revision(write))
        conflict.documents.push(documentName(write))
  }

  write(write: DocumentWrite): void {
    if (write.op === 'check') return
    const name = documentName(write)
    this.#mark++
    if (write.op === 'delete') this.#documents.delete(name)
    else this.#documents.set(name, storedFrom(write, this.#revision(write) + 1))
  }

  #revision(of: { readonly collection: string; readonly key: string }): number {
    return this.#documents.get(documentName(of))?.revision ?? 0
  }

  /** Puts documents as another store held them. */
  restore(documents: readonly StoredDocument[]): void {
    this.#mark++
    for (const document of documents)
      this.#documents.set(documentName(document), { ...document, sealed: copyOf(document.sealed) })
  }

  one(collection: string, key: string, nowMs: number): StoredDocument | undefined {
    checkHexKey(key)
    const document = this.#documents.get(documentName({ collection, key }))
    return document !== undefined && isAlive(document, nowMs) ? document : undefined
  }

  list(collection: string, nowMs: number, group: string | undefined): StoredDocument[] {
    if (group !== undefined) checkHexKey(group)
    return this.all.filter(
      document =>
        document.collection === collection &&
        isAlive(document, nowMs) &&
        (group === undefined || document.group === group),
    )
  }

  collections(): string[] {
    return [...new Set(this.all.map(({ collection }) => collection))]
  }

  every(after: Pick<StoredDocument, 'collection' | 'key'> | undefined, limit: number): StoredDocument[] {
    const names = [...this.#documents.keys()].toSorted()
    const from = after === undefined ? 0 : names.findIndex(name => name > documentName(after))
    const page = from < 0 ? [] : names.slice(from, from + limit)
    return page.flatMap(name => this.#documents.get(name) ?? [])
  }

  expired(nowMs: number, limit: number): StoredDocument[] {
    return this.all.filter(document => !isAlive(document, nowMs)).slice(0, limit)
  }
}
