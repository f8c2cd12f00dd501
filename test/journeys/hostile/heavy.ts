/** Requests of at most 64 kB each of which keeps a server busy for many slices: one of each kind of work. */
import { gzipSync } from 'node:zlib'
import type { Drawn, Scene } from './draws.ts'

type Request = Omit<Drawn, 'name'>

const fhir = { 'content-type': 'application/fhir+json' }
const list = <T>(length: number, at: (at: number) => T) => Array.from({ length }, (_, index) => at(index))

function search(criteria: readonly string[]): Request {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { as: 'reader', method: 'POST', path: '/fhir/Observation/_search', headers, body: criteria.join('&') }
}

/** Criteria that every Observation meets, no two alike. */
const partsOf = (text: string, count: number) =>
  list(
    count,
    at => `value-string:contains=${encodeURIComponent(text.slice(at % 19, text.length - Math.floor(at / 19)))}`,
  )

function bundle(as: Drawn['as'], type: string, entry: readonly object[]): Request {
  const body = gzipSync(JSON.stringify({ resourceType: 'Bundle', type, entry }))
  return { as, method: 'POST', path: '/fhir', headers: { ...fhir, 'content-encoding': 'gzip' }, body }
}

const gets = (times: number, url: string) =>
  bundle(
    'reader',
    'batch',
    list(times, () => ({ request: { method: 'GET', url } })),
  )

function validate(component: readonly object[]): Request {
  const body = gzipSync(JSON.stringify({ resourceType: 'Observation', component }))
  const headers = { ...fhir, 'content-encoding': 'gzip' }
  return { as: 'reader', method: 'POST', path: '/fhir/Observation/$validate', headers, body }
}

function create({ patient }: Scene, at: number): object {
  const subject = { reference: `Patient/${patient}` }
  return { resource: { resourceType: 'Observation', status: 'final', code: { text: `Made no ${at}` }, subject } }
}

const created = (scene: Scene, count: number, more: (at: number) => object) =>
  list(count, at => ({ ...create(scene, at), request: { method: 'POST', url: 'Observation', ...more(at) } }))

const unlessThere = (at: number) => ({ ifNoneExist: `identifier=none|${at}` })

/** @returns name and request of each kind */
export function heavy(scene: Scene): readonly Drawn[] {
  const kinds: Readonly<Record<string, Request>> = {
    'a search of many criteria': search(partsOf('nothing of note was heard at place', 60)),
    'a batch of searches': gets(8, `Observation?${partsOf('nothing of note was heard', 15).join('&')}`),
    'a batch of sorted pages': gets(10, 'Observation?_count=1000&_sort=value-string,-code'),
    'a batch of histories of a type': gets(6, 'Patient/_history?_count=1000'),
    'a batch of histories of all': gets(30, '_history?_count=1000'),
    'a batch of $everything': gets(20, `Patient/${scene.patient}/$everything?_count=1000`),
    'a batch of creates': bundle(
      'writer',
      'batch',
      created(scene, 1_500, () => ({})),
    ),
    'a transaction of creates': bundle(
      'writer',
      'transaction',
      created(scene, 4_000, () => ({})),
    ),
    'a transaction of conditions': bundle('writer', 'transaction', created(scene, 1_500, unlessThere)),
    'a validation of many values': validate(list(160_000, () => ({}))),
  }
  return Object.entries(kinds).map(([name, request]) => ({ name, ...request }))
}
