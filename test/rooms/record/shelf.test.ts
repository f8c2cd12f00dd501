import { silentLog } from '#kernel'
import type { Holder } from '#search'
import { openMemoryKeys, openMemoryStore } from '#store'
import type { Draft } from '../../../src/record/ledger/ledger.ts'
import { Shelf, type ShelfLimits } from '../../../src/record/ledger/shelf.ts'
import { HeadNotes } from '../../../src/record/upkeep/head-notes.ts'
import { everything, heartRate, openTestRecord, patient } from './family.ts'

const ample: ShelfLimits = {
  idleMs: 600_000,
  indexBytes: 1e9,
  ledgers: 1_000,
  rowBytes: 1e9,
  versionBytes: 1e9,
  segmentBytes: 1e9,
}

function draftOf(id: string, n: number): Draft {
  const resource = { ...heartRate('anna', 60), id }
  return {
    locator: n.toString(16).padStart(32, '0'),
    version: 1,
    supersedes: 0,
    method: 'POST',
    deleted: false,
    movedAway: false,
    created: true,
    type: 'Observation',
    id,
    copies: [],
    *compose() {
      yield* []
      return { resource, json: Buffer.from(JSON.stringify(resource)) }
    },
    placed: () => undefined,
  }
}

/** A shelf with a compartment for each of many patients, into which so many Observations were written, one patient after the other. */
async function shelfOf({ patients, each, limits }: { patients: number; each: number; limits: Partial<ShelfLimits> }) {
  const { store, vault, clock } = await openTestRecord(openMemoryStore())
  const begin = (work: () => Promise<void>) => void work()
  const notes = new HeadNotes({ vault, store, log: silentLog, begin, auditedBy: () => [] })
  const shelf = new Shelf(vault, { store, clock, log: silentLog, notes }, { ...ample, ...limits })
  const holders: Holder[] = []
  for (let n = 0; n < patients; n++) {
    const { compartment } = await vault.createCompartment('patient')
    holders.push({ compartment, kind: 'patient', patient: `p${n}` })
  }
  let written = 0
  const write = async (holder: Holder, count: number) => {
    clock.advance(1)
    const ledger = await shelf.open(holder)
    const drafts = Array.from({ length: count }, () => draftOf(`o${++written}`, written))
    const append = ledger.append(drafts, clock.nowMs())
    const commit = async () => {
      await store.commit({ appends: [append] })
      ledger.committed(append)
    }
    return { ledger, commit }
  }
  for (const holder of holders) await (await write(holder, each)).commit()
  /** What a round of housekeeping does, so many times. */
  const tidy = async (times: number) => {
    for (let time = 0; time < times; time++) {
      await shelf.settle()
      shelf.sweep()
    }
  }
  const open = () => new Set(shelf.opened().map(({ holder }) => holder.patient))
  const rowBytes = () => shelf.opened().reduce((sum, ledger) => sum + ledger.rowBytes, 0)
  const segments = async () =>
    (await Promise.all(holders.map(({ compartment }) => store.segments(compartment)))).flat().length
  return { store, clock, shelf, holders, write, tidy, open, rowBytes, segments }
}

describe('ledgers that are open', () => {
  it('are no more than may be: those that were used longest ago are closed', async () => {
    const { shelf, holders, clock, tidy, open } = await shelfOf({ patients: 30, each: 1, limits: { ledgers: 10 } })
    expect(open().size).toBe(30)
    for (const at of [3, 5]) {
      clock.advance(1)
      await shelf.open(holders[at] as Holder)
    }
    await tidy(1)
    const latest = [22, 23, 24, 25, 26, 27, 28, 29, 3, 5]
    expect(open()).toEqual(new Set(latest.map(n => `p${n}`)))
    await tidy(1)
    expect(open().size).toBe(10)
  })

  it('are opened again as they were', async () => {
    const { shelf, holders, write, tidy } = await shelfOf({ patients: 12, each: 5, limits: { ledgers: 1 } })
    await tidy(3)
    for (const holder of holders) await (await write(holder, 2)).commit()
    await tidy(3)
    for (const holder of holders) expect((await (await shelf.open(holder)).index()).head).toBe(7)
  })

  it('stay open while something of them is on its way to the disk', async () => {
    const { holders, write, tidy, open } = await shelfOf({ patients: 6, each: 1, limits: { ledgers: 2 } })
    const { ledger, commit } = await write(holders[0] as Holder, 1)
    for (const holder of holders.slice(1)) await (await write(holder, 1)).commit()
    await tidy(1)
    expect([ledger.alive, open().has('p0'), open().size]).toEqual([true, true, 2])
    await commit()
    expect(ledger.durableHead).toBe(2)
  })
})

describe('rows of ledgers to which nothing is being added', () => {
  it.each([
    ['that fill a segment', 20, 40],
    ['that are too few for one', 3, 0],
  ])(
    '%s are kept for a while where there is room, and leave at once where there is none',
    async (_, each, segments) => {
      const roomy = await shelfOf({ patients: 40, each, limits: {} })
      const short = await shelfOf({ patients: 40, each, limits: { rowBytes: 40_000 } })
      for (const { tidy } of [roomy, short]) await tidy(2)
      expect(roomy.rowBytes()).toBeGreaterThan(40 * each * 1_000)
      expect(short.rowBytes()).toBe(0)
      expect([await roomy.segments(), await short.segments()]).toEqual([segments, segments])
      await roomy.tidy(20)
      expect(roomy.rowBytes()).toBe(0)
    },
  )

  it('are there again when they are asked for', async () => {
    const { shelf, holders, write, tidy } = await shelfOf({ patients: 5, each: 3, limits: { rowBytes: 0 } })
    await tidy(3)
    for (const [at, holder] of holders.entries()) await (await write(holder, at)).commit()
    await tidy(3)
    for (const [at, holder] of holders.entries()) expect((await (await shelf.open(holder)).index()).head).toBe(3 + at)
  })

  it('stay while something is being added to them', async () => {
    const { holders, write, tidy, rowBytes } = await shelfOf({ patients: 3, each: 1, limits: { rowBytes: 0 } })
    const before = rowBytes()
    for (let time = 0; time < 5; time++) {
      for (const holder of holders) await (await write(holder, 1)).commit()
      await tidy(1)
    }
    expect(rowBytes()).toBeGreaterThan(5 * before)
  })

  it('count as what they take: much more than their values alone', async () => {
    const { rowBytes } = await shelfOf({ patients: 1, each: 100, limits: {} })
    expect(rowBytes()).toBeGreaterThan(100 * 1_200)
    expect(rowBytes()).toBeLessThan(100 * 2_400)
  })
})

describe('ledgers that work under way relies on', () => {
  it('stay open, however many there are, until it has ended', async () => {
    const { shelf, holders, tidy, open } = await shelfOf({ patients: 12, each: 1, limits: { ledgers: 3 } })
    const relied = await Promise.all(holders.slice(0, 6).map(holder => shelf.open(holder)))
    await shelf.sparing(
      () => relied,
      () => tidy(3),
    )
    expect(relied.map(({ alive }) => alive)).toEqual(relied.map(() => true))
    expect(open().size).toBe(6)
    await tidy(1)
    expect(open().size).toBe(3)
  })

  it('are let go when the work fails, too', async () => {
    const { shelf, holders, tidy, open } = await shelfOf({ patients: 6, each: 1, limits: { ledgers: 1 } })
    const relied = [await shelf.open(holders[0] as Holder)]
    const failing = shelf.sparing(
      () => relied,
      () => Promise.reject(new Error('failed')),
    )
    await expect(failing).rejects.toThrow('failed')
    for (const holder of holders.slice(1)) await shelf.open(holder)
    await tidy(1)
    expect([relied[0]?.alive, open().size]).toEqual([false, 1])
  })
})

describe('a transaction of more ledgers than may stay open', () => {
  it('lands in one run, whatever is tidied up meanwhile', async () => {
    const { every, restore } = heldTimers()
    const { record } = await openTestRecord(openMemoryStore(), openMemoryKeys(), { openLedgers: 4 })
    restore()
    let runs = 0
    await record.writer(everything()).transact(async txn => {
      runs++
      for (let at = 0; at < 20; at++) await txn.create(patient(`Amsel${at}`))
      for (let time = 0; time < 10; time++) for (const tick of every) tick()
      await record.flush()
    })
    expect([runs, every.length > 0]).toEqual([1, true])
    await record.close()
  })
})

/** What is begun to be done every so often is done when the test says so. */
function heldTimers() {
  const every: (() => void)[] = []
  const { setInterval } = globalThis
  globalThis.setInterval = ((work: () => void) => {
    every.push(work)
    return setInterval(() => undefined, 2 ** 30).unref()
  }) as typeof setInterval
  return {
    every,
    restore: () => {
      globalThis.setInterval = setInterval
    },
  }
}

describe('segments that were read as a ledger was opened', () => {
  it('are read once by who opens its index at once, and again by who comes later', async () => {
    const { shelf, store, clock, holders, tidy } = await shelfOf({ patients: 3, each: 5, limits: {} })
    await tidy(2)
    const closeAll = () => {
      clock.advance(ample.idleMs + 1)
      shelf.sweep()
    }
    closeAll()
    expect(shelf.opened()).toHaveLength(0)
    const { segments } = store
    let read = 0
    store.segments = (...asked) => {
      read++
      return segments.apply(store, asked)
    }
    const rowsAndReads = async (holder: Holder, between: () => Promise<unknown>) => {
      read = 0
      const ledger = await shelf.open(holder)
      await between()
      return [(await ledger.index()).head, read]
    }
    const [one, two, three] = holders as [Holder, Holder, Holder]
    expect(await rowsAndReads(one, async () => undefined)).toEqual([5, 1])
    expect(await rowsAndReads(two, () => shelf.settle())).toEqual([5, 2])
    // It was closed meanwhile: whoever has it still finds what there is.
    expect(await rowsAndReads(three, async () => closeAll())).toEqual([5, 2])
  })
})
