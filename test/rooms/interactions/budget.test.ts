import { withBudget } from '#kernel'
import { turnsWhile } from '../../turns.ts'
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const notes = 30
const noteBytes = 2_000

beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  for (let at = 0; at < notes; at++)
    await house.ask('POST', '/Observation', {
      grant: own,
      body: { ...weightOf('a', at), note: [{ text: 'n'.repeat(noteBytes) }] },
    })
})
afterAll(() => house.close())

const batch = (urls: readonly string[], type = 'batch') =>
  house.ask('POST', '/', {
    grant: own,
    body: { resourceType: 'Bundle', type, entry: urls.map(url => ({ request: { method: 'GET', url } })) },
  })
interface Entry {
  readonly fullUrl: string
  readonly response?: { readonly status: string; readonly etag: string }
}
const statuses = ({ json }: Answer) => json.entry.map(({ response }: Entry) => response?.status)

/** Every page from a first URL on, each on a budget of its own. */
async function pages(url: string, answered: number): Promise<Answer[]> {
  const all: Answer[] = []
  for (let next: string | undefined = url; next !== undefined; ) {
    const answer: Answer = await withBudget({ answered }, () => house.ask('GET', next ?? '', { grant: own }))
    expect(answer.status).toBe(200)
    all.push(answer)
    const link = answer.json.link?.find(({ relation }: { relation: string }) => relation === 'next')?.url
    next = link === undefined ? undefined : link.slice(link.indexOf('/fhir') + '/fhir'.length)
  }
  return all
}
const namesOn = (all: readonly Answer[]): string[] =>
  all.flatMap(({ json }) =>
    (json.entry ?? []).map(({ fullUrl, response }: Entry) => `${fullUrl} ${response?.etag ?? ''}`),
  )

describe('what one request may have answered', () => {
  it('is shared by the entries of a batch: what is too much is refused, what is small is still answered', async () => {
    const large = 'Observation?_count=10'
    const answer = await withBudget({ answered: 15 * noteBytes }, () => batch([large, large, 'Patient/a', large]))
    expect(answer.status).toBe(200)
    expect(statuses(answer)).toEqual(['200', '422', '200', '422'])
    const [issue] = answer.json.entry[1].response.outcome.issue
    expect(issue).toMatchObject({ code: 'too-costly', expression: ['Bundle.entry[1]'] })
    expect(issue.details.coding[0].code).toBe('budget.answered-exceeded')
  })

  it('ends a transaction before anything is written', async () => {
    const answer = await withBudget({ answered: 100 }, () => batch(['Patient/a'], 'transaction'))
    expect([answer.status, answer.json.issue[0].code]).toEqual([422, 'too-costly'])
  })

  it('ends a page early, and the next link goes on where it ended', async () => {
    const all = await pages('/Observation?_count=20', 5 * noteBytes)
    expect(all.length).toBeGreaterThan(5)
    expect(new Set(namesOn(all)).size).toBe(notes)
    expect(namesOn(all)).toEqual(namesOn(await pages('/Observation?_count=20', 1e9)))
  })

  it.each(['/_history?_count=20', '/Observation/_history?_count=20'])('ends a page of %s early', async url => {
    const all = await pages(url, 5 * noteBytes)
    expect(all.length).toBeGreaterThan(5)
    expect(namesOn(all)).toEqual(namesOn(await pages(url, 1e9)))
  })

  it('always has room for the first', async () => {
    expect(namesOn(await pages('/Observation?_count=20', 10))).toHaveLength(notes)
  })
})

describe('what is sent', () => {
  const validate = (body: string, grant = own) => house.ask('POST', '/Observation/$validate', { grant, body })

  it('is counted before it is parsed: budget.parsed-exceeded, wherever the values are', async () => {
    for (const part of ['{}', '[]', '0', '{"a":[{}]}', '"{,["']) {
      const values = Array(60_000).fill(part).join(',')
      const answer = await withBudget({ parsed: 50_000 }, () =>
        validate(`{"resourceType":"Observation","x":[${values}]}`),
      )
      expect([answer.status, answer.json.issue[0].code]).toEqual([422, 'too-costly'])
    }
  })

  it('is not counted by the signs within its texts', async () => {
    const text = '{,[\\"\\\\'.repeat(30_000)
    const body = `{"resourceType":"Observation","status":"final","code":{"text":"${text}"}}`
    expect((await withBudget({ parsed: 100 }, () => validate(body))).json.issue[0].severity).toBe('information')
  })

  it('is checked for whoever may do something with the type, and nobody else', async () => {
    const body = '{"resourceType":"Observation","status":"final","code":{"text":"x"}}'
    for (const verb of ['c', 'r', 'u', 'd', 's'])
      expect((await validate(body, grantOf(`patient/Observation.${verb}`, { patient: 'a' }))).status).toBe(200)
    const refused = await validate(body, grantOf('patient/Patient.cruds', { patient: 'a' }))
    expect([refused.status, refused.json.issue[0].details.coding[0].code]).toEqual([403, 'scope.missing'])
  })
})

describe('pages of resources that are cut down', () => {
  it('let others have their turn in between, however many elements are asked for', async () => {
    const names = Array.from({ length: 50_000 }, (_, at) => `e${at}`)
    const { result: answer, turns } = await turnsWhile(() =>
      house.ask('GET', `/Observation?_count=30&_elements=code,${names.join(',')}`, { grant: own }),
    )
    expect(answer.status).toBe(200)
    expect(answer.json.entry).toHaveLength(notes)
    for (const { resource } of answer.json.entry) {
      expect(Object.keys(resource)).toEqual(expect.arrayContaining(['code', 'status']))
      expect(resource.note).toBeUndefined()
    }
    expect(turns).toBeGreaterThan(0)
  })
})
