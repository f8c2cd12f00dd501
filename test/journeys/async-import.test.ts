import type { Bundle, OperationOutcome, Parameters } from '@medplum/fhirtypes'
import { type Answer, type Client, everyEntry, openClient } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

let home: Home
let server: RunningServer
let client: Client
let token: string
let patient: string

beforeAll(async () => {
  home = await newHome('async')
  server = await startServer(home)
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  patient = await lastLine(home, 'patient', 'create')
  client = openClient(server.url, token)
})
afterAll(async () => {
  client.close()
  expect(await server.stop()).toBe(0)
  await home.remove()
})

/** An Apple Health export of this many heart rates, one a minute from this day on. */
function heartRates(count: number, day: string): Buffer {
  const start = Date.parse(`${day}T00:00:00Z`)
  const record = (_: unknown, at: number) => {
    const date = `${new Date(start + at * 60_000).toISOString().slice(0, 19).replace('T', ' ')} +0000`
    const value = 55 + (at % 60)
    return `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" value="${value}" startDate="${date}" endDate="${date}"/>`
  }
  const records = Array.from({ length: count }, record).join('\n')
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en">\n${records}\n</HealthData>\n`)
}

async function begin(file: Buffer): Promise<string> {
  const headers = { 'content-type': 'application/octet-stream', prefer: 'respond-async' }
  const answer = await client.send({ method: 'POST', path: `/fhir/Patient/${patient}/$ingest`, headers, body: file })
  expect([answer.status, answer.body.length]).toEqual([202, 0])
  const location = new URL(answer.headers['content-location'] ?? '')
  expect(location.origin).toBe(home.origin)
  return location.pathname
}

/** Asks until this can be said of the answer. */
async function pollUntil(job: string, holds: (answer: Answer) => boolean): Promise<Answer[]> {
  const answers: Answer[] = []
  await until(async () => {
    const answer = await client.send({ path: job })
    answers.push(answer)
    return holds(answer)
  })
  return answers
}

const isOver = ({ status }: Answer) => status !== 202
const rowsIn = ({ headers }: Answer) => Number(/^(\d+) bytes, (\d+) rows$/.exec(headers['x-progress'] ?? '')?.[2])

function countsOf(answer: Answer | undefined): Record<string, number> {
  const { parameter = [] } = answer?.json<Parameters>() ?? {}
  return Object.fromEntries(
    parameter.flatMap(({ name, valueInteger }) => (valueInteger === undefined ? [] : [[name, valueInteger]])),
  )
}

async function observations(): Promise<number | undefined> {
  const answer = await client.send({ path: `/fhir/Observation?patient=${patient}&_summary=count` })
  return answer.json<Bundle>().total
}

describe('$ingest with Prefer: respond-async – https://hl7.org/fhir/R4/async.html', () => {
  const file = heartRates(8_000, '2025-01-01')
  let job: string

  it('answers 202 at once, tells its progress, and at last its report', async () => {
    job = await begin(file)
    const answers = await pollUntil(job, isOver)
    const under = answers.slice(0, -1)
    expect(under.length).toBeGreaterThan(0)
    for (const answer of under) expect(answer.headers['retry-after']).toBe('1')
    const rows = under.map(rowsIn)
    expect(rows).toEqual(rows.toSorted((a, b) => a - b))
    const last = answers.at(-1)
    expect(last?.status).toBe(200)
    // One resource a row, and the Device that they all come from.
    expect(countsOf(last)).toMatchObject({ rows: 8_000, mapped: 8_000, created: 8_001, duplicate: 0 })
    expect(await observations()).toBe(8_000)
  })

  it("is nobody else's business: another token of the same right gets the answer of a job that never was", async () => {
    const other = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
    const [real, invented] = await Promise.all([job, `/fhir/$job/${'0'.repeat(32)}`].map(path => other.send({ path })))
    other.close()
    expect([real?.status, real?.json<OperationOutcome>().issue?.[0]?.details?.coding?.[0]?.code]).toEqual([
      404,
      'job.unknown',
    ])
    expect(real?.body).toEqual(invented?.body)
    const stranger = openClient(server.url)
    expect((await stranger.send({ path: job })).status).toBe(401)
    stranger.close()
    expect((await client.send({ path: job })).status).toBe(200)
  })

  it('changes nothing the second time', async () => {
    const before = await client.send({ path: '/fhir/_history?_count=1' })
    const answers = await pollUntil(await begin(file), isOver)
    expect(countsOf(answers.at(-1))).toMatchObject({ rows: 8_000, created: 0, updated: 0 })
    expect((await client.send({ path: '/fhir/_history?_count=1' })).json<Bundle>().entry).toEqual(
      before.json<Bundle>().entry,
    )
  })
})

describe('an import whose server is killed', () => {
  const file = heartRates(8_000, '2025-06-01')

  it('keeps what was committed, and the same file brings the rest and nothing twice', async () => {
    const before = Number(await observations())
    const job = await begin(file)
    await pollUntil(job, answer => isOver(answer) || rowsIn(answer) > 2_000)
    await server.kill()
    client.close()
    server = await startServer(home)
    client = openClient(server.url, token)

    const after = await client.send({ path: job })
    expect(after.status).toBe(422)
    expect(after.json<OperationOutcome>().issue?.[0]?.code).toBe('transient')
    const kept = Number(await observations()) - before
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThan(8_000)

    const answers = await pollUntil(await begin(file), isOver)
    expect(countsOf(answers.at(-1))).toMatchObject({ rows: 8_000, mapped: 8_000, created: 8_000, duplicate: 0 })
    expect(Number(await observations()) - before).toBe(8_000)
    const versions = await everyEntry(client, '/fhir/Observation/_history?_count=1000&_since=2020-01-01')
    expect(versions.length).toBe(before + 8_000)
    expect(new Set(versions.map(({ fullUrl }) => fullUrl)).size).toBe(before + 8_000)
  })

  it('is whole afterwards', async () => {
    expect(await lastLine(home, 'verify')).toBe('')
  })
})
