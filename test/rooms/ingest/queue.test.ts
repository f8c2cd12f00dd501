import { ImportQueue, type Place } from '../../../src/ingest/queue.ts'
import { Quota } from '../../../src/ingest/source/quota.ts'

const never = new AbortController().signal
const limits = { maxImports: 6, maxImportsPerGrant: 3, maxRunning: 2 }
/** Places of these owners, in this order, each of which has asked for its turn; `begun` in the order in which they began. */
function queued(...owners: readonly string[]) {
  const queue = new ImportQueue(limits)
  const begun: string[] = []
  const places = owners.map((owner, at) => {
    const place = queue.enter(owner)
    void place.turn(never).then(() => begun.push(`${owner}${at}`))
    return place
  })
  return { queue, begun, places }
}
const leave = (place: Place | undefined) => place?.[Symbol.dispose]()
const soon = () => new Promise(resolve => setImmediate(resolve))

describe('imports wait for each other', () => {
  it('and a few are worked on at once, in the order in which they came', async () => {
    const { begun, places } = queued('a', 'b', 'c', 'd')
    await soon()
    expect(begun).toEqual(['a0', 'b1'])
    expect(places.map(({ before }) => before)).toEqual([0, 0, 0, 1])
    leave(places[1])
    await soon()
    expect(begun).toEqual(['a0', 'b1', 'c2'])
    leave(places[0])
    leave(places[2])
    await soon()
    expect(begun).toEqual(['a0', 'b1', 'c2', 'd3'])
  })

  it('but one app with many files keeps nobody else waiting', async () => {
    const { begun, places } = queued('a', 'a', 'a', 'b')
    await soon()
    expect(begun).toEqual(['a0', 'a1'])
    leave(places[0])
    await soon()
    expect(begun).toEqual(['a0', 'a1', 'b3'])
  })

  it('and who leaves while waiting is passed over', async () => {
    const { queue, begun, places } = queued('a', 'b')
    const left = new AbortController()
    const third = queue.enter('c')
    const waiting = third.turn(left.signal)
    left.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    leave(third)
    const fourth = queue.enter('d')
    void fourth.turn(never).then(() => begun.push('d'))
    leave(places[0])
    await soon()
    expect(begun).toEqual(['a0', 'b1', 'd'])
  })

  it('and are refused when there are enough: ingest.too-many-imports, with when to come back', () => {
    const { queue } = queued('a', 'a', 'a')
    const refused = (owner: string) => {
      try {
        queue.enter(owner)
      } catch (error) {
        return error
      }
    }
    expect(refused('a')).toMatchObject({ kind: 'throttled', code: 'ingest.too-many-imports', retryAfterSeconds: 30 })
    for (const owner of ['b', 'c', 'd']) queue.enter(owner)
    expect(refused('e')).toMatchObject({ kind: 'busy', code: 'ingest.too-many-imports', retryAfterSeconds: 30 })
  })
})

describe('room on the disk is shared', () => {
  it('within a figure for each and one for all, and given back', () => {
    const quota = new Quota({ maxSpooled: 100, maxSpooledPerGrant: 60 })
    quota.claim('a', 60)
    expect(() => quota.claim('a', 1)).toThrow(
      expect.objectContaining({ kind: 'too-large', text: expect.stringContaining('60 bytes') }),
    )
    quota.claim('b', 40)
    expect(() => quota.claim('c', 1)).toThrow(
      expect.objectContaining({ kind: 'busy', code: 'ingest.spool-quota', text: expect.stringContaining('100 bytes') }),
    )
    quota.release('a', 60)
    quota.claim('c', 60)
    expect(quota.claimed).toBe(100)
  })
})
