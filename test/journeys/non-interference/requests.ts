/** Random requests, one for each number: every row of the catalogue, with hers, others' and nobody's ids. */
import { encodeXmlInSteps, parseResource, printJson, type Resource } from '#fhir'
import { atOnce } from '#kernel'
import {
  categories,
  categorySystem,
  dates,
  conditions as diagnoses,
  exampleSystem,
  labels,
  measures,
  profile,
} from './codes.ts'
import { Dice } from './dice.ts'
import type { Ask } from './house.ts'
import { drawOwner, drawReference, families, type Owner, persons } from './names.ts'
import { askedTypes, drawCondition, drawId, drawSearch, drawType } from './questions.ts'
import { drawResource, isDrawable } from './resources.ts'

type Draw = (dice: Dice) => Ask

const codings = [...diagnoses, ...categories.map(code => ({ system: categorySystem, code }))]

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
    dice.maybe(15)
      ? ['_at', dice.pick(['2026-03-01T12:00:20Z', '2026-03-01', 'ge2026-03-01T12:00:10Z', '2020'])]
      : undefined,
    dice.maybe(5) ? ['_summary', dice.pick(['true', 'count'])] : undefined,
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
    ...(dice.maybe(50) ? { 'if-match': dice.pick(['W/"1"', 'W/"2"', 'W/"3"', 'W/"99"', '*', 'nonsense']) } : {}),
    ...(dice.maybe(10) ? { 'if-none-match': dice.pick(['*', 'W/"1"']) } : {}),
    ...(dice.maybe(10) ? { 'if-unmodified-since': 'Sun, 01 Mar 2026 13:00:00 GMT' } : {}),
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

/** What belongs to an encounter, to who treats, or to a device. */
const otherCompartment: Draw = dice => {
  const type = dice.pick(['Encounter', 'Practitioner', 'RelatedPerson', 'Device'])
  const path = `/${drawReference(dice, [type], 'anna')}`
  if (type === 'Encounter' && dice.maybe(30)) return { method: 'GET', url: `${path}/$everything${query(page(dice))}` }
  const searched = dice.pick(['Observation', 'Encounter', 'Condition', '*'])
  return { method: 'GET', url: `${path}/${searched}?${drawSearch(dice, searched === '*' ? 'Basic' : searched)}` }
}

const latest: Draw = dice => {
  const criteria = drawSearch(dice, 'Observation')
  const [code, max] = [dice.pick(['category:not=none', 'combo-code:missing=false']), dice.pick(['1', '2', '3'])]
  return { method: 'GET', url: `/Observation/$lastn?patient=${anyPatient(dice)}&${code}&max=${max}&${criteria}` }
}

const statistics: Draw = dice => {
  const { code, system } = dice.pick(measures)
  const asked = {
    subject: `Patient/${anyPatient(dice)}`,
    code,
    system,
    statistic: 'average,count,total-count,regression',
  }
  return { method: 'GET', url: `/Observation/$stats?${new URLSearchParams({ ...asked, include: 'true' })}` }
}

const summary: Draw = dice => {
  if (dice.maybe(60)) return { method: 'GET', url: `/Patient/${anyPatient(dice)}/$summary` }
  const identifier = `http://example.org/mrn|${dice.pick(persons)}-${dice.below(4)}`
  return { method: 'GET', url: `/Patient/$summary${query([dice.maybe(60) ? ['identifier', identifier] : undefined])}` }
}

/** Labels: those in use, those of one resource, and changes of them. */
const meta: Draw = dice => {
  const { type, id } = place(dice)
  const at = dice.pick([`/${type}/${id}`, `/${type}/${id}`, `/${type}/${id}/_history/${dice.pick(['1', '2'])}`])
  if (dice.maybe(60)) return { method: 'GET', url: `${dice.pick([at, at, `/${type}`, ''])}/$meta` }
  const coding = () => ({ system: exampleSystem, code: dice.pick(labels) })
  const valueMeta = { tag: [coding()], security: [coding()], ...(dice.maybe(30) ? { profile: [profile] } : {}) }
  const body = printJson({ resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta }] })
  return {
    method: 'POST',
    url: `/${type}/${id}/$meta-${dice.pick(['add', 'delete'])}`,
    headers: conditions(dice),
    body,
  }
}

/** Who somebody is: by a number, a name or a birth date, of whomever. */
const match: Draw = dice => {
  const who = dice.pick(persons)
  const resource = {
    resourceType: 'Patient',
    ...(dice.maybe(50) ? { identifier: [{ system: exampleSystem, value: `${who}-${dice.below(4)}` }] } : {}),
    ...(dice.maybe(70)
      ? { name: [{ family: families[dice.maybe(80) ? who : dice.pick(persons)], given: ['Kim'] }] }
      : {}),
    ...(dice.maybe(60) ? { birthDate: dice.pick(['1950-02-03', '1980-04-05', '1980-04-06']) } : {}),
  }
  const asked = [
    dice.maybe(30) ? { name: 'count', valueInteger: 1 } : undefined,
    dice.maybe(20) ? { name: 'onlyCertainMatches', valueBoolean: true } : undefined,
  ]
  const parameter = [{ name: 'resource', resource }, ...asked.filter(each => each !== undefined)]
  return { method: 'POST', url: '/Patient/$match', body: printJson({ resourceType: 'Parameters', parameter }) }
}

const document: Draw = dice => {
  const id = drawReference(dice, ['Composition'], 'anna').slice('Composition/'.length)
  const persist = dice.maybe(20) ? (['persist', 'true'] as const) : undefined
  return dice.maybe(80)
    ? { method: 'GET', url: `/Composition/${id}/$document${query([persist])}` }
    : { method: 'GET', url: `/Composition/$document${query([['id', id], persist])}` }
}

/** Fields of GraphQL that go on from a resource: to what it refers to, and to what refers to it. */
function graphFields(dice: Dice, type: string): string {
  const optional = dice.maybe(70)
  const over = `{ reference resource(optional: ${optional}) { __typename id ... on Patient { birthDate } } }`
  const parameter = dice.pick(['subject', 'patient', 'performer', 'encounter'])
  return dice.weighted<() => string>([
    [5, () => 'id'],
    [4, () => `id ObservationList(_reference: ${parameter}) { id status subject ${over} }`],
    [2, () => `ConditionConnection(_reference: ${parameter}) { count edges { mode resource { id } } }`],
    [3, () => (type === 'Patient' ? `name { family } managingOrganization ${over}` : `subject ${over}`)],
    [1, () => `name(fhirpath: "family.exists()") { family }`],
  ])()
}

const graphql: Draw = dice => {
  const { type, id } = place(dice)
  const fields = graphFields(dice, type)
  const asked = dice.weighted<() => [path: string, query: string]>([
    [4, () => [`/${type}/${id}`, `{ ${fields} }`]],
    [2, () => ['', `{ ${type}(id: "${id}") { ${fields} } }`]],
    [4, () => ['', `{ ${type}List(_count: ${dice.below(4)}) { ${fields} } }`]],
    [2, () => ['', `{ ${type}Connection(${drawArgument(dice)}) { count edges { resource { ${fields} } } } }`]],
  ])()
  const [path, graph] = asked
  if (dice.maybe(70)) return { method: 'GET', url: `${path}/$graphql${query([['query', graph]])}` }
  const headers = { 'content-type': 'application/graphql' }
  return { method: 'POST', url: `${path}/$graphql`, headers, body: graph }
}

function drawArgument(dice: Dice): string {
  const subject = `subject: "Patient/${anyPatient(dice)}"`
  return dice.pick([
    '_count: 1',
    '_count: 2',
    subject,
    `${subject}, _count: 1`,
    `_id: ["${drawId(dice)}", "${drawId(dice)}"]`,
  ])
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

/** What a patch changes: what it says, whose it is, or nothing; now and then it only tries what is there. */
function changes(dice: Dice, type: string): readonly (readonly [path: string, value: string])[] {
  return dice.many(1, 2, each =>
    each.weighted<() => readonly [string, string]>([
      [4, () => ['status', each.pick(['final', 'amended', 'active', 'completed', 'nonsense'])]],
      [3, () => ['language', each.pick(['en', 'de'])]],
      [
        3,
        () => [isDrawable(type) && type !== 'Patient' ? 'subject' : 'gender', drawReference(each, ['Patient'], 'anna')],
      ],
      [1, () => ['id', drawId(each)]],
    ])(),
  )
}

type Change = readonly [path: string, value: string]
const languages: Readonly<Record<string, (dice: Dice, changed: readonly Change[]) => unknown>> = {
  'application/json-patch+json': (dice, changed) =>
    changed.map(([name, value]) => ({
      op: dice.pick(['add', 'add', 'replace', 'test', 'remove']),
      path: name === 'subject' ? '/subject/reference' : `/${name}`,
      value,
    })),
  'application/merge-patch+json': (dice, changed) =>
    Object.fromEntries(
      changed.map(([name, value]) => [name, dice.maybe(10) ? null : name === 'subject' ? { reference: value } : value]),
    ),
  'application/fhir+json': (dice, changed) => ({
    resourceType: 'Parameters',
    parameter: changed.map(([name, value]) => ({
      name: 'operation',
      part: [
        { name: 'type', valueCode: dice.pick(['replace', 'replace', 'delete', 'add']) },
        { name: 'path', valueString: dice.pick([name, name, `${name}.where($this.exists())`]) },
        { name: 'name', valueString: 'reference' },
        { name: 'value', ...(name === 'subject' ? { valueReference: { reference: value } } : { valueCode: value }) },
      ],
    })),
  }),
}

function patchAt(dice: Dice, type: string, url: string): Ask {
  const language = dice.pick(Object.keys(languages))
  const body = printJson(languages[language]?.(dice, changes(dice, type)))
  return { method: 'PATCH', url, headers: { ...prefer(dice), ...conditions(dice), 'content-type': language }, body }
}

const patch: Draw = dice => {
  const { type, id } = place(dice)
  return patchAt(dice, type, `/${type}/${id}`)
}

const patchConditionally: Draw = dice => {
  const type = writable(dice)
  return patchAt(dice, type, `/${type}?${drawCondition(dice, type)}`)
}

function binaryAt(dice: Dice): string {
  return `/Binary/${dice.maybe(20) ? `NEWID${dice.below(9)}` : drawReference(dice, ['Binary'], 'anna').slice('Binary/'.length)}`
}

const readBytes: Draw = dice => ({
  method: 'GET',
  url: binaryAt(dice) + (dice.maybe(20) ? `/_history/${dice.pick(['1', '2', '3'])}` : ''),
  headers: {
    ...freshness(dice),
    accept: dice.pick(['*/*', 'text/plain', 'application/fhir+json', 'application/json']),
    ...(dice.maybe(30) ? { range: dice.pick(['bytes=0-3', 'bytes=-2', 'bytes=99-']) } : {}),
  },
})

const sendBytes: Draw = dice => {
  const proxies = ['Patient', 'Patient', 'Observation', 'DocumentReference']
  const headers = {
    ...prefer(dice),
    'content-type': dice.pick(['text/plain', 'text/plain', 'application/json', 'image/png']),
    ...(dice.maybe(60) ? { 'x-security-context': drawReference(dice, proxies, 'anna') } : {}),
  }
  const body = dice.pick(['a', 'bc', '{"resourceType":"Patient"}'])
  return dice.maybe(50)
    ? { method: 'POST', url: '/Binary', headers, body }
    : { method: 'PUT', url: binaryAt(dice), headers: { ...headers, ...conditions(dice) }, body }
}

/** What a Binary holds, read and sent as it is. */
const bytes: Draw = dice => dice.weighted([[3, readBytes] as const, [2, sendBytes] as const])(dice)

/** The same in XML: what is sent, and what is to be answered. */
function inXml(ask: Ask, dice: Dice): Ask {
  const headers = { ...ask.headers, ...(dice.maybe(70) ? { accept: 'application/fhir+xml' } : {}) }
  const { 'content-type': type = 'application/fhir+json' } = ask.headers ?? {}
  if (ask.body === undefined || type !== 'application/fhir+json') return { ...ask, headers }
  try {
    const body = String(atOnce(encodeXmlInSteps(parseResource(ask.body))))
    return { ...ask, headers: { ...headers, 'content-type': 'application/fhir+xml' }, body }
  } catch {
    // What is wrong in itself may be nothing that XML can say.
    return { ...ask, headers }
  }
}

const asXml: Draw = dice => {
  const ask = dice.weighted([...single, [10, bundle] as const])(dice)
  return inXml(ask, dice)
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

const terminology: Draw = dice => {
  const url = `http://example.org/ValueSet/${dice.below(2)}`
  const { system, code } = dice.pick(codings)
  const of = dice.maybe(40)
    ? `/ValueSet/${drawReference(dice, ['ValueSet'], 'all').slice('ValueSet/'.length)}`
    : undefined
  const named = of === undefined ? (['url', url] as const) : undefined
  const coded = [
    ['system', system],
    ['code', code],
  ] as const
  const path = of ?? '/ValueSet'
  return dice.weighted<() => Ask>([
    [4, () => ({ method: 'GET', url: `${path}/$expand${query([named])}` })],
    [4, () => ({ method: 'GET', url: `${path}/$validate-code${query([named, ...coded])}` })],
    [1, () => ({ method: 'GET', url: `/CodeSystem/$lookup${query([...coded])}` })],
    [
      1,
      () => ({
        method: 'GET',
        url: `/CodeSystem/$validate-code${query([
          ['url', system],
          ['code', code],
        ])}`,
      }),
    ],
  ])()
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
    { method: 'PATCH', url: `/${type}/${id}/_history/1`, body: '[]' },
    { method: 'GET', url: `/${type}/$export` },
    { method: 'GET', url: '/$graphql' },
    { method: 'GET', url: `/${type}/${id}/${type}` },
    { method: 'GET', url: `/${type}/../Patient/bruno` },
    { method: 'GET', url: `/${type}/%2e%2e%2fPatient%2fbruno` },
    { method: 'GET', url: '/Patient/*/Observation' },
    { method: 'GET', url: '/Patient/anna,bruno/Observation' },
    { method: 'GET', url: '/Group/all-group-0/$export' },
    { method: 'GET', url: `/${type}?_cursor=AAAA` },
  ])
}

const criteria = (dice: Dice) => {
  const type = dice.pick(['Observation', 'Observation', 'Condition', 'Patient', 'Practitioner', drawType(dice)])
  return dice.maybe(50)
    ? `${type}?`
    : `${type}?${dice.maybe(50) ? `patient=${anyPatient(dice)}` : drawCondition(dice, type)}`
}

/** Nobody listens there, so that it is tried, fails, and is tried again. */
const endpoint = 'http://127.0.0.1:9/hook'

/** What is to be told to an app, and how that stands. */
const subscribe: Draw = dice => {
  const body = printJson({
    resourceType: 'Subscription',
    status: dice.pick(['requested', 'requested', 'active', 'off']),
    reason: 'to keep up',
    criteria: criteria(dice),
    channel: { type: 'rest-hook', endpoint, ...(dice.maybe(50) ? { payload: 'application/fhir+json' } : {}) },
  })
  return dice.pick<Ask>([
    { method: 'POST', url: '/Subscription', body },
    { method: 'POST', url: '/Subscription', body },
    { method: 'GET', url: '/Subscription' },
    { method: 'GET', url: '/Subscription/$status' },
    { method: 'GET', url: '/Subscription/$status?status=active,error' },
    { method: 'GET', url: `/Subscription/${drawId(dice)}/$status` },
    { method: 'GET', url: `/Subscription/${drawId(dice)}/$events${dice.maybe(50) ? '?content=full-resource' : ''}` },
    { method: 'GET', url: `/Subscription/${drawId(dice)}/$get-ws-binding-token` },
    { method: 'GET', url: `/SubscriptionTopic/${drawType(dice)}` },
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
  [5, otherCompartment],
  [3, latest],
  [2, statistics],
  [2, summary],
  [8, meta],
  [3, match],
  [4, document],
  [12, create],
  [14, update],
  [6, updateConditionally],
  [12, patch],
  [5, patchConditionally],
  [17, remove],
  [5, removeConditionally],
  [4, validate],
  [5, terminology],
]

const headerElements: Readonly<Record<string, string>> = {
  'if-match': 'ifMatch',
  'if-none-match': 'ifNoneMatch',
  'if-none-exist': 'ifNoneExist',
  'if-modified-since': 'ifModifiedSince',
}

/** A patch that is no resource stands within a Binary. */
function resourceOf(body: string | undefined, contentType: string | undefined): { readonly resource?: unknown } {
  if (body !== undefined && contentType?.includes('patch') === true) {
    const data = Buffer.from(body).toString('base64')
    return { resource: { resourceType: 'Binary', contentType, data } }
  }
  return body?.startsWith('{') ? { resource: JSON.parse(body) } : {}
}

function entryOf({ method, url, headers = {}, body }: Ask): object {
  const named = Object.entries(headers).flatMap(([name, value]) => {
    const element = headerElements[name]
    return element === undefined ? [] : [[element, value]]
  })
  const resource = resourceOf(body, headers['content-type'])
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
  [12, asXml],
  [8, bytes],
  [10, followLink],
  [20, bundle],
  [8, subscribe],
  [2, ingest],
  [2, hl7v2],
  [12, graphql],
  [3, elsewhere],
]

/** The request that a number stands for. */
export function askOf(number: number): Ask {
  const dice = new Dice(number)
  return dice.weighted(all)(dice)
}

/** Whether it only asks, so that it can be put again on somebody else's behalf. */
export function isQuestion({ method, url }: Ask): boolean {
  return (method === 'GET' || url.includes('/_search')) && !/PAGELINK|persist=true/.test(url)
}
