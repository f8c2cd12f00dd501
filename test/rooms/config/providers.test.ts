import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, secretNames } from '#config'
import { isProblem, type Problem } from '#kernel'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinhold-providers-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const load = (env: Record<string, string>) => loadConfig(env, { cwd: folder })

function problemOf(env: Record<string, string>): Problem {
  try {
    load(env)
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
  throw new Error('expected a Problem')
}

const issuer = 'https://auth.example/realms/home'
const secret = 'a secret that is in no text'
const sound = (more: Record<string, string> = {}, n = 1) =>
  Object.fromEntries(
    Object.entries({ ISSUER: issuer, CLIENT_ID: 'kinhold', CLIENT_SECRET: secret, ...more })
      .filter(([, value]) => value !== '-')
      .map(([part, value]) => [`KINHOLD_OIDC_${n}_${part}`, value]),
  )

function keyFile(name: string, key: KeyObject, format: 'pem' | 'jwk' | 'pkcs1' = 'pem'): string {
  const text =
    format === 'jwk'
      ? JSON.stringify(key.export({ format: 'jwk' }))
      : key.export({ format: 'pem', type: format === 'pkcs1' ? 'pkcs1' : 'pkcs8' }).toString()
  writeFileSync(join(folder, name), text)
  return name
}

describe('providers of identities', () => {
  it('are those of whom something is said, with what people call them', () => {
    expect(load({}).config.providers).toEqual([])
    expect(load({ KINHOLD_OIDC_1_LABEL: '', KINHOLD_OIDC_2_ISSUER: '' }).config.providers).toEqual([])
    const env = {
      ...sound({ LABEL: 'Our Keycloak' }, 3),
      ...sound({ KIND: 'github', ISSUER: '-' }),
      ...sound({ KIND: 'openid', ISSUER: 'https://id.example:8443/application/o/kinhold/' }, 9),
    }
    const { config, mistyped } = load(env)
    expect([config.providers, mistyped]).toEqual([
      [
        { n: 1, kind: 'github', issuer: 'https://github.com', clientId: 'kinhold', proof: { secret }, label: 'GitHub' },
        { n: 3, kind: 'openid', issuer, clientId: 'kinhold', proof: { secret }, label: 'Our Keycloak' },
        {
          n: 9,
          kind: 'openid',
          issuer: 'https://id.example:8443/application/o/kinhold/',
          clientId: 'kinhold',
          proof: { secret },
          label: 'id.example:8443',
        },
      ],
      [],
    ])
    expect(Object.isFrozen(config.providers)).toBe(true)
  })

  it.each([
    ['https://Auth.Example', 'https://auth.example'],
    ['HTTPS://auth.example:443/', 'https://auth.example'],
    ['https://AUTH.example/Realms/Home/', 'https://auth.example/Realms/Home/'],
  ])('are named alike, however %s is written', (text, named) => {
    expect(load(sound({ ISSUER: text })).config.providers[0]?.issuer).toBe(named)
  })

  it('keep their secrets in files, and out of what a program is started with', () => {
    writeFileSync(join(folder, 'secret'), `${secret}\n`)
    const { config } = load(sound({ CLIENT_SECRET: '-', CLIENT_SECRET_FILE: 'secret' }))
    expect(config.providers[0]?.proof).toEqual({ secret })
    expect(problemOf(sound({ CLIENT_SECRET_FILE: 'secret' })).code).toBe('config.secret-given-twice')
    expect(problemOf(sound({ CLIENT_SECRET: '-', CLIENT_SECRET_FILE: 'absent' })).code).toBe('config.secret-unreadable')
    expect(secretNames).toEqual(
      expect.arrayContaining(['KINHOLD_OIDC_1_CLIENT_SECRET', 'KINHOLD_OIDC_9_CLIENT_SECRET']),
    )
  })

  it('may be in inner networks, also by http, where those are named', () => {
    const inner = sound({ ISSUER: 'http://keycloak.home:8080/realms/home' })
    expect(problemOf(inner)).toMatchObject({ code: 'config.value-malformed', expression: ['KINHOLD_OIDC_1_ISSUER'] })
    const { config } = load({ ...inner, KINHOLD_OIDC_NETWORKS: '10.0.0.0/8, 127.0.0.1' })
    expect(config.providers[0]?.issuer).toBe('http://keycloak.home:8080/realms/home')
    expect(config.providerNetworks).toEqual(['10.0.0.0/8', '127.0.0.1'])
    expect(problemOf({ KINHOLD_OIDC_NETWORKS: 'keycloak.home' }).text).toContain('KINHOLD_OIDC_NETWORKS must be')
  })

  it.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'pem'],
    ['RSA, as PKCS #1', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'pkcs1'],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'pem'],
    ['P-384, as JWK', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'jwk'],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey, 'pem'],
    ['Ed25519, as JWK', () => generateKeyPairSync('ed25519').privateKey, 'jwk'],
  ] as const)('are shown who this server is by a key: %s', (name, make, format) => {
    const file = keyFile(name.replace(/\W/g, ''), make(), format)
    const [provider] = load(sound({ CLIENT_SECRET: '-', CLIENT_KEY: file })).config.providers
    expect(provider?.proof).toEqual({ key: expect.stringMatching(format === 'jwk' ? /^\{/ : /PRIVATE KEY/) })
  })
})

describe('of a provider is refused, by the name of the variable and not by its value', () => {
  it.each<[string, string, Record<string, string>]>([
    ['an unknown kind', 'KIND', { KIND: 'saml' }],
    ['no issuer', 'ISSUER', { ISSUER: '-' }],
    ['an issuer that is no address', 'ISSUER', { ISSUER: 'keycloak' }],
    ['an issuer by http', 'ISSUER', { ISSUER: 'http://keycloak.example' }],
    ['the configuration for an issuer', 'ISSUER', { ISSUER: `${issuer}/.well-known/openid-configuration` }],
    ['the same in other letters', 'ISSUER', { ISSUER: `${issuer}/x/../.well-known/y` }],
    ['an issuer with a query', 'ISSUER', { ISSUER: `${issuer}?a=b` }],
    ['an issuer with a fragment', 'ISSUER', { ISSUER: `${issuer}#` }],
    ['an issuer with a password', 'ISSUER', { ISSUER: 'https://a:b@auth.example' }],
    ['a file for an issuer', 'ISSUER', { ISSUER: 'file:///etc/passwd' }],
    ['a GitHub below a path', 'ISSUER', { KIND: 'github', ISSUER: 'https://git.example/api' }],
    ['no identifier', 'CLIENT_ID', { CLIENT_ID: '-' }],
    ['an identifier with a line end', 'CLIENT_ID', { CLIENT_ID: 'a\nb' }],
    ['neither secret nor key', 'CLIENT_SECRET', { CLIENT_SECRET: '-' }],
    ['a secret that is not visible', 'CLIENT_SECRET', { CLIENT_SECRET: 'a\u0000b' }],
    ['no secret for GitHub', 'CLIENT_SECRET', { KIND: 'github', ISSUER: '-', CLIENT_SECRET: '-' }],
    ['a key for GitHub', 'CLIENT_KEY', { KIND: 'github', ISSUER: '-', CLIENT_SECRET: '-', CLIENT_KEY: 'rubbish' }],
    ['secret and key', 'CLIENT_KEY', { CLIENT_KEY: 'rubbish' }],
    ['a key that is none', 'CLIENT_KEY', { CLIENT_SECRET: '-', CLIENT_KEY: 'rubbish' }],
    ['a JWK that is none', 'CLIENT_KEY', { CLIENT_SECRET: '-', CLIENT_KEY: 'rubbish.json' }],
    ['a short key', 'CLIENT_KEY', { CLIENT_SECRET: '-', CLIENT_KEY: 'short' }],
    ['a key of another kind', 'CLIENT_KEY', { CLIENT_SECRET: '-', CLIENT_KEY: 'agreement' }],
    ['a public key', 'CLIENT_KEY', { CLIENT_SECRET: '-', CLIENT_KEY: 'public' }],
    ['a label that turns the writing around', 'LABEL', { LABEL: 'a\u202Eb' }],
    ['an empty label', 'LABEL', { LABEL: '   ' }],
    ['a long label', 'LABEL', { LABEL: 'a'.repeat(61) }],
  ])('%s', (_, part, more) => {
    writeFileSync(join(folder, 'rubbish'), 'rubbish')
    writeFileSync(join(folder, 'rubbish.json'), '{"kty":"RSA"}')
    keyFile('short', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)
    keyFile('agreement', generateKeyPairSync('x25519').privateKey)
    const { publicKey } = generateKeyPairSync('ed25519')
    writeFileSync(join(folder, 'public'), publicKey.export({ format: 'pem', type: 'spki' }))
    const { code, text, expression } = problemOf(sound(more, 2))
    expect([code, expression]).toEqual(['config.value-malformed', [`KINHOLD_OIDC_2_${part}`]])
    expect(text).toContain(`KINHOLD_OIDC_2_${part} must be`)
    for (const value of Object.values(more))
      if (value.length > 6 && value !== 'github') expect(text).not.toContain(value)
    expect(text).not.toContain(secret)
  })

  it.each([issuer, `${issuer}/`, 'HTTPS://Auth.example:443/realms/home', 'https://auth.example/realms/./home'])(
    'a second one of the same issuer: %s',
    same => {
      const { text, expression } = problemOf({ ...sound(), ...sound({ ISSUER: same }, 2) })
      expect([expression, text]).toEqual([['KINHOLD_OIDC_2_ISSUER'], expect.stringContaining('KINHOLD_OIDC_1_ISSUER')])
    },
  )

  it('a name that is none', () => {
    expect(load({ KINHOLD_OIDC_1_ISUER: issuer }).mistyped).toEqual([expect.stringContaining('KINHOLD_OIDC_1_ISSUER')])
    expect(load({ KINHOLD_OIDC_10_ISSUER: issuer }).mistyped).toHaveLength(1)
  })
})
