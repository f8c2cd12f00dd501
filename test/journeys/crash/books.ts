/** What a careful client has written down about its own writes: what was acknowledged, and what got no answer. */

/** What a version carries so that its writer knows it again, or `deleted`. */
export type Mark = string

export const deleted: Mark = 'deleted'

/** Something that a write would bring about. Without a reference it is a new resource, known by its mark alone. */
export interface Effect {
  readonly reference?: string
  readonly version: number
  readonly mark: Mark
  /** The owner was corrected: the version before this one says, in the record it left, that it has left. */
  readonly moved?: true
  /** The person whose it is then; left out by a deletion, and for what is nobody's. */
  readonly patient?: string
}

/** A version that is certain: `Observation/7` in version 2 carries the mark. */
export interface Fact extends Effect {
  readonly reference: string
}

export class Books {
  /** Requests that were answered with success and wrote something. */
  acknowledged = 0
  readonly facts: Fact[] = []
  /** Of requests that got no answer: each happened wholly or not at all. */
  doubts: (readonly Effect[])[] = []
  readonly #marks = new Map<string, Mark[]>()
  readonly #patients = new Map<string, string>()
  #lastMark = 0

  nextMark(): Mark {
    return `w${++this.#lastMark}`
  }

  acknowledge(facts: readonly Fact[]): void {
    this.acknowledged++
    for (const fact of facts) this.enter(fact)
  }

  /** @throws when the version does not follow the one before: the server counted wrong */
  enter(fact: Fact): void {
    const { reference, version, mark, moved } = fact
    const marks = this.#marks.get(reference) ?? []
    if (moved) marks.push('moved away')
    if (marks.length !== version - 1) throw new Error(`${reference}: version ${version} came after ${marks.length}`)
    marks.push(mark)
    this.#marks.set(reference, marks)
    if (fact.patient !== undefined) this.#patients.set(reference, fact.patient)
    this.facts.push(fact)
  }

  /** The mark of one version, or of the newest. */
  markOf(reference: string, version = this.versionOf(reference)): Mark | undefined {
    return this.#marks.get(reference)?.[version - 1]
  }

  versionOf(reference: string): number {
    return this.#marks.get(reference)?.length ?? 0
  }

  patientOf(reference: string): string {
    return this.#patients.get(reference) ?? ''
  }

  isAlive(reference: string): boolean {
    return this.versionOf(reference) > 0 && this.markOf(reference) !== deleted
  }
}
