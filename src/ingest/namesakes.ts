import { type Grant, permits, restrict } from '#access'
import { parseResource, type Resource } from '#fhir'
import type { Txn } from '#record'
import { parseQuery } from '#search'
import type { Left, Outcome } from './outcome.ts'
import { renamed } from './renaming.ts'

/** By what the resources of a patient are looked for, as a search has it: their visit, a number, what they point to. */
type By = Readonly<Record<string, string>>

/** Ids of the patient's resources of a type, as far as the grant may search and read them. */
export type LookUp = (txn: Txn, type: string, by: By) => Promise<readonly string[]>

/** More than one visit has of one kind. */
const mostOfVisit = 1000

/** Looks among what one patient has. */
export function lookUpFor(grant: Grant, patient: string, baseUrl: string): LookUp {
  return async (txn, type, by) => {
    if (!permits(grant, 's', type)) return []
    const query = parseQuery(type, new URLSearchParams({ patient: `Patient/${patient}`, ...by }), { baseUrl })
    return (await txn.find(restrict(query, grant), mostOfVisit)).map(({ id }) => id)
  }
}

type Mapped = Extract<Outcome, { kind: 'mapped' }>
type Seeking = Mapped & { readonly namesakes: NonNullable<Mapped['namesakes']> }

/** The items of a batch; what says something of what stands under another name has that name. */
export async function underKnownNames<T extends Outcome>(
  txn: Txn,
  items: readonly T[],
  lookUp: LookUp,
): Promise<{ readonly items: readonly T[]; readonly warnings: readonly Left[] }> {
  const warnings: Left[] = []
  const known = knownOnce(txn, lookUp)
  const claims: Claim[] = []
  const said = new Set((items as readonly Outcome[]).filter(isMapped).map(nameOf))
  const batch: Batch = { said, before: [], named: new Set() }
  for (const item of items as readonly Outcome[]) {
    const found = isSeeking(item) ? await namesakesOf(txn, item, batch, known) : undefined
    if (isMapped(item)) {
      batch.before.push(item.resource)
      batch.named.add(nameOf(item))
    }
    if (!isSeeking(item)) continue
    const [one] = found ?? []
    if (one !== undefined && found?.length === 1) claims.push({ item, one })
    const none = found === undefined ? undefined : [item.namesakes.none, undefined][found.length]
    const left = found !== undefined && found.length > 1 ? item.namesakes.several : none
    if (left !== undefined) warnings.push(left)
  }
  const named = renamed(items, undisputed(claims, warnings))
  const come: T[] = []
  for (const item of named) come.push(await asForetold(txn, item, known, warnings))
  return { items: come, warnings }
}

/** What a batch says, of which its items are gone through once. */
interface Batch {
  /** All that it names, `Type/id`. */
  readonly said: ReadonlySet<string>
  /** What came so far, and its names. */
  readonly before: Resource[]
  readonly named: Set<string>
}

/** What an item is about by its number or its visit, where that is one. */
interface Claim {
  readonly item: Seeking
  readonly one: Resource
}

/** The ids that items are to have. Of two that by a number mean the same it is the one that says the same; else neither, and that is said. */
function undisputed(claims: readonly Claim[], warnings: Left[]): ReadonlyMap<string, string> {
  const isRather = ({ item, one }: Claim) => item.namesakes.isRather?.(one, item.resource) === true
  const namesOf = (some: readonly Claim[]) => new Set(some.map(({ item }) => nameOf(item)))
  const ids = new Map<string, string>()
  for (const [, rivals] of Map.groupBy(claims, ({ one }) => `${one.resourceType}/${one.id}`)) {
    const [all, rather] = [namesOf(rivals), namesOf(rivals.filter(isRather))]
    for (const { item, one } of rivals) {
      const { byNumber, several } = item.namesakes
      const isAlone = all.size === 1 || (rather.size === 1 && rather.has(nameOf(item)))
      if (byNumber !== true || isAlone) ids.set(nameOf(item), one.id ?? '')
      else if (several !== undefined) warnings.push(several)
    }
  }
  return ids
}

/** An item as it is by what was said of it before it came. */
async function asForetold<T extends Outcome>(txn: Txn, item: T, known: Known, warnings: Left[]): Promise<T> {
  if (item.kind !== 'mapped' || item.foretold === undefined) return item
  const { resource, foretold } = item
  const { resourceType: type, id } = resource
  if ((await txn.existing(type, [id])).has(id)) return item
  for (const number of numberOf(foretold.number))
    if ((await known.pointing(type, foretold.by, number)).some(foretold.isSaid)) {
      warnings.push(foretold.left)
      return { ...item, resource: foretold.becomes(resource) }
    }
  return item
}

function isMapped(item: Outcome): item is Mapped {
  return item.kind === 'mapped'
}

function isSeeking(item: Outcome): item is Seeking {
  return item.kind === 'mapped' && item.namesakes !== undefined
}

function nameOf({ resource }: Mapped): string {
  return `${resource.resourceType}/${resource.id}`
}

/** Ids of what an item may say something of, in the record and before it in its batch; undefined where its own name is known. */
async function namesakesOf(
  txn: Txn,
  item: Seeking,
  { said, before, named }: Batch,
  known: Known,
): Promise<readonly Resource[] | undefined> {
  const { resource, namesakes } = item
  const { resourceType: type, id } = resource
  if (named.has(nameOf(item)) || (await txn.existing(type, [id])).has(id)) return undefined
  const found = await (namesakes.byNumber === true ? ofNumbers(item, said, known) : ofVisit(item, before, known))
  const fitting = found?.filter(one => namesakes.isIt(one, resource))
  const rather = fitting?.filter(one => namesakes.isRather?.(one, resource) === true) ?? []
  return fitting && [...new Map((rather.length > 0 ? rather : fitting).map(one => [one.id, one])).values()]
}

/** What is of the visit; undefined where nobody is to look. */
async function ofVisit(
  { resource, namesakes }: Seeking,
  before: readonly Resource[],
  known: Known,
): Promise<readonly Resource[] | undefined> {
  const { resourceType: type } = resource
  const encounter = encounterOf(resource)
  if (encounter === undefined) return []
  const beside = before.filter(one => one.resourceType === type && encounterOf(one) === encounter)
  if (!namesakes.isLikely(await known.read(encounter), resource, beside)) return undefined
  return [...(await known.ofVisit(type, encounter)), ...beside]
}

/** What has one of its numbers, and is not said by itself in the same batch. */
async function ofNumbers(
  { resource, namesakes }: Seeking,
  said: ReadonlySet<string>,
  known: Known,
): Promise<readonly Resource[] | undefined> {
  if (!namesakes.isLikely(undefined, resource, [])) return undefined
  const { resourceType: type } = resource
  const found = new Map<string, Resource>()
  for (const number of numbersOf(resource))
    for (const one of await known.ofNumber(type, number)) found.set(one.id ?? '', one)
  return [...found.values()].filter(({ id }) => !said.has(`${type}/${id}`))
}

/** Identifiers as a search has them. */
function numbersOf({ identifier }: Resource): readonly string[] {
  return Array.isArray(identifier) ? (identifier as readonly Numbered[]).flatMap(numberOf) : []
}

interface Numbered {
  readonly system?: string
  readonly value?: string
}

/** @see https://hl7.org/fhir/R4/search.html#escaping */
function numberOf({ system = '', value }: Numbered): readonly string[] {
  const escaped = (text: string) => text.replace(/[\\,|$]/g, char => `\\${char}`)
  return value === undefined ? [] : [`${escaped(system)}|${escaped(value)}`]
}

function encounterOf({ encounter }: Resource): string | undefined {
  return (encounter as { reference?: string } | undefined)?.reference
}

/** What stands as the transaction begins, within reach. */
interface Known {
  /** The current version of `Type/id`. */
  read(name: string): Promise<Resource | undefined>
  /** All of a type that belong to a visit. */
  ofVisit(type: string, encounter: string): Promise<readonly Resource[]>
  /** All of a type that have a number. */
  ofNumber(type: string, number: string): Promise<readonly Resource[]>
  /** All of a type that point to what has a number, by a search parameter. */
  pointing(type: string, by: string, number: string): Promise<readonly Resource[]>
}

/** Reads each once, and looks once: many diagnoses are of one visit. */
function knownOnce(txn: Txn, lookUp: LookUp): Known {
  const read = once(async name => {
    const [type = '', id = ''] = name.split('/')
    const stored = await txn.read(type, id)
    return stored && parseResource(stored.json)
  })
  const look = once(async asked => {
    const [type = '', name = '', ...by] = asked.split(' ')
    const ids = await lookUp(txn, type, { [name]: by.join(' ') })
    const known: Resource[] = []
    for (const id of ids) {
      const stored = await read(`${type}/${id}`)
      if (stored !== undefined) known.push(stored)
    }
    return known
  })
  return {
    read,
    ofVisit: (type, encounter) => look(`${type} encounter ${encounter}`),
    ofNumber: (type, number) => look(`${type} identifier ${number}`),
    pointing: (type, by, number) => look(`${type} ${by}:identifier ${number}`),
  }
}

function once<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return name => {
    const answer = known.get(name) ?? ask(name)
    known.set(name, answer)
    return answer
  }
}
