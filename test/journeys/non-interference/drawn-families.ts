/**
 * Two families and their neighbours by random draws: resources of every type of R4, of one patient or of up to thirty-three
 * of both families, in the households and in the commons; and what the other family does while this one asks.
 */

import { isCommonsType } from '#access'
import { printJson, type Resource } from '#fhir'
import { publishedTypes } from '../../../src/access/commons-types.ts'
import { Dice } from './dice.ts'
import { type Ask, type House, teller } from './house.ts'
import { about, accountOf, type FamilyName, members, patientOf, types } from './two-families.ts'

const slots = 60
const neighbours = Array.from({ length: 31 }, (_, at) => `neighbour-${at}`)
const north = Object.values(members.north)
const south = Object.values(members.south)
const everybody = [...north, ...south, ...neighbours]

/** A resource of several keeps its owners: whose it is hangs on its slot alone. */
interface Slot {
  readonly type: string
  readonly id: string
  readonly owners: readonly string[]
  /** Whose household it lies in, if it names nobody. */
  readonly home?: FamilyName
}

const lists: { readonly [type: string]: (of: readonly { reference: string }[]) => object } = {
  Appointment: of => ({ status: 'booked', participant: of.map(actor => ({ actor, status: 'accepted' })) }),
  Group: of => ({ type: 'person', actual: true, member: of.map(entity => ({ entity })) }),
  CareTeam: of => ({ participant: of.map(member => ({ member })) }),
  Communication: of => ({ status: 'completed', recipient: of }),
  Account: of => ({ status: 'active', subject: of }),
}

function slotOf(number: number): Slot {
  const dice = new Dice(number * 7919 + 17)
  const id = `drawn-${number}`
  if (dice.maybe(10)) return { type: dice.pick(types), id, owners: [], home: dice.pick(['north', 'south']) }
  const size = dice.pick([1, 1, 2, 2, 3, 5, 32, 33])
  if (size === 1) return { type: dice.pick(types), id, owners: [dice.pick([...north, ...south])] }
  const first = dice.pick([...north, ...south])
  const rest = everybody.filter(one => one !== first)
  const from = dice.below(rest.length)
  const owners = [first, ...Array.from({ length: size - 1 }, (_, at) => rest[(from + at) % rest.length] ?? first)]
  return { type: dice.pick(Object.keys(lists)), id, owners }
}

/** What is in the commons is seen by who wrote it, since nothing here refers to it; definitions by everybody. */
const isOfNorth = ({ type, owners, home }: Slot): boolean =>
  home === 'north' ||
  publishedTypes.has(type) ||
  (!isCommonsType(type) && owners.length <= 32 && owners.some(one => north.includes(one)))

const isOfSouthAlone = (slot: Slot): boolean =>
  !isOfNorth(slot) && slot.home === undefined && slot.owners.every(one => south.includes(one))

function resourceOf({ type, id, owners }: Slot, dice: Dice): Resource {
  const references = owners.map(one => ({ reference: `Patient/${one}` }))
  const language = dice.pick(['de', 'en', 'fr'])
  const list = lists[type]
  if (list === undefined) return { ...(owners.length > 0 ? about(type, owners) : { resourceType: type }), id, language }
  return { resourceType: type, id, language, ...list(references) }
}

async function write(house: House, slot: Slot, dice: Dice): Promise<void> {
  const { record } = house.rooms
  const { type, id, home } = slot
  const grant = home === undefined ? teller : accountOf(home)
  await record.writer(grant).transact(async txn => {
    const resource = resourceOf(slot, dice)
    if (dice.maybe(15)) await txn.delete(type, id)
    else if ((await txn.read(type, id)) === undefined && home !== undefined) await txn.create(resource, { id })
    else await txn.update(type, id, resource)
  })
}

/** The patients, whom both houses know, and of the draws those that are told there. */
export async function liveByDraws(house: House, numbers: readonly number[], told: 'both' | 'north'): Promise<void> {
  const { record } = house.rooms
  for (const id of everybody)
    await record.writer(teller).transact(txn => txn.update('Patient', id, { resourceType: 'Patient', id }))
  for (const [family, { mother, child }] of Object.entries(members))
    for (const id of [mother, child]) await record.addPatientTo(family, id)
  for (const number of numbers) {
    await house.settle(1000)
    const dice = new Dice(number)
    const slot = slotOf(dice.below(slots))
    if (told === 'both' || isOfNorth(slot)) await writeOnce(house, slot, dice)
  }
}

/** A household's resource that was deleted is not made again under its id. */
async function writeOnce(house: House, slot: Slot, dice: Dice): Promise<void> {
  try {
    await write(house, slot, dice)
  } catch (error) {
    if (slot.home === undefined) throw error
  }
}

/** What the northern family asks; definitions, of which an account sees what others wrote, apart. */
export function drawAsk(number: number): Ask {
  const dice = new Dice(number ^ 0x2545f491)
  const slot = slotOf(dice.below(slots))
  const { type, id } = publishedTypes.has(slot.type) ? { ...slot, type: 'Observation' } : slot
  const someone = dice.pick(everybody)
  const body = printJson(resourceOf({ ...slot, type, id }, dice))
  return dice.weighted<() => Ask>([
    [3, () => ({ method: 'GET', url: `/${type}/${id}` })],
    [3, () => ({ method: 'GET', url: `/${type}/${id}/_history` })],
    [2, () => ({ method: 'GET', url: `/${type}/${id}/_history/${1 + dice.below(3)}` })],
    [2, () => ({ method: 'GET', url: `/${type}/_history?_count=${1 + dice.below(20)}` })],
    [3, () => ({ method: 'GET', url: `/${type}?_total=accurate&_count=${1 + dice.below(20)}` })],
    [2, () => ({ method: 'GET', url: `/${type}?_id=${id}&_include=*&_revinclude=*` })],
    [2, () => ({ method: 'GET', url: `/Appointment?actor=Patient/${someone}&_include=Appointment:actor` })],
    [1, () => ({ method: 'GET', url: `/Group?member=Patient/${someone}` })],
    [1, () => ({ method: 'GET', url: `/Patient?_has:Appointment:actor:_id=${id}` })],
    [1, () => ({ method: 'GET', url: `/Patient/${someone}/$everything?_count=100` })],
    [1, () => ({ method: 'GET', url: `/Patient/${someone}/${type}` })],
    [2, () => ({ method: 'GET', url: '/AuditEvent?_count=1000' })],
    [2, () => ({ method: 'PUT', url: `/${type}/${id}`, body })],
    [1, () => ({ method: 'PUT', url: `/${type}/${id}`, body, headers: { 'if-match': `W/"${1 + dice.below(3)}"` } })],
    [1, () => ({ method: 'DELETE', url: `/${type}/${id}` })],
    [1, () => ({ method: 'DELETE', url: `/${type}?_id=${id}` })],
    [1, () => ({ method: 'POST', url: `/${type}`, body, headers: { 'if-none-exist': `_id=${id}` } })],
  ])()
}

/** What the southern family and the house do with what is the southern family's alone. */
export async function actOfSouth(house: House, number: number): Promise<void> {
  const dice = new Dice(number ^ 0x9e3779b9)
  const slot = slotOf(dice.below(slots))
  const patient = dice.pick(south)
  const as = dice.pick([teller, accountOf('south'), patientOf(patient)])
  const get = (url: string) => house.ask(as, { method: 'GET', url })
  await get(`/Patient?_id=${patient}`)
  await get('/Patient?family=south&birthdate=1980-02-03')
  if (!isOfSouthAlone(slot)) return
  await get(`/${slot.type}?_id=${slot.id}`)
  await get(`/${slot.type}/${slot.id}/_history`)
  if (!erased.has(house) || !slot.owners.includes(members.south.child)) await writeOnce(house, slot, dice)
}

const erased = new WeakSet<House>()

/** In the end one of them is erased, who shared much with others. */
export async function eraseSouthChild(house: House): Promise<void> {
  await house.rooms.record.shred(members.south.child)
  erased.add(house)
}
