import { type Grant, restrict } from '#access'
import { parseDateInterval, parseSentJson, type Resource, toResource } from '#fhir'
import { giveWay } from '#kernel'
import { parseQuery } from '#search'
import { canonicalUnit } from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms } from '../types.ts'
import { type Measurement, type Outcome, statistics } from './statistics.ts'
import { readStatsAsked, type StatsAsked } from './stats-asked.ts'

const ucum = 'http://unitsofmeasure.org'
const statisticSystem = 'http://terminology.hl7.org/CodeSystem/observation-statistics'

type Node = { readonly [element: string]: unknown }

/**
 * Statistics over the measurements of one subject, for each code; for a panel for each of its parts.
 *
 * @throws Problem `invalid` · `stats.malformed`; `forbidden` · `scope.missing`, and what a search throws
 * @see https://hl7.org/fhir/R4/observation-operation-stats.html
 */
export async function observationStatistics(
  request: FhirRequest,
  _params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = granted(request)
  const stats = await readStatsAsked(asked, rooms.clock.nowMs())
  const parameter: Node[] = []
  const sources = new Map<string, Resource>()
  for (const { system, code } of stats.codes) {
    const found = await observationsOf(stats, tokenOf(system, code), asked, rooms)
    for (const each of found) sources.set(`${each.id}`, each)
    const series = seriesOf(found, { system, code })
    for (const each of series) parameter.push({ name: 'statistics', resource: observationOf(each, stats) })
  }
  const shown = stats.includes ? [...sources.values()].slice(0, stats.limit) : []
  const body: Resource = {
    resourceType: 'Parameters',
    parameter: [...parameter, ...shown.map(resource => ({ name: 'source', resource }))],
  }
  return { status: 200, headers: {}, body }
}

function tokenOf(system: string | undefined, code: string): string {
  return system === undefined ? escaped(code) : `${escaped(system)}|${escaped(code)}`
}

/** One value of a search, whatever is in it. @see https://hl7.org/fhir/R4/search.html#escaping */
function escaped(text: string): string {
  return text.replace(/[\\,|$]/g, String.raw`\$&`)
}

/** Those of the code, and the members of panels of that code. */
async function observationsOf(
  stats: StatsAsked,
  token: string,
  { grant, baseUrl }: GrantedRequest,
  rooms: Rooms,
): Promise<readonly Resource[]> {
  const shared: [string, string][] = [
    ['subject', escaped(stats.subject)],
    ['status:not', 'entered-in-error'],
    ...(stats.start === undefined ? [] : [['date', `ge${stats.start}`] as [string, string]]),
    ...(stats.end === undefined ? [] : [['date', `le${stats.end}`] as [string, string]]),
    ['_sort', '-date'],
    ['_count', '1000'],
  ]
  const found = new Map<string, Resource>()
  for (const name of ['combo-code', '_has:Observation:has-member:code'])
    for (const each of await searched([[name, token], ...shared], { grant, baseUrl, rooms }))
      found.set(`${each.id}`, each)
  return [...found.values()]
}

async function searched(
  params: readonly [string, string][],
  { grant, baseUrl, rooms }: { readonly grant: Grant; readonly baseUrl: string; readonly rooms: Rooms },
): Promise<readonly Resource[]> {
  const reader = rooms.record.reader(grant)
  const query = restrict(
    parseQuery('Observation', new URLSearchParams(params.map(pair => [...pair])), { baseUrl }),
    grant,
  )
  const found: Resource[] = []
  let cursor: string | undefined
  do {
    const page = await reader.search(query, cursor)
    for (const { json } of page.matches) {
      found.push(toResource(await parseSentJson(json)) as Resource)
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    cursor = page.next
  } while (cursor !== undefined)
  return found
}

/** A quantity that counts: exact, with a UCUM unit. */
interface Quantity {
  readonly value: number
  readonly code: string
  readonly text: string
  readonly atMs: number | undefined
}

/** The observations of one code. */
interface Series {
  readonly code: Node
  readonly quantities: Quantity[]
  /** All of them, those without a value that counts included. */
  total: number
}

interface Sought {
  readonly system: string | undefined
  readonly code: string
}

function seriesOf(observations: readonly Resource[], sought: Sought): readonly Series[] {
  const byCode = new Map<string, Series>()
  for (const observation of observations) {
    const atMs = timeOf(observation)
    for (const part of measuresOf(observation, sought)) addTo(byCode, part, atMs, sought)
  }
  if (byCode.size === 0) addTo(byCode, { code: { coding: [{ ...sought }] } }, undefined, sought, 0)
  return [...byCode.values()]
}

/** The observation itself, or what a panel is made of; of what is no panel only what has the code. */
function measuresOf(observation: Resource, sought: Sought): readonly Node[] {
  const components = nodes(observation.component)
  const own = observation as Node
  if (isCoded(own, sought)) return components.length > 0 && own.valueQuantity === undefined ? components : [own]
  const parts = components.filter(component => isCoded(component, sought))
  return parts.length > 0 ? parts : components.length > 0 && own.valueQuantity === undefined ? components : [own]
}

function nodes(value: unknown): readonly Node[] {
  return Array.isArray(value) ? (value as readonly Node[]) : []
}

function codingsOf({ code }: Node): readonly Node[] {
  return nodes((code as Node | undefined)?.coding)
}

function isCoded(node: Node, { system, code }: Sought): boolean {
  return codingsOf(node).some(coding => coding.code === code && (system === undefined || coding.system === system))
}

function nameOf(node: Node): string {
  const [first] = codingsOf(node)
  return first === undefined ? `text ${String((node.code as Node | undefined)?.text)}` : `${first.system}|${first.code}`
}

function addTo(byCode: Map<string, Series>, part: Node, atMs: number | undefined, sought: Sought, count = 1): void {
  const name = isCoded(part, sought) ? '' : nameOf(part)
  const series = byCode.get(name) ?? { code: part.code as Node, quantities: [], total: 0 }
  byCode.set(name, series)
  series.total += count
  const quantity = quantityOf(part.valueQuantity as Node | undefined, atMs)
  if (quantity !== undefined) series.quantities.push(quantity)
}

function quantityOf(quantity: Node | undefined, atMs: number | undefined): Quantity | undefined {
  const { system, code, unit, comparator } = quantity ?? {}
  const value = Number(quantity?.value ?? Number.NaN)
  if (system !== ucum || typeof code !== 'string' || comparator !== undefined || !Number.isFinite(value))
    return undefined
  return { value, code, text: typeof unit === 'string' ? unit : code, atMs }
}

/** The unit that most are given in, of the units that most can be given in: a single slip must not decide for all. */
function unitOf(quantities: readonly Quantity[]): Unit | undefined {
  const largest = (lists: Iterable<readonly Quantity[]>) =>
    [...lists].reduce((most: readonly Quantity[], list) => (list.length > most.length ? list : most), [])
  const alike = largest(Map.groupBy(quantities, ({ code }) => canonicalUnit(code)?.unit ?? code).values())
  return largest(Map.groupBy(alike, ({ code }) => code).values())[0]
}

function measuredIn({ code }: Unit, quantities: readonly Quantity[]): readonly Measurement[] {
  const to = canonicalUnit(code)
  return quantities.flatMap(({ value, atMs, ...given }) => {
    if (given.code === code) return [{ value, atMs }]
    const from = canonicalUnit(given.code)
    if (from === undefined || to === undefined || from.unit !== to.unit) return []
    return [{ value: to.fromCanonical(from.toCanonical(value)), atMs }]
  })
}

function timeOf(observation: Resource): number | undefined {
  const { effectiveDateTime, effectiveInstant, effectivePeriod } = observation as Node
  const text = effectiveDateTime ?? effectiveInstant ?? (effectivePeriod as Node | undefined)?.start
  return typeof text === 'string' ? parseDateInterval(text)?.fromMs : undefined
}

function observationOf(series: Series, { subject, start, end, statistics: names }: StatsAsked): Resource {
  const period = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) }
  return {
    resourceType: 'Observation',
    status: 'final',
    code: series.code,
    subject: { reference: subject },
    ...(Object.keys(period).length === 0 ? {} : { effectivePeriod: period }),
    component: names.flatMap(name => componentsOf(name, series)),
  }
}

function componentsOf(name: string, { quantities, total }: Series): readonly Node[] {
  const unit = unitOf(quantities) ?? { code: '1', text: '1' }
  const outcomes: readonly Outcome[] =
    name === 'total-count'
      ? [{ unit: 'count', text: 'Total Count', value: total }]
      : (statistics[name]?.outcomes(measuredIn(unit, quantities)) ?? [])
  return outcomes.map(outcome => componentOf(name, outcome, unit))
}

function componentOf(name: string, { unit, text, value }: Outcome, measured: Unit): Node {
  const code = { coding: [{ system: statisticSystem, code: name }], text }
  if (value === undefined) return { code, dataAbsentReason: notApplicable }
  const named = units[unit](measured)
  return {
    code,
    valueQuantity: { value: Number(value.toPrecision(12)), unit: named.text, system: ucum, code: named.code },
  }
}

const notApplicable = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'not-applicable' }],
}

/** A UCUM code, and how it is printed. */
type Unit = Pick<Quantity, 'code' | 'text'>

const units: Readonly<Record<Outcome['unit'], (unit: Unit) => Unit>> = {
  same: unit => unit,
  count: () => ({ code: '{#}', text: '{#}' }),
  none: () => ({ code: '1', text: '1' }),
  squared: ({ code, text }) => ({ code: `(${code})2`, text: `(${text})2` }),
  'per-day': ({ code, text }) => ({ code: `(${code})/d`, text: `${text}/d` }),
}
