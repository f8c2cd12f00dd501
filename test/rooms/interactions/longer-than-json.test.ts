/** Answers that are many times as long in XML, or in lines for people, as they are in JSON. */
import { withBudget } from '#kernel'
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
