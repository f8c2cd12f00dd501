import { type Grant, permits, restrict } from '#access'
import { parseStored, type Resource } from '#fhir'
import { giveWay, inSlices } from '#kernel'
import type { Reader } from '#record'
import { parseQuery, type Query, type Restricted } from '#search'
import { carriedBy, mostHops } from '../../documents/carried.ts'
import { restrictToCompartments } from '../../search/compartment.ts'
import { type Section, type Source, sections } from './sections.ts'

/** Of what was measured without end only so many are looked through, the newest first. */
const mostLookedThrough = 1_000

/** A section with what belongs there; `withheld` where the grant does not reach all that would. */
export interface Filled {
  readonly section: Section
  readonly entries: readonly Resource[]
  readonly isWithheld: boolean
}

/** What stands in a summary: the sections, and what their entries refer to. */
export interface Gathered {
  readonly filled: readonly Filled[]
  readonly referred: readonly Resource[]
}

interface Asking {
  readonly patient: string
  readonly grant: Grant
  readonly reader: Reader
  readonly baseUrl: string
}

/**
 * Asks for all sections with what the grant may search, each row judged by it as in any search.
 *
 * @param asking.grant  narrowed to the patient
 */
export async function gather(asking: Asking): Promise<Gathered> {
  const filled: Filled[] = []
  for (const section of sections) filled.push(await fill(section, asking))
  const referred: Resource[] = []
  let from = filled.flatMap(({ entries }) => entries)
  const known = new Set(from.map(nameOf))
  for (let hop = 0; hop < mostHops && from.length > 0; hop++) {
    from = await referredBy(from, known, asking)
    referred.push(...from)
  }
  return { filled, referred }
}

async function fill(section: Section, asking: Asking): Promise<Filled> {
  const permitted = section.sources.filter(({ type }) => permits(asking.grant, 's', type))
  const entries: Resource[] = []
  for (const source of permitted) {
    for (const entry of await answers(source, asking)) entries.push(entry)
    // What is asked of an index that is in memory waits for nothing by itself.
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return { section, entries, isWithheld: permitted.length < section.sources.length }
}

async function answers(source: Source, asking: Asking): Promise<Resource[]> {
  const { patient, grant, baseUrl } = asking
  const params = new URLSearchParams(source.search)
  params.set('patient', `Patient/${patient}`)
  if (!params.has('_count')) params.set('_count', String(mostLookedThrough))
  const query = parseQuery(source.type, params, { baseUrl })
  const kept = (await found(restrictToCompartments(query, grant), asking)).filter(each => belongs(each, source))
  return source.newestOfEach ? newestOfEach(kept) : kept
}

/** What these refer to, as far as it may be seen and is not known yet. */
async function referredBy(from: readonly Resource[], known: Set<string>, asking: Asking): Promise<Resource[]> {
  const wanted = new Map<string, string[]>()
  for (const { type, id } of await inSlices(carriedBy(from, asking.baseUrl))) {
    const name = `${type}/${id}`
    if (known.has(name) || !permits(asking.grant, 's', type)) continue
    known.add(name)
    const ids = wanted.get(type)
    if (ids === undefined) wanted.set(type, [id])
    else ids.push(id)
  }
  const resources: Resource[] = []
  for (const [type, ids] of wanted) {
    const params = new URLSearchParams({ _id: ids.join(), _count: String(ids.length) })
    const query = parseQuery(type, params, { baseUrl: asking.baseUrl })
    resources.push(...(await found(restrict(query, asking.grant), asking)))
  }
  return resources
}

const nameOf = ({ resourceType, id }: Resource) => `${resourceType}/${id}`

/** Parsing takes time: others have their turn in between. */
async function found(query: Restricted<Query>, { reader }: Asking): Promise<Resource[]> {
  const resources: Resource[] = []
  for (const { json } of (await reader.search(query)).matches) {
    resources.push(await parseStored(json))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return resources
}

function belongs(resource: Resource, { without = [], keeps }: Source): boolean {
  return !without.includes(String(resource.status)) && (keeps?.(resource) ?? true)
}

/** Of each code the first: the answers are in order, the newest first. */
function newestOfEach(resources: readonly Resource[]): Resource[] {
  const seen = new Set<string>()
  return resources.filter(resource => {
    const name = codeOf(resource)
    const isNew = !seen.has(name)
    seen.add(name)
    return isNew
  })
}

/** What is measured; without a code each stands for itself. */
function codeOf({ code, id }: Resource): string {
  const { coding = [], text } = (code ?? {}) as { coding?: { system?: string; code?: string }[]; text?: string }
  const [first] = coding
  return first?.code === undefined ? (text ?? `#${id}`) : `${first.system}|${first.code}`
}
