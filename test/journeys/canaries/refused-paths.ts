/** Marks in requests that are refused: in paths, queries, headers and bodies, with and without a token. */
import type { Client, Sent } from '../server/client.ts'
import { markedObservation } from './fhir-paths.ts'
import type { Flock } from './flock.ts'

/** Sends them all; each must be refused, and none may bring the server down. Resolves to the statuses. */
export async function beRefused(client: Client, flock: Flock, patient: string): Promise<number[]> {
  const observation = markedObservation(flock, patient)
  const text = JSON.stringify(observation)
  const post = (body: string | object, headers = {}, path = '/fhir/Observation'): Sent => ({
    method: 'POST',
    path,
    body,
    headers,
  })
  const requests: Sent[] = [
    { path: `/fhir/Observation/${flock.code()}` },
    { path: `/${flock.name()}/${flock.code()}` },
    { path: `/fhir/${flock.name()}` },
    { path: `/fhir/Patient/${patient}/$${flock.name()}` },
    { path: `/fhir/Observation?${flock.name()}=${flock.value()}` },
    { path: `/fhir/Observation?code:${flock.name()}=1` },
    { path: `/fhir/Observation?date=${flock.value()}x` },
    { path: `/fhir/Patient?birthdate=${flock.name()}` },
    { path: `/fhir/Observation?_cursor=${flock.code()}` },
    { path: `/fhir/%ff%fe${flock.name()}` },
    { path: '/fhir/Patient', headers: { authorization: `Bearer ${flock.code()}` } },
    { path: '/fhir/Patient', headers: { authorization: `Basic ${Buffer.from(flock.name()).toString('base64')}` } },
    {
      path: '/fhir/Nothing',
      headers: { 'x-request-id': flock.name(), 'user-agent': flock.name(), referer: `http://${flock.name()}/` },
    },
    { path: `/fhir/Patient/${patient}`, method: flock.name().toUpperCase().replaceAll('Z', 'A') },
    { path: '/fhir/Patient', headers: { origin: `https://${flock.name()}.example`, accept: `text/${flock.name()}` } },
    {
      method: 'PUT',
      path: `/fhir/Patient/${patient}`,
      body: { resourceType: 'Patient', id: patient },
      headers: { 'if-match': `W/"${flock.code()}"` },
    },
    post(text.slice(0, -20)),
    post(`${text}${flock.name()}`),
    post(text.replace('"status":"final"', `"status":"${flock.code()}"`)),
    post(text.replace('"status":"final"', `"status":"final","${flock.name()}":"${flock.value()}"`)),
    post(text.replace('"status":"final"', `"status":"final","__proto__":{"${flock.name()}":1}`)),
    post(text.replace('"resourceType":"Observation"', `"resourceType":"${flock.name()}"`)),
    post(text.replaceAll(`Patient/${patient}`, `Patient/${flock.code()}`)),
    post(text, { 'content-type': `application/${flock.name()}` }),
    post(text, { 'content-encoding': 'gzip' }),
    post(text, { 'if-none-exist': `${flock.name()}=${flock.code()}` }),
    post('['.repeat(5_000) + flock.name()),
    post(
      {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ resource: observation, request: { method: flock.name(), url: flock.code() } }],
      },
      {},
      '/fhir',
    ),
    post(`MSH|^~\\&|${flock.name()}|broken`, { 'content-type': 'x-application/hl7-v2+er7' }, '/hl7v2'),
    post(
      `${flock.name()} is no file of any kind`,
      { 'content-type': 'application/octet-stream' },
      `/fhir/Patient/${patient}/$ingest?source=${flock.name()}`,
    ),
    post(
      `PK\u0003\u0004${flock.name()}`,
      { 'content-type': 'application/octet-stream' },
      `/fhir/Patient/${patient}/$ingest`,
    ),
    post(
      `<?xml version="1.0"?><HealthData><Record type="${flock.name()}" value="${flock.value()}"`,
      { 'content-type': 'application/octet-stream' },
      `/fhir/Patient/${patient}/$ingest`,
    ),
  ]
  const statuses: number[] = []
  for (const request of requests) statuses.push((await client.send(request).catch(() => ({ status: 400 }))).status)
  return statuses
}
