/** Answers that are many times as long in XML, or in lines for people, as they are in JSON. */
import { withBudget } from '#kernel'
import { type Look, shown } from '../../../src/interactions/rest/shown.ts'
import { parseSubset } from '../../../src/interactions/rest/subset.ts'
import { admin, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })

beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
})
afterAll(() => house.close())

describe('what XML and lines for people are longer than JSON is charged', () => {
  const text = '&'.repeat(20_000)
  let id: string
  beforeAll(async () => {
    const body = { ...weightOf('a', 70), note: [{ text }] }
    id = (await house.ask('POST', '/Observation', { grant: own, body })).json.id
  })
  const answered = 2 * text.length
  const ask = (method: string, url: string, body?: object) =>
    withBudget({ answered }, () => house.ask(method, url, { grant: own, ...(body === undefined ? {} : { body }) }))

  it.each(['', '&_pretty=true'])('a read is refused: _format=xml%s', async more => {
    const answer = await ask('GET', `/Observation/${id}?_format=xml${more}`)
    expect(answer.status).toBe(422)
    expect(answer.text).toContain('budget.answered-exceeded')
    const enough = await withBudget({ answered: 6 * text.length }, () =>
      house.ask('GET', `/Observation/${id}?_format=xml${more}`, { grant: own }),
    )
    expect(enough.status).toBe(200)
    expect(enough.text).toContain('&amp;')
  })

  it.each(['search', 'history'])('a %s is refused', async kind => {
    const url = kind === 'search' ? `/Observation?_id=${id}` : `/Observation/${id}/_history?`
    expect((await ask('GET', `${url}&_format=xml`)).status).toBe(422)
    expect((await ask('GET', `${url}&_format=json`)).status).toBe(200)
  })

  it.each([
    ['GET', undefined],
    ['PUT', 'amended'],
  ])('what would be too long in lines goes out without: %s', async (method, status) => {
    const component = Array.from({ length: 2_000 }, (_, at) => ({ code: { text: `${at}` }, valueInteger: at }))
    const body = { ...weightOf('a', 71), id: 'lines', component, status: status ?? 'final' }
    await house.ask('PUT', '/Observation/lines', { grant: admin, body })
    const answer = await withBudget({ answered: 20_000 }, () =>
      house.ask(method, '/Observation/lines?_pretty=true', {
        grant: admin,
        ...(status === undefined ? {} : { body }),
      }),
    )
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain('\n')
    expect(answer.json.component).toHaveLength(2_000)
  })

  it.each(['batch', 'transaction'])('a %s, which may have written, is told in JSON', async type => {
    const entry = [
      { request: { method: 'PUT', url: 'Observation/written' }, resource: { ...weightOf('a', 72), id: 'written' } },
      { request: { method: 'GET', url: `Observation/${id}` } },
    ]
    const answer = await withBudget({ answered }, () =>
      house.ask('POST', '/?_format=xml', { grant: admin, body: { resourceType: 'Bundle', type, entry } }),
    )
    expect(answer.status).toBe(200)
    expect(answer.json.entry).toHaveLength(2)
    expect((await house.ask('GET', '/Observation/written', { grant: admin })).status).toBe(200)
  })

  it.each<Partial<Look>>([
    { format: 'xml' },
    { isPretty: true, format: 'xml' },
    { part: parseSubset(new URLSearchParams('_elements=note')) ?? 'count' },
  ])('what has used up its time by then is told whole in JSON, unless it is only read: %o', async more => {
    const note = Array.from({ length: 60_000 }, (_, at) => ({ text: `& ${at}` }))
    const body = { resourceType: 'Bundle', entry: [{ resource: { ...weightOf('a', 74), note } }] }
    const look = (isRead: boolean) =>
      withBudget({ cpu: 1 }, () =>
        shown({ status: 200, headers: {}, body }, { isPretty: false, format: 'json', isRead, ...more }),
      )
    const told = await look(false)
    expect([told.headers, JSON.parse(String(told.body)).entry[0].resource.note.length]).toEqual([{}, note.length])
    await expect(look(true)).rejects.toMatchObject({ code: 'budget.cpu-exceeded' })
  })

  // U+FFFE is a character of FHIR's strings and of no XML: https://www.w3.org/TR/xml/#charsets
  it.each([
    ['POST', '/Observation', (one: object) => one],
    ['PUT', '/Observation/unprintable', (one: object) => ({ ...one, id: 'unprintable' })],
    [
      'POST',
      '/',
      (resource: object) => ({
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ request: { method: 'POST', url: 'Observation' }, resource }],
      }),
    ],
  ])(
    'what was written and XML cannot say is told in JSON, and refused when it is read: %s %s',
    async (method, url, form) => {
      const body = form({ ...weightOf('a', 75), note: [{ text: 'a\uFFFEb' }] })
      const headers = { prefer: 'return=representation', 'content-type': 'application/fhir+json' }
      const answer = await house.ask(method, `${url}?_format=xml`, { grant: admin, headers, body })
      expect([answer.status < 300, answer.text.includes('a\uFFFEb')]).toEqual([true, true])
      const { json } = answer
      const id = json.resourceType === 'Bundle' ? json.entry[0].resource.id : json.id
      const read = (format: string) => house.ask('GET', `/Observation/${id}?_format=${format}`, { grant: admin })
      expect([(await read('xml')).status, (await read('json')).status]).toEqual([406, 200])
    },
  )

  it('what has more values than may be sent is refused as XML, and goes out in one line', async () => {
    const component = Array.from({ length: 4_000 }, (_, at) => ({ code: { text: `${at}` }, valueInteger: at }))
    const body = { ...weightOf('a', 73), id: 'values', component }
    await house.ask('PUT', '/Observation/values', { grant: admin, body })
    const read = (more: string) =>
      withBudget({ parsed: 1_000 }, () => house.ask('GET', `/Observation/values?${more}`, { grant: admin }))
    expect((await read('_format=xml')).text).toContain('budget.parsed-exceeded')
    expect((await read('_pretty=true')).text).not.toContain('\n')
  })
})

describe('what one request says is refused before it is read where nobody would ask it', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const many = (part: string, count: number) => part.repeat(count)
  it.each([
    ['/Observation/_search', many('code=x&', 10_001)],
    ['/_search', many('&', 10_001)],
    ['/Patient/a/Observation/_search', many('&&_pretty=true', 6_000)],
    ['/Observation/_search', `code=${many('%41', 2_000_000)}`],
    ['/Observation/_search', `${many('a', 5_000_000)}=`],
  ])('the form of %s', async (url, text) => {
    const answer = await house.ask('POST', url, { grant: own, headers: form, body: text })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([422, 'search.too-costly'])
  })

  it('the form of a search that says little with many letters is read', async () => {
    const text = `${many('&', 9_000)}code=${many('%e2%82%ac', 100_000)}&_pretty=true`
    const answer = await house.ask('POST', '/Observation/_search', { grant: own, headers: form, body: text })
    expect([answer.status, answer.json.total]).toEqual([200, 0])
  })

  it.each(['/Patient/a/$everything', '/Patient/$everything', '/Observation/$lastn', '/Patient/a/$summary'])(
    'Parameters of %s',
    async url => {
      const parameter = Array.from({ length: 1_001 }, () => ({ name: '_type', valueString: 'Observation' }))
      const body = { resourceType: 'Parameters', parameter }
      const answer = await house.ask('POST', url, { grant: own, body })
      expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([
        422,
        'operation.too-many-parameters',
      ])
    },
  )
})
