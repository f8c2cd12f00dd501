/** Consents of one house in two processes: the same for each store. https://hl7.org/fhir/R4/consent.html */
import { setImmediate as turn } from 'node:timers/promises'
import type { Grant } from '#access'
import type { Record } from '#record'
import { consentOf, ofCodes, ofTypes, toRecipients } from '../interactions/consent-of.ts'
import { create, everything, grantOf, heartRate, ids, patient, remove, update } from './family.ts'

const all = everything()
const absent = { kind: 'not-found', code: 'record.unknown' }
/** Two processes on one house. */
export interface TwoProcesses {
  readonly one: Record
  readonly other: Record
  close(): Promise<void>
}

/**
 * Two processes share no turn of an event loop, as they do here: by the time that one is asked about what the other has answered, a turn of
 * its own has passed, and with it the state that its reads of that turn see (`store/sqlite/transactions.ts`).
 */
async function heardOf(): Promise<void> {
  await turn()
  await turn()
}

/** More changes than are named one by one. */
const moreThanNamed = 104

/**
 * What is so whatever the house is kept in.
 *
 * @param changes  so many of them a process misses
 */
export function consentsInTwoProcesses(open: () => Promise<TwoProcesses>, changes = moreThanNamed): void {
  let house: TwoProcesses
  let emil: string
  let owner: Grant
  let guardian: Grant
  let pulse: string

  const grantFor = async (account: string, kept = house.one.keptBy(account)) =>
    grantOf('user/*.cruds', { account, actor: { kind: 'account', id: account }, ...(await kept) })

  beforeEach(async () => {
    house = await open()
    const { one } = house
    emil = (await create(one, all, patient('Emil'))).id
    await one.addPatientTo('anna', emil)
    await one.addPatientTo('bert', emil, { role: 'guardian' })
    ;[owner, guardian] = [await grantFor('anna'), await grantFor('bert')]
    pulse = (await create(one, all, heartRate(emil, 60))).id
  })
  afterEach(() => house.close())

  const consent = (provision: object = ofTypes('Observation')) => consentOf(emil, provision)

  /** Whether something is seen in a process, by each way to it. */
  async function seen(record: Record, grant: Grant): Promise<readonly boolean[]> {
    await heardOf()
    const reader = record.reader(grant)
    const shows = async (asked: Promise<unknown>) =>
      asked.then(
        () => true,
        error => {
          expect(error).toMatchObject(absent)
          return false
        },
      )
    return Promise.all([
      shows(reader.read('Observation', pulse)),
      shows(reader.vread('Observation', pulse, '1')),
      shows(reader.history({ type: 'Observation', id: pulse, count: 5 })),
      ids(record, grant, 'Observation', '').then(found => found.includes(pulse)),
      ids(record, grant, 'Patient', '_has:Observation:patient:code=8867-4').then(found => found.includes(emil)),
      reader.shows('Observation', pulse, '1'),
    ])
  }
  const everyWay = (isSeen: boolean) => Array.from({ length: 6 }, () => isSeen)

  it('counts in the other process at once, whichever wrote, changed or ended it', async () => {
    const { one, other } = house
    for (const [writing, reading] of [
      [one, other],
      [other, one],
      [one, other],
    ] as const) {
      expect(await seen(reading, guardian)).toEqual(everyWay(true))
      const { id } = await create(writing, owner, consent())
      expect(await seen(reading, guardian)).toEqual(everyWay(false))
      expect(await seen(reading, owner)).toEqual(everyWay(true))
      await update(writing, owner, { ...consent({ ...ofTypes('Observation'), ...toRecipients('role=member') }), id })
      expect(await seen(reading, guardian)).toEqual(everyWay(true))
      await update(writing, owner, { ...consent(ofCodes('http://loinc.org|8867-4')), id })
      expect(await seen(reading, guardian)).toEqual(everyWay(false))
      await remove(writing, owner, 'Consent', id)
    }
    expect(await seen(one, guardian)).toEqual(everyWay(true))
    expect(await seen(other, guardian)).toEqual(everyWay(true))
  })

  it('is kept beside others that are written at once in both', async () => {
    const records = [house.one, house.other, house.one, house.other]
    const types = ['Observation', 'Condition', 'Observation', 'Immunization']
    const made = await Promise.all(records.map((each, at) => create(each, owner, consent(ofTypes(types[at] ?? '')))))
    for (const record of new Set(records)) {
      expect(await seen(record, guardian)).toEqual(everyWay(false))
      await heardOf()
      const reasons = await record.explain(owner, emil, { account: 'bert' }, {})
      expect(reasons.map(each => each.consent).toSorted()).toEqual(made.map(({ id }) => id).toSorted())
    }
    await Promise.all(made.map(({ id }, at) => remove(records[at] ?? house.one, owner, 'Consent', id)))
    for (const record of new Set(records)) expect(await seen(record, guardian)).toEqual(everyWay(true))
  })

  it('counts in a process that was not asked while much was changed', async () => {
    const { one, other } = house
    expect(await seen(other, guardian)).toEqual(everyWay(true))
    const { id } = await create(one, owner, consent())
    for (let at = 0; at < changes; at++) {
      const period = { start: `2020-01-01T00:${String(at % 60).padStart(2, '0')}:00Z` }
      await update(one, owner, { ...consent({ ...ofTypes('Observation'), period }), id })
    }
    expect(await seen(other, guardian)).toEqual(everyWay(false))
  })

  it('of one patient leaves what another one has of the same: seen with them, until theirs withholds it too', async () => {
    const { one, other } = house
    const greta = (await create(one, all, patient('Greta'))).id
    await one.addPatientTo('bert', greta)
    await one.addPatientTo('cleo', greta, { role: 'guardian' })
    await one.addPatientTo('cleo', emil, { role: 'guardian' })
    const participant = [emil, greta].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' }))
    const { id } = await create(one, all, { resourceType: 'Appointment', status: 'booked', participant })
    const appointments = async (record: Record, grant: Grant) => {
      await heardOf()
      const read = record
        .reader(grant)
        .read('Appointment', id)
        .then(() => true)
        .catch(() => false)
      const found = [`patient=${emil}`, `patient=${greta}`, ''].map(query => ids(record, grant, 'Appointment', query))
      return [await read, ...(await Promise.all(found)).map(({ length }) => length === 1)]
    }
    const [bert, cleo] = [await grantFor('bert'), await grantFor('cleo')]
    const ofEmilAlone: Grant = { ...cleo, id: 'emil', patients: [emil] }
    const seenBy = (grants: readonly Grant[]) =>
      Promise.all([one, other].flatMap(record => grants.map(grant => appointments(record, grant))))
    const [whole, none] = [true, false].map(isSeen => Array.from({ length: 4 }, () => isSeen))
    await create(one, owner, consent(ofTypes('Appointment')))
    expect(await seenBy([bert, cleo, ofEmilAlone])).toEqual([whole, whole, none, whole, whole, none])
    await create(other, bert, consentOf(greta, ofTypes('Appointment')))
    // Whoever keeps one of them in their own right sees it with that one.
    expect(await seenBy([bert, owner, cleo])).toEqual([whole, whole, none, whole, whole, none])
  })
}
