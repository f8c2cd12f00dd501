import {
  activities,
  ask,
  closeWorld,
  create,
  filesOf,
  main,
  openWorld,
  startAgain,
  type World,
} from './full-disk/world.ts'
import { openClient } from './server/client.ts'
import { lastLine, run } from './server/home.ts'
import { onSmallDisks, type Place } from './server/small-disk.ts'

const longest = 600_000
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Asks again and again, as a person would, until it is so. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 4_000; tries++) {
    if (await holds()) return
    await pause(50)
  }
  throw new Error(`never: ${what}`)
}

const isReady = async (world: World) => (await world.client.send({ path: '/readyz' })).status === 200
const isAlive = async (world: World) => (await world.client.send({ path: '/healthz' })).status === 200

/** The disk fills up in the middle of something, stays full for a moment, and is emptied. */
async function fillDuring(world: World, place: Place, activity: (world: World) => Promise<unknown>): Promise<void> {
  const before = activity(world)
  const empty = world.home.fill(place)
  try {
    await before
    await activity(world)
    await create(world)
    expect(await isAlive(world)).toBe(true)
    expect((await world.client.send({ path: `/fhir/Patient/${main}` })).status).toBe(200)
  } finally {
    empty()
  }
  await until('creates are taken again', async () => (await create(world)).status === 201)
}

/** Nothing that was acknowledged is lost. */
async function missing(world: World): Promise<string[]> {
  const found = await Promise.all(
    [...world.acknowledged].map(
      async path => [(await world.client.send({ path: `/fhir/${path}` })).status, path] as const,
    ),
  )
  return found.filter(([status]) => status !== 200).map(([status, path]) => `${status} ${path}`)
}

describe.each<[Place]>([['data'], ['keys'], ['temporary']])('the disk of the %s folder fills up', place => {
  it(
    'in the middle of anything: nothing dies, nothing acknowledged is lost, and it goes on by itself',
    onSmallDisks(async () => {
      const world = await openWorld(`full-${place}`)
      await until('ready', () => isReady(world))
      const files = filesOf(world)
      for (const activity of Object.values(activities)) await fillDuring(world, place, activity)
      await until('ready again', () => isReady(world))
      world.client.close()
      await until('files closed', async () => filesOf(world).length <= files.length)
      expect(world.faults).toEqual([])
      expect(await missing(world)).toEqual([])

      // Asked to end, and started, on a full disk.
      const empty = world.home.fill(place)
      await create(world)
      world.client.close()
      const ended = await world.server.stop()
      expect(ended === 0 ? 'well' : world.server.output()).toBe('well')
      // How much it gave back as it ended – its reserve, its logs – is a matter of what came when.
      world.home.fill(place)
      const full = await startAgain(world).then(
        () => world.server.output(),
        (error: Error) => error.message,
      )
      expect(full).toContain('is full')
      empty()
      expect(full).not.toContain('    at ')
      if (await isAlive(world).catch(() => false)) await world.server.kill()
      await startAgain(world)
      expect([await missing(world), (await create(world)).status]).toEqual([[], 201])
      expect(await run(world.home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      expect(await closeWorld(world)).toBe(0)
    }),
    longest,
  )
})

describe('on a full disk', () => {
  it(
    'access is ended, links too, and a patient is erased; what is new is refused with 507 no-store until there is room',
    onSmallDisks(async () => {
      const world = await openWorld('full-reserve')
      const { home, client } = world
      await ask(world, { method: 'PUT', path: '/fhir/Patient/gone', body: { resourceType: 'Patient', id: 'gone' } })
      const other = await lastLine(home, 'token', '--scope', 'system/*.cruds')
      const shared = await client.send({
        method: 'POST',
        path: '/share',
        body: { patient: main, scopes: 'patient/*.rs' },
      })
      const empty = home.fill('data')
      const refused = await until('507', async () => (await create(world)).status === 507).then(() => create(world))
      expect(refused.json<{ issue: object[] }>().issue[0]).toMatchObject({
        code: 'no-store',
        details: { coding: [{ code: 'store.reserved' }] },
      })
      expect(refused.headers['retry-after']).toBe('60')
      await until('not ready', async () => !(await isReady(world)))
      expect((await client.send({ path: '/readyz' })).json()).toEqual({ status: 'unready', reason: 'storage' })

      const stolen = openClient(world.server.url, other)
      const revocation = { 'content-type': 'application/x-www-form-urlencoded' }
      await ask(world, { method: 'POST', path: '/auth/revoke', headers: revocation, body: `token=${other}` })
      expect((await stolen.send({ path: `/fhir/Patient/${main}` })).status).toBe(401)
      stolen.close()
      const { url } = shared.json<{ url: string }>()
      expect(url).toBeDefined()
      expect((await run(home, 'token', '--scope', 'patient/*.rs', '--patient', main)).status).toBe(0)
      expect((await client.send({ method: 'POST', path: '/fhir/Patient/gone/$purge?confirm=gone' })).status).toBe(200)
      expect((await client.send({ path: '/fhir/Patient/gone' })).status).toBe(410)
      empty()
      await until('ready', () => isReady(world))
      expect((await create(world)).status).toBe(201)
      const audit = await client.send({ path: `/fhir/AuditEvent?_count=200&type=revoke` })
      expect(audit.json<{ total: number }>().total).toBeGreaterThan(0)
      expect([world.faults, await missing(world)].flat()).toEqual(['404 Patient/gone/_history/1'])
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      expect(await closeWorld(world)).toBe(0)
    }),
    longest,
  )
})
