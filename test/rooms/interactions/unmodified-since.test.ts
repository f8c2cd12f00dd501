import { type Answer, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

const admin = grantOf('system/*.cruds', { patients: 'all' })
const before = 'Sat, 01 Jan 2000 00:00:00 GMT'
const after = 'Fri, 01 Jan 2100 00:00:00 GMT'
const codeOf = ({ json }: Answer) => json?.issue?.[0].details.coding[0].code

let house: House
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
})
beforeEach(() => {
  // What is written twice in one second cannot be told apart by its time.
  house.clock.advance(10_000)
  return put({})
})
afterAll(() => house.close())

let note = 0
const changed = () => ({ ...weightOf('a', 70), id: 'w', note: [{ text: `${++note}` }] })
const put = (headers: { readonly [name: string]: string }) => ask('PUT', '/Observation/w', { headers, body: changed() })

function ask(method: string, url: string, { headers = {}, ...rest }: { headers?: object; body?: object } = {}) {
  return house.ask(method, url, { grant: admin, headers: { ...headers }, ...rest })
}

const jsonPatch = { 'content-type': 'application/json-patch+json' }
const labels = {
  resourceType: 'Parameters',
  parameter: [{ name: 'meta', valueMeta: { tag: [{ system: 'urn:x', code: 'y' }] } }],
}
const ways: readonly [method: string, url: string, asked: () => { headers?: object; body?: object }][] = [
  ['GET', '/Observation/w', () => ({})],
  ['GET', '/Observation/w/_history/1', () => ({})],
  ['PUT', '/Observation/w', () => ({ body: changed() })],
  ['PUT', '/Observation?_id=w', () => ({ body: changed() })],
  [
    'PATCH',
    '/Observation/w',
    () => ({ headers: jsonPatch, body: [{ op: 'add', path: '/issued', value: '2026-01-01T00:00:00Z' }] }),
  ],
  ['PATCH', '/Observation?_id=w', () => ({ headers: jsonPatch, body: [{ op: 'remove', path: '/note' }] })],
  ['POST', '/Observation/w/$meta-add', () => ({ body: labels })],
  ['DELETE', '/Observation/w', () => ({})],
  ['DELETE', '/Observation?_id=w', () => ({})],
]

describe('If-Unmodified-Since – https://www.rfc-editor.org/rfc/rfc9110#section-13.1.4', () => {
  it.each(ways)('%s %s: not what was changed since', async (method, url, asked) => {
    const { headers = {}, body } = asked()
    const send = (date: string, more = {}) =>
      ask(method, url, {
        headers: { ...headers, 'if-unmodified-since': date, ...more },
        ...(body === undefined ? {} : { body }),
      })
    const stale = await send(before)
    expect([stale.status, codeOf(stale)]).toEqual([412, 'version.modified'])
    const version = (await ask('GET', '/Observation/w')).json.meta.versionId
    // What If-Match says comes first; FHIR has it for writes alone.
    if (method !== 'GET') {
      const other = await send(after, { 'if-match': 'W/"9999"' })
      expect([other.status, codeOf(other)]).toEqual([412, 'version.stale'])
    }
    expect((await ask('GET', '/Observation/w')).json.meta.versionId).toBe(version)
    expect((await send(after)).status).toBeLessThan(300)
  })

  it('If-Match alone counts where both are sent', async () => {
    const { json } = await ask('GET', '/Observation/w')
    const answer = await put({ 'if-match': `W/"${json.meta.versionId}"`, 'if-unmodified-since': before })
    expect(answer.status).toBe(200)
  })

  it('the time in Last-Modified, which has whole seconds, is that of the version', async () => {
    const { json } = await ask('GET', '/Observation/w')
    const date = new Date(json.meta.lastUpdated)
    expect((await put({ 'if-unmodified-since': date.toUTCString() })).status).toBe(200)
    const earlier = new Date(date.getTime() - 1_000)
    expect((await put({ 'if-unmodified-since': earlier.toUTCString() })).status).toBe(412)
  })

  it.each(ways.filter(([method]) => method !== 'GET'))(
    '%s %s: not what was changed twice within the second that is named',
    async (method, url, asked) => {
      const second = Math.ceil(house.clock.nowMs() / 1_000) * 1_000 + 60_000
      const send = (date: string) => {
        const { headers = {}, ...rest } = asked()
        return ask(method, url, { headers: { ...headers, 'if-unmodified-since': date }, ...rest })
      }
      const named = new Date(second).toUTCString()
      const writtenAt = async (...times: readonly number[]) => {
        for (const ms of times) {
          house.clock.advance(second + ms - house.clock.nowMs())
          await put({})
        }
      }
      await writtenAt(100, 900)
      const stale = await send(named)
      expect([stale.status, codeOf(stale)]).toEqual([412, 'version.modified'])
      // Whoever knows the millisecond means no other.
      expect((await send(new Date(second + 500).toISOString())).status).toBe(412)
      expect((await send(new Date(second + 100).toISOString())).status).toBe(412)
      expect((await send(new Date(second + 900).toISOString())).status).toBeLessThan(300)
      await writtenAt(1_500)
      expect((await send(new Date(second + 1_000).toUTCString())).status).toBeLessThan(300)
    },
  )

  it('nor what was deleted and made again within it', async () => {
    await ask('DELETE', '/Observation/w')
    await put({})
    const { json } = await ask('GET', '/Observation/w')
    const named = new Date(json.meta.lastUpdated).toUTCString()
    expect((await put({ 'if-unmodified-since': named })).status).toBe(412)
    const patched = { headers: { ...jsonPatch, 'if-unmodified-since': named }, body: [{ op: 'remove', path: '/note' }] }
    expect((await ask('PATCH', '/Observation/w', patched)).status).toBe(412)
  })

  it.each([
    ['Saturday, 01-Jan-00 00:00:00 GMT', 412],
    ['Sat Jan  1 00:00:00 2000', 412],
    ['2000-01-01', 200],
    ['1', 200],
    ['Sat, 32 Jan 2000 00:00:00 GMT', 200],
    ['yesterday', 200],
    ['', 200],
  ])('%j: a date of HTTP in any form counts, anything else is passed over', async (date, status) => {
    expect((await put({ 'if-unmodified-since': date })).status).toBe(status)
  })

  it('what is made by an update was never modified', async () => {
    const body = { ...weightOf('a', 1), id: 'new-one' }
    const answer = await ask('PUT', '/Observation/new-one', { headers: { 'if-unmodified-since': before }, body })
    expect(answer.status).toBe(201)
  })
})

describe('If-Modified-Since – https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3', () => {
  it.each([
    [after, 304],
    [before, 200],
    ['2100-01-01', 200],
    ['2100-01-01T00:00:00Z', 304],
    ['Fri Jan  1 00:00:00 2100', 304],
  ])('%j → %s', async (date, status) => {
    expect((await ask('GET', '/Observation/w', { headers: { 'if-modified-since': date } })).status).toBe(status)
  })

  it('an instant with milliseconds, as ifModifiedSince of a Bundle is one, counts as such', async () => {
    house.clock.advance(1_000 - (house.clock.nowMs() % 1_000) + 900)
    await put({})
    const changed = (await ask('GET', '/Observation/w')).json.meta.lastUpdated
    const before = new Date(Date.parse(changed) - 1).toISOString()
    for (const [since, status] of [
      [before, '200'],
      [changed, '304'],
    ]) {
      const entry = [{ request: { method: 'GET', url: 'Observation/w', ifModifiedSince: since } }]
      const { json } = await ask('POST', '/', { body: { resourceType: 'Bundle', type: 'batch', entry } })
      expect([since, json.entry[0].response.status]).toEqual([since, status])
    }
  })
})
