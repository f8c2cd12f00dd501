/** Marks written and asked for through every way that FHIR over HTTP offers. */
import type { Client } from '../server/client.ts'
import type { Flock } from './flock.ts'

/** A person all of whose data are marks. */
export function markedPatient(flock: Flock): object {
  return {
    resourceType: 'Patient',
    identifier: [{ system: `urn:test:${flock.code()}`, value: flock.code() }],
    name: [{ family: flock.foreignName(), given: [flock.name(), flock.name()], text: flock.name() }],
    telecom: [{ system: 'phone', value: flock.value() }],
    address: [{ line: [flock.name()], city: flock.name(), postalCode: flock.value() }],
    contact: [{ name: { family: flock.name() } }],
  }
}

export function markedObservation(flock: Flock, patient: string): object {
  return {
    resourceType: 'Observation',
    meta: { tag: [{ system: 'urn:test', code: flock.code() }] },
    identifier: [{ value: flock.code() }],
    status: 'final',
    category: [{ text: flock.name() }],
    code: { coding: [{ system: `urn:test:${flock.code()}`, code: flock.code(), display: flock.foreignName() }] },
    subject: { reference: `Patient/${patient}`, display: flock.name() },
    effectiveDateTime: '2026-01-02T03:04:05Z',
    valueQuantity: { value: Number(flock.value()), unit: flock.name() },
    note: [{ text: flock.foreignName() }],
    component: [{ code: { text: flock.name() }, valueString: flock.name() }],
  }
}

/** Creates, changes, deletes, transactions, batches: everything that is answered with success. Resolves to the Patient's id. */
export async function writeThroughFhir(client: Client, flock: Flock): Promise<string> {
  const post = (path: string, body: object, headers = {}) => client.send({ method: 'POST', path, body, headers })
  const created = await expectStatus(201, post('/fhir/Patient', markedPatient(flock)))
  const { id } = created.json<{ id: string }>()
  await expectStatus(
    200,
    client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { ...markedPatient(flock), id } }),
  )
  const chosen = flock.code()
  const named = { ...markedObservation(flock, id), id: chosen }
  await expectStatus(201, client.send({ method: 'PUT', path: `/fhir/Observation/${chosen}`, body: named }))
  const condition = { 'if-none-exist': `identifier=${flock.code()}` }
  await expectStatus(201, post('/fhir/Observation', markedObservation(flock, id), condition))
  const doomed = (await expectStatus(201, post('/fhir/Observation', markedObservation(flock, id)))).json<{
    id: string
  }>()
  await expectStatus(200, client.send({ method: 'DELETE', path: `/fhir/Observation/${doomed.id}` }), 204)
  const condition2 = `/fhir/Observation?identifier=${flock.code()}`
  await expectStatus(201, client.send({ method: 'PUT', path: condition2, body: markedObservation(flock, id) }))
  for (const type of ['transaction', 'batch']) await expectStatus(200, post('/fhir', bundleOf(type, flock, id)))
  const other = (await expectStatus(201, post('/fhir/Patient', markedPatient(flock)))).json<{ id: string }>()
  await writeShared(client, flock, [id, other.id])
  return id
}

/** What belongs to two patients has a copy with each; then it goes away from one of them. */
async function writeShared(client: Client, flock: Flock, patients: readonly string[]): Promise<void> {
  const body = markedAppointment(flock, patients)
  const made = await expectStatus(201, client.send({ method: 'POST', path: '/fhir/Appointment', body }))
  const { id } = made.json<{ id: string }>()
  for (const whose of [patients, patients.slice(0, 1)]) {
    const next = { ...markedAppointment(flock, whose), id }
    await expectStatus(200, client.send({ method: 'PUT', path: `/fhir/Appointment/${id}`, body: next }))
  }
}

function markedAppointment(flock: Flock, patients: readonly string[]): object {
  return {
    resourceType: 'Appointment',
    identifier: [{ value: flock.code() }],
    status: 'booked',
    start: '2026-03-02T09:00:00Z',
    end: '2026-03-02T09:30:00Z',
    description: flock.foreignName(),
    comment: flock.name(),
    patientInstruction: flock.name(),
    participant: patients.map(id => ({
      actor: { reference: `Patient/${id}`, display: flock.name() },
      type: [{ text: flock.name() }],
      status: 'accepted',
    })),
  }
}

function bundleOf(type: string, flock: Flock, patient: string): object {
  const create = { resource: markedObservation(flock, patient), request: { method: 'POST', url: 'Observation' } }
  const ifNoneExist = `identifier=${flock.code()}`
  const once = { ...create, resource: markedObservation(flock, patient), request: { ...create.request, ifNoneExist } }
  const newcomer = { fullUrl: 'urn:uuid:5b5e7a5c-1c7c-4c1f-9a1f-0d6a2f0b7a11', resource: markedPatient(flock) }
  return {
    resourceType: 'Bundle',
    type,
    entry: [create, once, { ...newcomer, request: { method: 'POST', url: 'Patient' } }],
  }
}

/** Marks as what is looked for: in query strings, in forms, in conditions, in compartments. */
export async function askThroughFhir(client: Client, flock: Flock, patient: string): Promise<void> {
  const questions = [
    `Patient?name=${flock.name()}`,
    `Patient?family:exact=${encodeURIComponent(flock.foreignName())}`,
    `Observation?code=urn:test:${flock.code()}|${flock.code()}&_count=3`,
    `Observation?value-quantity=gt${flock.value()}`,
    `Observation?subject:Patient.name=${flock.name()}`,
    `Patient?_has:Observation:patient:code=${flock.code()}`,
    `Observation?identifier=${flock.code()}&_sort=-date&_include=Observation:subject`,
    `Patient/${patient}/Observation?code=${flock.code()}`,
    `Observation?_tag=${flock.code()}&_total=accurate`,
    `Appointment?identifier=${flock.code()}&actor:Patient.name=${flock.name()}`,
  ]
  for (const question of questions) await expectStatus(200, client.send({ path: `/fhir/${question}` }))
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const body of [`name=${flock.name()}`, `address-city=${flock.name()}`])
    await expectStatus(200, client.send({ method: 'POST', path: '/fhir/Patient/_search', headers: form, body }))
  await client.send({ path: `/fhir/Patient/${patient}`, headers: { 'if-none-match': `W/"${flock.code()}"` } })
  await client.send({ path: `/fhir/Patient/${patient}/_history` })
  await client.send({ path: `/fhir/Patient/${patient}/$everything` })
}

/** @throws when an answer has another status than it should */
export async function expectStatus<T extends { status: number; body: Buffer }>(
  status: number,
  answering: Promise<T>,
  ...also: number[]
): Promise<T> {
  const answer = await answering
  if (![status, ...also].includes(answer.status))
    throw new Error(`${answer.status} instead of ${status}: ${answer.body}`)
  return answer
}
