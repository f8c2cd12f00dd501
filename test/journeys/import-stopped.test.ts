import type { Parameters } from '@medplum/fhirtypes'
import { type Answer, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

let home: Home
let server: RunningServer

beforeAll(async () => {
  home = await newHome('stopped')
  server = await startServer(home)
})
afterAll(async () => {
  await server.stop()
  await home.remove()
})

/** An export of so many heart rates, one a minute. */
function heartRates(count: number): Buffer {
  const record = (_: unknown, at: number) => {
    const date = `${new Date(Date.parse('2025-01-01T00:00:00Z') + at * 60_000).toISOString().slice(0, 19).replace('T', ' ')} +0000`
    return `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" value="60" startDate="${date}"/>`
  }
  return Buffer.from(`<HealthData>${Array.from({ length: count }, record).join('\n')}</HealthData>`)
}

const rows = 20_000
const file = heartRates(rows)
/** As much as no machine has taken in by the time that a command beside the server has started. */
const longFile = heartRates(60_000)
const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const told = (answer: Answer, name: string, part?: string) => {
  const found = answer.json<Parameters>().parameter?.find(one => one.name === name)
  const of = part === undefined ? found : found?.part?.find(one => one.name === part)
  return of?.valueInteger ?? of?.valueCode ?? of?.valueString
}

/** A token for a patient of its own, and an import that has begun to write. */
async function begun(prefer = 'respond-async', body = file) {
  const patient = await lastLine(home, 'patient', 'create')
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  const [client, other] = [
    openClient(server.url, token),
    openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds')),
  ]
  const answered = client.send({
    method: 'POST',
    path: `/fhir/Patient/${patient}/$ingest`,
    headers: { prefer },
    body,
  })
  answered.catch(() => undefined)
  const written = async () => {
    const answer = await other.send({ path: `/fhir/Observation?patient=${patient}&_summary=count` })
    return answer.json<{ total?: number }>().total ?? 0
  }
  await until(async () => (await written()) > 0)
  return { patient, token, client, other, answered, written }
}

/** Until nothing is added any more; how much there is then. */
async function settled(written: () => Promise<number>): Promise<number> {
  for (let [last, times] = [-1, 0]; ; await wait(100)) {
    const now = await written()
    times = now === last ? times + 1 : 0
    last = now
    if (times === 5) return now
  }
}

describe('an import that has begun stops', () => {
  it('when its token is revoked: what was written stays, and the same file goes on from there', async () => {
    const { patient, token, client, other, answered, written } = await begun()
    expect((await answered).status).toBe(202)
    const form = { 'content-type': 'application/x-www-form-urlencoded', authorization: '' }
    const revoked = await client.send({ method: 'POST', path: '/auth/revoke', headers: form, body: `token=${token}` })
    expect(revoked.status).toBe(200)
    const stayed = await settled(written)
    expect(stayed).toBeGreaterThan(0)
    expect(stayed).toBeLessThan(rows)
    const path = `/fhir/Patient/${patient}/$ingest`
    const again = await other.send({ method: 'POST', path, body: file })
    expect([again.status, told(again, 'rows')]).toEqual([200, rows])
    expect(await written()).toBe(rows)
  })

  it('when the patient is erased by another process: nothing is kept, and its report says where it stopped', async () => {
    const { patient, answered } = await begun('', longFile)
    expect(await run(home, 'erase', '--patient', patient, '--yes')).toMatchObject({ status: 0 })
    const answer = await answered
    expect([answer.status, told(answer, 'problem', 'code')]).toEqual([422, 'ingest.patient-erased'])
    expect(told(answer, 'rows')).toBeLessThan(60_000)
  })

  it('when whoever waits for its end leaves', async () => {
    const { client, answered, written } = await begun('', longFile)
    client.close()
    await expect(answered).rejects.toThrow()
    expect(await settled(written)).toBeLessThan(60_000)
  })

  it('when the server closes, which does not wait for it; a restart tells what became of it', async () => {
    const { client, answered, token } = await begun('respond-async', longFile)
    const job = new URL((await answered).headers['content-location'] ?? '').pathname
    client.close()
    expect(await server.stop()).toBe(0)
    server = await startServer(home)
    const after = openClient(server.url, token)
    const answer = await after.send({ path: job })
    after.close()
    expect([answer.status, told(answer, 'problem', 'code')]).toEqual([422, 'ingest.stopped'])
    expect(told(answer, 'created')).toBeGreaterThan(0)
  })
})
