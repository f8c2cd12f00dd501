/** Logging in through a provider of identities at a real server of two processes, as its environment says it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  clientId,
  type IdentityProvider,
  leadsTo,
  openIdentityProvider,
  secret,
  walk,
} from '../rooms/smart/identity-provider.ts'
import { claimAddress } from './server/claim-address.ts'
import { type RunningCrew, startCrew } from './server/crew.ts'
import { type Home, run } from './server/home.ts'
import { newReachableHome } from './server/reachable-home.ts'
import { Visitor } from './server/visitor.ts'

const owner = { name: 'anna', password: 'seven words that nobody would ever guess' }

let home: Home
let provider: IdentityProvider
let crew: RunningCrew

beforeAll(async () => {
  home = await newReachableHome('provider-login', 'info')
  provider = await openIdentityProvider({ originOf: () => home.origin })
  // It gets ready when it is asked first, and the server does not wait for that long.
  await fetch(`${provider.issuer}/.well-known/openid-configuration`)
  const file = join(home.folder, 'client-secret')
  writeFileSync(file, `${secret}\n`)
  Object.assign(home.env, {
    KINHOLD_OIDC_1_ISSUER: provider.issuer,
    KINHOLD_OIDC_1_CLIENT_ID: clientId,
    KINHOLD_OIDC_1_CLIENT_SECRET_FILE: file,
    KINHOLD_OIDC_1_LABEL: 'Our Keycloak',
    KINHOLD_OIDC_NETWORKS: '127.0.0.1',
  })
  crew = await startCrew(home, 2)
})
afterAll(async () => {
  expect(await crew.stop()).toBe(0)
  await provider.close()
  await home.remove()
})

it('the owner links a login, comes in by it, and nobody else does; nothing of it is in the log', async () => {
  const browser = new Visitor(home.origin)
  await browser.submit(await browser.open(await claimAddress(crew)), '/claim', { ...owner, again: owner.password })
  const asked = { provider: '1', current: owner.password }
  const leaving = await browser.submit(await browser.open('/account'), '/account/links', asked)
  const linked = await browser.open(await walk(leadsTo(leaving), 'a-telling-subject'))
  expect([linked.status, linked.text]).toEqual([200, expect.stringContaining('That login was linked.')])

  const enter = async (who: string) => {
    const visitor = new Visitor(home.origin)
    const sent = await visitor.submit(await visitor.open('/auth/login'), '/auth/login/provider/1', {})
    return visitor.open(await walk(leadsTo(sent), who))
  }
  expect((await enter('a-telling-subject')).text).toContain('logged in as <strong>anna</strong>')
  const refused = await enter('another-telling-subject')
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('data-code="smart.provider-unlinked"')])

  expect((await run(home, 'account', 'list')).stdout).toContain('password, 1 linked login')
  expect(crew.output()).not.toMatch(/telling-subject|state=/)
  expect(crew.output()).not.toContain(secret)
})

it('a faulty provider is refused at the start, by the name of its variable', async () => {
  const { status, stderr } = await run(
    { ...home, env: { ...home.env, KINHOLD_OIDC_1_ISSUER: 'not an address' } },
    'account',
    'list',
  )
  expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining('KINHOLD_OIDC_1_ISSUER must be')])
  expect(status).not.toBe(0)
  expect(stderr).not.toContain('not an address')
})
