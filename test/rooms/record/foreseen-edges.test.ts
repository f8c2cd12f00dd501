/** What is seen of what is hidden in part, where an index alone cannot tell: https://hl7.org/fhir/R4/http.html#read */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Record } from '#record'
import { consentOf, ofCodes, toRecipients } from '../interactions/consent-of.ts'
import { create, everything, grantOf, heartRate, openTestRecord, patient, potassium, remove, update } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()

describe('what went from one of whom something is withheld to one of whom nothing is', () => {
  it('is told of both as it is told last', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    const drossel = (await create(record, all, patient('Drossel'))).id
    await record.addPatientTo('anna', amsel)
    await record.addPatientTo('anna', drossel)
    await record.addPatientTo('bert', amsel, { role: 'guardian' })
    await record.addPatientTo('bert', drossel)
    const grantFor = async (account: string) =>
      grantOf('user/*.cruds', { account, actor: { kind: 'account', id: account }, ...(await record.keptBy(account)) })
    const denied = { ...ofCodes('http://loinc.org|8867-4'), ...toRecipients('actor=bert') }
    await create(record, await grantFor('anna'), consentOf(amsel, denied))
    const bert = await grantFor('bert')
    const { id } = await create(record, all, potassium(amsel, 4))
    await update(record, all, { ...heartRate(amsel, 60), id })
    const versions = async () => {
      const { items } = await record.reader(bert).history({ type: 'Observation', id, count: 9 })
      return items.map(({ version }) => version)
    }
    await expect(versions()).rejects.toMatchObject({ code: 'record.unknown' })
    await update(record, all, { ...potassium(drossel, 5), id })
    expect(await versions()).toEqual([4, 1])
    expect((await record.reader(bert).vread('Observation', id, '1')).version).toBe(1)
    await expect(record.reader(bert).vread('Observation', id, '2')).rejects.toMatchObject({ code: 'record.unknown' })
    await update(record, all, { ...heartRate(amsel, 60), id })
    await expect(record.reader(bert).vread('Observation', id, '1')).rejects.toMatchObject({ code: 'record.unknown' })
    await remove(record, all, 'Observation', id)
    await expect(record.reader(bert).vread('Observation', id, '1')).rejects.toMatchObject({ code: 'record.unknown' })
  })
})

describe('what belongs to two, and is seen with one of them alone', () => {
  const appointment = (of: readonly string[]): Resource => ({
    resourceType: 'Appointment',
    status: 'booked',
    participant: of.map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' })),
  })

  /** An appointment of two people, and for each of them the grant of one who is shown of the other one's only the laboratory. */
  async function shared() {
    const house = await openTestRecord()
    const { record } = house
    const people = [
      (await create(record, all, patient('Amsel'))).id,
      (await create(record, all, patient('Drossel'))).id,
    ]
    const { id } = await create(record, all, appointment(people))
    const grants: Grant[] = []
    for (const [at, theirs] of people.entries()) {
      const account = `account-${at}`
      for (const each of people)
        if (each === theirs) await record.addPatientTo(account, each)
        else await record.addPatientTo(account, each, { role: 'viewer', categories: ['laboratory'] })
      const actor = { kind: 'account', id: account } as const
      grants.push(grantOf('user/*.cruds', { account, actor, ...(await record.keptBy(account)) }))
    }
    return { ...house, people, grants, id }
  }

  const versionsIn = async (of: Record, grant: Grant) => {
    const versions: number[] = []
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await of.reader(grant).history({ count: 1, ...(cursor === undefined ? {} : { cursor }) })
      versions.push(...page.items.filter(({ type }) => type === 'Appointment').map(({ version }) => version))
      cursor = page.next
    }
    return versions
  }

  it('is told once in the history of all, page by page, and so is its deletion', async () => {
    const { record, grants, people, id } = await shared()
    for (const grant of grants) expect(await versionsIn(record, grant)).toEqual([1])
    await update(record, all, { ...appointment(people), id, description: 'Check-up' })
    await remove(record, all, 'Appointment', id)
    for (const grant of grants) expect(await versionsIn(record, grant)).toEqual([3, 2, 1])
    await record.close()
  })

  it('is told in the history of all where the index of who shows it cannot be read', async () => {
    const house = await shared()
    const { record, store, people, grants } = house
    await record.close()
    for (const [at, theirs] of people.entries()) {
      const { holder } = await (await house.again()).reader(all).read('Patient', theirs)
      // The index of whoever sees it says nothing.
      const broken = storeWith(store, {
        segments: async compartment => (compartment === holder.compartment ? [] : store.segments(compartment)),
        entriesFrom: async (compartment, ...rest) => {
          const entries = await store.entriesFrom(compartment, ...rest)
          return compartment === holder.compartment ? entries.filter(({ seq }) => seq !== 1) : entries
        },
      })
      const other = await house.beside({ store: broken })
      expect(await versionsIn(other, grants[at] as Grant)).toEqual([1])
      await other.close()
    }
  })
})
