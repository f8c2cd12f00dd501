import { withBudget } from '#kernel'
import { openMemoryStore } from '#store'
import { create, everything, heartRate, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()

/** As a request runs whose client has gone and that may not compute any more. */
function asAnEndedRequest<T>(work: () => Promise<T>): Promise<T> {
  return withBudget({ cpu: 0 }, work, () => false)
}

/** The store, in which computing has always lasted too long by the time it answers. */
function slowStore() {
  return new Proxy(openMemoryStore(), {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...args: unknown[]) => unknown
      if (name !== 'entriesFrom' && name !== 'heads') return call
      return async (...args: unknown[]) => {
        const answer = await call(...args)
        const until = performance.now() + 12
        while (performance.now() < until);
        return answer
      }
    },
  })
}

describe('what a request leaves to be done', () => {
  it('is not ended with the request: a patient is erased wholly, with the key', async () => {
    const { record, keys } = await openTestRecord(slowStore())
    const who = (await create(record, all, patient('Amsel'))).id
    await create(record, all, heartRate(who, 60))
    const [before, buried] = [(await keys.all()).length, (await keys.tombstones()).length]
    await record.reader(all).search(queryOf(all, 'Observation', 'code=1'))
    await record.flush()
    await asAnEndedRequest(() => record.shred(who))
    expect((await keys.all()).length).toBe(before - 1)
    expect((await keys.tombstones()).length).toBe(buried + 1)
  })

  it('nor is the audit of what it has read, of however many patients', async () => {
    const { record } = await openTestRecord()
    const people = await Promise.all(Array.from({ length: 80 }, (_, at) => create(record, all, patient(`Amsel ${at}`))))
    await record.flush()
    const reader = record.reader(all)
    await asAnEndedRequest(async () => {
      for (const { id } of people) await reader.read('Patient', id)
      await record.flush()
    })
    const reads = await record.reader(all).search(queryOf(all, 'AuditEvent', 'subtype=read&_count=200'))
    expect(reads.matches.length).toBe(people.length)
  })
})
