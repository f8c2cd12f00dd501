import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import type { OperationOutcome, Parameters } from '@medplum/fhirtypes'
import {
  type Attack,
  admission,
  badBodies,
  badBundles,
  badFiles,
  badMessages,
  badPaths,
  badQueries,
  canary,
  goodFile,
  patient,
} from './bad-input/attacks.ts'
import { type Answer, type Client, everyEntry, openClient, type Sent } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let server: RunningServer
let client: Client
let other: string

/** Tells on SIGUSR2 what every object of the server has inherited. */
const probe = 'process.on("SIGUSR2",()=>console.log("inherited "+Reflect.ownKeys(Object.prototype).map(String).sort()))'

beforeAll(async () => {
  const made = await newHome('bad-input', 'debug')
  home = { ...made, env: { ...made.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(probe)}` } }
  server = await startServer(home)
  client = openClient(server.url)
  plain = await inherited()
  expect(plain).toContain('hasOwnProperty')
  client.close()
  client = openClient(server.url, await lastLine(made, 'token', '--scope', 'system/*.cruds'))
  await client.send({ method: 'PUT', path: `/fhir/Patient/${patient}`, body: { resourceType: 'Patient', id: patient } })
  // The first import makes the key by which a patient's imports are known again.
  const path = `/fhir/Patient/${patient}/$ingest`
  const headers = { 'content-type': 'application/octet-stream' }
  expect((await client.send({ method: 'POST', path, headers, body: goodFile })).status).toBe(200)
  other = await lastLine(made, 'patient', 'create', '--given', 'Emil')
})
afterAll(async () => {
  client.close()
  expect(await server.stop()).toBe(0)
  expect(server.output()).not.toContain(canary)
  await home.remove()
})

/** All that a write would leave: versions within reach of everything, and sealed documents, segments' sources and blobs. */
interface Holdings {
  readonly versions: number
  readonly documents: Map<unknown, unknown>
  readonly blobs: unknown
}

async function holdings(): Promise<Holdings> {
  const versions = await everyEntry(client, '/fhir/_history?_count=1000')
  const database = new DatabaseSync(join(home.data, 'kinhold.sqlite'), { readOnly: true })
  const count = (sql: string) => database.prepare(`SELECT count(*) AS n FROM ${sql}`).get()?.n
  const rows = database.prepare('SELECT collection, count(*) AS n FROM documents GROUP BY collection').all()
  const held = {
    versions: versions.length,
    documents: new Map(rows.map(({ collection, n }) => [collection, n])),
    blobs: count('blobs'),
  }
  database.close()
  return held
}

const told = () =>
  server
    .output()
    .split('\n')
    .filter(line => line.startsWith('inherited '))

/** Asks, and waits for the answer: signals and what is printed take their own time. */
async function inherited(): Promise<string | undefined> {
  const before = told().length
  process.kill(server.pid, 'SIGUSR2')
  const deadlineMs = performance.now() + 120_000
  while (told().length === before && performance.now() < deadlineMs) await new Promise(done => setTimeout(done, 5))
  return told()[before]
}

/** What objects inherit in a process in which nothing has happened. */
let plain: string | undefined

let before: Holdings
beforeEach(async () => {
  before = await holdings()
})
afterEach(async () => {
  expect(await holdings()).toEqual(before)
})

interface Told {
  readonly status: number
  readonly code: string | undefined
  readonly expression: string | undefined
}

function toldBy(answer: Answer): Told {
  const { status, headers } = answer
  expect(headers['content-type']).toBe('application/fhir+json; charset=utf-8')
  const outcome = answer.json<OperationOutcome>()
  expect(outcome.resourceType).toBe('OperationOutcome')
  const [issue] = outcome.issue ?? []
  expect(issue?.details?.text).toMatch(/^[A-Z$_].*[.…]$/s)
  return { status, code: issue?.details?.coding?.[0]?.code, expression: issue?.expression?.[0] }
}

/** Nothing of what was sent comes back, in the head or in the body. */
function expectSilence(answer: Pick<Answer, 'headers' | 'body'>): void {
  const said = `${JSON.stringify(answer.headers)}${answer.body}`
  expect(said).not.toContain(canary)
  expect(said).not.toMatch(/\/src\/|node_modules| at [A-Za-z.]+ \(/)
}

async function attack([, sent, status, code, expression]: Attack): Promise<void> {
  const answer = await client.send(sent)
  expectSilence(answer)
  const told = toldBy(answer)
  expect({ ...told, expression: expression === undefined ? undefined : told.expression }).toEqual({
    status,
    code,
    expression,
  })
}

const named = (attacks: readonly Attack[]) => attacks.map(each => [each[0], each] as const)

describe('queries – https://hl7.org/fhir/R4/search.html#errors', () => {
  it.each(named(badQueries()))('refuses %s', (_name, each) => attack(each))
})

describe('bodies – https://hl7.org/fhir/R4/http.html#create', () => {
  it.each(named(badBodies()))('refuses %s', (_name, each) => attack(each))

  it('leaves Object.prototype as it was', async () => {
    expect(await inherited()).toBe(plain)
  })
})

describe('bundles – https://hl7.org/fhir/R4/http.html#transaction', () => {
  it.each(named(badBundles()))('refuses %s, and writes no part', (_name, each) => attack(each))
})

describe('paths and methods', () => {
  it.each(named(badPaths()))('refuses %s', (_name, each) => attack(each))
})

describe('files – $ingest', () => {
  it('refuses each, or reports by name of element why nothing came of it', async () => {
    const told: unknown[] = []
    const files = await badFiles()
    for (const [name, sent] of files) {
      const answer = await client.send(sent)
      expectSilence(answer)
      const body = answer.json<OperationOutcome | Parameters>()
      const code = body.resourceType === 'Parameters' ? problemOf(body) : toldBy(answer).code
      told.push([name, answer.status, code])
    }
    expect(told).toEqual(files.map(([name, , status, code]) => [name, status, code]))
    // What broke off while it was read has a report, which is kept for a week; nothing else is.
    const reports = files.filter(([, , status]) => status === 422).length
    const after = await holdings()
    expect(after.documents.get('ingest-jobs')).toBe(Number(before.documents.get('ingest-jobs')) + reports)
    before.documents.set('ingest-jobs', after.documents.get('ingest-jobs'))
  })
})

function problemOf({ parameter = [] }: Parameters): string | undefined {
  const problem = parameter.find(({ name }) => name === 'problem')
  return problem?.part?.find(({ name }) => name === 'code')?.valueCode
}

/** A refused message is kept until it is sent again or dropped: itself, why, and how much is kept for its sender; nothing else is left of it. */
async function expectKept(): Promise<void> {
  const after = await holdings()
  for (const name of ['ingest-letters', 'ingest-letter-contents']) {
    expect(after.documents.get(name)).toBe(Number(before.documents.get(name) ?? 0) + 1)
    before.documents.set(name, after.documents.get(name))
  }
  expect(after.documents.get('ingest-letter-fills')).toBe(1)
  before.documents.set('ingest-letter-fills', 1)
}

describe('messages – HL7 v2 over HTTP', () => {
  it.each(badMessages().map(each => [each[0], each] as const))(
    'answers %s with a negative acknowledgement',
    async (_name, each) => {
      const [, message, status, code, place] = each
      const headers = { 'content-type': 'x-application/hl7-v2+er7' }
      const answer = await client.send({ method: 'POST', path: '/hl7v2', headers, body: message })
      expectSilence(answer)
      const ack = answer.body.toString()
      expect([answer.status, /\rMSA\|(\w\w)\|/.exec(ack)?.[1]]).toEqual([status, code])
      expect(/\rERR\|[^\r]+/.exec(ack)?.[0]).toMatch(place ?? /ERR/)
      await expectKept()
    },
  )
})

describe('a message that may be taken in only in part', () => {
  it('is refused whole: the patient it would have made is not there', async () => {
    const own = { ...home, env: { ...home.env, NODE_OPTIONS: '' } }
    const scope = 'system/Patient.crs system/Observation.c system/Provenance.c'
    const narrow = openClient(server.url, await lastLine(own, 'token', '--scope', scope))
    before = await holdings()
    const headers = { 'content-type': 'x-application/hl7-v2+er7' }
    const answer = await narrow.send({ method: 'POST', path: '/hl7v2', headers, body: admission })
    narrow.close()
    expectSilence(answer)
    expect(answer.body.toString()).toMatch(/\rMSA\|AR\|M-1\r/)
    await expectKept()
  })
})

describe('tokens – https://www.rfc-editor.org/rfc/rfc6750#section-3', () => {
  const path = '/fhir/Patient'
  const bearer = (token: string): Sent => ({ path, headers: { authorization: token } })

  it.each([
    ['no token', { path, headers: {} }, 'token.missing'],
    ['an empty one', bearer('Bearer '), 'token.malformed'],
    ['another scheme', bearer(`Basic ${btoa(`anna:${canary}`)}`), 'token.malformed'],
    ['one that nobody gave', bearer(`Bearer ${canary}`), 'token.unknown'],
    ['one as long as a book', bearer(`Bearer ${'a'.repeat(8_000)}`), 'token.unknown'],
    [
      'a signature of nothing',
      bearer('Bearer eyJhbGciOiJub25lIn0.eyJzY29wZSI6InN5c3RlbS8qLmNydWRzIn0.'),
      'token.unknown',
    ],
  ])('asks for one when there is %s', async (_name, sent, code) => {
    const stranger = openClient(server.url)
    const answer = await stranger.send(sent)
    stranger.close()
    expectSilence(answer)
    expect(toldBy(answer)).toMatchObject({ status: 401, code })
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm=/)
  })

  it('does not know the token of another server, nor one whose time is over', async () => {
    const elsewhere = await newHome('elsewhere')
    await (await startServer(elsewhere)).stop()
    const foreign = await lastLine(elsewhere, 'token', '--scope', 'system/*.cruds')
    await elsewhere.remove()
    const own = { ...home, env: { ...home.env, NODE_OPTIONS: '' } }
    const short = await lastLine(own, 'token', '--scope', 'system/*.cruds', '--ttl', '1s')
    await new Promise(resolve => setTimeout(resolve, 1_100))
    const told = await Promise.all([foreign, short].map(token => client.send(bearer(`Bearer ${token}`))))
    expect(told.map(answer => toldBy(answer).code)).toEqual(['token.unknown', 'token.expired'])
    before = await holdings()
  })

  it("tells the token of one patient nothing of another, and takes nothing into another's record", async () => {
    const own = { ...home, env: { ...home.env, NODE_OPTIONS: '' } }
    const token = await lastLine(own, 'token', '--scope', 'patient/*.cruds', '--patient', other)
    before = await holdings()
    const narrow = openClient(server.url, token)
    const [real, invented] = await Promise.all(
      [patient, 'invented'].map(id => narrow.send({ path: `/fhir/Patient/${id}` })),
    )
    expect([real?.status, real?.body]).toEqual([404, invented?.body])
    const body = { resourceType: 'Observation', status: 'final', code: { text: canary } }
    const write = (id: string) =>
      narrow.send({
        method: 'POST',
        path: '/fhir/Observation',
        body: { ...body, subject: { reference: `Patient/${id}` } },
      })
    const [theirs, nobodys] = await Promise.all([write(patient), write('invented')])
    narrow.close()
    expectSilence(theirs)
    expect([theirs.status, theirs.body]).toEqual([nobodys.status, nobodys.body])
    expect(toldBy(theirs).status).toBeGreaterThanOrEqual(400)
  })
})

describe('what is no HTTP – https://www.rfc-editor.org/rfc/rfc9112', () => {
  const start = 'GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n'
  const end = 'Connection: close\r\n\r\n'
  it.each([
    ['words', `${canary}\r\n\r\n`, 400],
    ['a header that breaks its line', `${start}X-A: 1\r\n ${canary}\r\n${end}`, 400],
    ['a header with a NUL', `${start}X-A: ${canary}\0\r\n${end}`, 400],
    ['a header ended by CR alone', `${start}X-A: 1\rX-B: ${canary}\r\n${end}`, 400],
    ['headers as long as a book', `${start}X-A: ${canary.repeat(3_000)}\r\n${end}`, 431],
    [
      'two lengths',
      `POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n${end}ab`,
      400,
    ],
    [
      'a length and chunks',
      `POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n${end}0\r\n\r\n`,
      400,
    ],
    ['a method that is none', `${canary.toUpperCase()} /fhir HTTP/1.1\r\nHost: x\r\n${end}`, 400],
    ['a path with a NUL', `GET /fhir/Patient/${canary}\0 HTTP/1.1\r\nHost: x\r\n${end}`, 400],
  ])('refuses %s with an OperationOutcome and hangs up', async (_name, bytes, status) => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    socket.write(bytes, 'latin1')
    const answer = await text(socket)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).not.toContain(canary)
    const [, body = ''] = answer.split('\r\n\r\n')
    const outcome = JSON.parse(body) as OperationOutcome
    expect(outcome.issue?.[0]?.details?.coding?.[0]?.code).toBe(
      status === 431 ? 'request.headers-too-large' : 'request.malformed',
    )
  })

  it('believes no Host and no forwarding header', async () => {
    const headers = { host: `${canary}.example`, 'x-forwarded-host': `${canary}.example`, 'x-forwarded-proto': 'https' }
    const answer = await client.send({ path: '/fhir/Patient?_count=1', headers })
    expect(answer.status).toBe(200)
    expectSilence(answer)
  })
})

describe('after all of this', () => {
  it('the server answers, and what it holds is whole', async () => {
    expect((await client.send({ path: `/fhir/Patient/${patient}` })).status).toBe(200)
    expect(await inherited()).toBe(plain)
  })
})
