import type { Txn } from '#record'
import type { Documents } from '#vault'
import { compareVersions } from './fhir/versions.ts'
import type { SourceVersion } from './outcome.ts'

const collection = 'ingest-deletions'

interface Kept extends SourceVersion {
  /** A newer version has come since. */
  readonly isOver?: true
}

/** A deletion that is known, and of whose files. */
interface Known {
  readonly owner: string
  readonly kept: Kept
  readonly revision: number
}

/** Gets a new revision with each deletion that is noted of a patient's files: what was decided without it is decided again. */
const marks = 'ingest-deletions-noted'

/**
 * What the sources of a patient's files have deleted, also what never was here: an older version that comes later does not bring it
 * back, a newer one does. By `Type/id` under which it is, or would be, in the record.
 */
export class Deletions {
  readonly #documents: Documents
  readonly #patient: string
  readonly #owners: readonly string[]
  /** The revision of the mark when these were read. */
  #mark: number | undefined
  #known: ReadonlyMap<string, Known> = new Map()

  /** @param merged  ids of those who were merged into the patient: what was deleted of theirs is under their names */
  constructor(documents: Documents, patient: string, merged: readonly string[]) {
    this.#documents = documents
    this.#patient = patient
    this.#owners = [...merged, patient]
  }

  /** Reads those that are known as a transaction begins; what one file deletes and says itself is settled before. */
  async look(): Promise<void> {
    const mark = (await this.#documents.get(marks, this.#patient))?.revision ?? 0
    if (mark === this.#mark) return
    const known = new Map<string, Known>()
    for (const owner of this.#owners)
      for (const { name, value, revision } of await this.#documents.list<Kept>(collection, { group: owner }))
        known.set(name.slice(owner.length + 1), { owner, kept: value, revision })
    this.#known = known
    this.#mark = mark
  }

  of(name: string): SourceVersion | undefined {
    const kept = this.#known.get(name)?.kept
    return kept?.isOver === true ? undefined : kept
  }

  /**
   * Keeps what a transaction made of them, with it: undefined where a newer version has come since. It is run again where another
   * import has noted a deletion since `look`.
   */
  keep(txn: Txn, deletions: ReadonlyMap<string, SourceVersion | undefined>): void {
    const mark = this.#mark ?? 0
    let count = 0
    for (const [name, version] of deletions) {
      const known = this.of(name)
      if (version !== undefined && known !== undefined && compareVersions(version, known) <= 0) continue
      this.#write(txn, name, version ?? { isOver: true })
      count += 1
    }
    const noted = count > 0 ? { ifRevision: mark, group: this.#patient } : undefined
    txn.document(
      noted === undefined
        ? this.#documents.check(marks, this.#patient, mark)
        : this.#documents.write(marks, this.#patient, {}, noted),
      noted && this.#patient,
    )
  }

  /** With those of whom it is known, so that they have it again when the merge is undone. */
  #write(txn: Txn, name: string, value: Kept): void {
    const { owner = this.#patient, revision: ifRevision = 0 } = this.#known.get(name) ?? {}
    txn.document(this.#documents.write(collection, `${owner}/${name}`, value, { group: owner, ifRevision }), owner)
  }
}

/** Forgets them for a patient who is erased. */
export async function forgetDeletions(documents: Documents, patient: string): Promise<void> {
  for (const each of [collection, marks])
    for (const { name } of await documents.list(each, { group: patient })) await documents.delete(each, name)
}
