/** What is sent, and what must come of it. `canary` stands where a value of a patient would stand. */
import { gzipSync } from 'node:zlib'
import { ZipFile } from 'yazl'
import type { Sent } from '../server/client.ts'

export const canary = 'c4n4ryV4lue'

/** The patient into whose record all of this is tried. */
export const patient = 'greta'

/** One wrong request: its name, the request, the status and Problem code of the answer, and the element it names. */
export type Attack = readonly [name: string, sent: Sent, status: number, code: string, expression?: string]

const post = (body: Sent['body'], headers: Record<string, string> = {}): Sent => ({
  method: 'POST',
  path: '/fhir/Observation',
  headers,
  ...(body === undefined ? {} : { body }),
})
const get = (path: string, headers: Record<string, string> = {}): Sent => ({ path: `/fhir/${path}`, headers })

function observation(more: object = {}, subject = patient): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { text: canary },
    subject: { reference: `Patient/${subject}` },
    ...more,
  }
}

export function badQueries(): readonly Attack[] {
  return [
    ['an unknown parameter', get(`Observation?colour=${canary}`), 400, 'search.parameter-unknown', 'colour'],
    ['a value as a parameter', get(`Observation?${canary}%20x=1`), 400, 'search.parameter-unknown'],
    ['a date that is none', get(`Observation?date=${canary}`), 400, 'search.date-malformed', 'date'],
    [
      'a number that is none',
      get(`RiskAssessment?probability=${canary}`),
      400,
      'search.number-malformed',
      'probability',
    ],
    [
      'a quantity that is none',
      get(`Observation?value-quantity=${canary}`),
      400,
      'search.number-malformed',
      'value-quantity',
    ],
    ['an unknown modifier', get(`Observation?code:near=${canary}`), 400, 'search.modifier-unknown', 'code:near'],
    ['a parameter without a value', get(`Observation?status=&code=`), 400, 'search.value-missing'],
    ['an unknown chain', get(`Observation?patient.colour=${canary}`), 400, 'search.parameter-unknown'],
    ['an unknown _has', get(`Patient?_has:Observation:colour:code=${canary}`), 400, 'search.has-malformed'],
    ['an unknown sort', get(`Observation?_sort=${canary}`), 400, 'search.sort-unknown', '_sort'],
    ['a count that is none', get(`Observation?_count=${canary}`), 400, 'search.control-malformed', '_count'],
    ['a negative count', get('Observation?_count=-1'), 400, 'search.control-malformed', '_count'],
    ['an unknown _include', get(`Observation?_include=${canary}`), 400, 'search.include-unknown', '_include'],
    ['an unknown _summary', get(`Observation?_summary=${canary}`), 400, 'search.control-malformed', '_summary'],
    ['an unknown _total', get(`Observation?_total=${canary}`), 400, 'search.control-malformed', '_total'],
    ['a forged cursor', get(`Observation?_cursor=${canary}`), 400, 'record.cursor-invalid'],
    ['several types, none named', get(`?code=${canary}`), 400, 'search.parameter-unknown', 'code'],
    ['an unknown _type', get(`?_type=${canary}`), 400, 'search.control-malformed', '_type'],
    ['a history since never', get(`_history?_since=${canary}`), 400, 'request.since-malformed', '_since'],
    [
      'a parameter that a read does not know',
      get(`Patient/a?name=${canary}`),
      400,
      'request.parameter-unknown',
      'name',
    ],
    ['Turtle by _format', get('Patient?_format=ttl'), 406, 'format.unsupported'],
    ['Turtle by Accept', get('Patient', { accept: 'text/turtle' }), 406, 'format.unsupported'],
    [
      'a form that is none',
      { method: 'POST', path: '/fhir/Observation/_search', body: canary },
      415,
      'body.type-unsupported',
    ],
  ]
}

export function badBodies(): readonly Attack[] {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  const part = (text: string) => `{"resourceType":"Observation","status":"final",${text},"code":{"text":"${canary}"}}`
  const put = (id: string, body: object, headers = {}): Sent => ({
    method: 'PUT',
    path: `/fhir/Observation/${id}`,
    body,
    headers,
  })
  return [
    ['no body', post(undefined, { 'content-type': 'application/fhir+json' }), 400, 'body.missing'],
    ['JSON that is cut off', post(`{"resourceType":"Observation","status":"${canary}`), 400, 'json.malformed'],
    ['words in place of JSON', post(canary), 400, 'json.malformed'],
    ['something after the JSON', post(`${part('"id":"a"')}${canary}`), 400, 'json.malformed'],
    ['no resource', post(`["${canary}"]`), 400, 'json.not-a-resource'],
    ['a type that is none', post({ resourceType: canary }), 400, 'fhir.type-unknown', 'resourceType'],
    ['another type', post({ resourceType: 'Patient', gender: canary }), 400, 'body.type-differs', 'resourceType'],
    ['bytes that are no UTF-8', post(Buffer.from(part('"id":"\xff\xfe"'), 'latin1')), 400, 'json.not-utf8'],
    ['a depth bomb', post(part(`"component":${deep}`)), 400, 'json.too-deep'],
    ['a deep tower of extensions', post(part(tower(5_000))), 400, 'json.too-deep'],
    ['a key of the prototype', post(part(`"__proto__":{"polluted":"${canary}"}`)), 400, 'json.forbidden-key'],
    [
      'an escaped key of the prototype',
      post(part(`"__pro\\u0074o__":{"polluted":"${canary}"}`)),
      400,
      'json.forbidden-key',
    ],
    ['a constructor', post(part(`"constructor":{"prototype":{"polluted":"${canary}"}}`)), 400, 'json.forbidden-key'],
    ['a key given twice', post(part(`"status":"${canary}"`)), 400, 'json.duplicate-key'],
    ['an unknown element', post(observation({ colour: canary })), 422, 'validation.failed', 'Observation.colour'],
    ['an unknown code', post(observation({ status: canary })), 422, 'validation.failed', 'Observation.status'],
    ['a wrong type', post(observation({ component: canary })), 422, 'validation.failed', 'Observation.component'],
    [
      'a number as text',
      post(observation({ valueQuantity: { value: canary } })),
      422,
      'validation.failed',
      'Observation.value.ofType(Quantity).value',
    ],
    ['a date that is none', post(observation({ issued: canary })), 422, 'validation.failed', 'Observation.issued'],
    [
      'two values of a choice',
      post(observation({ valueString: canary, valueBoolean: true })),
      422,
      'validation.failed',
    ],
    ['nothing that is required', post({ resourceType: 'Observation', valueString: canary }), 422, 'validation.failed'],
    ['an empty list', post(observation({ note: [] })), 422, 'validation.failed', 'Observation.note'],
    ['a number without end', post(part('"valueQuantity":{"value":1e999999999}')), 400, 'json.malformed'],
    ['nobody it belongs to', post(observation({}, canary)), 422, 'record.owner-unknown'],
    ['another id than the URL', put('mine', observation({ id: canary })), 400, 'update.id-differs'],
    ['an id that is none', put('no_id', observation({ id: 'no_id' })), 400, 'update.id-malformed'],
    [
      'an If-Match that is none',
      put('mine', observation({ id: 'mine' }), { 'if-match': canary }),
      400,
      'request.if-match-malformed',
      'If-Match',
    ],
    [
      'a condition that is none',
      post(observation(), { 'if-none-exist': `colour=${canary}` }),
      400,
      'search.parameter-unknown',
      'colour',
    ],
    ['plain text', post(canary, { 'content-type': 'text/plain' }), 415, 'body.type-unsupported'],
    [
      'XML of no namespace',
      post(`<Observation>${canary}</Observation>`, { 'content-type': 'application/fhir+xml' }),
      400,
      'xml.namespace',
    ],
    [
      'XML with an entity',
      post(`<!DOCTYPE x [<!ENTITY e "${canary}">]><Observation xmlns="http://hl7.org/fhir"/>`, {
        'content-type': 'application/fhir+xml',
      }),
      400,
      'xml.doctype',
    ],
    [
      'another charset',
      post(observation(), { 'content-type': 'application/fhir+json; charset=utf-16' }),
      415,
      'body.type-unsupported',
    ],
    ['an unknown compression', post(observation(), { 'content-encoding': 'br' }), 415, 'body.encoding-unsupported'],
    ['gzip that is none', post(canary, { 'content-encoding': 'gzip' }), 400, 'body.encoding-broken'],
    [
      'a gzip bomb',
      post(gzipSync(Buffer.alloc(48 * 1024 ** 2, 0x20)), { 'content-encoding': 'gzip' }),
      413,
      'body.unpacks-too-far',
    ],
    [
      'too much',
      post(undefined, { 'content-type': 'application/fhir+json', 'content-length': '99999999999' }),
      413,
      'body.too-large',
    ],
  ]
}

function tower(height: number): string {
  return `${'"extension":[{'.repeat(height)}"url":"${canary}"${'}]'.repeat(height)}`
}

export function badBundles(): readonly Attack[] {
  const bundle = (type: string, entry: unknown): Sent => ({
    method: 'POST',
    path: '/fhir',
    body: { resourceType: 'Bundle', type, entry },
  })
  const good = { request: { method: 'POST', url: 'Observation' }, resource: observation() }
  const transaction = (...entries: unknown[]) => bundle('transaction', [good, ...entries])
  const entry = (method: string, url: string, resource?: object) => ({ request: { method, url }, resource })
  return [
    ['a bundle that is no request', bundle('collection', [good]), 400, 'bundle.type-unsupported', 'Bundle.type'],
    ['entries that are no list', bundle('transaction', canary), 400, 'bundle.entry-malformed'],
    ['an entry without request', transaction({ resource: observation() }), 400, 'bundle.entry-malformed'],
    [
      'an invalid last part',
      transaction(entry('POST', 'Observation', observation({ status: canary }))),
      422,
      'validation.failed',
    ],
    ['an unknown last path', transaction(entry('GET', `${canary}/1`)), 404, 'type.unknown'],
    ['a method that is none', transaction(entry(canary, 'Observation')), 405, 'request.method-unsupported'],
    [
      'an absolute path elsewhere',
      transaction(entry('GET', `http://${canary}.example/fhir/Patient/1`)),
      400,
      'bundle.url-foreign',
    ],
    [
      'a bundle in a bundle',
      transaction(entry('POST', '', { resourceType: 'Bundle', type: 'batch' })),
      405,
      'request.method-unsupported',
    ],
  ]
}

export function badPaths(): readonly Attack[] {
  const at = (path: string, method = 'GET'): Sent => ({ method, path })
  return [
    ['an encoded slash', at(`/fhir/Patient/..%2F${canary}`), 404, 'record.unknown'],
    ['dots', at('/fhir/../../etc/passwd'), 404, 'request.path-unknown'],
    ['encoded dots', at(`/fhir/Patient/%2e%2e/%2e%2e/${canary}`), 404, 'request.path-unknown'],
    ['an empty segment', at(`/fhir//Patient/${canary}`), 404, 'request.path-unknown'],
    ['an encoded NUL', at(`/fhir/Patient/${canary}%00`), 404, 'record.unknown'],
    ['an encoding that is none', at(`/fhir/Patient/%zz${canary}`), 400, 'request.malformed'],
    ['an id as long as a book', at(`/fhir/Patient/${'a'.repeat(4_000)}${canary}`), 404, 'record.unknown'],
    ['a version that is none', at(`/fhir/Patient/a/_history/${canary}`), 404, 'record.unknown'],
    ['a type that is none', at(`/fhir/${canary}/1`), 404, 'type.unknown'],
    ['a type in other letters', at(`/fhir/patient/${canary}`), 404, 'type.unknown'],
    ['an operation that is none', at(`/fhir/Patient/a/$${canary}`, 'POST'), 404, 'request.operation-unknown'],
    ['a path beside everything', at(`/${canary}`), 404, 'request.path-unknown'],
    ['a file of the server', at('/../package.json'), 404, 'request.path-unknown'],
    ['PATCH', at(`/fhir/Patient/${canary}/_history/1`, 'PATCH'), 405, 'request.method-unsupported'],
    ['TRACE', at(`/fhir/Patient/${canary}`, 'TRACE'), 405, 'request.method-unsupported'],
    ['DELETE of everything', at('/fhir', 'DELETE'), 405, 'request.method-unsupported'],
    ['GET where a message goes', at('/hl7v2'), 405, 'request.method-unsupported'],
  ]
}

async function zipOf(name: string, content: Buffer): Promise<Buffer> {
  const zip = new ZipFile()
  zip.addBuffer(content, name)
  zip.end()
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const health = (inside: string, doctype = '') =>
  Buffer.from(`<?xml version="1.0"?>${doctype}<HealthData locale="en">${inside}</HealthData>`)
const record = (value: string) =>
  `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" value="${value}" ` +
  'startDate="2026-02-03 08:15:30 +0100" endDate="2026-02-03 08:15:30 +0100"/>'
const laughs = `<!DOCTYPE x [<!ENTITY a "${canary}"><!ENTITY b "${'&a;'.repeat(50)}"><!ENTITY c "${'&b;'.repeat(50)}">]>`
const foreign = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
const apple = 'apple_health_export/export.xml'

/** Files for `$ingest`. */
export async function badFiles(): Promise<readonly Attack[]> {
  const file = (body: Buffer | string, query = ''): Sent => ({
    method: 'POST',
    path: `/fhir/Patient/${patient}/$ingest${query}`,
    headers: { 'content-type': 'application/octet-stream' },
    body,
  })
  const bomb = await zipOf(apple, Buffer.concat([health(record('61')), Buffer.alloc(64 * 1024 ** 2, 0x20)]))
  const broken = (await zipOf(apple, health(record('61')))).subarray(0, -30)
  return [
    ['nothing', file(''), 415, 'ingest.format-unknown'],
    ['words', file(canary), 415, 'ingest.format-unknown'],
    ['a zip that is cut off', file(broken), 400, 'ingest.zip-malformed'],
    ['a zip bomb', file(bomb), 413, 'ingest.zip-bomb'],
    ['a path out of the zip', file(await zipOf(`a/${canary}.txt`, Buffer.from(canary))), 415, 'ingest.format-unknown'],
    ['a source that is none', file(health(record('61')), `?source=${canary}`), 400, 'ingest.source-unknown', 'source'],
    ['another source', file(health(record('61')), '?source=hl7v2'), 400, 'ingest.source-mismatch', 'source'],
    ['XML that laughs', file(health(record('&c;'), laughs)), 422, 'ingest.xml-entity'],
    ['XML that laughs, zipped', file(await zipOf(apple, health(record('&c;'), laughs))), 422, 'ingest.xml-entity'],
    ['XML that reads files', file(health(record('&f;'), foreign)), 422, 'ingest.xml-entity'],
    [
      'XML that does not end',
      file(`<?xml version="1.0"?><HealthData><Record value="${canary}"`),
      422,
      'ingest.truncated',
    ],
  ]
}

/** A file of which everything can be taken in. */
export const goodFile = health(record('61'))

const segment = (...fields: string[]) => fields.join('|')
const header = (type: string, version = '2.5.1') =>
  segment('MSH', '^~\\&', 'LAB', 'NORD', 'K', 'H', '20260210081500+0100', '', type, 'M-1', 'P', version)
const pid = (id: string) =>
  segment('PID', '1', '', `${id}^^^NORD&2.999.9&ISO^MR`, '', `Doe^${canary}`, '', '19700101', 'F')

/** A broken message, the code of its acknowledgement, and the segment or field that ERR names. */
export type BadMessage = readonly [name: string, message: string, status: number, code: 'AE' | 'AR', place?: RegExp]

export function badMessages(): readonly BadMessage[] {
  const message = (...segments: string[]) => segments.join('\r')
  return [
    ['words', canary, 400, 'AR'],
    ['a header alone', 'MSH|^~\\&|', 422, 'AE'],
    ['a header of three letters', `MSH${canary}`, 400, 'AR'],
    ['an event that is not taken', message(header('ADT^A99'), pid('1')), 400, 'AR', /MSH/],
    ['version 3', message(header('ADT^A01', '3.0'), pid('1')), 400, 'AR', /MSH\^\d\^12/],
    ['nobody', message(header('ORU^R01')), 422, 'AE', /PID/],
    ['somebody unknown', message(header('ORU^R01'), pid(canary), 'OBR|1|||8867-4^HR^LN'), 422, 'AE', /PID\^\d\^3/],
  ]
}

/** Somebody new, with a visit: it needs the right to create Encounters. */
export const admission = [header('ADT^A01'), 'EVN|A01', pid('new-1'), 'PV1|1|I|INT^1^1||||||||||||||||V-1'].join('\r')
