import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

const own = grantOf('patient/*.cruds', { patient: 'a' })
const minute = 60_000

/** A weight is written at 12:00, changed at 12:10, deleted at 12:20 and written again at 12:30; another one is there from 12:05 on. */
let house: House
beforeAll(async () => {
  house = await openHouse()
  const put = (id: string, value: number, patient = 'a') =>
    house.ask('PUT', `/Observation/${id}`, { grant: admin, body: weightOf(patient, value, { id }) })
  for (const body of [patientA, patientB]) await house.ask('PUT', `/Patient/${body.id}`, { grant: admin, body })
  await put('w', 70)
  await put('foreign', 50, 'b')
  house.clock.advance(5 * minute)
  await put('other', 60)
  house.clock.advance(5 * minute)
  await put('w', 71)
  house.clock.advance(10 * minute)
  await house.ask('DELETE', '/Observation/w', { grant: admin })
  house.clock.advance(10 * minute)
  await put('w', 72)
})
afterAll(() => house.close())

interface Entry {
  readonly fullUrl: string
  readonly response: { readonly etag: string }
}

async function versions(path: string, query: string, grant = own): Promise<string[]> {
  const found: string[] = []
  let url: string | undefined = `${path}?${query}`
  while (url !== undefined) {
    const { status, json } = await house.ask('GET', url, { grant })
    expect(status).toBe(200)
    for (const { fullUrl, response } of (json.entry ?? []) as Entry[])
      found.push(`${fullUrl.slice(fullUrl.lastIndexOf('/') + 1)}/${/\d+/.exec(response.etag)?.[0]}`)
    const next = json.link.find(({ relation }: { relation: string }) => relation === 'next')?.url
    url = next?.replace('http://127.0.0.1:8080/fhir', '')
  }
  return found
}

const day = '2026-03-01T'

describe('a history at some time – https://hl7.org/fhir/R4/http.html#history', () => {
  it.each([
    ['before there was anything', `${day}11:59:59Z`, []],
    ['as it was made', `${day}12:00:00.000Z`, ['w/1']],
    ['while the first one stood', `${day}12:05:00Z`, ['w/1']],
    ['over the moment of a change', `${day}12:10Z`, ['w/2']],
    ['within the minute before', `${day}12:09Z`, ['w/1']],
    ['while it was deleted', `${day}12:25:00Z`, ['w/3']],
    ['now', `${day}23:00:00Z`, ['w/4']],
    ['a whole day', '2026-03-01', ['w/4', 'w/3', 'w/2', 'w/1']],
    ['another day', '2026-03-02', ['w/4']],
    ['a time zone', `${day}14:05:00+02:00`, ['w/1']],
  ])('of one: %s', async (_, at, expected) => {
    for (const count of ['', '&_count=1'])
      expect(await versions('/Observation/w/_history', `_at=${encodeURIComponent(at)}${count}`)).toEqual(expected)
  })

  it.each([
    ['while both stood', `_at=${day}12:07:00Z`, ['other/1', 'w/1']],
    ['after a change', `_at=${day}12:15:00Z`, ['w/2', 'other/1']],
    ['while one was deleted', `_at=${day}12:25:00Z`, ['w/3', 'other/1']],
    ['before the other one', `_at=${day}12:04:00Z`, ['w/1']],
    ['from then on', `_at=ge${day}12:15:00Z`, ['w/4', 'w/3', 'w/2', 'other/1']],
    ['after that', `_at=gt${day}12:20:00Z`, ['w/4', 'w/3', 'other/1']],
    ['until then', `_at=le${day}12:05:00Z`, ['other/1', 'w/1']],
    ['earlier', `_at=lt${day}12:05:00Z`, ['w/1']],
    ['a period as HAPI’s client sends it', `_at=ge${day}12:11:00Z&_at=le${day}12:21:00Z`, ['w/3', 'w/2', 'other/1']],
    ['never', `_at=ge${day}12:11:00Z&_at=lt${day}12:00:00Z`, []],
    ['with _since, too', `_at=${day}12:15:00Z&_since=${day}12:08:00Z`, ['w/2']],
    ['in the only order', `_at=${day}12:15:00Z&_sort=-_lastUpdated`, ['w/2', 'other/1']],
  ])('of a type and of all: %s', async (_, query, expected) => {
    for (const count of ['', '&_count=1']) {
      expect(await versions('/Observation/_history', query + count)).toEqual(expected)
      const ofAll = await versions('/_history', query + count)
      expect(ofAll.filter(name => !name.startsWith('a/'))).toEqual(expected)
      // Whoever reaches everybody is answered by another index.
      const everybodys = await versions(
        '/Observation/_history',
        query + count,
        grantOf('system/*.rs', { patients: 'all' }),
      )
      expect(everybodys.filter(name => !name.startsWith('foreign'))).toEqual(expected)
    }
  })

  it('shows nothing of others', async () => {
    expect(await versions('/Observation/_history', '_at=2026')).not.toContain('foreign/1')
    const answer = await house.ask('GET', '/Observation/foreign/_history?_at=2026', { grant: own })
    expect(answer).toEqual(await house.ask('GET', '/Observation/never-was/_history?_at=2026', { grant: own }))
  })

  it('its links keep the question, and are of no other one', async () => {
    const { json } = await house.ask('GET', '/Observation/_history?_at=2026-03-01&_count=1', { grant: own })
    const [self, next] = json.link.map(({ url }: { url: string }) => url)
    expect(self).toContain('_at=2026-03-01')
    const other = next.replace('http://127.0.0.1:8080/fhir', '').replace('_at=2026-03-01', '_at=2026-03-02')
    expect((await house.ask('GET', other, { grant: own })).json.issue[0].details.coding[0].code).toBe(
      'record.cursor-invalid',
    )
  })
})

describe('the history of everything', () => {
  it.each(['patient/*.r', 'patient/*.cud', 'patient/Observation.ru'])(
    'is refused to who may search nothing: %s',
    async scopes => {
      for (const path of ['/_history', '/_history?_count=1', '/_history?_at=2026']) {
        const { status, json } = await house.ask('GET', path, { grant: grantOf(scopes, { patient: 'a' }) })
        expect([status, json.issue[0].details.coding[0].code]).toEqual([403, 'scope.missing'])
      }
    },
  )
})
