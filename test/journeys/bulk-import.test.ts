import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Answer, type Client, everyEntry, openClient } from './server/client.ts'
import { type RunningCrew, startCrew, until } from './server/crew.ts'
import { type Home, lastLine, newHome } from './server/home.ts'

const longest = 120_000
const people = 40

let home: Home
let crew: RunningCrew
let clinic: Server
let clients: Client[]
const files = new Map<string, Buffer>()

beforeAll(async () => {
  home = await newHome('bulk-import', 'info')
  crew = await startCrew(home, 2, { KINHOLD_NOTIFY_NETWORKS: '127.0.0.1/32' })
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  // Connections are dealt out in turn: each process has some.
  clients = Array.from({ length: 4 }, () => openClient(crew.url, token))
  clinic = createServer((request, response) => response.end(files.get(request.url ?? '')))
  await new Promise<void>(resolve => clinic.listen(0, '127.0.0.1', resolve))
}, longest)
afterAll(async () => {
  for (const client of clients) client.close()
  clinic.closeAllConnections()
  clinic.close()
  await crew.kill()
  await home.remove()
}, longest)

const ndjson = (resources: readonly object[]) => Buffer.from(resources.map(one => JSON.stringify(one)).join('\n'))

const personOf = (n: number) => ({
  resourceType: 'Patient',
  id: `p${n}`,
  identifier: [{ system: 'https://clinic.example/mrn', value: `${n}` }],
  name: [{ family: `Family${n}`, given: ['Ada'] }],
  birthDate: `19${50 + (n % 50)}-01-02`,
})
const weightOf = (n: number) => ({
  resourceType: 'Observation',
  id: `w${n}`,
  status: 'final',
  code: { text: 'weight' },
  subject: { reference: `Patient/p${n % people}` },
  effectiveDateTime: '2026-01-02',
})

async function imported(): Promise<ReturnType<Answer['json']>> {
  const address = `http://127.0.0.1:${(clinic.address() as AddressInfo).port}`
  const input = (type: string) => ({
    name: 'input',
    part: [
      { name: 'type', valueCode: type },
      { name: 'url', valueUri: `${address}/${type}` },
    ],
  })
  const parameter = [
    { name: 'inputFormat', valueCode: 'application/fhir+ndjson' },
    { name: 'inputSource', valueUri: 'https://clinic.example/fhir' },
    input('Observation'),
    input('Patient'),
  ]
  const headers = { prefer: 'respond-async', 'content-type': 'application/fhir+json' }
  const body = { resourceType: 'Parameters', parameter }
  const [client] = clients
  const begun = await client?.send({ method: 'POST', path: '/fhir/$import', headers, body })
  expect(begun?.status).toBe(202)
  const { pathname } = new URL(begun?.headers['content-location'] ?? '')
  let turn = 0
  let answer: Answer | undefined
  await until(async () => {
    // Whichever process is asked tells of it.
    answer = await clients[turn++ % clients.length]?.send({ path: pathname })
    expect([200, 202]).toContain(answer?.status)
    return answer?.status === 200
  })
  return answer?.json<{ output: { count: number; known: number }[]; error: unknown[] }>()
}

describe('a hospital hands on its patients – https://hl7.org/fhir/R4/async.html', () => {
  it(
    'and each process tells of the import; a second one changes nothing',
    async () => {
      files.set('/Observation', gzipSync(ndjson(Array.from({ length: 10 * people }, (_, n) => weightOf(n)))))
      files.set('/Patient', ndjson(Array.from({ length: people }, (_, n) => personOf(n))))
      const first = await imported()
      expect(first).toMatchObject({
        output: [
          { count: 10 * people, known: 0 },
          { count: people, known: 0 },
        ],
        error: [],
      })
      const [client] = clients as [Client]
      const patients = await everyEntry(client, '/fhir/Patient?_count=100')
      expect(patients).toHaveLength(people)
      const observed = await client.send({ path: '/fhir/Observation?subject.family=Family7&_summary=count' })
      expect(observed.json<{ total: number }>().total).toBe(10)
      const again = await imported()
      expect(again).toMatchObject({ output: [{ known: 10 * people }, { count: people }], error: [] })
      expect(await everyEntry(client, '/fhir/Patient?_count=100')).toHaveLength(people)
    },
    longest,
  )
})
