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
}

/**
 * What the sources of a patient's files have deleted, also what never was here: an older version that comes later does not bring it
 * back, a newer one does. By `Type/id` under which it is, or would be, in the record.
 */
export class Deletions {
  readonly #documents: Documents
  readonly #patient: string
  readonly #known: ReadonlyMap<string, Known>

  private constructor(documents: Documents, patient: string, known: ReadonlyMap<string, Known>) {
    this.#documents = documents
    this.#patient = patient
    this.#known = known
  }

  /**
   * Those that are known when an import begins; what one file deletes and says itself is settled before.
   *
   * @param merged  ids of those who were merged into the patient: what was deleted of theirs is under their names
   */
  static async open(documents: Documents, patient: string, merged: readonly string[]): Promise<Deletions> {
    const known = new Map<string, Known>()
    for (const owner of [...merged, patient])
      for (const { name, value } of await documents.list<Kept>(collection, { group: owner }))
        known.set(name.slice(owner.length + 1), { owner, kept: value })
    return new Deletions(documents, patient, known)
  }

  of(name: string): SourceVersion | undefined {
    const kept = this.#known.get(name)?.kept
    return kept?.isOver === true ? undefined : kept
  }

  /** Keeps what a transaction made of them, with it: undefined where a newer version has come since. */
  keep(txn: Txn, deletions: ReadonlyMap<string, SourceVersion | undefined>): void {
    for (const [name, version] of deletions) {
      const known = this.of(name)
      if (version === undefined) this.#write(txn, name, { isOver: true })
      else if (known === undefined || compareVersions(version, known) > 0) this.#write(txn, name, version)
    }
  }

  /** With those of whom it is known, so that they have it again when the merge is undone. */
  #write(txn: Txn, name: string, value: Kept): void {
    const owner = this.#known.get(name)?.owner ?? this.#patient
    txn.document(this.#documents.write(collection, `${owner}/${name}`, value, { group: owner }))
  }
}

/** Forgets them for a patient who is erased. */
export async function forgetDeletions(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
