import { openMemoryStore } from '#store'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'

const all = everything()

describe('a long transaction', () => {
  it('is written whole, whoever writes into the same record meanwhile', async () => {
    const { record } = await openTestRecord(openMemoryStore())
    const who = (await create(record, all, patient('Amsel'))).id
    const long = () =>
      record.writer(all).transact(async txn => {
        for (let at = 0; at < 400; at++) await txn.create(heartRate(who, at))
      })
    let done = false
    const longs = Promise.allSettled([long(), long()]).finally(() => {
      done = true
    })
    const shorts: Promise<unknown>[] = []
    while (!done) {
      shorts.push(create(record, all, heartRate(who, 1)))
      await new Promise(setImmediate)
      if (shorts.length % 8 === 0) await Promise.allSettled(shorts)
    }
    const settled = [...(await longs), ...(await Promise.allSettled(shorts))]
    const codes = settled.flatMap(one => (one.status === 'rejected' ? [String(one.reason?.code ?? one.reason)] : []))
    expect(codes.filter(code => code !== 'record.contended')).toEqual([])
    for await (const finding of record.verify()) throw new Error(finding.text)
  })
})
