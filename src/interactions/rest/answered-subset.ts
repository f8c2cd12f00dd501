import { parseJsonInSteps, parseResource, type Resource } from '#fhir'
import { giveWay, inSlices } from '#kernel'
import type { FhirResponse, Route } from '../types.ts'
import { cutting, parseSubset, type Subset } from './subset.ts'

/** What of an answer is wanted; `count`: of a Bundle only how many there are. */
export type WantedPart = Subset | 'count'

/** General parameters that every interaction takes: https://hl7.org/fhir/R4/http.html#parameters */
export const subsetNames = ['_summary', '_elements'] as const

/**
 * Which part of its answer a request asks for; undefined for the whole, and where the interaction itself sees to it.
 *
 * @throws Problem `invalid` · `request.summary-unknown`
 * @see https://hl7.org/fhir/R4/http.html#parameters
 */
export function wantedPart(route: Route, query: URLSearchParams): WantedPart | undefined {
  if (!subsetNames.some(name => query.has(name)) || isSeenTo(route)) return undefined
  const isCount = query.get('_summary') === 'count' && /^(?:history|search)-/.test(route.interaction)
  return isCount ? 'count' : parseSubset(query)
}

/** Whatever searches cuts what it finds, and reads what they read. */
function isSeenTo({ interaction, query, produces }: Route): boolean {
  if (query === 'search') return !interaction.startsWith('conditional-')
  return produces !== undefined || query?.includes('_summary') === true
}

/** The part of an answer: of a resource, or of each that a Bundle holds. What went wrong is told whole. */
export async function partOfAnswer(response: FhirResponse, part: WantedPart): Promise<FhirResponse> {
  const { body, headers } = response
  if (body === undefined || headers['content-type'] !== undefined) return response
  const resource = await resourceOf(body)
  if (resource.resourceType === 'OperationOutcome') return response
  if (part === 'count') return { ...response, body: withoutEntries(resource) }
  const cut = cutting(part)
  return { ...response, body: resource.resourceType === 'Bundle' ? await eachCut(resource, cut) : cut(resource) }
}

async function resourceOf(body: Buffer | string | Resource): Promise<Resource> {
  if (typeof body === 'string') return parseResource(body)
  return Buffer.isBuffer(body) ? ((await inSlices(parseJsonInSteps(body))) as Resource) : body
}

function withoutEntries({ entry: _entry, ...bundle }: Resource): Resource {
  return { ...bundle, resourceType: 'Bundle' }
}

interface Entry {
  readonly resource?: Resource
}

async function eachCut(bundle: Resource, cut: (resource: Resource) => Resource): Promise<Resource> {
  const entries: Entry[] = []
  for (const entry of (bundle.entry ?? []) as readonly Entry[]) {
    const { resource } = entry
    const isKept = resource === undefined || resource.resourceType === 'OperationOutcome'
    entries.push(isKept ? entry : { ...entry, resource: cut(resource) })
    await giveWay()
  }
  return entries.length === 0 ? bundle : { ...bundle, entry: entries }
}
