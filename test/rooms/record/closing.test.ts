import { createLog, Problem, storageProblem } from '#kernel'
import { openMemoryKeys, openMemoryStore } from '#store'
import { create, everything, heartRate, openTestRecord, update } from './family.ts'
import { refusing } from './refusing.ts'

const all = everything()

/** A record with something written that is not noted beside the keys yet, and keys that take nothing any more. */
async function openUnnoted(refusal: Error) {
  const { state, part: keys } = refusing(openMemoryKeys(), refusal, name => name === 'change')
  state.isOver = true
  const lines: string[] = []
  const log = createLog('error', { write: line => void lines.push(line) })
  const { record, beside } = await openTestRecord(openMemoryStore(), keys, { log })
  await update(record, all, { resourceType: 'Patient', id: 'greta' })
  await record.flush()
  const made = await create(record, all, heartRate('greta', 60))
  state.isOver = false
  return { record, beside, lines, made, state }
}

describe('a house that is closed while its keys can be written to no more', () => {
  it.each([
    storageProblem('full'),
    storageProblem('failing'),
    storageProblem('read-only'),
    storageProblem('handles-exhausted'),
    new Problem('full', 'store.reserved', 'Full.'),
    new Problem('busy', 'store.busy', 'Busy.'),
  ])('closes, says what could not be noted, and has lost nothing: $code', async refusal => {
    const { record, beside, lines, made, state } = await openUnnoted(refusal)
    await record.close()
    const told = lines.map(line => JSON.parse(line) as { msg: string; code: string })
    expect(told).toContainEqual(
      expect.objectContaining({ code: refusal.code, msg: expect.stringContaining('beside the keys') }),
    )
    state.isOver = true
    const next = await beside()
    expect((await next.reader(all).read('Observation', made.id)).version).toBe(1)
    expect(await Array.fromAsync(next.verify())).toEqual([])
    await next.close()
  })

  it('tells of what is wrong with them beside that', async () => {
    const { record } = await openUnnoted(new Problem('fault', 'store.failed', 'The store has failed.'))
    await expect(record.close()).rejects.toMatchObject({ code: 'store.failed' })
  })
})
