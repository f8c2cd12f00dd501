/** What an import does with one resource of very many values leaves others their turns. */
import { bytesOf, isLarge, type Resource } from '#fhir'
import type { Steps } from '#kernel'
import { withEdits } from '#record'
import { createValidator } from '#validation'
import { keptByHand } from '../../../src/ingest/committing/by-hand.ts'
import { losing, ofNobody } from '../../../src/ingest/committing/of-others.ts'
import { claimsInSlices, claimsOf } from '../../../src/ingest/identity/claims.ts'
import { saysTheSameInSteps } from '../../../src/ingest/same.ts'
import { parseRow } from '../../../src/ingest/source/parse-row.ts'
import { turnsWhile } from '../../turns.ts'
import { everything, found, ingested, openHouse } from './house.ts'

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

describe('a resource that is there already', () => {
  const entries = 60_000
  const performer = Array.from({ length: entries }, () => ({ reference: 'Practitioner/a' }))
  const stood = { resourceType: 'Observation', id: 'o', performer } as Resource
  const edited = withEdits(stood, new Map([['performer', Date.parse('2026-01-01')]]))
  const others = {
    added: new Map([['performer', new Set(['{"reference":"Practitioner/a"}'])]]),
    changed: new Set<string>(),
  }

  it.each<[string, () => Steps<unknown>]>([
    ['compares with what is said anew', () => saysTheSameInSteps(stood, structuredClone(stood))],
    ['looks what its lists would lose', () => losing(stood, { ...stood }, true)],
    ['keeps what was changed by hand', () => keptByHand({ ...stood }, edited, undefined, ofNobody)],
    ['keeps what others have added', () => keptByHand({ ...stood, performer: [] }, stood, undefined, others)],
  ])('%s in steps', (_, steps) => {
    const going = steps()
    let paused = 0
    for (let next = going.next(); next.done !== true; next = going.next()) paused++
    expect(paused).toBeGreaterThanOrEqual(entries / 1_024)
  })

  it('is validated with what a file says anew beside others, as a large one always is', async () => {
    const own = createValidator()
    const largeAtOnce: string[] = []
    const validator = {
      ...own,
      validate: (resource: Resource) => {
        if (isLarge(resource)) largeAtOnce.push(resource.resourceType)
        return own.validate(resource)
      },
    }
    const house = await openHouse({}, undefined, undefined, undefined, validator)
    const subject = { reference: `Patient/${house.anna}` }
    const few = performer.slice(0, 3_000)
    const said = (text: string) =>
      JSON.stringify({ resourceType: 'Observation', id: 'o', status: 'final', code: { text }, subject, performer: few })
    await ingested(house, house.anna, everything(), said('a'))
    const { state, counts } = await ingested(house, house.anna, everything(), said('b'))
    await own.close()
    expect([state, counts.updated]).toEqual(['done', 1])
    expect(await found(house.record, 'Observation')).toMatchObject([{ code: { text: 'b' } }])
    expect(largeAtOnce).toEqual([])
  })
})
