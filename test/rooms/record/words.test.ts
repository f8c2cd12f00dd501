import type { Resource } from '#fhir'
import { openMemoryStore } from '#store'
import { Remembered } from '../../../src/search/words/remembered.ts'
import { callsOf } from '../../computing.ts'
import { create, everything, grantOf, heartRate, ids, openTestRecord, patient } from './family.ts'

const all = everything()
const noted = (who: string, text: string): Resource => ({ ...heartRate(who, 60), note: [{ text }] })

describe('segments of an older release', () => {
  it.each([
    ['few', 1],
    ['many', 12],
  ])('are made anew, and what they hold is found by its words: asked of %s', async (_, count) => {
    const { record, store, vault, again } = await openTestRecord(openMemoryStore())
    const patients: string[] = []
    for (let at = 0; at < count; at++) patients.push((await create(record, all, patient(`Amsel${at}`))).id)
    for (let at = 0; at < 20; at++) await create(record, all, noted(patients[0] ?? '', 'Nothing'))
    const found = await create(record, all, noted(patients[0] ?? '', 'Vertigo since Monday'))
    await record.close()
    let older = 0
    for (const compartment of (await store.allHeads()).keys())
      for (const segment of await store.segments(compartment)) {
        const keys = await vault.compartment(compartment)
        await store.putSegment({ ...segment, sealed: keys.sealSegment(Uint8Array.of(3), segment) })
        older++
      }
    expect(older).toBeGreaterThan(0)
    const reopened = await again()
    const grant = grantOf('user/*.rs', { account: 'tester', patients })
    for (const question of ['_content=vertigo', '_content="vertigo since"'])
      expect(await ids(reopened, grant, 'Observation', question)).toEqual([found.id])
    await reopened.close()
    const sizes: number[] = []
    for (const compartment of (await store.allHeads()).keys())
      for (const segment of await store.segments(compartment)) sizes.push(segment.sealed.length)
    expect(Math.max(...sizes)).toBeGreaterThan(60)
    vault.close()
  })
})

it('words that were read are forgotten when nobody has read them again for a while', async () => {
  const { record, clock } = await openTestRecord()
  const { id } = await create(record, all, patient('Amsel'))
  await create(record, all, noted(id, 'Vertigo'))
  const aged = await callsOf(Remembered.prototype, 'age', async () => {
    clock.advance(31_000)
    await new Promise(resolve => setTimeout(resolve, 12_000))
  })
  expect(aged).toBeGreaterThan(0)
  await record.close()
})
