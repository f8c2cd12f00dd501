/**
 * Requests of at most 64 kB of gzip each of which says the same more than a hundred thousand times: whatever goes through all of it in
 * one go keeps others waiting.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Drawn, Scene } from './draws.ts'

const list = <T>(length: number, at: (at: number) => T) => Array.from({ length }, (_, index) => at(index))

/** What packs so badly that the rest, however well it packs, is not refused for unpacking too far: it has to come first. */
const noise = list(1_000, at => createHash('sha256').update(`${at}`).digest('hex')).join('')
const padding = { url: 'urn:x:noise', valueString: noise }

interface Content {
  readonly resourceType: string
  readonly [element: string]: unknown
}

type Request = Omit<Drawn, 'name'>

function sent(as: Drawn['as'], method: string, path: string, { resourceType, ...content }: Content): Request {
  const body = gzipSync(JSON.stringify({ resourceType, extension: [padding], ...content }))
  const headers = { 'content-type': 'application/fhir+json', 'content-encoding': 'gzip' }
  return { as, method, path, headers, body }
}

const count = 120_000
const fewer = 60_000

/** @returns name and request of each kind */
export function repeated({ patient }: Scene): readonly Drawn[] {
  const subject = { reference: `Patient/${patient}` }
  const observation = { resourceType: 'Observation', status: 'final', code: { text: 'a' }, subject }
  const post = (content: Content) => sent('writer', 'POST', `/fhir/${content.resourceType}`, content)
  const put = (more: object) =>
    sent('writer', 'PUT', `/fhir/Patient/${patient}`, { resourceType: 'Patient', id: patient, ...more })
  const expand = (include: readonly object[]) =>
    sent('reader', 'POST', '/fhir/ValueSet/$expand', {
      resourceType: 'ValueSet',
      status: 'active',
      url: 'http://a.example/v',
      compose: { include },
    })
  const spelt = { reference: 'HTTPS://x.example/Practitioner/a' }
  const coding = { system: 'urn:x', code: '1-1', display: 'x' }
  const itself = 'urn:uuid:00000000-0000-4000-8000-000000000000'
  const linked = { ...observation, extension: [padding], hasMember: list(count, () => ({ reference: itself })) }
  const kinds: Readonly<Record<string, Request>> = {
    'very many identifiers': put({ identifier: list(count, () => ({ system: 'urn:a', value: 'v' })) }),
    'very many identifiers, no two alike': put({
      identifier: list(15_000, at => ({ system: 'urn:a', value: `v${at}` })),
    }),
    'very many photos': put({ photo: list(count, () => ({ url: 'Binary/a' })) }),
    'very many references': post({ ...observation, performer: list(count, () => subject) }),
    'very many references, spelt otherwise': post({ ...observation, performer: list(count, () => spelt) }),
    'very many tags': post({ ...observation, meta: { tag: list(count, () => ({ system: 'a:b', code: 'c' })) } }),
    'very many profiles': post({ ...observation, meta: { profile: list(count, () => 'http://a.example/p') } }),
    'very many codings': post({ ...observation, code: { coding: list(count, () => coding) } }),
    'very many participants': post({
      resourceType: 'Appointment',
      status: 'proposed',
      participant: list(80_000, () => ({ actor: subject, status: 'accepted' })),
    }),
    'very many targets': post({
      resourceType: 'Provenance',
      target: list(count, () => subject),
      recorded: '2020-01-01T00:00:00Z',
      agent: [{ who: subject }],
    }),
    'very many answers': post({
      resourceType: 'QuestionnaireResponse',
      status: 'completed',
      subject,
      item: list(fewer, () => ({ linkId: '1', answer: [{ valueString: 'a' }] })),
    }),
    'very many links in a transaction': sent('writer', 'POST', '/fhir', {
      resourceType: 'Bundle',
      extension: undefined,
      type: 'transaction',
      entry: [{ fullUrl: itself, request: { method: 'POST', url: 'Observation' }, resource: linked }],
    }),
    'very many numbers to match by': sent('reader', 'POST', '/fhir/Patient/$match', {
      resourceType: 'Patient',
      identifier: list(count, () => ({ system: 'a:b', value: '1' })),
    }),
    'very many parts of a value set': expand(list(count, () => ({ system: 'http://a.example' }))),
    'very many codes of a value set': expand([
      { system: 'http://a.example', concept: list(count, () => ({ code: 'c' })) },
    ]),
    'an import of very many references': {
      ...post({ ...observation, performer: list(count, () => ({ reference: 'Practitioner/a' })) }),
      path: `/fhir/Patient/${patient}/$ingest`,
      headers: { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' },
    },
    'a summary of all that': { as: 'reader', path: `/fhir/Patient/${patient}/$summary` },
  }
  return Object.entries(kinds).map(([name, request]) => ({ name, ...request }))
}
