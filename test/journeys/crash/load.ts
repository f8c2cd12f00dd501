/** Writers that never rest: each has a connection and resources of its own, and writes down what it is told. */
import type { Bundle, BundleEntry, Observation, Resource } from '@medplum/fhirtypes'
import { type Answer, type Client, openClient } from '../server/client.ts'
import { type Books, deleted, type Effect, type Fact } from './books.ts'

export const markSystem = 'urn:kinhold:test:mark'
export const onceSystem = 'urn:kinhold:test:once'
export const roundSystem = 'urn:kinhold:test:round'

export interface Round {
  readonly url: string
  readonly token: string
  readonly books: Books
  readonly patients: readonly string[]
  /** Every version written in this round carries it as a tag. */
  readonly round: string
  /** A reproducible source of numbers from 0 to 1. */
  random(): number
}

/** What a writer sends, and what each part of it will have brought about if it happens. */
interface Write {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
  readonly effects: readonly Effect[]
}

/** Writes until the server is gone. */
export async function write(round: Round): Promise<void> {
  const client = openClient(round.url, round.token)
  const mine: string[] = []
  try {
    while (await writeOnce(client, round, mine));
  } finally {
    client.close()
  }
}

/** @returns false when the connection broke, or the store was in use: what was asked for is in doubt from then on */
async function writeOnce(client: Client, round: Round, mine: string[]): Promise<boolean> {
  const planned = plan(round, mine)
  const answer = await client.send(planned).catch(() => undefined)
  if (answer === undefined) {
    round.books.doubts.push(planned.effects)
    return false
  }
  // Whoever was killed had it in hand, or the database was lost: what was asked for is in doubt, too.
  if (answer.status === 503) {
    round.books.doubts.push(planned.effects)
    return false
  }
  if (answer.status >= 300) throw new Error(`${planned.method} ${planned.path} was refused: ${answer.body}`)
  const facts = factsOf(planned, answer)
  if (facts.length > 0) round.books.acknowledge(facts)
  for (const { reference } of facts)
    if (reference.startsWith('Observation') && !mine.includes(reference)) mine.push(reference)
  return true
}

const mix: readonly (readonly [share: number, plan: (round: Round, mine: string[]) => Write])[] = [
  [0.4, create],
  [0.18, update],
  [0.02, correctOwner],
  [0.08, remove],
  [0.12, createConditionally],
  [0.19, transact],
  [0.01, takeInPatient],
]

function plan(round: Round, mine: string[]): Write {
  let left = round.random()
  for (const [share, kind] of mix) {
    left -= share
    if (left < 0) return kind(round, mine)
  }
  return create(round)
}

function create(round: Round): Write {
  const { resource, effect } = newObservation(round)
  return { method: 'POST', path: '/fhir/Observation', body: resource, effects: [effect] }
}

function update(round: Round, mine: string[]): Write {
  const reference = pickAlive(round, mine)
  if (reference === undefined) return create(round)
  const { resource, effect } = nextObservation(round, reference)
  const headers: Record<string, string> = round.random() < 0.5 ? { 'if-match': `W/"${effect.version - 1}"` } : {}
  return { method: 'PUT', path: `/fhir/${reference}`, headers, body: resource, effects: [effect] }
}

/** It was the wrong person's: the record it leaves and the one it enters must change together. */
function correctOwner(round: Round, mine: string[]): Write {
  const reference = pickAlive(round, mine)
  if (reference === undefined) return create(round)
  const { books, patients } = round
  const next = (patients.indexOf(books.patientOf(reference)) + 1) % patients.length
  const effect: Effect = {
    reference,
    version: books.versionOf(reference) + 2,
    mark: books.nextMark(),
    moved: true,
    patient: patients[next] ?? '',
  }
  return { method: 'PUT', path: `/fhir/${reference}`, body: observation(round, effect), effects: [effect] }
}

function remove(round: Round, mine: string[]): Write {
  const reference = pickAlive(round, mine)
  if (reference === undefined) return create(round)
  const version = round.books.versionOf(reference) + 1
  return { method: 'DELETE', path: `/fhir/${reference}`, effects: [{ reference, version, mark: deleted }] }
}

/** Several writers ask for the same few names at once; only one of them may get each. */
function createConditionally(round: Round): Write {
  const name = `${round.round}-${Math.floor(round.random() * 12)}`
  const headers = { 'if-none-exist': `identifier=${onceSystem}|${name}` }
  const { resource, effect } = newObservation(round, name)
  return { method: 'POST', path: '/fhir/Observation', headers, body: resource, effects: [effect] }
}

/** Two to five entries in the records of several people, which must come together. */
function transact(round: Round, mine: string[]): Write {
  const parts: { entry: BundleEntry; effect: Effect }[] = []
  for (let count = 2 + Math.floor(round.random() * 3); count > 0; count--) {
    const { resource, effect } = newObservation(round)
    parts.push({ entry: { resource, request: { method: 'POST', url: 'Observation' } }, effect })
  }
  const reference = pickAlive(round, mine)
  if (reference !== undefined) {
    const { resource, effect } = nextObservation(round, reference)
    parts.push({ entry: { resource, request: { method: 'PUT', url: reference } }, effect })
  }
  return bundle(
    parts.map(({ entry }) => entry),
    parts.map(({ effect }) => effect),
  )
}

/** A newcomer: keys, ledgers and registration of a compartment, and the first Observation in it, in one transaction. */
function takeInPatient(round: Round): Write {
  const fullUrl = `urn:uuid:${crypto.randomUUID()}`
  const { resource, effect } = newObservation(round)
  const mark = round.books.nextMark()
  const patient: Resource = {
    resourceType: 'Patient',
    meta: { tag: [{ system: roundSystem, code: round.round }] },
    identifier: [{ system: markSystem, value: mark }],
  }
  return bundle(
    [
      { fullUrl, resource: patient, request: { method: 'POST', url: 'Patient' } },
      { resource: { ...resource, subject: { reference: fullUrl } }, request: { method: 'POST', url: 'Observation' } },
    ],
    [
      { version: 1, mark },
      { version: 1, mark: effect.mark },
    ],
  )
}

function bundle(entry: BundleEntry[], effects: readonly Effect[]): Write {
  const body: Bundle = { resourceType: 'Bundle', type: 'transaction', entry }
  return { method: 'POST', path: '/fhir', body, effects }
}

/** So many Observations belong to two patients, and have a copy with each. */
const sharedShare = 0.25
/** Between the ids of those whose an Observation is. */
const beside = '+'

function newObservation(round: Round, once?: string): { resource: Observation; effect: Effect } {
  const { patients, random, books } = round
  const at = Math.floor(random() * patients.length)
  const patient = patients[at] ?? ''
  const twin = patients[(at + 1) % patients.length] ?? ''
  const whose = random() < sharedShare ? `${patient}${beside}${twin}` : patient
  const effect: Effect = { version: 1, mark: books.nextMark(), patient: whose }
  return { resource: observation(round, effect, once), effect }
}

function nextObservation(round: Round, reference: string): { resource: Observation; effect: Effect } {
  const { books } = round
  const version = books.versionOf(reference) + 1
  const effect: Effect = { reference, version, mark: books.nextMark(), patient: books.patientOf(reference) }
  return { resource: observation(round, effect), effect }
}

function observation(round: Round, { reference, mark, patient = '' }: Effect, once?: string): Observation {
  const id = reference?.split('/')[1]
  const [owner, ...others] = patient.split(beside)
  const names = once === undefined ? [] : [{ system: onceSystem, value: once }]
  return {
    resourceType: 'Observation',
    ...(id === undefined ? {} : { id }),
    meta: { tag: [{ system: roundSystem, code: round.round }] },
    identifier: [{ system: markSystem, value: mark }, ...names],
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/${owner}` },
    ...(others.length === 0 ? {} : { performer: others.map(other => ({ reference: `Patient/${other}` })) }),
    effectiveDateTime: '2026-01-02T03:04:05Z',
    valueQuantity: {
      value: 50 + Math.floor(round.random() * 90),
      system: 'http://unitsofmeasure.org',
      code: '/min',
    },
  }
}

/** One of the writer's own that is not deleted. What others might take as theirs, by a name, is left alone. */
function pickAlive({ books, random }: Round, mine: readonly string[]): string | undefined {
  const alive = mine.filter(reference => books.isAlive(reference) && books.patientOf(reference) !== '')
  return alive[Math.floor(random() * alive.length)]
}

const located = /(?:^|\/)([A-Z][A-Za-z]+\/[A-Za-z0-9.-]+)\/_history\/([0-9]+)$/

function factsOf(planned: Write, answer: Answer): readonly Fact[] {
  if (planned.path === '/fhir') {
    const entries = answer.json<Bundle>().entry ?? []
    return planned.effects.map((effect, at) => placed(effect, entries[at]?.response?.location))
  }
  if (planned.method === 'POST' && answer.status === 200) return []
  return planned.effects.map(effect => {
    if (planned.method === 'POST') return placed(effect, answer.headers.location)
    const etag = answer.headers.etag ?? ''
    return placed(effect, `${effect.reference}/_history/${/^W\/"([0-9]+)"$/.exec(etag)?.[1]}`)
  })
}

/** @throws when the server acknowledged another version than the one that had to follow */
function placed(effect: Effect, location: string | undefined): Fact {
  const [, reference, version] = located.exec(location ?? '') ?? []
  if (reference === undefined || Number(version) !== effect.version)
    throw new Error(
      `version ${effect.version} of ${effect.reference ?? 'a new resource'} was told to be at ${location}`,
    )
  return { ...effect, reference }
}
