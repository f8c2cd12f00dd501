/** What is in memory of the index of all compartments, and what goes: by counting, never by the clock. */

import { meters, withBudget } from '#kernel'
import type { Record } from '#record'
import { encodeSegment, extractRow, type Holder, holderOrder, type IndexRow, PopulationIndex } from '#search'
import { openMemoryKeys, openMemoryStore, openMongoKeys, openMongoStore } from '#store'
import { Moves, Then } from '../../../src/record/population/moves.ts'
import { Slices } from '../../../src/record/population/slice.ts'
import { SliceRoom } from '../../../src/record/population/slice-room.ts'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  openTestRecord,
  patient,
  potassium,
  queryOf,
  remove,
  update,
} from './family.ts'

const all = everything()
const count = 30
/** Of some thirty slices: one or two, and now and then one more, which a hash seems to name. */
const few = 8

/** Numbers below a bound, the same ones for the same seed. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function figure(name: string): number {
  const samples =
    meters()
      .find(family => family.name === name)
      ?.samples() ?? []
  return samples.reduce((sum, { value }) => sum + value, 0)
}

const opened = () => figure('kinhold_population_slices_opened_total')
const forgotten = () => figure('kinhold_population_slices_forgotten_total')
const bytes = () => figure('kinhold_population_bytes')

async function opening<T>(work: () => Promise<T>): Promise<[T, number]> {
  const before = opened()
  return [await work(), opened() - before]
}

const named = (at: number) => ({
  ...patient(at % 2 ? 'Amsel' : 'Drossel'),
  id: `p${at}`,
  identifier: [{ system: 'urn:mrn', value: `mrn-${at}` }],
})

/** Figures are added up over all that live: whatever the collector took meanwhile of an earlier test would be missing from a sum. */
const living: Record[] = []

/** A house with so many patients of whom no index is open. */
async function openVillage() {
  const opened = await openTestRecord(openMemoryStore(), openMemoryKeys(), { searchedApart: Number.POSITIVE_INFINITY })
  const beside = async (...options: Parameters<typeof opened.beside>) => {
    const record = await opened.beside(...options)
    living.push(record)
    return record
  }
  const house = { ...opened, beside }
  living.push(house.record)
  await create(house.record, all, { resourceType: 'Practitioner', name: [{ family: 'Kauz' }] }, 'kauz')
  for (let at = 0; at < count; at++) {
    await update(house.record, all, named(at))
    await house.record.writer(all).transact(async txn => {
      for (let n = 0; n < 6; n++) await txn.create(heartRate(`p${at}`, 60 + at + n, `2026-01-0${1 + n}T08:00:00Z`))
      await txn.create({ ...potassium(`p${at}`, 4), performer: [{ reference: 'Practitioner/kauz' }] })
    })
  }
  await house.record.close()
  return house
}

const wide = { searchedApart: 0 }

const search = async (record: Record, type: string, text: string, grant = all) =>
  record.reader(grant).search(queryOf(grant, type, text))

describe('the room for the index of all', () => {
  it('holds no more than it may, whatever is asked, and says how much of it there is', async () => {
    const house = await openVillage()
    const whole = await house.beside(wide)
    await search(whole, 'Patient', '')
    const wholeBytes = bytes()
    await whole.close()
    const populationBytes = Math.floor(wholeBytes / 2)
    const record = await house.beside({ ...wide, populationBytes })
    const [before, mostOf] = [bytes(), { all: 0 }]
    const look = () => {
      mostOf.all = Math.max(mostOf.all, bytes() - before)
    }
    const { stretches } = house.store
    house.store.stretches = (...of) => {
      look()
      return stretches.apply(house.store, of)
    }
    const [wentBefore, openedBefore] = [forgotten(), opened()]
    for (const text of ['code=8867-4&_sort=-date', 'patient.family=Amsel&_count=5', 'value-quantity=gt70&_include=*']) {
      expect((await search(record, 'Observation', `${text}&_total=accurate`)).total).toBeGreaterThan(20)
      look()
    }
    await Promise.all(
      ['_sort=date', '_sort=-date', 'code=8867-4', 'subject.family=Drossel'].map(text =>
        search(record, 'Observation', text),
      ),
    )
    look()
    expect(mostOf.all).toBeGreaterThan(populationBytes / 4)
    expect(mostOf.all).toBeLessThanOrEqual(populationBytes)
    expect(opened() - openedBefore).toBeGreaterThan(8)
    expect(forgotten() - wentBefore).toBeGreaterThan(4)
    expect(figure('kinhold_population_slices')).toBeGreaterThan(0)
    await record.close()
  })

  it('lets go of slices that have grown, and parts them', async () => {
    const house = await openVillage()
    const record = await house.beside({ ...wide, populationBytes: 1_000_000 })
    const total = async () => (await search(record, 'Observation', '_summary=count')).total
    const before = (await total()) ?? 0
    const note = (at: number) => [{ text: `a word ${at} ${'of many '.repeat(800)}` }]
    for (let at = 0; at < 60; at++) await create(record, all, { ...heartRate(`p${1 + (at % 2)}`, at), note: note(at) })
    const kept = figure('kinhold_population_slices')
    expect(await total()).toBe(before + 60)
    expect(await total()).toBe(before + 60)
    expect(figure('kinhold_population_slices')).toBeGreaterThan(kept)
    expect(await ids(record, all, 'Observation', '_content=word&_count=1')).toHaveLength(1)
    await record.close()
  })
})

describe('what is asked exactly', () => {
  const open = async () => {
    const house = await openVillage()
    const record = await house.beside({ ...wide, populationBytes: 1 })
    await search(record, 'Patient', '_summary=count')
    return { ...house, record }
  }

  it('opens only the slices that hold it: a number, an id, what belongs to who has the number, a condition', async () => {
    const { record } = await open()
    const asked: readonly (readonly [type: string, text: string, found: number])[] = [
      ['Patient', 'identifier=urn:mrn|mrn-7', 1],
      ['Patient', 'identifier=MRN-8', 1],
      ['Patient', 'identifier=urn:mrn|mrn-77', 0],
      ['Patient', '_id=p9', 1],
      ['Observation', 'patient.identifier=urn:mrn|mrn-7', 7],
      ['Patient', 'identifier=urn:mrn|mrn-7&_revinclude=Observation:patient', 1],
      ['Observation', 'patient.identifier=urn:mrn|mrn-77', 0],
    ]
    for (const [type, text, found] of asked) {
      const [page, slices] = await opening(() => search(record, type, text))
      expect([text, page.matches.length]).toEqual([text, found])
      expect([text, slices < few]).toEqual([text, true])
    }
    const [, all30] = await opening(() => search(record, 'Patient', 'family=Amsel'))
    expect(all30).toBeGreaterThan(20)
    const condition = queryOf(all, 'Patient', 'identifier=urn:mrn|mrn-99')
    const [found, slices] = await opening(() => record.writer(all).transact(txn => txn.find(condition, 2)))
    expect([found, slices < few]).toEqual([[], true])
    await record.close()
  })

  it('knows what came, here and elsewhere, without opening any other', async () => {
    const { record, beside } = await open()
    const other = await beside({ searchedApart: Number.POSITIVE_INFINITY })
    await create(record, all, { ...patient('Zeisig'), identifier: [{ value: 'here' }] })
    await create(other, all, { ...patient('Zeisig'), identifier: [{ value: 'there' }] })
    await update(other, all, { ...named(3), identifier: [{ value: 'new' }] })
    for (const value of ['here', 'there', 'new', 'nobody']) {
      const [page, slices] = await opening(() => search(record, 'Patient', `identifier=${value}`))
      expect([value, page.matches.length]).toEqual([value, value === 'nobody' ? 0 : 1])
      expect([value, slices < few]).toEqual([value, true])
    }
    expect(await ids(record, all, 'Patient', 'identifier=mrn-3')).toEqual([])
    await Promise.all([record.close(), other.close()])
  })
})

describe('what opens slice after slice', () => {
  it('ends with who waited for it', async () => {
    const house = await openVillage()
    const record = await house.beside({ ...wide, populationBytes: 1 })
    await search(record, 'Patient', '_summary=count')
    const questions: readonly (() => Promise<unknown>)[] = [
      () => search(record, 'Observation', 'value-quantity=gt70'),
      () => record.reader(all).history({ count: 1000 }),
    ]
    for (const question of questions) {
      const before = opened()
      const left = withBudget({}, question, () => opened() - before < 3)
      await expect(left).rejects.toMatchObject({ kind: 'timeout', code: 'budget.unwanted' })
      expect(opened() - before).toBe(3)
    }
    await record.close()
  })
})

describe('what changed while its slice was not in memory', () => {
  it('is shown as it is: nothing of before, nothing of who was erased, in whatever process', async () => {
    const house = await openVillage()
    const room = { ...wide, populationBytes: 1 }
    const [one, other] = [await house.beside(room), await house.beside(room)]
    for (const record of [one, other]) await search(record, 'Patient', '_summary=count')
    await update(one, all, { ...named(5), name: [{ family: 'Pirol' }] })
    const gone = await create(other, all, heartRate('p6', 200))
    await remove(one, all, 'Observation', gone.id)
    await other.shred('p4')
    for (const record of [one, other]) {
      expect(await ids(record, all, 'Patient', 'family=Pirol')).toEqual(['p5'])
      expect(await ids(record, all, 'Patient', 'family=Amsel&_id=p5')).toEqual([])
      expect(await ids(record, all, 'Observation', 'value-quantity=200')).toEqual([])
      expect(await ids(record, all, 'Patient', 'identifier=urn:mrn|mrn-4')).toEqual([])
      const page = await search(record, 'Observation', 'patient=p4&_total=accurate')
      expect([page.total, page.unreadable]).toEqual([0, 0])
      expect((await search(record, 'Patient', '_total=accurate')).total).toBe(count - 1)
    }
    await Promise.all([one.close(), other.close()])
  })

  it('leaves nothing of who was erased among what is remembered of a slice', async () => {
    const holder: Holder = { compartment: 'a'.repeat(32), kind: 'patient', patient: 'p' }
    const row = (seq: number): IndexRow =>
      extractRow(
        { resourceType: 'Patient', id: 'p', identifier: [{ value: 'mrn' }] },
        { seq, version: seq, lastUpdatedMs: seq, deleted: false, supersedes: seq - 1 },
      )
    const slices = new Slices()
    const room = new SliceRoom(1_000_000)
    const slice = slices.begin(holder)
    slices.admit(holder)
    slices.addSegment(holder, encodeSegment([row(1)]))
    expect(await room.forget(slice)).toBe(true)
    slices.addRow(holder, row(2))
    expect([slice.index, slice.traces?.types.has('Patient'), slices.headOf(holder.compartment)]).toEqual([
      undefined,
      true,
      2,
    ])
    slices.drop(holder.compartment)
    expect([slice.traces, slice.holders.size, slices.headOf(holder.compartment)]).toEqual([undefined, 0, undefined])
    expect(slices.holderOf(holder.compartment)).toBeUndefined()
    // What was read before it was erased does not come in any more.
    const index = new PopulationIndex()
    index.addRow(holder, row(1))
    slices.enter(slice, index)
    expect(index.headOf(holder.compartment)).toBeUndefined()
  })
})

describe('where slices begin', () => {
  it('names nobody who has gone, and keeps them apart and in order', () => {
    const draw = seeded(20261127)
    const all = Array.from({ length: 40 }, (_, at): Holder => {
      const digits = String(at).padStart(2, '0')
      return { compartment: digits.repeat(16), kind: 'patient', patient: `p${digits}` }
    })
    const slices = new Slices()
    for (let at = 0; at < all.length; at += 8) {
      slices.begin(all[at] as Holder)
      for (const holder of all.slice(at, at + 8)) slices.admit(holder)
    }
    const here = new Set(all)
    for (let step = 0; step < 400; step++) {
      const holder = all[draw(all.length)] as Holder
      // By turns most of them go, and come again.
      if (step % 100 < 60) slices.drop(holder.compartment)
      else slices.admit(holder)
      if (step % 100 < 60) here.delete(holder)
      else here.add(holder)
      if (step === 150) slices.split(slices.list.find(({ holders }) => holders.size > 1) ?? slices.begin(holder))
      const told = slices.list.flatMap(({ holders }) => [...holders.values()].sort(holderOrder))
      expect(told).toEqual([...here].sort(holderOrder))
      for (const { first } of slices.list) if (first !== undefined) expect(here).toContain(first)
      for (const each of here) expect(slices.holderOf(each.compartment)).toBe(each)
    }
    for (const { compartment } of all) slices.drop(compartment)
    expect(slices.list.filter(({ first }) => first !== undefined)).toEqual([])
    for (const holder of all) slices.admit(holder)
    expect(slices.list.flatMap(({ holders }) => [...holders.values()].sort(holderOrder))).toEqual(all)
  })
})

describe('pages', () => {
  it.each([1, 100_000, 250_000])('stay whole while others write, ask and erase, with room for %d bytes', async most => {
    const house = await openVillage()
    const room = { ...wide, populationBytes: most }
    const [one, other] = [await house.beside(room), await house.beside(room)]
    let isWriting = true
    const write = async (record: Record, from: number) => {
      for (let n = 0; n < 25; n++) {
        const who = `p${(from + n * 7) % count}`
        if (who === 'p4' || who === 'p8') continue
        house.clock.advance(1)
        const made = await create(record, all, heartRate(who, n))
        if (n % 3 === 0) await update(record, all, { ...heartRate(who, 200 + n), id: made.id })
        if (n % 5 === 0) await remove(record, all, 'Observation', made.id)
        if (n % 8 === 0) await create(record, all, { ...patient('Zeisig'), identifier: [{ value: `${from}-${n}` }] })
      }
    }
    /** All pages of a search of what nobody erases. */
    const read = async (record: Record, text: string) => {
      const found: string[] = []
      const query = queryOf(all, 'Observation', `${text}&_total=accurate&_count=40`)
      let total: number | undefined
      for (let cursor: string | undefined, at = 0; at === 0 || cursor !== undefined; at++) {
        const page = await record.reader(all).search(query, cursor)
        total ??= page.total
        found.push(...page.matches.map(({ id }) => id))
        cursor = page.next
      }
      return { total, found: found.length, distinct: new Set(found).size }
    }
    const ask = async (record: Record, text: string) => {
      for (let at = 0; at < 3 || isWriting; at++) {
        const { total, found, distinct } = await read(record, text)
        expect([found, distinct]).toEqual([total, total])
      }
    }
    const asking = [
      ask(one, 'patient.family=Amsel&_sort=-date'),
      ask(one, 'patient.family=Amsel&code=8867-4&_sort=value-quantity'),
      ask(other, 'patient.family=Amsel&_sort=_lastUpdated'),
    ]
    await Promise.all([write(one, 0), write(other, 3), one.shred('p4'), other.shred('p8')])
    isWriting = false
    await Promise.all(asking)
    const each = await house.beside({ searchedApart: Number.POSITIVE_INFINITY })
    for (const text of ['_sort=_id', 'code=8867-4&value-quantity=gt100&_sort=_id', 'patient.family=Amsel&_sort=_id']) {
      const expected = (await search(each, 'Observation', `${text}&_count=1000`)).matches.map(({ id }) => id)
      for (const record of [one, other])
        expect((await search(record, 'Observation', `${text}&_count=1000`)).matches.map(({ id }) => id)).toEqual(
          expected,
        )
    }
    await Promise.all([one.close(), other.close(), each.close()])
  })
})

describe('what is not told slice by slice', () => {
  it('is refused, and says what to ask instead', async () => {
    const house = await openVillage()
    const record = await house.beside({ ...wide, populationBytes: 1, indexBytes: 1 })
    const costly = { kind: 'too-costly', code: 'search.too-costly' }
    const last = { ...queryOf(all, 'Observation', 'code=8867-4'), latest: 1 }
    await expect(record.reader(all).search(last)).rejects.toMatchObject(costly)
    const lastOfOne = { ...queryOf(all, 'Observation', 'code=8867-4&patient=p3'), latest: 1 }
    expect((await record.reader(all).search(lastOfOne)).matches).toHaveLength(1)
    await expect(search(record, 'Observation', '_offset=50000')).rejects.toMatchObject(costly)
    const mixed = grantOf('system/Observation.rs user/Practitioner.rs', { account: 'staff' })
    await expect(search(record, 'Practitioner', 'name=Kauz', mixed)).rejects.toMatchObject(costly)
    const clinic = grantOf('user/*.rs', {
      account: 'clinic',
      patients: Array.from({ length: 12 }, (_, at) => `p${at}`),
    })
    const tooWide = { kind: 'too-costly', code: 'record.reach-too-wide' }
    await expect(search(record, 'Observation', 'code=8867-4', clinic)).rejects.toMatchObject(tooWide)
    await record.close()
  })

  it('is asked of those whom a grant reaches by an index for each, and goes on so', async () => {
    const house = await openVillage()
    const whole = await house.beside(wide)
    const record = await house.beside({ ...wide, populationBytes: 1 })
    const clinic = grantOf('user/*.rs', {
      account: 'clinic',
      patients: Array.from({ length: 12 }, (_, at) => `p${at}`),
    })
    const query = queryOf(
      clinic,
      'Observation',
      'code=8867-4,2823-3&_sort=-date&_count=30&_include=Observation:performer',
    )
    const first = await whole.reader(clinic).search(query)
    house.clock.advance(1_000)
    await create(record, all, heartRate('p3', 99, '2026-01-09T08:00:00Z'))
    const second = await record.reader(clinic).search(query, first.next)
    const expected = await whole.reader(clinic).search(query, first.next)
    const idsOf = (page: typeof first) => [...page.matches, ...page.included].map(({ id }) => id)
    expect(idsOf(second).length).toBeGreaterThan(20)
    expect(idsOf(second)).toEqual(idsOf(expected))
    await Promise.all([record.close(), whole.close()])
  })
})

whereMongoIs(() => {
  describe('slices of what rests on a MongoDB', () => {
    afterAll(stopSharedMongo)

    it('answer as all at once, in two processes that write by turns', async () => {
      const [data, keys] = [await newMongoDatabase(), await newMongoDatabase()]
      const store = await openMongoStore({ uri: data.uri })
      const house = await openTestRecord(store, await openMongoKeys({ uri: keys.uri }), {
        searchedApart: Number.POSITIVE_INFINITY,
      })
      for (let at = 0; at < 6; at++) {
        await update(house.record, all, named(at))
        await create(house.record, all, heartRate(`p${at}`, 60 + at))
      }
      const whole = await house.beside(wide)
      const [one, other] = [
        await house.beside({ ...wide, populationBytes: 1 }),
        await house.beside({ ...wide, populationBytes: 60_000 }),
      ]
      const asked = [
        ['Patient', 'family=Amsel&_sort=_id&_revinclude=Observation:subject'],
        ['Patient', 'identifier=urn:mrn|mrn-3'],
        ['Observation', 'patient.identifier=urn:mrn|mrn-4&_include=Observation:subject'],
        ['Observation', 'subject:Patient.family=Drossel&_sort=-value-quantity&_total=accurate'],
      ] as const
      for (const [round, writer] of [one, other, whole].entries()) {
        await create(writer, all, heartRate(`p${round + 3}`, 90 + round))
        await update(writer, all, { ...named(round), name: [{ family: 'Amsel' }] })
        if (round === 2) await writer.shred('p5')
        for (const [type, text] of asked) {
          const told = await Promise.all([whole, one, other].map(record => search(record, type, text)))
          const [expected, ...same] = told.map(({ matches, included, total }) => [
            total,
            matches.map(({ id }) => id),
            included.map(({ id }) => id),
          ])
          expect([text, same]).toEqual([text, [expected, expected]])
        }
      }
      await Promise.all([whole.close(), one.close(), other.close(), house.record.close()])
      await Promise.all([house.store.close(), house.keys.close()])
      await Promise.all([data.remove(), keys.remove()])
    })
  })
})

describe('how far compartments have come', () => {
  it('is told as of every moment, and of who has gone as if they had never been there', () => {
    const moves = new Moves()
    const told: [string, number][] = []
    for (let move = 0; move < 500; move++) {
      const compartment = `c${(move * 7) % 11}`
      const head = (moves.headOf(compartment) ?? 0) + 1 + (move % 3)
      moves.note(compartment, head)
      moves.moment()
      told.push([compartment, head])
    }
    for (const moment of [0, 1, 11, 250, 499, 500])
      for (let at = 0; at < 11; at++) {
        const then = told.slice(0, moment).findLast(([compartment]) => compartment === `c${at}`)
        expect(moves.headAt(`c${at}`, moment)).toBe(then?.[1] ?? 0)
      }
    expect(moves.movedSince(498)).toEqual(new Set(told.slice(498).map(([compartment]) => compartment)))
    moves.forget('c3')
    expect([moves.headOf('c3'), moves.headAt('c3', 400)]).toEqual([undefined, 0])
    moves.note('c3', 5)
    expect([moves.headOf('c3'), moves.headAt('c3', 400), moves.headAt('c3', moves.moment())]).toEqual([5, 0, 5])
    const seen = moves.moment()
    for (const head of [6, 7, 8]) moves.note('c3', head)
    expect([moves.headAt('c3', seen), moves.headOf('c3'), moves.count]).toEqual([5, 8, seen + 1])
    expect(moves.movedSince(seen)).toEqual(new Set(['c3']))
    expect([...moves.movedSince(0)].sort()).toEqual(Array.from({ length: 11 }, (_, at) => `c${at}`).sort())
  })
  it('is told of those who have moved since alone, however many moved in between, came and went', () => {
    const draw = seeded(20261127)
    const moves = new Moves()
    for (let n = 0; n < 60; n++) moves.note(`c${draw(12)}`, n + 1)
    const at = moves.moment()
    const then = new Then(moves, at)
    const before = new Map(Array.from({ length: 16 }, (_, n) => [`c${n}`, moves.headAt(`c${n}`, at)]))
    expect(then.heads().size).toBe(0)
    const known = new Set([...before].filter(([, head]) => head > 0).map(([compartment]) => compartment))
    for (let n = 0; n < 300; n++) {
      const compartment = `c${draw(16)}`
      if (draw(5) === 0) {
        moves.forget(compartment)
        known.delete(compartment)
      } else moves.note(compartment, (moves.headOf(compartment) ?? 100) + 1)
      if (moves.headOf(compartment) !== undefined) known.add(compartment)
      if (draw(4) === 0) moves.moment()
      if (draw(3) > 0) continue
      const heads = then.heads()
      const moved = moves.movedSince(at)
      for (const each of known) {
        expect(heads.has(each)).toBe(moved.has(each))
        if (moved.has(each)) expect(heads.get(each)).toBe(moves.headAt(each, at))
      }
    }
  })
})
