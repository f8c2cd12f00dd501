/** The browsers in which somebody is logged in: seen, ended one by one, and ended by themselves when nobody uses them. */
import { addFamily, type House, hidden, openHouse, Visitor } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse({ sessionIdleMs: 20 * 60_000 })
  await addFamily(house, 'Anna')
})
afterEach(() => house.close())

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

async function loggedIn(agent: string, name = 'Anna', address = '192.0.2.1'): Promise<Visitor> {
  const visitor = new Visitor(house, { 'user-agent': agent, 'x-test-address': address })
  await visitor.logIn(name)
  return visitor
}

const page = async (visitor: Visitor) => (await visitor.ask('/account')).text
const isIn = async (visitor: Visitor) => (await visitor.ask('/account')).status === 200
const ids = (text: string) => [...text.matchAll(/name="session" value="([0-9a-f]{64})"/g)].map(([, id]) => id ?? '')

it('shows each browser in words, with its network, and which one this is', async () => {
  const here = await loggedIn(firefox)
  await loggedIn(iphone, 'Anna', '2001:db8:1:2:3:4:5:6')
  const text = await page(here)
  expect(text).toMatch(/<legend>Firefox on Linux \(this one\)<\/legend>/)
  expect(text).toMatch(/<legend>Safari on iOS<\/legend>/)
  expect(text).toContain('2001:db8:1:2')
  expect(text).not.toContain('2001:db8:1:2:3')
  expect(ids(text)).toHaveLength(1)
})

it.each(['', '<script>alert(1)</script>', 'x'.repeat(5_000), '%00', 'constructor', '__proto__'])(
  'says nothing that a browser made up: %.20s',
  async agent => {
    const here = await loggedIn(agent)
    const text = await page(here)
    expect(text).toContain('(this one)')
    expect(text).not.toContain('<script')
    expect(text).not.toContain('xxxxxxxxxx')
  },
)

it('logs one other out, and not this one', async () => {
  const [here, there, elsewhere] = [await loggedIn(firefox), await loggedIn(iphone), await loggedIn('curl/8')]
  const text = await page(here)
  const [, session = ''] = /Safari on iOS[\s\S]*?value="([0-9a-f]{64})"/.exec(text) ?? []
  const sent = await here.post('/account/sessions', { csrf: hidden(text, 'csrf'), session })
  expect(sent.location?.searchParams.get('done')).toBe('sessions')
  expect(await Promise.all([here, there, elsewhere].map(isIn))).toEqual([true, false, true])
})

it('logs all others out', async () => {
  const [here, there, elsewhere] = [await loggedIn(firefox), await loggedIn(iphone), await loggedIn('curl/8')]
  await here.post('/account/sessions', { csrf: hidden(await page(here), 'csrf'), session: 'others' })
  expect(await Promise.all([here, there, elsewhere].map(isIn))).toEqual([true, false, false])
})

it('ends nothing of another account, whatever is named', async () => {
  await addFamily(house, 'Bert')
  const [anna, bert] = [await loggedIn(firefox), await loggedIn(firefox, 'Bert')]
  const second = await loggedIn(iphone)
  const [foreign = ''] = ids(await page(anna))
  for (const session of [foreign, '', 'made-up', 'others'])
    await bert.post('/account/sessions', { csrf: hidden(await page(bert), 'csrf'), session })
  expect(await Promise.all([anna, second, bert].map(isIn))).toEqual([true, true, true])
  expect((await bert.post('/account/sessions', { csrf: 'made-up', session: 'others' })).status).toBe(403)
})

it('ends by itself when no page is asked for, and not while one is', async () => {
  const [here, there] = [await loggedIn(firefox), await loggedIn(iphone)]
  for (let each = 0; each < 5; each++) {
    house.clock.advance(15 * 60_000)
    expect(await isIn(here)).toBe(true)
  }
  expect(await isIn(there)).toBe(false)
  expect(ids(await page(here))).toHaveLength(0)
  house.clock.advance(21 * 60_000)
  expect(await isIn(here)).toBe(false)
})

it('ends after twelve hours, however much it is used', async () => {
  const here = await loggedIn(firefox)
  for (let each = 0; each < 47; each++) {
    house.clock.advance(15 * 60_000)
    expect(await isIn(here)).toBe(true)
  }
  house.clock.advance(15 * 60_000)
  expect(await isIn(here)).toBe(false)
})
