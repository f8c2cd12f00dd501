/** What is done in the house, one thing after the other. */
import type { Resource } from '#fhir'
import type { Record, Txn } from '#record'
import { everything, queryOf } from '../family.ts'
import { read, search, turnPages } from './asks.ts'
import { burst } from './bursts.ts'
import { nameOf, ownersOf } from './model.ts'
import { longList, newAppointment, newObservation, newPatient, newPractitioner } from './resources.ts'
import { type Caller, outcome, type World } from './world.ts'

type Act = (world: World) => Promise<void>

const mostPatients = 14

export async function takeIn(world: World): Promise<void> {
  const resource = newPatient(world.dice)
  const made = await world
    .record()
    .writer(everything())
    .transact(txn => txn.create(resource))
  world.tell(`patient ${made.id}`)
  world.took(resource, made)
}

async function newcomer(world: World): Promise<void> {
  if (world.patients().length < mostPatients) await takeIn(world)
}

function drawNew(world: World): Resource {
  const { dice } = world
  const patients = world.patients()
  return dice.weighted([
    [10, () => newObservation(dice, dice.pick(patients), dice.maybe(30) ? world.next() : undefined)],
    [3, () => newAppointment([...new Set(dice.many(1, 3, () => dice.pick(patients)))])],
  ])()
}

/** One that is there, of a type that changes. */
function drawKept(world: World, types = ['Observation', 'Appointment']): Resource | undefined {
  const kept = [...world.model.current(types)].filter(each => ownersOf(each).every(id => !world.model.isErased(id)))
  return kept.length === 0 ? undefined : world.dice.pick(kept)
}

/** The same in other words, sometimes of somebody else. */
function changed(world: World, resource: Resource): Resource {
  const { dice } = world
  const id = resource.id ?? ''
  if (resource.resourceType === 'Patient') return { ...newPatient(dice), id }
  const owners = ownersOf(resource)
  const patients = dice.maybe(20) ? [dice.pick(world.patients())] : owners
  if (resource.resourceType === 'Appointment') return { ...newAppointment(patients), id, comment: `c${world.next()}` }
  const { identifier } = resource as { identifier?: object }
  const other = newObservation(dice, patients[0] ?? '')
  return { ...other, id, ...(identifier === undefined ? {} : { identifier }) }
}

function writerOf(world: World, caller: Caller, record: Record = world.record()) {
  return record.writer(caller.grant)
}

async function create(world: World): Promise<void> {
  const resource = drawNew(world)
  world.tell(`create ${resource.resourceType} of ${ownersOf(resource)}`)
  const made = await writerOf(world, world.caller(...ownersOf(resource))).transact(txn => txn.create(resource))
  world.took(resource, made)
}

async function createShared(world: World): Promise<void> {
  const resource = newPractitioner(world.dice)
  world.tell('everybodys Practitioner')
  world.took(
    resource,
    await world
      .record()
      .writer(everything())
      .transact(txn => txn.create(resource)),
  )
}

async function update(world: World): Promise<void> {
  const kept = drawKept(world, ['Observation', 'Appointment', 'Patient'])
  if (kept === undefined) return
  const resource = JSON.parse(JSON.stringify(changed(world, kept))) as Resource
  const caller = world.caller(...new Set([...ownersOf(kept), ...ownersOf(resource)]))
  const version = world.model.versions(kept.resourceType, kept.id ?? '').at(-1)?.version ?? 0
  const ifMatch = world.dice.pick(['none', String(version), String(version + 1)])
  world.tell(`update ${nameOf(kept)} of ${ownersOf(kept)} to ${ownersOf(resource)} if ${ifMatch}`)
  const writing = () =>
    writerOf(world, caller).transact(txn =>
      txn.update(kept.resourceType, kept.id ?? '', resource, ifMatch === 'none' ? {} : { ifMatch }),
    )
  if (ifMatch === String(version + 1)) expect(await outcome(writing)).toBe('version.stale')
  else world.took(resource, await writing())
}

async function remove(world: World): Promise<void> {
  const kept = drawKept(world)
  if (kept === undefined) return
  world.tell(`delete ${nameOf(kept)}`)
  const caller = world.caller(...ownersOf(kept))
  const gone = await writerOf(world, caller).transact(txn => txn.delete(kept.resourceType, kept.id ?? ''))
  expect(gone?.deleted).toBe(true)
  world.model.deleted(kept.resourceType, kept.id ?? '')
}

/** Made unless there is one within reach. */
async function createConditionally(world: World): Promise<void> {
  const { dice, model } = world
  const patient = dice.pick(world.patients())
  const caller = world.caller(patient)
  const number = dice.maybe(50) ? world.next() : dice.below(60)
  const resource = newObservation(dice, patient, number)
  const isThere = [...model.current(['Observation'], caller.reach)].filter(each =>
    JSON.stringify(each).includes(`"urn:number","value":"${number}"`),
  )
  world.tell(`once ${number} for ${patient} by ${caller.reach}`)
  const query = queryOf(caller.grant, 'Observation', `identifier=urn:number|${number}`)
  const { made, found } = await writerOf(world, caller).transact(async txn => {
    const found = await txn.find(query, 2)
    return { found, made: found.length === 0 ? await txn.create(resource) : undefined }
  })
  expect(found.map(({ id }) => id).toSorted()).toEqual(
    isThere
      .map(({ id }) => id)
      .toSorted()
      .slice(0, 2),
  )
  if (made !== undefined) world.took(resource, made)
}

/** Of several patients, wholly; or, when it fails in the end, not at all. */
async function transact(world: World): Promise<void> {
  const { dice } = world
  const fresh = dice.many(1, 6, () => drawNew(world))
  const kept = drawKept(world)
  const next = kept === undefined ? undefined : (JSON.parse(JSON.stringify(changed(world, kept))) as Resource)
  const newcomers = dice.maybe(20) && world.patients().length < mostPatients ? [newPatient(dice)] : []
  const fails = dice.maybe(20)
  const all = [...newcomers, ...fresh]
  world.tell(`transaction of ${all.map(each => each.resourceType)} and ${kept && nameOf(kept)}, fails: ${fails}`)
  const work = async (txn: Txn) => {
    const staged = []
    for (const each of all) staged.push(await txn.create(each))
    const updated = next && (await txn.update(next.resourceType, next.id ?? '', next))
    if (fails) throw new RangeError('enough')
    return { staged, updated }
  }
  const writing = world.record().writer(everything()).transact(work)
  if (fails) return expect(writing).rejects.toThrow('enough')
  const { staged, updated } = await writing
  for (const [at, each] of all.entries()) {
    const one = staged[at]
    if (one !== undefined) world.took(each, one)
  }
  if (next !== undefined && updated !== undefined) world.took(next, updated)
}

async function fill(world: World): Promise<void> {
  if (!world.fills) return
  const patient = world.dice.pick(world.patients())
  const resource = longList(patient, world.next())
  world.tell(`fill ${patient}`)
  world.took(resource, await writerOf(world, world.caller(patient)).transact(txn => txn.create(resource)))
}

async function erase(world: World): Promise<void> {
  const patients = world.patients()
  if (patients.length < 5) return
  const patient = world.dice.pick(patients)
  world.tell(`erase ${patient}`)
  expect(await world.record().shred(patient)).toBe('whole')
  world.model.erased(patient)
  const late = newObservation(world.dice, patient)
  const writing = () =>
    world
      .record()
      .writer(everything())
      .transact(txn => txn.create(late))
  expect(await outcome(writing)).toBe('record.owner-unknown')
}

async function tidy(world: World): Promise<void> {
  const process = world.process()
  world.tell('tidy')
  await process.tidy()
  expect(process.record.faults()).toEqual([])
}

async function restart(world: World): Promise<void> {
  world.tell('restart')
  await world.restart()
}

async function reindex(world: World): Promise<void> {
  world.tell('reindex')
  await world.record().reindex()
}

const simple: readonly (readonly [weight: number, act: Act])[] = [
  [14, create],
  [10, update],
  [4, remove],
  [8, createConditionally],
  [8, transact],
  [1, createShared],
  [1, newcomer],
  [24, search],
  [8, read],
  [14, tidy],
]

const acts: readonly (readonly [weight: number, act: Act])[] = [
  ...simple,
  [3, restart],
  [2, erase],
  [1, reindex],
  [1, fill],
  [8, world => turnPages(world, () => several(world, 3))],
  [8, burst],
]

async function several(world: World, count: number): Promise<void> {
  world.pass(1_000)
  for (let times = 0; times < count; times++) await world.dice.weighted(simple)(world)
}

/** Does one thing, whatever the dice say. */
export async function actOnce(world: World): Promise<void> {
  world.pass(world.dice.pick([0, 1, 400, 30_000]))
  await world.dice.weighted(acts)(world)
}
