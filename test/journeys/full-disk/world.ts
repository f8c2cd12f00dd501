/** A server whose folders can be filled, what it has acknowledged, and everything that somebody may be doing when that happens. */
import { readdirSync, readlinkSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { type Answer, type Client, openClient, type Sent } from '../server/client.ts'
import { lastLine, run } from '../server/home.ts'
import { newSmallHome, type SmallHome } from '../server/small-disk.ts'
import { type RunningServer, startServer } from '../server/start-server.ts'

export interface World {
  readonly home: SmallHome
  readonly token: string
  server: RunningServer
  client: Client
  /** `Observation/1/_history/1` of each version that was acknowledged and not erased. */
  readonly acknowledged: Set<string>
  /** Statuses that no full disk may answer with, and what was asked. */
  readonly faults: string[]
  patients: number
}

export const main = 'mara'

export async function openWorld(name: string): Promise<World> {
  // Large files are taken while 256 MiB of the data folder are free.
  const sizes = { data: 320, keys: 16, temporary: 8 }
  const home = await newSmallHome(name, sizes, { KINHOLD_RESERVE: '2M' })
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  const client = openPatientClient(server.url, token)
  const world: World = { home, token, server, client, acknowledged: new Set(), faults: [], patients: 0 }
  await takeIn(world, main)
  return world
}

export async function closeWorld({ client, server, home }: World): Promise<number> {
  client.close()
  const status = await server.stop()
  await home.remove()
  return status
}

/** A connection that was idle for long may be closed while it is used again; a server that has died refuses the second one too. */
function openPatientClient(url: string, token: string): Client {
  const client = openClient(url, token)
  return { ...client, send: sent => client.send(sent).catch(() => client.send(sent)) }
}

/** The same disks, another process. */
export async function startAgain(world: World): Promise<void> {
  world.client.close()
  world.server = await startServer(world.home)
  world.client = openPatientClient(world.server.url, world.token)
}

/** Files that the server has open, those without a name among them. */
export function filesOf({ server }: World): string[] {
  const folder = `/proc/${server.pid}/fd`
  const open = readdirSync(folder).map(name => {
    try {
      return readlinkSync(`${folder}/${name}`)
    } catch {
      return '' // closed meanwhile
    }
  })
  return open.filter(path => path.startsWith('/')).sort()
}

/** What a full disk is told as: no room, or not now. Everything that is written is noted. */
export async function ask(world: World, sent: Sent): Promise<Answer> {
  const answer = await world.client.send(sent).catch((error: Error) => {
    throw new Error(`${sent.method ?? 'GET'} ${sent.path}: ${error.message}\n${world.server.output()}`)
  })
  const isFault = answer.status >= 500 && answer.status !== 507 && answer.status !== 503
  if (isFault) world.faults.push(`${sent.method ?? 'GET'} ${sent.path}: ${answer.status} ${answer.body}`)
  if ([503, 507].includes(answer.status) && answer.headers['retry-after'] === undefined)
    world.faults.push(`${sent.method} ${sent.path}: ${answer.status} without Retry-After`)
  if (answer.status === 422) world.faults.push(`${sent.method} ${sent.path}: what was sent is not at fault`)
  if (answer.status === 200 || answer.status === 201) noteWritten(world, answer)
  return answer
}

function noteWritten({ acknowledged }: World, { headers }: Answer): void {
  const written = /\/fhir\/(\w+\/[A-Za-z0-9.-]+\/_history\/\d+)$/.exec(headers.location ?? '')?.[1]
  if (written !== undefined) acknowledged.add(written)
}

const observation = (patient: string, text: string, more: object = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text },
  subject: { reference: `Patient/${patient}` },
  ...more,
})

const post = (path: string, body: Sent['body'], headers: Record<string, string> = {}): Sent => ({
  method: 'POST',
  path,
  headers,
  ...(body === undefined ? {} : { body }),
})

export const create = (world: World, text = 'x') =>
  ask(world, post('/fhir/Observation', observation(main, text.repeat(400))))

async function takeIn(world: World, id: string): Promise<Answer> {
  return ask(world, { method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
}

const record = (_: unknown, at: number) => {
  const date = `${new Date(at * 60_000).toISOString().slice(0, 19).replace('T', ' ')} +0000`
  return `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" value="${55 + (at % 60)}" startDate="${date}" endDate="${date}"/>`
}

/** An Apple Health export, as large as is wanted by what says nothing. */
function heartRates(count: number, bytes = 0): Buffer {
  const records = Array.from({ length: count }, record).join('\n')
  const padding = `<ExportDate value="${'nothing '.repeat(100)}"/>\n`.repeat(Math.ceil(bytes / 800))
  return Buffer.from(`<?xml version="1.0"?>\n<HealthData locale="en">\n${records}\n${padding}</HealthData>\n`)
}

/** More than is held in memory. */
const large = heartRates(500, 5_000_000)
const ingest = (body: Buffer, headers: Record<string, string> = {}) =>
  post(`/fhir/Patient/${main}/$ingest`, body, { 'content-type': 'application/octet-stream', ...headers })

const entries = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    resource: observation(main, `entry ${at}`),
    request: { method: 'POST', url: 'Observation' },
  }))

const admission = (number: number) =>
  [
    `MSH|^~\\&|LAB|NORTH|||20260101120000||ADT^A01^ADT_A01|${number}|P|2.5.1`,
    `EVN||20260101120000`,
    `PID|1||${number}^^^NORTH^MR||Falk^Nora||19800203|F`,
    'PV1|1|I',
  ].join('\r')

type Activity = (world: World) => Promise<unknown>

const several =
  (activity: Activity): Activity =>
  world =>
    Promise.all(Array.from({ length: 6 }, () => activity(world)))

/** What somebody may be doing: each begins before the disk is full and goes on while it is. */
export const activities: Readonly<Record<string, Activity>> = {
  creates: several(world => create(world)),
  'a transaction': world =>
    ask(world, post('/fhir', { resourceType: 'Bundle', type: 'transaction', entry: entries(40) })),
  'a batch': world => ask(world, post('/fhir', { resourceType: 'Bundle', type: 'batch', entry: entries(40) })),
  'conditional creates': several(world =>
    ask(world, post('/fhir/Observation', observation(main, 'once'), { 'if-none-exist': 'code=none|none' })),
  ),
  'an update': async world => {
    const { headers } = await create(world)
    const [, reference = 'Observation/none'] = /\/fhir\/(Observation\/[^/]+)/.exec(headers.location ?? '') ?? []
    const body = observation(main, 'next', { id: reference.split('/')[1] })
    return ask(world, { method: 'PUT', path: `/fhir/${reference}`, body })
  },
  'a newcomer': world => takeIn(world, `new-${++world.patients}`),
  'an import held in memory': world => ask(world, ingest(heartRates(300))),
  'an import that is spooled': world => ask(world, ingest(large)),
  'a packed import': world => ask(world, ingest(gzipSync(large), { 'content-encoding': 'gzip' })),
  'an import that nobody waits for': world => ask(world, ingest(large, { prefer: 'respond-async' })),
  'an attachment': world => {
    const data = Buffer.alloc(1_500_000, 65).toString('base64')
    return ask(world, post('/fhir/Binary', { resourceType: 'Binary', contentType: 'text/plain', data }))
  },
  'searches and their pages': async world => {
    const answer = await ask(world, { path: `/fhir/Observation?patient=${main}&_count=2` })
    if (answer.status !== 200) return answer
    const { link } = answer.json<{ link: { relation: string; url: string }[] }>()
    const next = link.find(({ relation }) => relation === 'next')?.url
    return next === undefined ? answer : ask(world, { path: new URL(next).pathname + new URL(next).search })
  },
  'a history': world => ask(world, { path: `/fhir/Patient/${main}/_history` }),
  'a link': world => ask(world, post('/share', { patient: main, scopes: 'patient/*.rs' })),
  'a message': world =>
    ask(world, post('/hl7v2', admission(++world.patients), { 'content-type': 'x-application/hl7-v2+er7' })),
  'logins of strangers': several(world =>
    ask(
      world,
      post('/auth/token', 'grant_type=authorization_code&code=x', {
        'content-type': 'application/x-www-form-urlencoded',
      }),
    ),
  ),
  'a token on the host': ({ home }) => run(home, 'token', '--scope', 'patient/*.rs', '--patient', main),
  'a look at everything on the host': ({ home }) => run(home, 'verify'),
  'a removal': async world => {
    const { headers } = await create(world)
    const [, reference] = /\/fhir\/(Observation\/[^/]+)/.exec(headers.location ?? '') ?? []
    if (reference === undefined) return undefined
    const answer = await ask(world, { method: 'DELETE', path: `/fhir/${reference}` })
    if (answer.status < 300) world.acknowledged.add(`${reference}/_history/1`)
    return answer
  },
}
