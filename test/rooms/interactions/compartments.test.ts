import { type Answer, admin, baseUrl, grantOf, type House, openHouse, patientA, patientB } from './house.ts'

const own = grantOf('patient/*.rs', { patient: 'a' })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding[0].code
const namesOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { fullUrl: string }) => entry.fullUrl.slice(baseUrl.length + 1)).sort()

let house: House
const get = (url: string, grant = own) => house.ask('GET', url, { grant })
const names = async (url: string, grant = own) => namesOf(await get(url, grant))

async function put(resourceType: string, id: string, more: object = {}): Promise<void> {
  const answer = await house.ask('PUT', `/${resourceType}/${id}`, { grant: admin, body: { resourceType, id, ...more } })
  if (answer.status !== 201) throw new Error(answer.text)
}

const text = { text: 'x' }
const to = (reference: string) => ({ reference })

beforeAll(async () => {
  house = await openHouse()
  for (const { id, resourceType, ...more } of [patientA, patientB]) await put(resourceType, `${id}`, more)
  await put('Practitioner', 'doctor')
  await put('Practitioner', 'other')
  await put('Location', 'ward')
  for (const patient of ['a', 'b']) {
    const subject = to(`Patient/${patient}`)
    const encounter = to(`Encounter/visit-${patient}`)
    await put('RelatedPerson', `mother-${patient}`, { patient: subject })
    await put('Device', `watch-${patient}`, { patient: subject })
    await put('Encounter', `visit-${patient}`, {
      status: 'finished',
      class: { code: 'AMB' },
      subject,
      participant: [{ individual: to('Practitioner/doctor') }, { individual: to(`RelatedPerson/mother-${patient}`) }],
      location: [{ location: to('Location/ward') }],
    })
    const observed = { status: 'final', code: text, subject }
    await put('Observation', `in-${patient}`, { ...observed, encounter, performer: [to('Practitioner/doctor')] })
    await put('Observation', `out-${patient}`, { ...observed, device: to(`Device/watch-${patient}`) })
    await put('Condition', `found-${patient}`, {
      code: text,
      subject,
      encounter,
      asserter: to(`RelatedPerson/mother-${patient}`),
    })
    await put('Procedure', `done-${patient}`, { status: 'completed', subject, encounter })
  }
})
afterAll(() => house.close())

describe('compartments beside a patient’s – https://hl7.org/fhir/R4/compartmentdefinition.html', () => {
  it.each([
    ['/Encounter/visit-a/Observation', ['Observation/in-a']],
    ['/Encounter/visit-a/Encounter', ['Encounter/visit-a']],
    ['/Encounter/visit-a/Observation?code:text=x&_count=5', ['Observation/in-a']],
    ['/Encounter/visit-a/Observation?status=amended', []],
    ['/Encounter/visit-a/*', ['Condition/found-a', 'Encounter/visit-a', 'Observation/in-a', 'Procedure/done-a']],
    ['/Encounter/visit-a/*?_type=Condition,Procedure', ['Condition/found-a', 'Procedure/done-a']],
    ['/Practitioner/doctor/Observation', ['Observation/in-a']],
    ['/Practitioner/doctor/*', ['Encounter/visit-a', 'Observation/in-a', 'Practitioner/doctor']],
    ['/Practitioner/doctor/Observation?subject=Patient/b', []],
    ['/RelatedPerson/mother-a/Encounter', ['Encounter/visit-a']],
    ['/RelatedPerson/mother-a/*', ['Condition/found-a', 'Encounter/visit-a', 'RelatedPerson/mother-a']],
    ['/Device/watch-a/Observation', ['Observation/out-a']],
    ['/Encounter/visit-b/Observation', []],
    ['/Encounter/visit-b/*', []],
    ['/RelatedPerson/mother-b/*', []],
    ['/Device/watch-b/Observation', []],
    ['/Encounter/never-was/*', []],
  ])('%s finds %j, of what the asker sees', async (url, expected) => {
    expect(await names(url)).toEqual(expected)
  })

  it('shows all of them to who may see all', async () => {
    expect(await names('/Practitioner/doctor/Observation', admin)).toEqual(['Observation/in-a', 'Observation/in-b'])
  })

  it('goes on page by page, and takes parameters of a POST', async () => {
    const first = await get('/Encounter/visit-a/*?_count=2')
    const { url } = first.json.link.find(({ relation }: { relation: string }) => relation === 'next')
    const second = await get(url.slice(baseUrl.length))
    expect([...namesOf(first), ...namesOf(second)].sort()).toEqual(await names('/Encounter/visit-a/*'))
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/Encounter/visit-a/Condition/_search', {
      grant: own,
      headers,
      body: 'code:text=x',
    })
    expect(namesOf(posted)).toEqual(['Condition/found-a'])
    expect(posted.json.link[0].url).toBe(`${baseUrl}/Encounter/visit-a/Condition?code%3Atext=x`)
  })

  it.each(['Patient/a', 'Encounter/visit-a', 'Practitioner/doctor'])(
    'shows in its self link what narrows, and the form that was asked for once: %s',
    async compartment => {
      const self = async (query: string) => {
        const { json } = await get(`/${compartment}/*?${query}`)
        return json.link.find(({ relation }: { relation: string }) => relation === 'self').url
      }
      expect(await self('_pretty=true&_count=2')).toBe(`${baseUrl}/${compartment}/*?_count=2`)
      const { text: xml } = await get(`/${compartment}/*?_count=2&_format=xml`)
      expect(/<relation value="self"\/>\s*<url value="([^"]*)"/.exec(xml)?.[1]).toMatch(/\?_count=2&amp;_format=xml$/)
    },
  )

  it('refuses types that such a compartment never holds, and asks for the scope', async () => {
    expect(codeOf(await get('/Encounter/visit-a/Patient'))).toBe('compartment.type-unknown')
    expect(codeOf(await get('/Encounter/visit-a/*?_type=Patient'))).toBe('compartment.type-unknown')
    const conditions = grantOf('patient/Condition.rs', { patient: 'a' })
    expect(codeOf(await get('/Encounter/visit-a/Observation', conditions))).toBe('scope.missing')
    expect(await names('/Encounter/visit-a/*', conditions)).toEqual(['Condition/found-a'])
  })
})

describe('Encounter/$everything – https://hl7.org/fhir/R4/encounter-operation-everything.html', () => {
  const everything = [
    'Condition/found-a',
    'Encounter/visit-a',
    'Location/ward',
    'Observation/in-a',
    'Patient/a',
    'Practitioner/doctor',
    'Procedure/done-a',
    'RelatedPerson/mother-a',
  ]

  it('answers what belongs to the encounter and what that refers to', async () => {
    expect(await names('/Encounter/visit-a/$everything')).toEqual(everything)
    const posted = await house.ask('POST', '/Encounter/visit-a/$everything', {
      grant: own,
      body: { resourceType: 'Parameters', parameter: [{ name: '_type', valueCode: 'Condition' }] },
    })
    expect(namesOf(posted)).toEqual(['Condition/found-a', 'Encounter/visit-a', 'Patient/a', 'RelatedPerson/mother-a'])
  })

  it.each(['/Encounter/visit-b/$everything', '/Encounter/never-was/$everything'])('knows nothing of %s', async url => {
    const answer = await get(url)
    expect([answer.status, codeOf(answer)]).toEqual([404, 'record.unknown'])
  })

  it('needs the right to read the encounter, and refuses what it does not know', async () => {
    expect(codeOf(await get('/Encounter/visit-a/$everything', grantOf('patient/Condition.rs', { patient: 'a' })))).toBe(
      'scope.missing',
    )
    expect(codeOf(await get('/Encounter/visit-a/$everything?start=2020'))).toBe('request.parameter-unknown')
    expect(codeOf(await get('/Encounter/visit-a/$everything?_type=Nonsense,Patient'))).toBe('everything.type-unknown')
    expect(await names('/Encounter/visit-a/$everything?_since=2999-01-01T00:00:00Z')).toEqual([])
  })

  it('stands in the capability statement with the compartments', async () => {
    const { json } = await get('/metadata')
    const [rest] = json.rest
    expect(rest.compartment).toHaveLength(5)
    const of = (name: string) => rest.resource.find(({ type }: { type: string }) => type === name).operation
    expect(of('Encounter')).toContainEqual({
      name: 'everything',
      definition: 'http://hl7.org/fhir/OperationDefinition/Encounter-everything',
    })
    for (const name of ['lastn', 'stats'])
      expect(of('Observation')).toContainEqual({
        name,
        definition: `http://hl7.org/fhir/OperationDefinition/Observation-${name}`,
      })
  })
})
