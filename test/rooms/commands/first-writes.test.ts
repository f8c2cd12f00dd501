import { ownersOf } from '#access'
import type { Resource } from '#fhir'
import { extractRow } from '#search'
import { prepareFirstWrites } from '../../../src/commands/first-writes.ts'
import { turnsWhile } from '../../turns.ts'

/** How often something is kept under the name of a type meanwhile. */
async function keeping<T>(type: string, work: () => T | Promise<T>): Promise<number> {
  const { set } = Map.prototype
  let kept = 0
  Map.prototype.set = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
    if (key === type) kept++
    return set.call(this, key, value)
  }
  try {
    await work()
  } finally {
    Map.prototype.set = set
  }
  return kept
}

const baseUrl = 'http://localhost/fhir'
const place = { seq: 1, version: 1, lastUpdatedMs: 0, supersedes: undefined, deleted: false, shared: false }

// One test, since what is made once stands for all of the process.
it('what the first writes need is made before they come, in turns of its own, while somebody wants it', async () => {
  expect(await keeping('Observation', () => prepareFirstWrites(baseUrl, () => false))).toBe(0)
  let turns = 0
  const prepared = await keeping('Observation', async () => {
    turns = (await turnsWhile(() => prepareFirstWrites(baseUrl, () => true))).turns
  })
  expect(prepared).toBeGreaterThan(0)
  expect(turns).toBeGreaterThanOrEqual(7)
  for (const type of ['Observation', 'Condition', 'Patient']) {
    const resource: Resource = { resourceType: type, id: 'b', subject: { reference: 'Patient/b' } }
    const write = () => {
      ownersOf(resource, baseUrl)
      extractRow(resource, place)
    }
    expect([type, await keeping(type, write)]).toEqual([type, 0])
  }
})
