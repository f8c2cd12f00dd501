/** What is kept of identities at providers, under load and against each other. */
import { FixedClock } from '#kernel'
import { openProviderLinks } from '../../../src/smart/accounts/provider-links.ts'
import { codeOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const open = (issuers = ['https://auth.example']) => {
  const { documents, vault } = house
  const providers = issuers.map(issuer => ({ kind: 'openid', issuer }) as const)
  return openProviderLinks({ documents, vault, clock: new FixedClock(Date.now()), providers })
}
const identity = (subject: string, more: { kind?: 'openid' | 'github'; issuer?: string } = {}) =>
  ({ kind: 'openid', issuer: 'https://auth.example', subject, ...more }) as const

it('an identity is one account’s, also of those who ask at the same moment', async () => {
  const links = open()
  const added = await Promise.all(['anna', 'bert', 'anna'].map(account => codeOf(links.add(identity('one'), account))))
  expect(added.toSorted()).toEqual(['no problem', 'smart.link-known', 'smart.link-known'])
  for (const account of ['anna', 'bert']) await links.endAll(account)
  expect(await links.find(identity('one'))).toBeUndefined()
})

it.each([0, 7, 9, 10])('an account has ten, and not fewer, when several are added at once to %d', async before => {
  // As two processes, which know of each other what lies in the store.
  const both = [open(), open()] as const
  const [links] = both
  for (let each = 0; each < before; each++) await links.add(identity(`before-${each}`), 'cleo')
  const codes = await Promise.all(
    Array.from({ length: 14 }, (_, each) =>
      codeOf(both[each % 2 === 0 ? 0 : 1].add(identity(`at-once-${each}`), 'cleo')),
    ),
  )
  expect(codes.toSorted()).toEqual([
    ...Array(10 - before).fill('no problem'),
    ...Array(4 + before).fill('smart.too-many-links'),
  ])
  expect(await links.of('cleo')).toHaveLength(10)
  expect(await codeOf(links.checkRoom('cleo'))).toBe('smart.too-many-links')
  expect(await codeOf(links.add(identity('late'), 'cleo'))).toBe('smart.too-many-links')
  expect(await links.find(identity('late'))).toBeUndefined()
  // One that goes makes room for one.
  await links.end((await links.of('cleo'))[0]?.id ?? '', 'cleo')
  expect(await codeOf(links.add(identity('late'), 'cleo'))).toBe('no problem')
  await links.endAll('cleo')
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

it('one whose provider is set up no more opens nothing, is shown, and can be ended', async () => {
  const links = open()
  const id = await links.add(identity('stray'), 'fred')
  expect([await links.isOf(id, 'fred'), (await links.of('fred'))[0]?.isOpen]).toEqual([true, true])
  for (const others of [open([]), open(['https://another.example'])])
    expect([await others.isOf(id, 'fred'), (await others.of('fred'))[0]?.isOpen]).toEqual([false, false])
  const hub = await links.add(identity('stray', { kind: 'github' }), 'fred')
  expect(await links.isOf(hub, 'fred')).toBe(false)
  expect(await open([]).end(id, 'fred')).toBe(true)
})
