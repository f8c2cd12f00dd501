import { type Grant, homeInReach } from '#access'
import { parseStored, type Resource } from '#fhir'
import { inSlices, type Steps } from '#kernel'
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
    const stood =
      before === undefined || before.deleted ? none : await inSlices(numbersOf(await parseStored(before.json)))
    const stands = await inSlices(numbersOf(resource))
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

/** Those of a Patient, who may have very many. */
function* numbersOf({ identifier }: Resource): Steps<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const one of Array.isArray(identifier) ? (identifier as readonly unknown[]) : []) {
    yield
    if (isNode(one) && typeof one.value === 'string') found.add(numberOf(one))
  }
  return found
}

/** Elements that are numbers, of a resource and of whom it names: `identifier`, `masterIdentifier`, `requisition`. */
const numbered = /^(?:requisition|\w*identifier)$/i

/** A resource without these numbers, wherever in it they stand. */
export function withoutNumbers(resource: Resource, numbers: ReadonlySet<string>): Resource {
  return bare(resource, numbers) as Resource
}

function bare(node: unknown, numbers: ReadonlySet<string>): unknown {
  if (Array.isArray(node)) return node.map(one => bare(one, numbers))
  if (!isNode(node)) return node
  const kept = Object.entries(node).flatMap(([name, value]) => {
    if (!numbered.test(name)) return [[name, bare(value, numbers)] as const]
    const left = [value].flat().filter(one => !isNode(one) || !numbers.has(numberOf(one)))
    return left.length === 0 ? [] : [[name, Array.isArray(value) ? left : left[0]] as const]
  })
  return Object.fromEntries(kept)
}

/** All numbers that stand in a resource, which may be large. */
function* numbersWithin(node: unknown, found = new Set<string>()): Steps<ReadonlySet<string>> {
  if (Array.isArray(node)) for (const one of node) yield* numbersWithin(one, found)
  if (!isNode(node)) return found
  yield
  for (const [name, value] of Object.entries(node)) {
    for (const one of numbered.test(name) ? [value].flat() : [])
      if (isNode(one) && typeof one.value === 'string') found.add(numberOf(one))
    if (typeof value === 'object') yield* numbersWithin(value, found)
  }
  return found
}

/** A Decimal prints itself; it is not taken apart. */
function isNode(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/**
 * Of the numbers of what is no Patient those that stand on the word of an account: what an account writes first, until it is taken away or
 * a source of the house says it too. They are kept with the version.
 *
 * @param says  whether it is written by whom the house believes, by an account, or only moved
 */
export async function enteredIn(
  resource: Resource,
  before: Pick<Stored, 'entered' | 'deleted' | 'json'> | undefined,
  says: 'house' | 'source' | 'account',
): Promise<readonly string[]> {
  const known = new Set(before?.deleted === true ? [] : before?.entered)
  if (resource.resourceType === 'Patient' || says === 'source' || (says === 'house' && known.size === 0)) return []
  const stands = await inSlices(numbersWithin(resource))
  if (says === 'house' || stands.size === 0) return [...stands.intersection(known)]
  const stood =
    before === undefined || before.deleted ? none : await inSlices(numbersWithin(await parseStored(before.json)))
  return [...stands].filter(number => known.has(number) || !stood.has(number))
}
