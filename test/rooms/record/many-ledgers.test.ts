import { openMemoryStore, type Store } from '#store'
import { create, everything, grantOf, openTestRecord, patient } from './family.ts'

const all = everything()
const many = 60

/** A store, and how much was asked of it at the same time; each answer takes a turn. */
function counting(store: Store) {
  const seen = { running: 0, most: 0 }
  const counted = new Proxy(store, {
    get: (of, name) => {
      const member = Reflect.get(of, name)
      if (typeof member !== 'function') return member
      if (name !== 'segments' && name !== 'entriesFrom') return member.bind(of)
      return async (...args: unknown[]) => {
        seen.most = Math.max(seen.most, ++seen.running)
        await new Promise(resolve => setImmediate(resolve))
        const answer = await member.apply(of, args)
        seen.running--
        return answer
      }
    },
  })
  return { counted, seen }
}

describe('a question that concerns many ledgers', () => {
  it('opens some of them at once, not all', async () => {
    const { counted, seen } = counting(openMemoryStore())
    const first = await openTestRecord(counted)
    const patients: string[] = []
    for (let at = 0; at < many; at++) patients.push((await create(first.record, all, patient(`Amsel${at}`))).id)
    await first.record.flush()
    const record = await first.beside()
    seen.most = 0
    const { items } = await record
      .reader(grantOf('user/*.rs', { account: 'tester', patients }))
      .history({ type: 'AuditEvent', count: 500 })
    expect(items.length).toBeGreaterThanOrEqual(many)
    expect(seen.most).toBeGreaterThan(0)
    expect(seen.most).toBeLessThan(many)
    await record.close()
  })
})
