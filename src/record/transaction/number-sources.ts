import { type Grant, homeInReach } from '#access'
import { parseStored, type Resource } from '#fhir'
import type { DocumentDraft } from '#vault'
import type { Entered, EnteredNumbers } from '../registry/entered-numbers.ts'
import type { Stored } from '../types.ts'

/** A number of a Patient, as https://hl7.org/fhir/R4/datatypes.html#Identifier has it. */
export interface PatientNumber {
  readonly system?: unknown
  readonly value?: unknown
}

/** What a transaction changes of what is known of one Patient's numbers. */
interface Change {
  readonly add: Set<string>
  readonly drop: Set<string>
}

/**
 * Who said that a number is a Patient's. Whoever may write a Patient may write any number there, that of somebody else's hospital
 * too; so what an account enters is noted, until whoever speaks for the house (`system/` scopes) says it as well.
 */
export class NumberSources {
  readonly #entered: EnteredNumbers
  readonly #isHouse: boolean
  readonly #changes = new Map<string, Change>()
  /** A Patient takes over what is noted of those who are merged into it. */
  readonly #merges = new Map<string, string>()

  constructor(grant: Grant, entered: EnteredNumbers) {
    this.#entered = entered
    this.#isHouse = homeInReach(grant) === 'all'
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && this.#merges.size === 0
  }

  /** A version of a Patient is written in the place of another one. */
  async written(id: string, resource: Resource, before?: Stored): Promise<void> {
    if (resource.resourceType !== 'Patient') return
    const stood = before === undefined || before.deleted ? none : numbersOf(await parseStored(before.json))
    const stands = numbersOf(resource)
    if (!this.#isHouse) for (const number of stands.difference(stood)) this.#add(id, number)
    for (const number of stood.difference(stands)) this.#drop(id, number)
  }

  /** Somebody who knows says that these are a Patient's. */
  vouch(id: string, numbers: readonly PatientNumber[]): void {
    for (const number of numbers) this.#drop(id, numberOf(number))
  }

  merged(id: string, into: string | undefined): void {
    if (into !== undefined) this.#merges.set(id, into)
  }

  /** The numbers of a Patient for which nobody vouches, as `numberOf` gives them. */
  async enteredFor(id: string): Promise<ReadonlySet<string>> {
    return this.#changed(id, (await this.#entered.of(id)).numbers)
  }

  /** What is to be committed with the versions. */
  async writes(): Promise<readonly DocumentDraft[]> {
    const drafts: DocumentDraft[] = []
    for (const id of new Set([...this.#changes.keys(), ...this.#merges.values()])) {
      const known = await this.#entered.of(id)
      const next = this.#changed(id, await this.#withLosers(id, known))
      const isSame = next.size === known.numbers.size && next.isSubsetOf(known.numbers)
      if (!isSame) drafts.push(this.#entered.write(id, next, known.revision))
    }
    return drafts
  }

  async #withLosers(id: string, { numbers }: Entered): Promise<ReadonlySet<string>> {
    let all = numbers
    for (const [loser, into] of this.#merges) if (into === id) all = all.union(await this.enteredFor(loser))
    return all
  }

  #changed(id: string, numbers: ReadonlySet<string>): ReadonlySet<string> {
    const change = this.#changes.get(id)
    return change === undefined ? numbers : numbers.union(change.add).difference(change.drop)
  }

  #add(id: string, number: string): void {
    const { add, drop } = this.#change(id)
    add.add(number)
    drop.delete(number)
  }

  #drop(id: string, number: string): void {
    const { add, drop } = this.#change(id)
    drop.add(number)
    add.delete(number)
  }

  #change(id: string): Change {
    const change = this.#changes.get(id) ?? { add: new Set(), drop: new Set() }
    this.#changes.set(id, change)
    return change
  }
}

const none: ReadonlySet<string> = new Set()

/** A number with its authority, as one text: blanks around it are none of it. */
export function numberOf({ system, value }: PatientNumber): string {
  return JSON.stringify([system ?? null, typeof value === 'string' ? value.trim() : null])
}

function numbersOf({ identifier }: Resource): ReadonlySet<string> {
  const numbers: readonly unknown[] = Array.isArray(identifier) ? identifier : []
  const named = numbers.filter((one): one is PatientNumber => typeof one === 'object' && one !== null)
  return new Set(named.filter(({ value }) => typeof value === 'string').map(numberOf))
}
