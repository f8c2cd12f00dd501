/** Websockets of a real server of several processes, one of which is killed. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { statusIn, topicSubscription } from '../rooms/subscriptions/receiver.ts'
import { type Client, openClient } from './server/client.ts'
import { lives, type RunningCrew, startCrew, until } from './server/crew.ts'
import { type Home, lastLine, newHome } from './server/home.ts'

const workers = 2
/** Connections are dealt out in turn: of so many each process has some. */
const lines = 8

let home: Home
let crew: RunningCrew
let clients: readonly Client[]
/** Of each family, and what it reaches. */
const families = ['anna', 'berta'] as const
const admin = () => clients[0] as Client

interface OpenLine {
  readonly socket: WebSocket
  readonly came: string[]
  /** Numbers of the events that were told. */
  numbers(): readonly number[]
  isClosed: boolean
}

async function openLine(bearer: string, subscription: string): Promise<OpenLine> {
  const client = openClient(crew.url, bearer)
  const token = await client.send({ path: `/fhir/Subscription/${subscription}/$get-ws-binding-token` })
  client.close()
  expect(token.status).toBe(200)
  const { parameter } = token.json<{ parameter: { valueString: string }[] }>()
  const socket = new WebSocket(`${crew.url.replace(/^http/, 'ws')}/ws/subscriptions`)
  const came: string[] = []
  const numbers = () =>
    came.flatMap(text => statusIn(JSON.parse(text)).events.map(({ number }: { number: string }) => Number(number)))
  const line: OpenLine = { socket, came, numbers, isClosed: false }
  socket.on('message', data => came.push(String(data)))
  socket.on('error', () => undefined)
  socket.on('close', () => {
    line.isClosed = true
  })
  await once(socket, 'open')
  socket.send(`bind-with-token ${parameter[0]?.valueString}`)
  await until(() => came.length > 0)
  expect(statusIn(JSON.parse(came[0] ?? ''))).toMatchObject({ type: 'handshake', status: 'active' })
  return line
}

const weigh = (patient: string, value: number) =>
  admin().send({
    method: 'POST',
    path: '/fhir/Observation',
    body: {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'weight' },
      subject: { reference: `Patient/${patient}` },
      valueQuantity: { value, unit: 'kg' },
    },
  })

async function subscribed(bearer: string): Promise<string> {
  const client = openClient(crew.url, bearer)
  const asked = topicSubscription(undefined, { content: 'full-resource', channel: { type: 'websocket' } })
  const body = { ...asked, criteria: `${home.origin}/fhir/SubscriptionTopic/Observation` }
  const made = await client.send({ method: 'POST', path: '/fhir/Subscription', body })
  expect(made.status).toBe(201)
  const { id } = made.json<{ id: string }>()
  await until(async () => {
    const { status } = (await client.send({ path: `/fhir/Subscription/${id}` })).json<{ status: string }>()
    return status === 'active'
  })
  client.close()
  return id
}

beforeAll(async () => {
  home = await newHome('websockets', 'info')
  crew = await startCrew(home, workers)
  clients = [openClient(crew.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))]
  for (const id of families)
    await admin().send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
})
afterAll(async () => {
  for (const client of clients) client.close()
  await crew.kill()
  await home.remove()
})

it('whoever is there is told in whichever process they are, of their own alone, also when one was killed', async () => {
  const tokens = await Promise.all(
    families.map(patient =>
      lastLine(home, 'token', '--scope', 'patient/*.rs patient/Subscription.cruds', '--patient', patient),
    ),
  )
  const subscriptions = await Promise.all(tokens.map(subscribed))
  const openAll = (at: number, count: number) =>
    Promise.all(Array.from({ length: count }, () => openLine(tokens[at] ?? '', subscriptions[at] ?? '')))
  const [anna, berta] = await Promise.all([openAll(0, lines), openAll(1, lines)])

  for (const value of [70, 71, 72]) expect((await weigh('anna', value)).status).toBe(201)
  await until(() => anna.every(({ numbers }) => numbers().length >= 3))
  for (const line of anna) expect(line.numbers()).toEqual([1, 2, 3])

  // The one that leads: the other takes that over, too.
  const [leader = 0] = crew.workers()
  process.kill(leader, 'SIGKILL')
  await until(() => !lives(leader))
  await crew.serving(workers + 1)
  const left = () => anna.filter(({ isClosed }) => !isClosed)
  await until(() => left().length < lines)
  expect(left().length).toBeGreaterThan(0)
  admin().close()
  clients = [openClient(crew.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))]

  expect((await weigh('anna', 73)).status).toBe(201)
  await until(() => left().every(({ numbers }) => numbers().includes(4)))
  for (const line of left()) expect(line.numbers()).toEqual([1, 2, 3, 4])

  // Whoever comes back goes on, and asks for what was missed.
  const back = await openLine(tokens[0] ?? '', subscriptions[0] ?? '')
  expect(statusIn(JSON.parse(back.came[0] ?? ''))).toMatchObject({ count: '4' })
  const missed = await admin().send({ path: `/fhir/Subscription/${subscriptions[0]}/$events?eventsSinceNumber=4` })
  expect(statusIn(missed.json()).events).toHaveLength(1)
  expect((await weigh('anna', 74)).status).toBe(201)
  await until(() => [back, ...left()].every(({ numbers }) => numbers().includes(5)))
  expect(back.numbers()).toEqual([5])

  for (const { came } of berta) expect(came).toHaveLength(1)
  for (const { socket } of [...anna, ...berta, back]) socket.terminate()
})
