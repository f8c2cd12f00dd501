/** What a sender over MLLP is told was taken stands, whatever happens to the server: it is killed, or its disk cannot write. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { type Client, openClient } from './server/client.ts'
import { newFailingHome, onFailingDisk } from './server/failing-disk.ts'
import { closeGates, messages, openGate, type Sender, sender } from './server/gate.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

const { admission, result } = messages
const kills = 3
const perKill = 12
const senders = 3

interface Scene {
  home: Home
  server: RunningServer
  client: Client
  readonly port: number
}

/** A server whose port stays the same when it is started again, and a port of MLLP before it. */
async function openScene(home: Home): Promise<Scene> {
  home.env.KINHOLD_PORT = String(await freePort())
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  await writeFile(join(home.folder, 'all.token'), token, { mode: 0o600 })
  const { ports } = await openGate(home, [{ port: 0, token: 'all.token' }], server.url)
  return { home, server, client: openClient(server.url, token), port: ports[0] ?? 0 }
}

async function closeScene({ home, server, client }: Scene): Promise<void> {
  await closeGates()
  client.close()
  await server.stop()
  await home.remove()
}

async function valuesIn({ client }: Scene): Promise<readonly string[]> {
  const answer = await client.send({ path: '/fhir/Observation?code=2345-7&_count=1000' })
  const { entry = [] } = answer.json<{ entry?: { resource: { valueQuantity: { value: number } } }[] }>()
  return entry.map(({ resource }) => String(resource.valueQuantity.value)).toSorted()
}

/** Sends results one after the other, again what was not taken, until told to stop; gives the values that were taken. */
async function sendOn(one: Sender, from: number, isOver: () => boolean, taken: Set<string>): Promise<void> {
  const tell = async (at: number) => {
    one.send(result(`R${at}`, String(at), '', `F${at}`))
    return (await one.codes(1))[0]
  }
  for (let at = from; !isOver(); at += senders) {
    let told = await tell(at)
    // AR asks to send it again: the server was away for longer than the port waits.
    while (told === `AR|R${at}`) told = await tell(at)
    expect(told).toBe(`AA|R${at}`)
    taken.add(String(at))
  }
}

it('outlives that the server is killed, each once, and is sent on when it is there again', async () => {
  const scene = await openScene(await newHome('mllp-durable'))
  const all = await Promise.all(Array.from({ length: senders }, () => sender(scene.port)))
  all[0]?.send(admission('A1'))
  expect(await all[0]?.codes(1)).toEqual(['AA|A1'])
  const taken = new Set<string>()
  let isOver = false
  const sending = Promise.all(all.map((one, at) => sendOn(one, 100 + at, () => isOver, taken)))
  for (let kill = 1; kill <= kills; kill++) {
    await Promise.race([sending, until(() => taken.size >= kill * perKill)])
    await scene.server.kill()
    scene.server = await startServer(scene.home)
  }
  isOver = true
  await sending
  expect(await valuesIn(scene)).toEqual([...taken].toSorted())
  for (const { socket } of all) socket.destroy()
  await closeScene(scene)
}, 600_000)

async function write({ client }: Scene): Promise<number> {
  return (await client.send({ method: 'POST', path: '/fhir/Practitioner', body: { resourceType: 'Practitioner' } }))
    .status
}

it(
  'is not said of what the disk did not take, and is once it takes it',
  onFailingDisk(async () => {
    const home = await newFailingHome('mllp-failing', 'data')
    const scene = await openScene(home)
    const one = await sender(scene.port)
    one.send(admission('A1'))
    expect(await one.codes(1)).toEqual(['AA|A1'])
    for (const [at, failing] of (['flush', 'write'] as const).entries()) {
      home.fail(failing)
      one.send(result(`R${at}`, `${at}`, '', `F${at}`))
      const told = one.codes(1)
      await until(async () => (await write(scene)) === 503)
      expect(await Promise.race([told, Promise.resolve('nothing')])).toBe('nothing')
      expect((await valuesIn(scene)).length).toBe(at)
      home.mend()
      expect(['AA', 'AR'].map(code => [`${code}|R${at}`])).toContainEqual(await told)
      // Whom nobody told that it was taken sends it again.
      one.send(result(`R${at}`, `${at}`, '', `F${at}`))
      expect(await one.codes(1)).toEqual([`AA|R${at}`])
      expect((await valuesIn(scene)).length).toBe(at + 1)
    }
    expect(await run(home, 'verify')).toMatchObject({ status: 0 })
    one.socket.destroy()
    await closeScene(scene)
  }),
  600_000,
)
