/** What one process writes comes over websockets that another one holds. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { statusIn, topicSubscription } from '../rooms/subscriptions/receiver.ts'
import { type Client, openClient } from './server/client.ts'
import { type RunningCrew, startCrew, until } from './server/crew.ts'
import { type Home, lastLine, newHome } from './server/home.ts'

const longest = 120_000
const families = ['anna', 'bert'] as const
/** Connections are dealt out in turn: of so many each process has some. */
const each = 4

let home: Home
let crew: RunningCrew
let senders: Client[]
const sockets: WebSocket[] = []

beforeAll(async () => {
  home = await newHome('websockets', 'info')
  crew = await startCrew(home, 2)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  senders = Array.from({ length: each }, () => openClient(crew.url, token))
  for (const id of families)
    await senders[0]?.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
}, longest)
afterAll(async () => {
  for (const socket of sockets) socket.terminate()
  for (const sender of senders) sender.close()
  await crew.kill()
  await home.remove()
}, longest)

interface Bound {
  readonly socket: WebSocket
  readonly came: string[]
  readonly closed: number[]
}

async function bind(client: Client, id: string): Promise<Bound> {
  const { parameter } = (await client.send({ path: `/fhir/Subscription/${id}/$get-ws-binding-token` })).json<{
    parameter: { valueString: string }[]
  }>()
  const socket = new WebSocket(`${crew.url.replace('http', 'ws')}/ws/subscriptions`)
  sockets.push(socket)
  const came: string[] = []
  const closed: number[] = []
  socket.on('message', data => came.push(String(data)))
  socket.on('close', code => closed.push(code))
  await once(socket, 'open')
  socket.send(`bind-with-token ${parameter[0]?.valueString}`)
  return { socket, came, closed }
}

const focuses = ({ came }: Bound) => came.flatMap(text => statusIn(JSON.parse(text)).events.map(({ focus }) => focus))

it(
  'each family is told of its own over sockets of every process, until it is erased or the server ends',
  async () => {
    const bound = new Map<string, { client: Client; lines: Bound[] }>()
    for (const patient of families) {
      const scope = 'patient/*.rs patient/Subscription.cruds'
      const client = openClient(crew.url, await lastLine(home, 'token', '--scope', scope, '--patient', patient))
      const asked = topicSubscription(undefined, { channel: { type: 'websocket' } })
      const body = { ...asked, criteria: `${home.origin}/fhir/SubscriptionTopic/Observation` }
      const made = await client.send({ method: 'POST', path: '/fhir/Subscription', body })
      expect(made.status).toBe(201)
      const { id } = made.json<{ id: string }>()
      const lines: Bound[] = []
      for (let count = 0; count < each; count++) lines.push(await bind(client, id))
      bound.set(patient, { client, lines })
    }
    const all = () => [...bound.values()].flatMap(({ lines }) => lines)
    await until(() => all().every(({ came }) => came.length === 1))
    const written = new Map<string, string[]>()
    for (const patient of families) {
      const about = { status: 'final', code: { text: 'x' }, subject: { reference: `Patient/${patient}` } }
      const body = { resourceType: 'Observation', ...about }
      const answers = await Promise.all(
        senders.map(sender => sender.send({ method: 'POST', path: '/fhir/Observation', body })),
      )
      written.set(
        patient,
        answers.map(answer => `Observation/${answer.json<{ id: string }>().id}`),
      )
    }
    await until(() => all().every(line => focuses(line).length === each))
    for (const [patient, { lines }] of bound)
      for (const line of lines) expect(focuses(line).toSorted()).toEqual(written.get(patient)?.toSorted())

    const [annas = [], berts = []] = [...bound.values()].map(({ lines }) => lines)
    expect((await senders[0]?.send({ method: 'POST', path: '/fhir/Patient/anna/$purge?confirm=anna' }))?.status).toBe(200)
    await until(() => annas.every(({ closed }) => closed.length === 1))
    expect(annas.flatMap(({ closed }) => closed)).toEqual(annas.map(() => 1008))
    expect(berts.flatMap(({ closed }) => closed)).toEqual([])
    for (const { client } of bound.values()) client.close()
    await crew.stop()
    await until(() => berts.every(({ closed }) => closed.length === 1))
    expect(berts.flatMap(({ closed }) => closed)).toEqual(berts.map(() => 1001))
  },
  longest,
)
