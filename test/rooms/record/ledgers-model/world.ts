/** A house with its processes, and the model of what it is to hold. */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { isProblem } from '#kernel'
import type { Record, Stored, Txn } from '#record'
import type { Dice } from '../../../journeys/non-interference/dice.ts'
import { everything, grantOf, ofPatient } from '../family.ts'
import type { Bounds, Process, TestHouse } from './house.ts'
import { Model, type Reach } from './model.ts'

/** Whoever asks or writes, and whom they reach. */
export interface Caller {
  readonly grant: Grant
  readonly reach: Reach
}

const many = 1e9

/** Where neither all nor some have room, some are told that they have none. */
const rooms = [
  { indexBytes: 1, populationBytes: many },
  { indexBytes: 300_000, populationBytes: many },
  { indexBytes: many, populationBytes: 120_000 },
  { indexBytes: many, populationBytes: 1 },
]

function drawBounds(dice: Dice): Bounds {
  return {
    openLedgers: dice.pick([1, 4, 16]),
    rowBytes: dice.pick([1, 20_000, many]),
    versionBytes: dice.pick([1, 20_000]),
    keyBytes: dice.pick([1, 40_000]),
    ...dice.pick(rooms),
    searchedApart: dice.pick([0, 2, many]),
  }
}

/** Turns of the event loop: what one connection has written, another one of the same process may see a turn late. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

export class World {
  readonly model = new Model()
  readonly dice: Dice
  readonly processes: Process[] = []
  /** What was done, so that a failure can be told. */
  readonly told: string[] = []
  /** How often each thing was done. */
  readonly counted = new Map<string, number>()
  readonly #house: TestHouse
  #last = 0

  /** Whether somebody gets so much that segments are full. */
  readonly fills: boolean

  constructor(house: TestHouse, dice: Dice, fills: boolean) {
    this.#house = house
    this.dice = dice
    this.fills = fills
  }

  tell(what: string): void {
    this.told.push(what)
    const [name = ''] = what.split(' ')
    this.counted.set(name, (this.counted.get(name) ?? 0) + 1)
  }

  /** A number that nothing has yet. */
  next(): number {
    return ++this.#last
  }

  /** Another process of the house. */
  async start(): Promise<void> {
    this.processes.push(await this.#house.open(drawBounds(this.dice)))
  }

  async restart(): Promise<void> {
    const at = this.dice.below(this.processes.length)
    const [ended] = this.processes.splice(at, 1)
    await ended?.close()
    await this.start()
  }

  async close(): Promise<void> {
    for (const process of this.processes.splice(0)) await process.close()
  }

  pass(ms: number): void {
    this.#house.clock.advance(ms)
  }

  /** One of the processes. */
  process(): Process {
    return this.dice.pick(this.processes)
  }

  record(): Record {
    return this.process().record
  }

  /** Ids of patients who are there. */
  patients(): string[] {
    return Array.from(this.model.current(['Patient']), ({ id = '' }) => id)
  }

  /** Somebody who reaches these patients at least. */
  caller(...patients: string[]): Caller {
    const { dice } = this
    if (dice.maybe(50)) return { grant: everything(), reach: 'all' }
    if (patients.length < 2 && dice.maybe(25)) {
      const patient = patients[0] ?? dice.pick(this.patients())
      return { grant: ofPatient(patient), reach: [patient] }
    }
    const others = dice.many(0, 4, () => dice.pick(this.patients()))
    const reach = [...new Set([...patients, dice.pick(this.patients()), ...others])]
    return { grant: grantOf('user/*.cruds', { account: 'clinic', patients: reach }), reach }
  }

  /** A transaction that one of the processes is to run. */
  drawn<T>(grant: Grant, work: (txn: Txn) => Promise<T>): () => Promise<T> {
    const writer = this.record().writer(grant)
    return () => writer.transact(work)
  }

  /** What was written is what was asked for, and the model takes it. */
  took(resource: Resource, { id, version }: Stored): void {
    this.model.wrote({ ...resource, id }, version)
  }
}

/** The code of the Problem as which this fails; `done` when it does not. */
export async function outcome(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'done'
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
}
