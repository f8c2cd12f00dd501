import type { Txn } from '#record'
import type { Documents } from '#vault'
import { compareVersions } from './fhir/versions.ts'
import type { SourceVersion } from './outcome.ts'

const collection = 'ingest-deletions'

interface Kept extends SourceVersion {
  /** A newer version has come since. */
  readonly isOver?: true
}

/**
 * What the sources of a patient's files have deleted, also what never was here: an older version that comes later does not bring it
 * back, a newer one does. By `Type/id` under which it is, or would be, in the record.
 */
export class Deletions {
  readonly #documents: Documents
  readonly #patient: string
  readonly #known: ReadonlyMap<string, Kept>

  private constructor(documents: Documents, patient: string, known: ReadonlyMap<string, Kept>) {
    this.#documents = documents
    this.#patient = patient
    this.#known = known
  }

  /** Those that are known when an import begins; what one file deletes and says itself is settled before. */
  static async open(documents: Documents, patient: string): Promise<Deletions> {
    const found = await documents.list<Kept>(collection, { group: patient })
    return new Deletions(
      documents,
      patient,
      new Map(found.map(({ name, value }) => [name.slice(patient.length + 1), value])),
    )
  }

  of(name: string): SourceVersion | undefined {
    const kept = this.#known.get(name)
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

  #write(txn: Txn, name: string, value: Kept): void {
    txn.document(this.#documents.write(collection, `${this.#patient}/${name}`, value, { group: this.#patient }))
  }
}

/** Forgets them for a patient who is erased. */
export async function forgetDeletions(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
