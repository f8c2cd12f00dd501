/** What an import does with one resource of very many values leaves others their turns. */
import { bytesOf, type Resource } from '#fhir'
import { claimsInSlices, claimsOf } from '../../../src/ingest/identity/claims.ts'
import { parseRow } from '../../../src/ingest/source/parse-row.ts'
import { turnsWhile } from '../../turns.ts'

const count = 240_000
const identifier = Array.from({ length: count }, (_, at) => ({ system: 'urn:s', value: `n${at % 100}` }))
const patient: Resource = { resourceType: 'Patient', identifier } as Resource

it('parses it in slices, and to the same', async () => {
  const { result, turns } = await turnsWhile(() => parseRow(JSON.stringify(patient)))
  expect(turns).toBeGreaterThan(1)
  expect(JSON.stringify(result)).toBe(JSON.stringify(patient))
})

it('reads whom it describes in slices, and as at once', async () => {
  const { result, turns } = await turnsWhile(() => claimsInSlices({ ...patient }))
  expect(turns).toBeGreaterThan(1)
  expect(JSON.stringify(result)).toBe(JSON.stringify(claimsOf({ ...patient })))
})

it.each([
  ['wholly', Number.POSITIVE_INFINITY, count / 1_000],
  ['no further than it must', 10_000, 0],
])('weighs it in steps, %s', (_, most, fewest) => {
  const weighing = bytesOf(patient, most)
  let steps = 0
  let next = weighing.next()
  for (; next.done !== true; next = weighing.next()) steps++
  expect(steps).toBeGreaterThanOrEqual(fewest)
  expect(next.value).toBe(Math.min(most, next.value))
  // A member, its name and its value weigh something each.
  expect(next.value).toBeGreaterThanOrEqual(Math.min(most, 3 * 32 * count))
})
