/** A server that may open few files, while somebody else takes them all with connections that say nothing. */
import { connect, type Socket } from 'node:net'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newFolderHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

const mostFiles = 64
/** Starts what follows with as few file handles. */
const withFewHandles = ['sh', '-c', `ulimit -n ${mostFiles} && exec "$@"`, 'sh']

let home: Home
let server: RunningServer
let client: Client
let patient: string

beforeAll(async () => {
  home = await newFolderHome('handles')
  const first = await startServer(home)
  await first.stop()
  patient = await lastLine(home, 'patient', 'create')
  const token = await lastLine(home, 'token', '--patient', patient, '--scope', 'patient/*.cruds')
  server = await startServer({ ...home, enter: withFewHandles })
  client = openClient(server.url, token)
})
afterAll(async () => {
  client.close()
  await server.stop()
  await home.remove()
})

const read = () => client.send({ path: `/fhir/Patient/${patient}` })
const observation = () => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'pulse' },
  subject: { reference: `Patient/${patient}` },
})
const create = () => client.send({ method: 'POST', path: '/fhir/Observation', body: observation() })

function ingest(lines: number) {
  const headers = { 'content-type': 'application/octet-stream' }
  const body = `${JSON.stringify(observation())}\n`.repeat(lines)
  return client.send({ method: 'POST', path: `/fhir/Patient/${patient}/$ingest`, headers, body })
}

/** Connections that say nothing, many more than the server has handles for. */
async function takeEveryHandle(): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(server.url)
  const sockets = Array.from({ length: 3 * mostFiles }, () => connect(Number(port), hostname))
  const settled = sockets.map(socket => {
    socket.on('error', () => undefined)
    return new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
  })
  await Promise.all(settled)
  return sockets
}

describe('a server that can open no file any more', () => {
  // Silent connections are cut after some seconds, so that what was refused may be taken at the next try.
  it('answers who is connected, says what it lacks, and recovers by itself', async () => {
    expect((await read()).status).toBe(200)
    const sockets = await takeEveryHandle()
    expect((await read()).status).toBe(200)
    const refused = await ingest(80_000)
    if (refused.status !== 200)
      expect([refused.status, codeOf(refused.body)]).toEqual([503, 'storage.handles-exhausted'])
    const made = await create()
    if (made.status !== 201) expect([made.status, codeOf(made.body)]).toEqual([503, 'storage.handles-exhausted'])
    for (const socket of sockets) socket.destroy()
    await readyAgain()
    expect((await create()).status).toBe(201)
    expect((await ingest(1)).status).toBe(200)
  })
})

function codeOf(body: Buffer): string | undefined {
  const told = JSON.parse(body.toString()) as Outcome & Report
  if (told.issue !== undefined) return told.issue[0]?.details.coding[0]?.code
  const problem = told.parameter?.find(({ name }) => name === 'problem')
  return problem?.part?.find(({ name }) => name === 'code')?.valueCode
}

interface Outcome {
  readonly issue?: readonly { readonly details: { readonly coding: readonly { readonly code: string }[] } }[]
}

/** Of an import that had begun. */
interface Report {
  readonly parameter?: readonly {
    readonly name: string
    readonly part?: readonly { readonly name: string; readonly valueCode?: string }[]
  }[]
}

const readyAgain = () =>
  until(async () => {
    const visitor = openClient(server.url)
    const answer = await visitor.send({ path: '/readyz' }).catch(() => undefined)
    visitor.close()
    return answer?.status === 200
  })
