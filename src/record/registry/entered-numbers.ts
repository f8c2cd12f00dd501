import type { DocumentDraft, Documents } from '#vault'

interface Kept {
  /** As `numberOf` gives them. */
  readonly numbers: readonly string[]
}

/** What was read, with the revision that a write has to meet. */
export interface Entered {
  readonly numbers: ReadonlySet<string>
  readonly revision: number
}

const collection = 'entered-numbers'

/** Which of a Patient's numbers an account has entered, and nobody who knows has given since. */
export class EnteredNumbers {
  readonly #documents: Documents

  constructor(documents: Documents) {
    this.#documents = documents
  }

  /** @param patient  Patient id */
  async of(patient: string): Promise<Entered> {
    const known = await this.#documents.get<Kept>(collection, patient)
    return { numbers: new Set(known?.value.numbers), revision: known?.revision ?? 0 }
  }

  /** To be committed with what was written; it fails over if somebody was faster. */
  write(patient: string, numbers: ReadonlySet<string>, ifRevision: number): DocumentDraft {
    return this.#documents.write<Kept>(collection, patient, { numbers: [...numbers] }, { ifRevision, group: patient })
  }
}
