/** What is kept of identities at providers, under load and against each other. */
import { FixedClock } from '#kernel'
import { openProviderLinks } from '../../../src/smart/accounts/provider-links.ts'
import { codeOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const open = () =>
  openProviderLinks({ documents: house.documents, vault: house.vault, clock: new FixedClock(Date.now()) })
const identity = (subject: string, more: { kind?: 'openid' | 'github'; issuer?: string } = {}) =>
  ({ kind: 'openid', issuer: 'https://auth.example', subject, ...more }) as const

it('an identity is one account’s, also of those who ask at the same moment', async () => {
  const links = open()
  const added = await Promise.all(['anna', 'bert', 'anna'].map(account => codeOf(links.add(identity('one'), account))))
  expect(added.toSorted()).toEqual(['no problem', 'smart.link-known', 'smart.link-known'])
  for (const account of ['anna', 'bert']) await links.endAll(account)
  expect(await links.find(identity('one'))).toBeUndefined()
})

it('an account has ten at most, also of those that are added at the same moment', async () => {
  const links = open()
  const codes = await Promise.all(
    Array.from({ length: 14 }, (_, each) => codeOf(links.add(identity(`many-${each}`), 'cleo'))),
  )
  // All see all others, so it may be that fewer stay than there is room for.
  expect(codes).toContain('smart.too-many-links')
  expect(codes.filter(code => code === 'no problem')).toHaveLength((await links.of('cleo')).length)
  expect((await links.of('cleo')).length).toBeLessThanOrEqual(10)
  for (let each = 0; (await links.of('cleo')).length < 10; each++) await links.add(identity(`more-${each}`), 'cleo')
  expect(await codeOf(links.checkRoom('cleo'))).toBe('smart.too-many-links')
  expect(await codeOf(links.add(identity('late'), 'cleo'))).toBe('smart.too-many-links')
  expect(await links.find(identity('late'))).toBeUndefined()
})

it('an identity is told apart by kind, issuer and subject, wherever one ends and the other begins', async () => {
  const links = open()
  await links.add(identity('4711'), 'dora')
  for (const other of [
    identity('4711', { kind: 'github' }),
    identity('4711', { issuer: 'https://auth.example/' }),
    identity('.example4711', { issuer: 'https://auth' }),
    identity('4711 '),
    identity('4712'),
  ])
    expect(await links.find(other)).toBeUndefined()
  expect(await links.find(identity('4711'))).toMatchObject({ account: 'dora' })
})

it('one that has ended is used by nobody, nor under the id that it had before it was linked anew', async () => {
  const links = open()
  const id = await links.add(identity('again'), 'emil')
  expect([await links.use(id), await links.isOf(id, 'emil'), await links.isOf(id, 'dora')]).toEqual([true, true, false])
  expect([await links.end(id, 'dora'), await links.end(id, 'emil'), await links.end(id, 'emil')]).toEqual([
    false,
    true,
    false,
  ])
  const next = await links.add(identity('again'), 'emil')
  expect(next).not.toBe(id)
  expect([await links.use(id), await links.isOf(id, 'emil'), await links.end(id, 'emil')]).toEqual([
    false,
    false,
    false,
  ])
  expect((await links.of('emil')).map(link => link.id)).toEqual([next])
})
