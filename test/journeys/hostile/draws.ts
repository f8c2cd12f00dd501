/** Requests of at most 64 kB that ask for as much as they can, drawn at random. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import type { Sent } from '../server/client.ts'

export interface Drawn extends Sent {
  /** What it is, for the report. */
  readonly name: string
  readonly as: 'reader' | 'writer' | 'nobody'
}

/** Whom and what the requests are about. */
export interface Scene {
  readonly patient: string
  readonly binary: string
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const gzip = { 'content-encoding': 'gzip' }
const repeated = (part: string, times: number, between = '') => Array.from({ length: times }, () => part).join(between)

/** `kinds` of hostile criteria; each alone is well formed. */
function criterion({ patient }: Scene): fc.Arbitrary<string> {
  const deep = (depth: number) => `${repeated('_has:Observation:has-member:', depth)}code=x`
  const chain = (depth: number) => `${repeated('has-member:Observation.', depth)}value-string:contains=a`
  return fc.oneof(
    fc.constantFrom('value-string:contains=a', 'value-string:contains=o', 'code:text=re', 'value-string=n'),
    fc.constantFrom('value-quantity=gt1,lt2,ne3', 'date=ge2020,le2021,ne2022', 'combo-code-value-quantity=x$gt1'),
    fc.integer({ min: 1, max: 7 }).map(deep),
    fc.integer({ min: 1, max: 7 }).map(chain),
    fc.constantFrom(`subject:Patient.name:contains=a`, `patient=${patient}`, 'has-member:missing=false', 'code:not=x'),
  )
}

function search(scene: Scene): fc.Arbitrary<Drawn> {
  const sort = '_sort=value-string,-code,status,category,method,combo-value-concept,_id,subject'
  const extra = fc.constantFrom('', sort, '_summary=count', '_include=*&_revinclude=*&_count=1000', '_total=accurate')
  const criteria = fc.array(criterion(scene), { minLength: 1, maxLength: 190 })
  return fc.tuple(criteria, extra, fc.boolean()).map(([all, more, same]) => {
    const text = [...(same ? all.map(() => all[0] ?? '') : all), more].filter(part => part !== '').join('&')
    const post = { method: 'POST', path: '/fhir/Observation/_search', headers: form, body: text }
    return { name: 'search', as: 'reader', ...post }
  })
}

function batchOf(entries: readonly object[], as: Drawn['as'], type = 'batch'): Omit<Drawn, 'name'> {
  return { as, method: 'POST', path: '/fhir', body: { resourceType: 'Bundle', type, entry: entries } }
}

function batch(scene: Scene): fc.Arbitrary<Drawn> {
  const searches = fc
    .array(criterion(scene), { minLength: 1, maxLength: 20 })
    .map(all => `Observation?${all.join('&')}`)
  const url = fc.oneof(
    searches,
    fc.constantFrom(
      `Binary/${scene.binary}`,
      `Patient/${scene.patient}/$everything?_count=1000`,
      'Patient/_history?_count=1000',
      '_history?_count=1000',
      'Observation?_count=1000&_sort=value-string',
    ),
  )
  return fc.tuple(url, fc.integer({ min: 2, max: 100 })).map(([asked, times]) => ({
    name: `batch of ${asked.slice(0, 24)}`,
    ...batchOf(
      Array.from({ length: times }, () => ({ request: { method: 'GET', url: asked } })),
      'reader',
    ),
  }))
}

function body(scene: Scene): fc.Arbitrary<Drawn> {
  const many = fc.constantFrom(1e5, 1e6, 1e7)
  const part = fc.constantFrom('{}', '[]', '0', '{"a":[]}')
  const values = fc.tuple(part, many).map(([one, times]) => repeated(one, Math.min(times, 3e7 / one.length), ','))
  const validate = values.map(text => ({
    name: 'validate many values',
    as: 'reader' as const,
    method: 'POST',
    path: '/fhir/Observation/$validate',
    headers: gzip,
    body: gzipSync(`{"resourceType":"Observation","component":[${text}]}`),
  }))
  const bundle = values.map(text => ({
    name: 'batch of many entries',
    as: 'reader' as const,
    method: 'POST',
    path: '/fhir',
    headers: gzip,
    body: gzipSync(`{"resourceType":"Bundle","type":"batch","entry":[${text}]}`),
  }))
  const names = fc.integer({ min: 1, max: 5000 }).map(count => ({
    name: 'validate unknown names',
    as: 'reader' as const,
    method: 'POST',
    path: '/fhir/Observation/$validate',
    body: {
      resourceType: 'Observation',
      ...Object.fromEntries(Array.from({ length: count }, (_, at) => [`u${at}`, 1])),
    },
  }))
  const transaction = fc.integer({ min: 1, max: 250 }).map(count => ({
    name: 'transaction',
    ...batchOf(
      Array.from({ length: count }, (_, at) => ({
        resource: {
          resourceType: 'Observation',
          status: 'final',
          code: { text: `t${at}` },
          subject: { reference: `Patient/${scene.patient}` },
        },
        request: { method: 'POST', url: 'Observation', ifNoneExist: `identifier=none|${at}` },
      })),
      'writer',
      'transaction',
    ),
  }))
  return fc.oneof(validate, bundle, names, transaction)
}

function others(scene: Scene): fc.Arbitrary<Drawn> {
  const message = (part: string, times: number) =>
    gzipSync(`MSH|^~\\&|A|B|C|D|20260101||ADT^A08|1|P|2.5\r${repeated(part, times)}`)
  const hl7 = fc
    .tuple(fc.constantFrom('^', 'NTE|1\r', '~', '|', '&'), fc.constantFrom(1e4, 1e6, 4e6))
    .map(([part, times]) => ({
      name: 'HL7',
      as: 'writer' as const,
      method: 'POST',
      path: '/hl7v2',
      headers: { ...gzip, 'content-type': 'application/hl7-v2' },
      body: message(part, times),
    }))
  const ingest = fc.constantFrom('\0', '<a>', '{"resourceType":"x"}\n').map(part => ({
    name: '$ingest',
    as: 'writer' as const,
    method: 'POST',
    path: `/fhir/Patient/${scene.patient}/$ingest`,
    headers: { ...gzip, 'content-type': 'application/octet-stream' },
    body: gzipSync(repeated(part, 1e6)),
  }))
  const paths = fc
    .constantFrom(
      '/fhir/Patient/_history?_count=1000',
      '/fhir/_history?_count=1000',
      '/fhir/Observation/_history?_count=1000',
      `/fhir/Patient/${scene.patient}/$everything?_count=1000`,
      `/fhir/Patient/${scene.patient}/*?_sort=_id&_count=1000`,
      `/fhir/Observation?_cursor=${'A'.repeat(8000)}`,
      `/fhir/Observation?code=${'x,'.repeat(3000)}x`,
    )
    .chain(path => fc.constantFrom<Drawn['as']>('reader', 'nobody').map(as => ({ name: path.slice(6, 40), as, path })))
  return fc.oneof(hl7, ingest, paths)
}

/** One hostile request. */
export function hostile(scene: Scene): fc.Arbitrary<Drawn> {
  return fc.oneof(search(scene), search(scene), batch(scene), batch(scene), body(scene), others(scene))
}
