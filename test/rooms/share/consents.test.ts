/** Links to somebody whose Consents withhold something: strangers are not the owner, and a link ends when what is withheld changes. */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { grantOf } from '../record/family.ts'
import { addFamily, ask, type House, keeperOf, openHouse, payloadOf, problemIn, view } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
  await addFamily(house)
  await house.record.addPatientTo('bert', 'greta')
  await house.record.addPatientTo('anna', 'greta', { role: 'guardian' })
})

const owner = keeperOf(['greta'], 'user/*.cruds', 'bert')
const types = 'http://hl7.org/fhir/resource-types'
const acts = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const withholding = (type: string, more: object = {}): Resource => ({
  resourceType: 'Consent',
  status: 'active',
  scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
  category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
  patient: { reference: 'Patient/greta' },
  policyRule: { coding: [{ system: acts, code: 'OPTIN' }] },
  provision: { type: 'deny', class: [{ system: types, code: type }], ...more },
})

async function rule(consent: Resource): Promise<string> {
  return (await house.record.writer(owner).transact(txn => txn.create(consent))).id
}

const end = (id: string) => house.record.writer(owner).transact(txn => txn.delete('Consent', id))
/** The types of what a link shows; once it is gone the code of the Problem. */
async function shown({ link }: { readonly link: string }): Promise<readonly string[] | string> {
  const answer = await ask(house, 'POST', payloadOf(link).url, { body: { recipient: 'Dr. Example' } })
  if (answer.status !== 200) return problemIn(answer)
  return [...new Set((await view(house, link)).names.map(name => name.replace(/\/.*/, '')))].sort()
}

const make = (grant: Grant) => house.share.create({ grant, patient: 'greta', scopes: 'patient/*.rs' })

it.each([
  ['the owner', owner],
  ['a guardian', keeperOf(['greta'], 'user/*.cruds', 'anna')],
])('of %s hold nothing that is withheld from everybody, nor what tells of it', async (_, grant) => {
  await rule(withholding('Observation'))
  expect(await shown(await make(grant))).toEqual(['Patient'])
})

it('are there for who made them, and are gone once anything else is withheld', async () => {
  const before = await make(owner)
  expect(await shown(before)).toContain('Observation')
  const id = await rule(withholding('Observation'))
  expect(await shown(before)).toBe('share.unknown')
  const during = await make(owner)
  expect(await shown(during)).not.toContain('Observation')
  await end(id)
  expect(await shown(during)).toBe('share.unknown')
  // What has ended does not begin again.
  expect(await shown(before)).toBe('share.unknown')
  const after = await make(owner)
  expect(await shown(after)).toContain('Observation')
})

it('stay where a Consent is written anew and rules the same', async () => {
  const id = await rule(withholding('Observation'))
  const link = await make(owner)
  const same = { ...withholding('Observation'), id, dateTime: '2026-03-01' }
  await house.record.writer(owner).transact(txn => txn.update('Consent', id, same))
  expect(await shown(link)).toEqual(['Patient'])
})

it('are gone when a time comes from which on more is withheld', async () => {
  await rule(withholding('Observation', { period: { start: '2026-03-02' } }))
  const link = await make(owner)
  expect(await shown(link)).toContain('Observation')
  house.clock.advance(24 * 60 * 60_000)
  expect(await shown(link)).toBe('share.unknown')
})

it('stay ended when the time is over in which more was withheld', async () => {
  await rule(withholding('Observation', { period: { start: '2026-03-02', end: '2026-03-03' } }))
  const link = await make(owner)
  house.clock.advance(3 * 24 * 60 * 60_000)
  expect(await shown(link)).toBe('share.unknown')
  expect(await shown(await make(owner))).toContain('Observation')
})

it('that the administrator made are for strangers too: they show not even who it is, where all is withheld', async () => {
  const { class: _, ...all } = withholding('Observation').provision as { readonly class: unknown }
  await rule({ ...withholding('Observation'), provision: all })
  await expect(make(grantOf('system/*.rs', { actor: { kind: 'client', id: 'clinic' } }))).rejects.toMatchObject({
    code: 'share.nothing-to-share',
  })
})

it('of somebody else stay', async () => {
  const other = await house.share.create({ grant: keeperOf(['emil']), patient: 'emil', scopes: 'patient/*.rs' })
  await rule(withholding('Observation'))
  expect(await shown(other)).toContain('Observation')
})
