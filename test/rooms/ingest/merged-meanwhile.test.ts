import { type Ingest, openIngest } from '#ingest'
import { silentLog } from '#kernel'
import type { Record } from '#record'
import { mergePatients } from '../../../src/ingest/identity/merging/merge.ts'
import { unmergePatient } from '../../../src/ingest/identity/merging/unmerge.ts'
import {
  baseUrl,
  countsOf,
  createPatient,
  everything,
  found,
  openHouse,
  streamOf,
  type TestHouse,
  validator,
} from './house.ts'
import { message } from './reading.ts'

/**
 * Two people are made one, or two again, between the moment at which an import has looked whose data it brings and the
 * moment at which it writes: nothing may come to lie with whom it does not belong to, and nothing may get lost.
 */
const number = (value: string) => ({ system: 'urn:x-hl7v2-hd:HOSP', value, type: { coding: [{ code: 'MR' }] } })

interface Two {
  readonly house: TestHouse
  readonly source: string
  readonly target: string
  /** An ingest that does something before its transaction with this number, counted from 1. */
  readonly acts: (nth: number, act: () => Promise<unknown>, when?: When) => Ingest
  readonly merge: () => Promise<unknown>
  readonly unmerge: () => Promise<unknown>
}

async function two(): Promise<Two> {
  const house = await openHouse()
  const { record, clock } = house
  const name = [{ family: 'Sample', given: ['Ann'] }]
  const who = { name, birthDate: '1980-02-03', gender: 'female', active: true }
  const source = await createPatient(record, { ...who, identifier: [number('1')] })
  const target = await createPatient(record, { ...who, identifier: [number('2')] })
  const deps = { record, baseUrl, clock }
  return {
    house,
    source,
    target,
    acts: (nth, act, when = 'before') => {
      const senders = { zone: 'UTC', known: [] }
      const limits = { batchSize: 5 }
      const given = { record: acting(record, nth, act, when), clock, log: silentLog, baseUrl, validator }
      return openIngest({ ...given, limits, senders, spoolFolder: '/tmp' })
    },
    merge: () => mergePatients({ grant: everything(), source, target }, deps),
    unmerge: () => unmergePatient({ grant: everything(), source }, deps),
  }
}

/** Before the transaction begins, or when all is staged and nothing is committed. */
type When = 'before' | 'within'

/** The record; something happens when an import writes for the nth time. */
function acting(record: Record, nth: number, act: () => Promise<unknown>, when: When): Record {
  let count = 0
  const writer = (...given: Parameters<Record['writer']>) => {
    const own = record.writer(...given)
    if (given[1]?.imports !== 'source') return own
    const transact: typeof own.transact = async work => {
      const isNow = ++count === nth
      if (isNow && when === 'before') await act()
      let acted = false
      return own.transact(async txn => {
        const done = await work(txn)
        if (isNow && when === 'within' && !acted) {
          acted = true
          await act()
        }
        return done
      })
    }
    return { ...own, transact }
  }
  return { ...record, writer }
}

const observations = async (house: TestHouse, patient: string) =>
  (await found(house.record, 'Observation', `subject=Patient/${patient}`)).length

const oru = (patient: string) =>
  message(
    'MSH|^~\\&|LAB|HOSP|KIN|HOME|20240310120000+0000||ORU^R01|77|P|2.5.1',
    `PID|1||${patient}^^^HOSP^MR||Sample^Ann||19800203|F`,
    'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
    'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
  )

const rows = (patient: string, count: number) =>
  Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      resourceType: 'Observation',
      id: `o${at}`,
      status: 'final',
      code: { text: 'x' },
      subject: { reference: `Patient/${patient}` },
      effectiveDateTime: `2024-03-${10 + at}`,
    }),
  ).join('\n')

const moments: readonly When[] = ['before', 'within']

describe.each(moments)('%s the transaction of a message', when => {
  it('a merge takes what it says to the one who stayed', async () => {
    const { house, source, target, acts, merge } = await two()
    const { ack } = await acts(1, merge, when).hl7v2({ grant: everything(), message: oru('1') })
    expect(ack).toContain('MSA|AA')
    expect([await observations(house, source), await observations(house, target)]).toEqual([0, 1])
  })

  it('an unmerge takes what it says to whom it names', async () => {
    const { house, source, target, acts, merge, unmerge } = await two()
    await merge()
    const { ack } = await acts(1, unmerge, when).hl7v2({ grant: everything(), message: oru('1') })
    expect(ack).toContain('MSA|AA')
    expect([await observations(house, source), await observations(house, target)]).toEqual([1, 0])
  })
})

describe.each(moments)('%s a batch of a file', when => {
  const imported = async (ingest: Ingest, patient: string, count = 12) => {
    const job = await ingest.start({ grant: everything(), patient, body: streamOf(rows(patient, count)) })
    await job.done
    return { ...countsOf(job.report), state: job.state }
  }

  it.each([1, 2, 3])('a merge before batch %i ends it; the rest goes to the one who stayed', async nth => {
    const { house, source, target, acts, merge } = await two()
    const counts = await imported(acts(nth, merge, when), source)
    expect(counts.problem).toMatchObject({ code: 'ingest.patient-merged' })
    expect([await observations(house, source), await observations(house, target)]).toEqual([0, 5 * (nth - 1)])
    await imported(acts(0, merge), target)
    expect(await observations(house, target)).toBe(12)
  })

  it.each([1, 2, 3])('an unmerge before batch %i ends it', async nth => {
    const { house, source, target, acts, merge, unmerge } = await two()
    await imported(acts(0, merge), source, 3)
    await merge()
    const counts = await imported(acts(nth, unmerge, when), target)
    expect(counts.problem).toMatchObject({ code: 'ingest.patient-merged' })
    expect(await observations(house, source)).toBe(3)
  })
})

describe('within the transaction of somebody who writes themselves', () => {
  const write = (house: TestHouse, patient: string, meanwhile: () => Promise<unknown>) => {
    let acted = false
    return house.record.writer(everything()).transact(async txn => {
      const subject = { reference: `Patient/${patient}` }
      await txn.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject })
      if (!acted) await meanwhile()
      acted = true
    })
  }

  it('a merge refuses what would become the record that lost', async () => {
    const { house, source, merge } = await two()
    const code = await write(house, source, merge).catch((error: { code: string }) => error.code)
    expect([code, await observations(house, source)]).toEqual(['record.patient-merged', 0])
  })

  it('an unmerge takes it where it says', async () => {
    const { house, source, target, merge, unmerge } = await two()
    await merge()
    await write(house, target, unmerge)
    expect([await observations(house, source), await observations(house, target)]).toEqual([0, 1])
  })
})

it('what is written between the look of a merge and its commit goes along', async () => {
  const { house, source, target } = await two()
  const { record, clock } = house
  let count = 0
  const writer = (...given: Parameters<Record['writer']>) => {
    const own = record.writer(...given)
    const transact: typeof own.transact = async work => {
      if (++count === 1)
        await record.writer(everything()).transact(async txn => {
          const subject = { reference: `Patient/${source}` }
          await txn.create({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject })
        })
      return own.transact(work)
    }
    return { ...own, transact }
  }
  const merged = await mergePatients(
    { grant: everything(), source, target },
    { record: { ...record, writer }, baseUrl, clock },
  )
  expect(merged).toMatchObject({ state: 'merged', moved: 1 })
  expect([await observations(house, source), await observations(house, target)]).toEqual([0, 1])
  await unmergePatient({ grant: everything(), source }, { record, baseUrl, clock })
  expect([await observations(house, source), await observations(house, target)]).toEqual([1, 0])
})
