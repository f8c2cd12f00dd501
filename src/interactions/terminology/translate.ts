import { giveWay, Problem } from '#kernel'
import {
  type CodingFact,
  type ConceptMapDefinition,
  type DependencyDefinition,
  isBetween,
  isTranslated,
  type Translation,
  translate,
} from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { answerWith, type Told, toCoding } from './answer.ts'
import { type Asked, type Forms, readAsked } from './asked.ts'
import { askedCodings, canonicalOf } from './asked-about.ts'
import { Holdings } from './holdings.ts'

/** What ConceptMap/$translate takes. */
export const translateForms: Forms = {
  url: 'text',
  conceptMap: 'resource',
  conceptMapVersion: 'text',
  code: 'text',
  system: 'text',
  version: 'text',
  source: 'text',
  coding: 'Coding',
  codeableConcept: 'CodeableConcept',
  target: 'text',
  targetsystem: 'text',
  dependency: 'dependencies',
  reverse: 'flag',
}

/**
 * A code in another system, by one map or by all that lead there.
 *
 * @throws Problem `not-found` · `terminology.map-absent`; `invalid` · `terminology.system-unnamed` and as `askedCodings`
 * @see https://hl7.org/fhir/R4/conceptmap-operation-translate.html
 */
export async function translateCode(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await readAsked(request, translateForms, rooms.validator)
  const holdings = new Holdings(granted(request), rooms)
  const codings = askedCodings(asked, { system: asked.text('system'), version: asked.text('version') })
  if (asked.has('code') && !asked.has('system'))
    throw new Problem('invalid', 'terminology.system-unnamed', 'A code needs its system beside it.', {
      expression: 'system',
    })
  const maps = await askedMaps(asked, params, holdings, codings)
  const others = await othersOf(maps, holdings)
  const how = {
    targetSystem: asked.text('targetsystem'),
    reverse: asked.flag('reverse'),
    dependencies: asked.dependencies('dependency'),
  }
  const found: Translation[] = []
  for (const map of maps)
    for (const coding of codings) {
      found.push(...translate(map, { coding, ...how }, canonical => others.get(canonical)))
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
  return answerWith(tell(found))
}

async function askedMaps(
  asked: Asked,
  { id }: PathParams,
  holdings: Holdings,
  codings: readonly CodingFact[],
): Promise<readonly ConceptMapDefinition[]> {
  if (id !== undefined) return [(await holdings.read('ConceptMap', id)) as ConceptMapDefinition]
  const sent = asked.resource('conceptMap')
  if (sent !== undefined) return [sent as ConceptMapDefinition]
  const url = asked.text('url')
  if (url === undefined) return mapsBetween(asked, holdings, codings)
  const map = await holdings.conceptMap(canonicalOf(url, asked.text('conceptMapVersion')))
  if (map !== undefined) return [map]
  throw new Problem(
    'not-found',
    'terminology.map-absent',
    'No such concept map, or no such version of it, is held here.',
    {
      expression: 'url',
    },
  )
}

/** Without a map the systems of the codes tell which may help, and the value sets that are named. */
async function mapsBetween(
  asked: Asked,
  holdings: Holdings,
  codings: readonly CodingFact[],
): Promise<readonly ConceptMapDefinition[]> {
  const isReverse = asked.flag('reverse') === true
  const systems = new Set(codings.flatMap(({ system = [] }) => system))
  const maps = new Set<ConceptMapDefinition>()
  for (const system of systems)
    for (const map of await holdings.conceptMapsOf(isReverse ? 'target' : 'source', system)) maps.add(map)
  const [from, to] = isReverse ? (['target', 'source'] as const) : (['source', 'target'] as const)
  return [...maps].filter(map => isBetween(map, asked.text(from), asked.text(to)))
}

/** The maps to which those lead that are asked, and theirs. */
async function othersOf(
  maps: readonly ConceptMapDefinition[],
  holdings: Holdings,
): Promise<ReadonlyMap<string, ConceptMapDefinition>> {
  const found = new Map<string, ConceptMapDefinition>()
  const open = [...maps]
  for (let map = open.pop(); map !== undefined; map = open.pop())
    for (const { unmapped: { url } = {} } of map.group ?? []) {
      if (url === undefined || found.has(url)) continue
      const other = await holdings.conceptMap(url)
      if (other === undefined) continue
      found.set(url, other)
      open.push(other)
    }
  return found
}

function tell(found: readonly Translation[]): readonly Told[] {
  const result = isTranslated(found)
  return [
    { name: 'result', valueBoolean: result },
    {
      name: 'message',
      valueString: result ? undefined : 'No map that is held here says this code in the other system.',
    },
    ...found.map(tellMatch),
  ]
}

function tellMatch({ equivalence, concept, product, source }: Translation): Told {
  const part: Told[] = [{ name: 'equivalence', valueCode: equivalence }]
  if (concept !== undefined) part.push({ name: 'concept', valueCoding: toCoding(concept) })
  part.push(...product.map(tellProduct))
  if (source !== '') part.push({ name: 'source', valueUri: source })
  return { name: 'match', part }
}

function tellProduct({ property, system, value, display }: DependencyDefinition): Told {
  return {
    name: 'product',
    part: [
      { name: 'element', valueUri: property },
      { name: 'concept', valueCoding: toCoding({ system, code: value, display }) },
    ],
  }
}
