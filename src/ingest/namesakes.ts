import { type Grant, permits, restrict } from '#access'
import { parseResource, type Resource } from '#fhir'
import type { Txn } from '#record'
import { parseQuery } from '#search'
import type { Left, Outcome } from './outcome.ts'
import { renamed } from './renaming.ts'

/** Ids of the patient's resources of a type that belong to a visit, as far as the grant may search and read them. */
export type LookUp = (txn: Txn, type: string, encounter: string) => Promise<readonly string[]>

/** More than one visit has of one kind. */
const mostOfVisit = 1000

/** Looks among what one patient has. */
export function lookUpFor(grant: Grant, patient: string, baseUrl: string): LookUp {
  return async (txn, type, encounter) => {
    if (!permits(grant, 's', type)) return []
    const query = parseQuery(type, new URLSearchParams({ patient: `Patient/${patient}`, encounter }), { baseUrl })
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
  const ids = new Map<string, string>()
  const warnings: Left[] = []
  const read = currentOnce(txn)
  for (const item of items as readonly Outcome[]) {
    if (!isSeeking(item)) continue
    const found = await namesakesOf(txn, item, items, { lookUp, read })
    const [id] = found ?? []
    if (id !== undefined && found?.length === 1) ids.set(nameOf(item), id)
    const said = found === undefined ? undefined : [item.namesakes.none, undefined][found.length]
    const left = found !== undefined && found.length > 1 ? item.namesakes.several : said
    if (left !== undefined) warnings.push(left)
  }
  return { items: renamed(items, ids), warnings }
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
  items: readonly Outcome[],
  { lookUp, read }: { readonly lookUp: LookUp; readonly read: Read },
): Promise<readonly string[] | undefined> {
  const { resource, namesakes } = item
  const { resourceType: type, id } = resource
  const before = items.slice(0, items.indexOf(item)).flatMap(one => (one.kind === 'mapped' ? one.resource : []))
  const isOwn = before.some(one => one.resourceType === type && one.id === id)
  if (isOwn || (await txn.existing(type, [id])).has(id)) return undefined
  const encounter = encounterOf(resource)
  if (encounter === undefined) return []
  const beside = before.filter(one => one.resourceType === type && encounterOf(one) === encounter)
  if (!namesakes.isLikely(await read(encounter), resource, beside)) return undefined
  const stored = await Promise.all((await lookUp(txn, type, encounter)).map(one => read(`${type}/${one}`)))
  const known = [...stored.filter(one => one !== undefined), ...beside]
  return [...new Set(known.filter(one => namesakes.isIt(one, resource)).map(one => one.id ?? ''))]
}

function encounterOf({ encounter }: Resource): string | undefined {
  return (encounter as { reference?: string } | undefined)?.reference
}

/** The current version of `Type/id`; undefined when there is none within reach. */
type Read = (name: string) => Promise<Resource | undefined>

/** Reads each once: many diagnoses are of one visit. */
function currentOnce(txn: Txn): Read {
  const known = new Map<string, Promise<Resource | undefined>>()
  const read = async (name: string) => {
    const [type = '', id = ''] = name.split('/')
    const stored = await txn.read(type, id)
    return stored && parseResource(stored.json)
  }
  return name => {
    const current = known.get(name) ?? read(name)
    known.set(name, current)
    return current
  }
}
