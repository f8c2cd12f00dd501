/** What is seen of what is hidden in part, in two processes: the same for each store. https://hl7.org/fhir/R4/http.html#read */
import { setImmediate as turn } from 'node:timers/promises'
import type { Grant } from '#access'
import type { Record } from '#record'
import type { Store } from '#store'
import { create, everything, heartRate, ofPatient, openTestRecord, patient, potassium, update } from './family.ts'

const all = everything()
const categories = 'http://terminology.hl7.org/CodeSystem/observation-category'
/** Scopes, but for their level, that see some rows. */
export const vital = `Observation.cruds?category=${categories}|vital-signs`
export const absent = { kind: 'not-found', code: 'record.unknown' }

/** Two processes share no turn of an event loop, as they do here. */
async function heardOf(): Promise<void> {
  await turn()
  await turn()
}

export const versionsOf = async (record: Record, grant: Grant, id: string) => {
  const { items } = await record.reader(grant).history({ type: 'Observation', id, count: 50 })
  return items.map(({ version }) => version)
}

/** @param openStores  what each of two processes keeps the same house in */
export function foreseenInTwoProcesses(openStores: () => Promise<readonly [Store, Store]>): void {
  it('is seen as soon as the other has answered, and hidden as soon as it says something else', async () => {
    const [store, otherStore] = await openStores()
    const house = await openTestRecord(store)
    const other = await house.beside({ store: otherStore })
    const amsel = (await create(house.record, all, patient('Amsel'))).id
    const grant = ofPatient(amsel, `patient/${vital}`)
    const both = [house.record, other, house.record, other] as const
    for (const [at, writing] of both.entries()) {
      const reading = both[(at + 1) % both.length] as Record
      const { id } = await create(writing, grant, heartRate(amsel, 60 + at))
      await heardOf()
      expect((await reading.reader(grant).read('Observation', id)).version).toBe(1)
      await update(writing, all, { ...potassium(amsel, 4), id })
      await heardOf()
      await expect(reading.reader(grant).read('Observation', id)).rejects.toMatchObject(absent)
      await expect(update(reading, grant, { ...heartRate(amsel, 61), id })).rejects.toMatchObject({
        code: 'record.client-id-refused',
      })
      expect(await versionsOf(reading, grant, id)).toEqual([1])
      await update(writing, all, { ...heartRate(amsel, 62), id })
      await heardOf()
      expect((await update(reading, grant, { ...heartRate(amsel, 63), id })).version).toBe(4)
    }
    await Promise.all([house.record.close(), other.close()])
    await Promise.all(new Set([store, otherStore]).values().map(each => each.close()))
  })
}
