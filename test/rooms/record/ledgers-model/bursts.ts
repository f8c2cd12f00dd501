/** What is done in the house by several at once. */
import type { Resource } from '#fhir'
import { isProblem } from '#kernel'
import type { Record, Stored, Txn } from '#record'
import { everything, queryOf } from '../family.ts'
import { nameOf, ownersOf } from './model.ts'
import { amountOf, newAppointment, newObservation } from './resources.ts'
import { outcome, turns, type World } from './world.ts'

/** All at once, each after some turns; some of the processes tidy up meanwhile. */
async function atOnce<T>(world: World, works: readonly (() => Promise<T>)[]): Promise<T[]> {
  const { dice } = world
  const late = async (work: () => Promise<T>, after: number) => {
    await turns(after)
    return work()
  }
  const begun = works.map(work => late(work, dice.below(6)))
  const tidied = dice.many(0, 3, () => world.process().tidy())
  const [done] = await Promise.all([Promise.all(begun), Promise.all(tidied)])
  return done
}

interface Attempt {
  readonly resource: Resource
  readonly stored: Stored
}

function takeInOrder(world: World, attempts: readonly Attempt[]): void {
  for (const { resource, stored } of attempts.toSorted((a, b) => a.stored.version - b.stored.version))
    world.took(resource, stored)
}

/** Equal conditional creates: one makes it, the others find it; or change what they found, one after the other. */
async function once(world: World): Promise<void> {
  const { dice } = world
  const [patient, number, changes] = [dice.pick(world.patients()), world.next(), dice.maybe(50)]
  world.tell(`burst-once ${number} for ${patient}, changes: ${changes}`)
  const attempt = () => {
    const { grant } = world.caller(patient)
    const resource = newObservation(dice, patient, number)
    const query = queryOf(grant, 'Observation', `identifier=urn:number|${number}`)
    return world
      .record()
      .writer(grant)
      .transact(async txn => {
        const [found] = await txn.find(query, 2)
        if (found === undefined) return { resource, stored: await txn.create(resource) }
        if (!changes) return undefined
        const next = { ...resource, id: found.id }
        return { resource: next, stored: await txn.update('Observation', found.id, next) }
      })
  }
  const count = 3 + dice.below(5)
  const done = (
    await atOnce(
      world,
      Array.from({ length: count }, () => attempt),
    )
  ).filter(each => each !== undefined)
  expect(done).toHaveLength(changes ? count : 1)
  takeInOrder(world, done)
}

/** Those who name the same version: one wins. */
async function ifMatch(world: World): Promise<void> {
  const kept = drawObservation(world)
  if (kept === undefined) return
  const [{ id = '' }, [patient = '']] = [kept, ownersOf(kept)]
  world.tell(`burst-match ${nameOf(kept)}`)
  const version = String(world.model.versions('Observation', id).at(-1)?.version)
  const won: Attempt[] = []
  const attempts = world.dice.many(4, 4, () => {
    const resource: Resource = { ...kept, ...newObservation(world.dice, patient), id }
    const write = world.drawn(world.caller(patient).grant, txn =>
      txn.update('Observation', id, resource, { ifMatch: version }),
    )
    return () => outcome(async () => void won.push({ resource, stored: await write() }))
  })
  const outcomes = await atOnce(world, attempts)
  expect(outcomes.toSorted()).toEqual(['done', 'version.stale', 'version.stale', 'version.stale'])
  takeInOrder(world, won)
}

/** Each adds one to what was read: nobody's is lost. */
async function add(world: World): Promise<void> {
  const kept = drawObservation(world)
  if (kept === undefined) return
  const [{ id = '' }, [patient = '']] = [kept, ownersOf(kept)]
  world.tell(`burst-add ${nameOf(kept)}`)
  const work = async (txn: Txn) => {
    const before = await txn.read('Observation', id)
    const value = amountOf(JSON.parse(before?.json.toString('utf8') ?? '{}')) + 1
    const resource: Resource = { ...kept, valueQuantity: { value, system: 'http://unitsofmeasure.org', code: '1' } }
    return { resource, stored: await txn.update('Observation', id, resource) }
  }
  const attempts = world.dice.many(5, 5, () => world.drawn(world.caller(patient).grant, work))
  const done = await atOnce(world, attempts)
  expect(Math.max(...done.map(({ resource }) => amountOf(resource)))).toBe(amountOf(kept) + 5)
  takeInOrder(world, done)
}

/** Many who write what is theirs, while others search; somebody is erased beside them, or a process ends and comes again. */
async function writeBeside(world: World): Promise<void> {
  const { dice } = world
  const patients = world.patients()
  const erased = patients.length > 5 && dice.maybe(40) ? dice.pick(patients) : ''
  world.tell(`burst-write, erases: ${erased}`)
  const refusals: string[] = []
  const write = () => {
    const owners = [...new Set(dice.many(1, 3, () => dice.pick(patients)))]
    const resource = owners.length > 1 ? newAppointment(owners) : newObservation(dice, owners[0] ?? '', world.next())
    const begin = world.drawn(world.caller(...owners).grant, txn => txn.create(resource))
    return async (): Promise<Attempt | undefined> => {
      try {
        return { resource, stored: await begin() }
      } catch (error) {
        if (!isProblem(error) || erased === '' || !owners.includes(erased)) throw error
        refusals.push(error.code)
        return undefined
      }
    }
  }
  const look = () => {
    const [record, grant] = [world.record(), everything()]
    return async () => {
      await record.reader(grant).search(queryOf(grant, 'Observation', 'code=pulse&_count=500'))
      return undefined
    }
  }
  const end = (record: Record) => async () => {
    expect(await record.shred(erased)).toBe('whole')
    return undefined
  }
  const works = [...dice.many(6, 6, write), ...dice.many(2, 2, look), ...(erased === '' ? [] : [end(world.record())])]
  const done = await atOnce<Attempt | undefined>(world, works)
  for (const each of done) if (each !== undefined) world.took(each.resource, each.stored)
  if (erased !== '') world.model.erased(erased)
  expect(refusals.filter(code => code !== 'record.owner-unknown')).toEqual([])
}

function drawObservation(world: World): Resource | undefined {
  const kept = [...world.model.current(['Observation'])]
  return kept.length === 0 ? undefined : world.dice.pick(kept)
}

export async function burst(world: World): Promise<void> {
  await world.dice.pick([once, ifMatch, add, writeBeside])(world)
  await turns(2)
}
