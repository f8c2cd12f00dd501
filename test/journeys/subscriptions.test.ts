/** Notifications of a real server that is killed between an event and its delivery. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openReceiver, type Receiver, statusIn, topicSubscription } from '../rooms/subscriptions/receiver.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let receiver: Receiver
let server: RunningServer
let token: string
let client: Client

beforeAll(async () => {
  home = await newHome('subscriptions')
  home.env.KINHOLD_NOTIFY_NETWORKS = '127.0.0.1'
  receiver = await openReceiver()
  server = await startServer(home)
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h')
  client = openClient(server.url, token)
})
afterAll(async () => {
  client.close()
  await server.kill()
  await receiver.close()
  await home.remove()
})

const turns = 3_000

/** Looks again and again, and in the end says what was never so. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (await holds()) return
    await sleep(20)
  }
  throw new Error(`never: ${what}`)
}

const numbers = () => receiver.received.flatMap(({ json }) => statusIn(json).events.map(({ number }) => Number(number)))
const weigh = (value: number) =>
  client.send({
    method: 'POST',
    path: '/fhir/Observation',
    body: {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'weight' },
      subject: { reference: 'Patient/p' },
      valueQuantity: { value, unit: 'kg' },
    },
  })

it('nothing is lost when the server is killed before, and while, it sends', async () => {
  await client.send({ method: 'PUT', path: '/fhir/Patient/p', body: { resourceType: 'Patient', id: 'p' } })
  const asked = topicSubscription(receiver.url, { settings: { 'backport-timeout': { valueUnsignedInt: 1 } } })
  const body = { ...asked, criteria: `${home.origin}/fhir/SubscriptionTopic/Observation` }
  const made = await client.send({ method: 'POST', path: '/fhir/Subscription', body })
  expect(made.status).toBe(201)
  const { id } = made.json<{ id: string }>()
  await until('active', async () => {
    const { status } = (await client.send({ path: `/fhir/Subscription/${id}` })).json<{ status: string }>()
    return status === 'active'
  })
  receiver.status = 'hang'
  expect((await weigh(70)).status).toBe(201)
  await until('a first delivery', () => numbers().length > 0)
  expect((await weigh(71)).status).toBe(201)
  await server.kill()
  client.close()
  receiver.status = 200
  server = await startServer(home)
  client = openClient(server.url, token)
  expect((await weigh(72)).status).toBe(201)
  await until('all events', () => [1, 2, 3].every(number => numbers().includes(number)))
  // What a slow machine acknowledges too late comes again.
  const since = numbers().lastIndexOf(1)
  expect([...new Set(numbers().slice(since))]).toEqual([1, 2, 3])
  const status = await client.send({ path: `/fhir/Subscription/${id}/$status` })
  expect(statusIn(status.json())).toMatchObject({ type: 'query-status', count: '3' })
})
