/** Random requests, one for each number: every row of the catalogue, with hers, others' and nobody's ids. */
import { printJson, type Resource } from '#fhir'
import { dates } from './codes.ts'
import { Dice } from './dice.ts'
import type { Ask } from './house.ts'
import { drawOwner, type Owner, persons } from './names.ts'
import { askedTypes, drawCondition, drawId, drawSearch, drawType } from './questions.ts'
import { drawResource, isDrawable } from './resources.ts'

type Draw = (dice: Dice) => Ask

const form = { 'content-type': 'application/x-www-form-urlencoded' }

function query(pairs: readonly (readonly [string, string] | undefined)[]): string {
  const given = pairs.filter(pair => pair !== undefined).map(([name, value]) => [name, value])
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`
}

/** `Type/id`, nearly always of one another. */
function place(dice: Dice): { type: string; id: string } {
  const id = drawId(dice)
  const named = askedTypes.find(type => id.includes(`-${type.toLowerCase()}-`))
  const isPerson = (persons as readonly string[]).includes(id)
  return { type: dice.maybe(6) ? drawType(dice) : isPerson ? 'Patient' : (named ?? drawType(dice)), id }
}

function page(dice: Dice): (readonly [string, string] | undefined)[] {
  return [
    dice.maybe(50) ? ['_count', dice.pick(['1', '2', '5', '1000', '0'])] : undefined,
    dice.maybe(20) ? ['_since', dice.pick([...dates, '2026-03-01T12:00:20Z'])] : undefined,
  ]
}

function subset(dice: Dice): (readonly [string, string] | undefined)[] {
  return [
    dice.maybe(10) ? ['_summary', dice.pick(['true', 'text', 'data', 'count'])] : undefined,
    dice.maybe(10) ? ['_elements', 'id,code'] : undefined,
    dice.maybe(5) ? ['_pretty', 'true'] : undefined,
    dice.maybe(3) ? ['_format', dice.pick(['json', 'xml'])] : undefined,
    dice.maybe(2) ? ['nonsense', 'anna'] : undefined,
  ]
}

function freshness(dice: Dice): { [name: string]: string } {
  return {
    ...(dice.maybe(10) ? { 'if-none-match': dice.pick(['W/"1"', 'W/"2"', '*', '"1"']) } : {}),
    ...(dice.maybe(5) ? { 'if-modified-since': 'Sun, 01 Mar 2026 13:00:00 GMT' } : {}),
  }
}

function conditions(dice: Dice): { [name: string]: string } {
  return {
    ...(dice.maybe(50) ? { 'if-match': dice.pick(['W/"1"', 'W/"2"', 'W/"3"', 'W/"99"', 'nonsense']) } : {}),
    ...(dice.maybe(10) ? { 'if-none-match': dice.pick(['*', 'W/"1"']) } : {}),
  }
}

function prefer(dice: Dice): { [name: string]: string } {
  if (!dice.maybe(25)) return {}
  return {
    prefer: dice.pick(['return=minimal', 'return=OperationOutcome', 'return=representation', 'handling=lenient']),
  }
}

/** About her, about others, about somebody unknown, or wrong in itself. */
function drawBody(dice: Dice, type: string, id?: string): Resource {
  const known = isDrawable(type) ? type : 'Observation'
  const owner: Owner = dice.maybe(8) ? 'all' : drawOwner(dice, 'anna')
  const resource = drawResource(dice, known, owner, id)
  return dice.weighted<() => Resource>([
    [20, () => resource],
    [1, () => ({ ...resource, subject: { reference: 'Patient/never-was' } })],
    [1, () => ({ ...resource, subject: { identifier: { system: 'http://example.org/mrn', value: 'bruno-1' } } })],
    [1, () => ({ ...resource, subject: { reference: `Patient?${drawCondition(dice, 'Patient')}` } })],
    [1, () => ({ ...resource, nonsense: true })],
  ])()
}

function writable(dice: Dice): string {
  return dice.weighted<() => string>([
    [5, () => 'Observation'],
    [2, () => 'Provenance'],
    [6, () => dice.pick(askedTypes)],
  ])()
}

const read: Draw = dice => {
  const { type, id } = place(dice)
  return {
    method: dice.maybe(3) ? 'HEAD' : 'GET',
    url: `/${type}/${id}${query(subset(dice))}`,
    headers: freshness(dice),
  }
}

const vread: Draw = dice => {
  const { type, id } = place(dice)
  const version = dice.pick(['1', '2', '3', '4', '0', 'x'])
  return { method: 'GET', url: `/${type}/${id}/_history/${version}${query(subset(dice))}`, headers: freshness(dice) }
}

const history: Draw = dice => {
  const { type, id } = place(dice)
  const path = dice.pick([`/${type}/${id}/_history`, `/${type}/${id}/_history`, `/${type}/_history`, '/_history'])
  return { method: 'GET', url: path + query(page(dice)) }
}

/** By GET, or by POST with the parameters in the body, or some here and some there. */
function searchAt(dice: Dice, path: string, search: string): Ask {
  const headers = prefer(dice)
  if (dice.maybe(70)) return { method: 'GET', url: `${path}?${search}`, headers }
  const url = `${path}/_search${dice.maybe(30) ? '?_count=2' : ''}`
  return { method: 'POST', url, headers: { ...headers, ...form }, body: search }
}

const searchType: Draw = dice => {
  const type = drawType(dice)
  return searchAt(dice, `/${type}`, drawSearch(dice, type))
}

const searchSystem: Draw = dice => {
  const types = dice.many(1, 3, drawType)
  const ofAll = dice.maybe(50) ? drawSearch(dice, 'Basic') : drawSearch(dice, types[0] ?? 'Basic')
  const search = `${dice.maybe(95) ? `_type=${types.join(',')}&` : ''}${ofAll}`
  return dice.maybe(70)
    ? { method: 'GET', url: `/?${search}`, headers: prefer(dice) }
    : { method: 'POST', url: '/_search', headers: { ...prefer(dice), ...form }, body: search }
}

function anyPatient(dice: Dice): string {
  return dice.pick(['anna', 'anna', 'anna', 'bruno', 'clara', 'never-was', 'NEWID1'])
}

const searchCompartment: Draw = dice => {
  const type = drawType(dice)
  const path = `/Patient/${anyPatient(dice)}`
  return dice.maybe(75)
    ? searchAt(dice, `${path}/${type}`, drawSearch(dice, type))
    : { method: 'GET', url: `${path}/*?${drawSearch(dice, 'Basic')}` }
}

const everything: Draw = dice => {
  const path = dice.maybe(30) ? '/Patient' : `/Patient/${anyPatient(dice)}`
  const types = dice.maybe(30) ? (['_type', dice.many(1, 3, drawType).join(',')] as const) : undefined
  return { method: 'GET', url: `${path}/$everything${query([...page(dice), types])}` }
}

const summary: Draw = dice => {
  if (dice.maybe(60)) return { method: 'GET', url: `/Patient/${anyPatient(dice)}/$summary` }
  const identifier = `http://example.org/mrn|${dice.pick(persons)}-${dice.below(4)}`
  return { method: 'GET', url: `/Patient/$summary${query([dice.maybe(60) ? ['identifier', identifier] : undefined])}` }
}

const create: Draw = dice => {
  const type = writable(dice)
  const ifNoneExist = dice.maybe(35) ? { 'if-none-exist': drawCondition(dice, type) } : {}
  const body = printJson(drawBody(dice, type, dice.maybe(15) ? drawId(dice) : undefined))
  return { method: 'POST', url: `/${type}`, headers: { ...prefer(dice), ...ifNoneExist }, body }
}

const update: Draw = dice => {
  const { type, id } = place(dice)
  const body = printJson(drawBody(dice, type, dice.maybe(95) ? id : drawId(dice)))
  return { method: 'PUT', url: `/${type}/${id}`, headers: { ...prefer(dice), ...conditions(dice) }, body }
}

const updateConditionally: Draw = dice => {
  const type = writable(dice)
  const body = printJson(drawBody(dice, type, dice.maybe(20) ? drawId(dice) : undefined))
  const headers = { ...prefer(dice), ...conditions(dice) }
  return { method: 'PUT', url: `/${type}?${drawCondition(dice, type)}`, headers, body }
}

const remove: Draw = dice => {
  const { type, id } = place(dice)
  return { method: 'DELETE', url: `/${type}/${id}`, headers: conditions(dice) }
}

const removeConditionally: Draw = dice => {
  const type = writable(dice)
  return { method: 'DELETE', url: `/${type}?${drawCondition(dice, type)}`, headers: conditions(dice) }
}

const validate: Draw = dice => {
  const { type, id } = place(dice)
  if (dice.maybe(50)) return { method: 'GET', url: `/${type}/${id}/$validate` }
  return { method: 'POST', url: `/${type}/$validate`, body: printJson(drawBody(dice, type)) }
}

const followLink: Draw = dice => {
  const link = `PAGELINK${dice.below(3)}`
  return { method: 'GET', url: link }
}

const ingest: Draw = dice => {
  const entry = dice.many(1, 2, each => ({ resource: drawBody(each, 'Observation', `imported-${each.below(3)}`) }))
  // The report holds a digest of the file, so that the file must be the same for both.
  const body = printJson({ resourceType: 'Bundle', type: 'collection', entry }).replace(/NEWID\d/g, 'never-was')
  return { method: 'POST', url: `/Patient/${anyPatient(dice)}/$ingest`, body }
}

const hl7v2: Draw = dice => {
  const who = dice.pick(persons)
  const body = [
    `MSH|^~\\&|LAB|HOSP|KINHOLD|HOME|20260301120000||ORU^R01|M${dice.below(9)}|P|2.5`,
    `PID|1||${who}-${dice.below(4)}^^^MRN||Birch^Kim`,
    'OBR|1|||2823-3^Potassium^LN|||20260301',
    'OBX|1|NM|2823-3^Potassium^LN||4.1|mmol/L|||||F|||20260301',
  ].join('\r')
  return { method: 'POST', url: '/hl7v2', headers: { 'content-type': 'x-application/hl7-v2+er7' }, body }
}

const elsewhere: Draw = dice => {
  const { type, id } = place(dice)
  return dice.pick<Ask>([
    { method: 'GET', url: '/metadata' },
    { method: 'GET', url: '/.well-known/smart-configuration' },
    { method: 'GET', url: `/$job/${id}` },
    { method: 'PATCH', url: `/${type}/${id}`, body: '[]' },
    { method: 'GET', url: `/${type}/${id}/$meta` },
    { method: 'GET', url: `/${type}/$export` },
    { method: 'POST', url: '/$graphql', body: `{"query":"{Patient(id:${id}){id}}"}` },
    { method: 'GET', url: `/${type}/${id}/${type}` },
    { method: 'GET', url: `/${type}/../Patient/bruno` },
    { method: 'GET', url: `/${type}/%2e%2e%2fPatient%2fbruno` },
    { method: 'GET', url: '/Patient/*/Observation' },
    { method: 'GET', url: '/Patient/anna,bruno/Observation' },
    { method: 'GET', url: '/Group/all-group-0/$export' },
    { method: 'GET', url: `/${type}?_cursor=AAAA` },
  ])
}

/** What may stand in a Bundle. */
const single: readonly (readonly [number, Draw])[] = [
  [12, read],
  [8, vread],
  [10, history],
  [45, searchType],
  [10, searchSystem],
  [10, searchCompartment],
  [5, everything],
  [2, summary],
  [9, create],
  [14, update],
  [6, updateConditionally],
  [14, remove],
  [5, removeConditionally],
  [4, validate],
]

const headerElements: Readonly<Record<string, string>> = {
  'if-match': 'ifMatch',
  'if-none-match': 'ifNoneMatch',
  'if-none-exist': 'ifNoneExist',
  'if-modified-since': 'ifModifiedSince',
}

function entryOf({ method, url, headers = {}, body }: Ask): object {
  const named = Object.entries(headers).flatMap(([name, value]) => {
    const element = headerElements[name]
    return element === undefined ? [] : [[element, value]]
  })
  const resource = body?.startsWith('{') ? { resource: JSON.parse(body) } : {}
  return { ...resource, request: { method, url: url.slice(1), ...Object.fromEntries(named) } }
}

const bundle: Draw = dice => {
  const type = dice.pick(['batch', 'transaction'])
  // A transaction is refused by its first wrong entry, so that fewer of them tell more.
  const entry = dice.many(1, type === 'batch' ? 4 : 2, each => entryOf(each.weighted(single)(each)))
  return { method: 'POST', url: '/', headers: prefer(dice), body: printJson({ resourceType: 'Bundle', type, entry }) }
}

const all: readonly (readonly [number, Draw])[] = [
  ...single,
  [10, followLink],
  [20, bundle],
  [2, ingest],
  [2, hl7v2],
  [3, elsewhere],
]

/** The request that a number stands for. */
export function askOf(number: number): Ask {
  const dice = new Dice(number)
  return dice.weighted(all)(dice)
}

/** Whether it only asks, so that it can be put again on somebody else's behalf. */
export function isQuestion({ method, url }: Ask): boolean {
  return (method === 'GET' || url.includes('/_search')) && !url.includes('PAGELINK')
}
