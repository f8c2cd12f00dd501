/** How this server shows a provider who it is, at a real one: https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication */
import { addFamily, type House, openHouse, Visitor } from './house.ts'
import {
  doneOf,
  type IdentityProvider,
  linkAs,
  logInAt,
  loopbackFetch,
  newKey,
  openIdentityProvider,
  origin,
  visiting,
} from './identity-provider.ts'

const keys = (['RS256', 'ES256', 'Ed25519'] as const).map(alg => ({ alg, ...newKey(`a-key-${alg}`, alg) }))

let provider: IdentityProvider
let strict: IdentityProvider
let house: House

beforeAll(async () => {
  provider = await openIdentityProvider({ clientKeys: keys.map(({ alg, publicJwk }) => ({ ...publicJwk, alg })) })
  strict = await openIdentityProvider({ methods: ['client_secret_post'] })
})
afterAll(async () => {
  await provider.close()
  await strict.close()
})

async function linkAndLogIn(settings: ReturnType<IdentityProvider['settings']>): Promise<string | undefined | null> {
  house = await openHouse({ toldUrl: () => origin, providers: { settings: [settings], fetch: loopbackFetch } })
  try {
    await addFamily(house, 'Anna')
    const done = doneOf(await linkAs(await visiting(house, 'Anna'), 'anna'))
    if (done === 'linked') expect((await logInAt(new Visitor(house), 'anna')).status).toBe(303)
    return done
  } finally {
    await house.close()
  }
}

it.each(keys.map(({ alg }, at) => [alg, at] as const))('by a key for %s, as PEM and as JWK', async (_, at) => {
  const { pem, jwk, alg } = keys[at] ?? { pem: '', jwk: {}, alg: '' }
  const client = { clientId: `keyed-${at}` }
  expect(await linkAndLogIn(provider.settings({ ...client, proof: { key: pem } }))).toBe('linked')
  expect(await linkAndLogIn(provider.settings({ ...client, proof: { key: JSON.stringify({ ...jwk, alg }) } }))).toBe(
    'linked',
  )
})

it('by another key it is not who it says', async () => {
  const { pem } = newKey('another')
  expect(await linkAndLogIn(provider.settings({ clientId: 'keyed-1', proof: { key: pem } }))).toBe('link-failed')
})

it('by a secret in the form where the provider takes it nowhere else', async () => {
  expect(await linkAndLogIn(strict.settings())).toBe('linked')
})

it('by another secret it is not who it says', async () => {
  for (const each of [provider, strict])
    expect(await linkAndLogIn(each.settings({ proof: { secret: 'another secret' } }))).toBe('link-failed')
})
