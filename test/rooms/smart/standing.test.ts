import type { Grant } from '#access'
import { addFamily, addPatient, allow, codeOf, grantOf, type House, openHouse, redeem } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const hour = 3600_000
const scopesOf = (grant: Grant | undefined) => grant?.terms.map(({ text }) => text)

describe('what a grant stands for beyond the life of its token', () => {
  it('of a token of the host: all of it, as long as the token lives', async () => {
    const token = await house.smart.mint({ scope: 'system/Observation.rs system/Patient.r', ttlMs: hour })
    const given = await house.smart.authenticate(token)
    expect(await house.smart.standing(given)).toMatchObject({ id: given.id, patients: 'all' })
    expect(scopesOf(await house.smart.standing(given))).toEqual(['system/Observation.rs', 'system/Patient.r'])
    house.clock.advance(hour)
    expect(await house.smart.standing(given)).toBeUndefined()
  })

  it('of an account: those patients whom it keeps by then', async () => {
    const { account, patients } = await addFamily(house, 'Berta')
    const token = await house.smart.mint({ scope: 'user/*.rs', account, ttlMs: hour })
    const given = await house.smart.authenticate(token)
    expect((await house.smart.standing({ ...given, patients: [] }))?.patients).toEqual(patients)
    await addPatient(house, account, 'Nora', 'nora')
    expect((await house.smart.standing({ ...given, patients: [] }))?.patients).toContain('nora')
  })

  it('of what a person allowed an app: longer than its access token, and until they end it', async () => {
    const granted = await allow(house, { scope: 'launch/patient patient/Observation.rs offline_access' })
    const { json } = await redeem(house, granted)
    const given = await house.smart.authenticate(String(json.access_token))
    house.clock.advance(2 * hour)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toMatch(/^token\./)
    expect(await house.smart.standing(given)).toMatchObject({ patient: granted.patient })
    const wider = { ...given, terms: [...given.terms, ...grantOf('patient/Condition.rs').terms] }
    expect(scopesOf(await house.smart.standing(wider))).toEqual(['patient/Observation.rs'])
    await house.smart.endClient(granted.clientId)
    expect(await house.smart.standing(given)).toBeUndefined()
  })

  it('of a patient who is erased: nothing', async () => {
    const granted = await allow(house, { scope: 'launch/patient patient/Observation.rs offline_access' })
    const given = await house.smart.authenticate(String((await redeem(house, granted)).json.access_token))
    await house.smart.forgetPatient(granted.patient)
    expect(await house.smart.standing(given)).toBeUndefined()
  })

  it('of a client without a person: as much as is approved by then', async () => {
    const client = await house.smart.registerClient({
      client_name: 'Night job',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: {
        keys: [{ kty: 'EC', crv: 'P-384', x: 'a'.repeat(64), y: 'b'.repeat(64), kid: 'one', alg: 'ES384', use: 'sig' }],
      },
      scope: 'system/Observation.rs system/Patient.rs',
    })
    const id = String(client.client_id)
    const actor = { kind: 'client', id, clientId: id } as const
    const given = grantOf('system/Observation.rs system/Patient.rs', { id: 'one-of-many', actor })
    expect(await house.smart.standing(given)).toBeUndefined()
    await house.smart.approveClient(id)
    expect(scopesOf(await house.smart.standing(given))).toEqual(['system/Observation.rs', 'system/Patient.rs'])
    await house.smart.approveClient(id, 'system/Patient.rs')
    expect(scopesOf(await house.smart.standing(given))).toEqual(['system/Patient.rs'])
    await house.smart.endClient(id)
    expect(await house.smart.standing(given)).toBeUndefined()
  })

  it('of nothing that this server has given: nothing', async () => {
    const given = await house.smart.authenticate(await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour }))
    expect(await house.smart.standing({ ...given, id: 'never-given' })).toBeUndefined()
    expect(
      await house.smart.standing({ ...given, actor: { kind: 'client', id: 'none', clientId: 'none' } }),
    ).toBeUndefined()
  })
})
