import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { everything, found, grantOf, ingested, openHouse, readPatient, type TestHouse } from './house.ts'
import { message } from './reading.ts'

let ids = 0
const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800203|F|||1 Main^^Town'
const msh = (type: string) =>
  `MSH|^~\\&|REG|HOSP|KIN|HOME|2024031012${String(++ids).padStart(4, '0')}||${type}|E${ids}|P|2.5.1`
const admission = (said = pid) => message(msh('ADT^A01'), said, 'PV1|1|I|||||||||||||||||V1^^^HOSP')
const result = (said = pid) =>
  message(msh('ORU^R01'), said, `OBR|1||F${ids}|P^Panel^L`, `OBX|1|NM|G^Glucose^L||${ids}||||||F`)
const send = async (house: TestHouse, bytes: Buffer, grant: Grant = everything()) =>
  /MSA\|(..)/.exec((await house.ingest.hl7v2({ grant, message: bytes })).ack)?.[1]

const ann = {
  resourceType: 'Patient',
  identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }],
  name: [{ family: 'Sample', given: ['Ann'] }],
  gender: 'female',
  birthDate: '1980-02-03',
} satisfies Resource
const { identifier: _, ...unnumbered } = ann

/** What an account may do: change its own Patients, and nobody else's. */
const accountOf = async (house: TestHouse, account: string): Promise<Grant> =>
  grantOf('user/*.cruds', { account, patients: await house.record.patientsOf(account) })
const create = async (house: TestHouse, account: string, patient: Resource) => {
  const writer = house.record.writer(await accountOf(house, account))
  return (await writer.transact(txn => txn.create(patient))).id
}
const update = async (house: TestHouse, id: string, patient: Resource) =>
  house.record.writer(await accountOf(house, 'other')).transact(txn => txn.update('Patient', id, { ...patient, id }))
const reviewOf = (house: TestHouse) => house.ingest.people.review

/** Ways in which an account may write the number of somebody else's hospital into a Patient of its own. */
const ways: [string, (house: TestHouse) => Promise<string>][] = [
  ['as it is created', house => create(house, 'other', ann)],
  [
    'as it is changed',
    async house => {
      const id = await create(house, 'other', unnumbered)
      await update(house, id, ann)
      return id
    },
  ],
  [
    'beside the same with blanks around it',
    house =>
      create(house, 'other', { ...ann, identifier: [...ann.identifier, { ...ann.identifier[0], value: ' 4711 ' }] }),
  ],
  [
    'and deletes it, and writes it again',
    async house => {
      const id = await create(house, 'other', ann)
      await house.record.writer(await accountOf(house, 'other')).transact(txn => txn.delete('Patient', id))
      await update(house, id, ann)
      return id
    },
  ],
  [
    'takes it away and writes it again',
    async house => {
      const id = await create(house, 'other', ann)
      await update(house, id, unnumbered)
      await update(house, id, ann)
      return id
    },
  ],
  [
    'into one that is merged into another',
    async house => {
      const [source, target] = [await create(house, 'other', ann), await create(house, 'other', unnumbered)]
      await house.ingest.people.merge({ grant: await accountOf(house, 'other'), source, target })
      return target
    },
  ],
  [
    'into one that says that another took its place',
    async house => {
      const target = await create(house, 'other', unnumbered)
      const link = [{ type: 'replaced-by', other: { reference: `Patient/${target}` } }]
      await create(house, 'other', { ...ann, link })
      await update(house, target, { ...unnumbered, address: [{ city: 'Away' }] })
      return target
    },
  ],
  [
    'by a message of its own',
    async house => {
      expect(await send(house, admission(), await accountOf(house, 'other'))).toBe('AA')
      return (await house.record.patientsOf('other'))[0] ?? ''
    },
  ],
  [
    'by a file',
    async house => {
      const id = await create(house, 'other', unnumbered)
      const { state } = await ingested(house, id, await accountOf(house, 'other'), JSON.stringify(ann))
      expect(state).toBe('done')
      return id
    },
  ],
]

describe('a number that an account enters finds nobody surely for whoever speaks for the house', () => {
  it.each(ways)(
    "%s: what a hospital says of the true owner waits, and is not the other account's to see",
    async (_, enter) => {
      const house = await openHouse()
      const other = await enter(house)
      const before = await readPatient(house.record, other)
      const known = await found(house.record, 'Encounter')
      expect(await send(house, admission())).toBe('AA')
      expect(await readPatient(house.record, other)).toEqual(before)
      expect(await found(house.record, 'Encounter')).toEqual(known)
      expect(await reviewOf(house).list(await accountOf(house, 'other'))).toEqual([])
      const [held, ...more] = await reviewOf(house).list(everything())
      expect(more).toEqual([])
      expect(held?.doubt).toMatchObject({ patients: [other], elements: ['identifier'] })
      const deciding = {
        grant: await accountOf(house, 'other'),
        id: held?.id ?? '',
        decision: 'accept' as const,
        patient: other,
      }
      await expect(reviewOf(house).decide(deciding)).rejects.toMatchObject({ code: 'ingest.review-unknown' })
    },
  )

  it.each(ways)('%s: once it is decided that it is somebody else, nothing waits any more', async (_, enter) => {
    const house = await openHouse()
    const other = await enter(house)
    const before = await readPatient(house.record, other)
    await send(house, admission())
    const [held] = await reviewOf(house).list(everything())
    await reviewOf(house).decide({ grant: everything(), id: held?.id ?? '', decision: 'new' })
    for (const bytes of [result(), admission(), message(msh('ADT^A08'), pid.replace('Town', 'City'))])
      expect(await send(house, bytes)).toBe('AA')
    expect(await reviewOf(house).list(everything())).toEqual([])
    expect(await readPatient(house.record, other)).toEqual(before)
    const [observation] = (await found(house.record, 'Observation')) as { subject?: { reference: string } }[]
    const reference = observation?.subject?.reference ?? ''
    expect(await readPatient(house.record, reference.slice('Patient/'.length))).toMatchObject({
      address: [{ city: 'City' }],
    })
    expect(reference).not.toBe(`Patient/${other}`)
  })

  it.each(ways)('%s: a patient whom the hospital has named before gets their messages', async (_, enter) => {
    const house = await openHouse()
    await send(house, admission())
    const [own] = await found(house.record, 'Patient', 'identifier=4711')
    const other = await enter(house)
    expect(await send(house, result())).toBe('AA')
    expect(await reviewOf(house).list(everything())).toEqual([])
    expect(await found(house.record, 'Observation', `subject=Patient/${own?.id}`)).toHaveLength(1)
    expect(await found(house.record, 'Observation', `subject=Patient/${other}`)).toEqual([])
  })

  it('who is called otherwise, or was born on another day, is nobody of this number: nothing waits, and nothing is refused', async () => {
    const house = await openHouse()
    for (const differing of [{ name: [{ family: 'Jones', given: ['Tom'] }] }, { birthDate: '1975-11-30' }])
      await create(house, 'other', { ...ann, ...differing })
    expect(await send(house, result())).toBe('AE')
    expect(await send(house, admission())).toBe('AA')
    expect(await send(house, result())).toBe('AA')
    expect(await reviewOf(house).list(everything())).toEqual([])
    expect(await house.record.patientsOf('other')).toHaveLength(2)
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })

  it('a family that has entered its own number is asked for once: who decides for them vouches for it', async () => {
    const house = await openHouse()
    const own = await create(house, 'family', ann)
    await send(house, result())
    const [held] = await reviewOf(house).list(everything())
    await reviewOf(house).decide({ grant: everything(), id: held?.id ?? '', decision: 'accept', patient: own })
    // Another description of the same person is no longer a question of the number.
    expect(await send(house, result(pid.replace('Ann', 'Ann^Mary')))).toBe('AA')
    expect(await reviewOf(house).list(everything())).toEqual([])
    expect(await found(house.record, 'Observation', `subject=Patient/${own}`)).toHaveLength(2)
  })

  it('within an account the numbers that it has entered count as they did', async () => {
    const house = await openHouse()
    const own = await create(house, 'family', ann)
    expect(await send(house, result(), await accountOf(house, 'family'))).toBe('AA')
    expect(await found(house.record, 'Observation', `subject=Patient/${own}`)).toHaveLength(1)
  })

  it('what the account changes else leaves a number that the hospital has given', async () => {
    const house = await openHouse()
    await send(house, admission())
    const [own] = await found(house.record, 'Patient', 'identifier=4711')
    await house.record.addPatientTo('other', own?.id ?? '')
    await update(house, own?.id ?? '', { ...(own as Resource), maritalStatus: { text: 'married' } })
    expect(await send(house, result())).toBe('AA')
    expect(await reviewOf(house).list(everything())).toEqual([])
  })

  it('a file for a patient is not doubtful because another account has entered their number', async () => {
    const house = await openHouse()
    await send(house, admission())
    const [own] = await found(house.record, 'Patient', 'identifier=4711')
    await create(house, 'other', { ...ann, name: [{ text: 'X' }] })
    const file = JSON.stringify({ ...ann, id: 'p', telecom: [{ system: 'phone', value: '1' }] })
    expect((await ingested(house, own?.id ?? '', everything(), file)).state).toBe('done')
  })
})
