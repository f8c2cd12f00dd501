/** Links of an account that keeps somebody in a lesser role, or until a day: no more of the person, and no longer. */
import type { Grant, Keeping } from '#access'
import { addFamily, codeOf, type House, keeperOf, openHouse } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
  await addFamily(house)
})

async function keepAs(as: Keeping): Promise<Grant> {
  await house.record.addPatientTo('anna', 'greta', as)
  return { ...keeperOf([]), ...(await house.record.keptBy('anna')) }
}

const make = (grant: Grant, scopes: string, more: object = {}) =>
  house.share.create({ grant, patient: 'greta', scopes, ...more })

const viewer: Keeping = { role: 'viewer', categories: ['vital-signs'] }
const vital = 'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'

it('show what the role leaves, and are refused beyond', async () => {
  const grant = await keepAs(viewer)
  for (const scopes of ['patient/*.rs', 'patient/Observation.rs', 'patient/Condition.rs', `${vital} patient/Goal.rs`])
    expect([scopes, await codeOf(make(grant, scopes))]).toEqual([scopes, 'share.scope-too-wide'])
  expect(await codeOf(make(grant, `${vital} patient/Patient.rs`))).toBe('no problem')
  const member = await keepAs({ role: 'member' })
  expect(await codeOf(make(member, 'patient/*.rs'))).toBe('no problem')
})

it('are shown to, and ended by, those alone who may see all that they show', async () => {
  const owner = keeperOf(['greta'], 'user/*.cruds', 'bert')
  const whole = await make({ ...owner, id: 'another' }, 'patient/*.rs')
  const grant = await keepAs(viewer)
  expect(await house.share.list(grant)).toEqual([])
  expect(await codeOf(house.share.revoke({ grant, id: whole.id }))).toBe('share.unknown')
})

it('end no later than the keeping', async () => {
  const untilMs = house.clock.nowMs() + 3 * 24 * 3_600_000
  const grant = await keepAs({ role: 'guardian', untilMs })
  expect((await make(grant, 'patient/*.rs')).expiresAtMs).toBe(untilMs)
  expect(await codeOf(make(grant, 'patient/*.rs', { expiresAtMs: untilMs + 1 }))).toBe('share.expiry-invalid')
  expect((await make(grant, 'patient/*.rs', { expiresAtMs: untilMs })).expiresAtMs).toBe(untilMs)
})

it.each<[string, Keeping]>([
  ['a lesser role', viewer],
  ['an end', { role: 'guardian', untilMs: Date.parse('2026-03-02T00:00:00Z') }],
])('are not made while %s comes', async (_, as) => {
  const grant = await keepAs({ role: 'guardian' })
  const renew = async () => {
    await house.record.limitKeeping('anna', 'greta', as)
    return { ...grant, ...(await house.record.keptBy('anna')) }
  }
  const refused = await codeOf(make(grant, 'patient/*.rs', { renew }))
  expect(refused).toBe(as.role === 'viewer' ? 'share.scope-too-wide' : 'share.expiry-invalid')
  const links = await house.share.list(keeperOf(['greta'], 'user/*.rs', 'bert'))
  expect(links.map(({ state }) => state)).toEqual(['revoked'])
})
