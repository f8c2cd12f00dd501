import { FixedClock, silentLog } from '#kernel'
import { openRecord, type Record } from '#record'
import { openMemoryKeys, openMemoryStore } from '#store'
import { openVault } from '#vault'
import { Limits, limitTable } from '../../../src/http/admission/limits.ts'
import { openThrottle } from '../../../src/smart/accounts/throttle.ts'
import { create, everything, heartRate, ids, openTestRecord, patient, remove, testRoot, update } from './family.ts'

const all = everything()
const hourMs = 3_600_000
/** Hours by which a clock is set: wrong zones, an empty battery, a guest that was suspended, a day that somebody mistyped. */
const jumps = [3, -7, 24, -24, 0, -1, 24 * 400, -24 * 400, 0.001, -0.001]

const findings = async (record: Record) => {
  const found: string[] = []
  for await (const { kind } of record.verify()) found.push(kind)
  return found
}

describe('a clock that jumps while the house is open', () => {
  it('leaves versions dense and instants in their order, for two processes whose clocks differ as well', async () => {
    const { record, store, keys, clock } = await openTestRecord(openMemoryStore(), openMemoryKeys())
    const theirs = new FixedClock(clock.nowMs() - 5 * hourMs)
    const vault = await openVault({ keys, root: testRoot, clock: theirs })
    const other = await openRecord({ store, vault, clock: theirs, log: silentLog, baseUrl: 'http://x/fhir' })
    const amsel = await create(record, all, patient('Amsel'))
    const rate = await create(record, all, heartRate(amsel.id, 60))
    let value = 61
    for (const hours of jumps) {
      clock.advance(hours * hourMs)
      theirs.advance(-hours * hourMs)
      for (const by of [record, other]) {
        await update(by, all, { ...heartRate(amsel.id, value++), id: rate.id })
        await create(by, all, heartRate(amsel.id, value))
      }
    }
    await remove(record, all, 'Observation', rate.id)
    const { items } = await record.reader(all).history({ type: 'Observation', id: rate.id, count: 100 })
    expect(items.map(({ version }) => Number(version))).toEqual(
      Array.from({ length: 2 * jumps.length + 2 }, (_, at) => 2 * jumps.length + 2 - at),
    )
    const instants = items.map(({ lastUpdatedMs }) => lastUpdatedMs)
    expect(instants).toEqual(instants.toSorted((a, b) => b - a))
    const everybodys = (await record.reader(all).history({ count: 100 })).items.map(
      ({ lastUpdatedMs }) => lastUpdatedMs,
    )
    expect(everybodys).toEqual(everybodys.toSorted((a, b) => b - a))
    expect(await ids(other, all, 'Observation', '')).toHaveLength(2 * jumps.length)
    await Promise.all([record.flush(), other.flush()])
    expect([record.faults(), other.faults(), await findings(record)]).toEqual([[], [], []])
  })

  it('ends what is over by it, and gives it back with the time, unless it was over by any clock', async () => {
    const { record, clock } = await openTestRecord()
    const { documents } = record
    await documents.put('tokens', 'a', 1, { expiresAtMs: clock.nowMs() + hourMs })
    clock.advance(24 * hourMs)
    expect(await documents.get('tokens', 'a')).toBeUndefined()
    expect(await documents.purge(clock.nowMs() - 24 * hourMs)).toBe(0)
    clock.advance(-24 * hourMs)
    expect((await documents.get('tokens', 'a'))?.value).toBe(1)
    clock.advance(hourMs)
    expect([await documents.get('tokens', 'a'), await documents.purge()]).toEqual([undefined, 1])
    expect(await findings(record)).toEqual([])
  })

  it('makes nobody wait longer for the next try at a password than the wait itself', async () => {
    const { record, clock } = await openTestRecord()
    const throttle = openThrottle({ documents: record.documents, clock })
    const tries = async () => {
      let admitted = 0
      for (;;)
        try {
          await throttle.admit('account', 'anna')
          admitted++
        } catch (error) {
          return { admitted, waitSeconds: (error as { readonly retryAfterSeconds?: number }).retryAfterSeconds ?? 0 }
        }
    }
    const before = await tries()
    for (const hours of [-3, -24]) {
      clock.advance(hours * hourMs)
      const { admitted, waitSeconds } = await tries()
      expect([admitted, waitSeconds <= 60]).toEqual([0, true])
      clock.advance(waitSeconds * 1000)
      expect((await tries()).admitted).toBe(1)
    }
    expect(before.admitted).toBeGreaterThan(0)
  })

  it('blocks nobody who asks too often for longer than the limit says', async () => {
    const limits = new Limits({ ...limitTable, network: { points: 2, seconds: 10 } })
    const waitOf = () => {
      try {
        limits.checkNetwork('10.0.0.1')
        return 0
      } catch (error) {
        return (error as { readonly retryAfterSeconds?: number }).retryAfterSeconds ?? 0
      }
    }
    const real = Date.now
    try {
      for (let time = 0; time < 3; time++) waitOf()
      Date.now = () => real() - 5 * hourMs
      for (let time = 0; time < 3; time++) waitOf()
      await new Promise(done => setImmediate(done))
      for (const hours of [-5, 5, 0]) {
        Date.now = () => real() + hours * hourMs
        expect([waitOf() > 0, waitOf() <= 10]).toEqual([true, true])
      }
    } finally {
      Date.now = real
    }
  })
})
