/** What becomes of the key that signs id_tokens when somebody writes to the database. */
import type { Smart } from '#smart'
import type { StoredDocument } from '#store'
import { type House, openHouse } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

/** The public key as a process shows it. */
async function shownBy(smart: Smart): Promise<string> {
  const path = '/auth/jwks'
  const route = smart.routes.find(row => row.path === path)
  const nothing = { query: new URLSearchParams(), header: () => undefined, body: async () => Buffer.alloc(0) }
  const answer = await route?.handler({ method: 'GET', path, remoteAddress: '192.0.2.1', ...nothing })
  expect(answer?.status).toBe(200)
  return String(answer?.body)
}

async function stored(): Promise<StoredDocument> {
  const [document] = await house.store.documents('smart.keys', house.clock.nowMs())
  if (document === undefined) throw new Error('no key is kept')
  return document
}

function damaged({ sealed, ...document }: StoredDocument, at: number): StoredDocument {
  const bytes = Uint8Array.from(sealed)
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) ?? 0) ^ 1
  return { ...document, sealed: bytes as typeof sealed }
}

describe('the key that signs id_tokens', () => {
  it('stays the same as long as it can be opened', async () => {
    const before = await shownBy(house.smart)
    expect(before).toContain('"kid"')
    expect(await shownBy(await house.again())).toBe(before)
  })

  it.each([0, 30, -1])('is made anew where it is damaged (byte %i), the same for all processes', async at => {
    const running = house.smart
    const before = await shownBy(running)
    await house.store.restoreDocuments([damaged(await stored(), at)])
    const others = [await house.again(), await house.again()] as const
    await Promise.all(others.map(shownBy))
    const after = await shownBy(others[0])
    expect(after).toContain('"kid"')
    expect(after).not.toBe(before)
    expect(await shownBy(others[1])).toBe(after)
    expect(await shownBy(running)).toBe(after)
  })

  it('is made anew as often as it is damaged', async () => {
    const shown = [await shownBy(house.smart)]
    for (let times = 0; times < 3; times++) {
      for (const document of await house.store.documents('smart.keys', house.clock.nowMs()))
        await house.store.restoreDocuments([damaged(document, 40 + times)])
      shown.push(await shownBy(await house.again()))
    }
    expect(shown.every(text => text.includes('"kid"'))).toBe(true)
    expect(new Set(shown).size).toBe(shown.length)
  })
})
