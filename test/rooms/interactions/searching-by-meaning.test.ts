import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB } from './house.ts'

const north = grantOf('user/*.cruds', { account: 'north', patients: ['a'] })
const south = grantOf('user/*.cruds', { account: 'south', patients: ['b'] })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding[0].code
const idsOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { resource: { id: string } }) => entry.resource.id).sort()

let house: House
let pets: string
const ids = async (query: string, grant = north) => idsOf(await house.ask('GET', `/${query}`, { grant }))
const refusal = async (query: string, grant = north) => codeOf(await house.ask('GET', `/${query}`, { grant }))

async function put(resource: object): Promise<void> {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const answer = await house.ask('PUT', `/${resourceType}/${id}`, { grant: admin, body: resource })
  if (answer.status !== 201) throw new Error(answer.text)
}
/** Definitions of a family's own. @returns the id */
async function keep(resource: object, grant = north): Promise<string> {
  const { resourceType } = resource as { resourceType: string }
  const answer = await house.ask('POST', `/${resourceType}`, { grant, body: resource })
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.json.id
}

const animals = (concept: readonly object[]) => ({
  resourceType: 'CodeSystem',
  url: 'urn:animals',
  status: 'active',
  content: 'complete',
  hierarchyMeaning: 'is-a',
  concept,
})
const setOf = (url: string, include: readonly object[]) => ({
  resourceType: 'ValueSet',
  url,
  status: 'active',
  compose: { include },
})
const bite = (id: string, patient: string, code: string) => ({
  resourceType: 'Condition',
  id,
  subject: { reference: `Patient/${patient}` },
  code: { coding: [{ system: 'urn:animals', code }] },
})

beforeAll(async () => {
  house = await openHouse()
  for (const patient of [patientA, patientB]) await put(patient)
  for (const [patient, code] of [
    ['a', 'dog'],
    ['a', 'bird'],
    ['b', 'dog'],
  ] as const)
    await put(bite(`${patient}-${code}`, patient, code))
  await keep(animals([{ code: 'pet', concept: [{ code: 'dog' }] }, { code: 'bird' }]))
  const pet = { property: 'concept', op: 'is-a', value: 'pet' }
  pets = await keep(setOf('urn:pets', [{ system: 'urn:animals', filter: [pet] }]))
  const bird = { system: 'urn:animals', concept: [{ code: 'bird' }] }
  await keep(setOf('urn:all', [{ valueSet: ['urn:pets'] }, bird]))
  await keep(setOf('urn:ring', [{ valueSet: ['urn:ring'] }]))
})
afterAll(() => house.close())

describe('searching by what codes mean – https://hl7.org/fhir/R4/search.html#token', () => {
  it.each([
    ['Condition?code:in=urn:pets', ['a-dog']],
    ['Condition?code:not-in=urn:pets', ['a-bird']],
    ['Condition?code:in=ValueSet/PETS', ['a-dog']],
    ['Condition?code:in=http://127.0.0.1:8080/fhir/ValueSet/PETS', ['a-dog']],
    ['Condition?code:in=urn:all', ['a-bird', 'a-dog']],
    ['Condition?code:below=urn:animals|pet', ['a-dog']],
    ['Condition?code:above=urn:animals|dog', ['a-dog']],
    ['Patient?_has:Condition:subject:code:in=urn:pets', ['a']],
    ['Condition?code:in=urn:pets&code:not-in=urn:pets', []],
    ['Condition?_filter=code in urn:pets or code in ValueSet/PETS', ['a-dog']],
    ['Condition?_filter=code ss urn:animals|bird', ['a-bird']],
  ])('%s finds %j by definitions that are kept', async (query, expected) => {
    expect(await ids(query.replace('PETS', pets))).toEqual(expected)
  })

  it('goes on with the next page by the same definitions', async () => {
    const first = await house.ask('GET', '/Condition?code:in=urn:all&_count=1', { grant: north })
    const { url } = first.json.link.find(({ relation }: { relation: string }) => relation === 'next')
    const second = await house.ask('GET', url.replace('http://127.0.0.1:8080/fhir', ''), { grant: north })
    expect([...idsOf(first), ...idsOf(second)].sort()).toEqual(['a-bird', 'a-dog'])
  })

  it('takes the parameters of a POST and of a compartment alike', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/Condition/_search', { grant: north, headers, body: 'code:in=urn:pets' })
    expect(idsOf(posted)).toEqual(['a-dog'])
    expect(await ids('Patient/a/Condition?code:in=urn:pets')).toEqual(['a-dog'])
  })

  it('knows nothing of what another family wrote under a url, and says so as for one that nobody has', async () => {
    expect(await refusal('Condition?code:in=urn:pets', south)).toBe('search.value-set-unknown')
    expect(await refusal('Condition?code:in=urn:nobodys', south)).toBe('search.value-set-unknown')
    expect(await refusal('Condition?code:below=urn:animals|pet', south)).toBe('search.code-system-unknown')
    await keep(animals([{ code: 'dog' }]), south)
    await keep(setOf('urn:pets', [{ system: 'urn:animals' }]), south)
    expect(await ids('Condition?code:in=urn:pets', south)).toEqual(['b-dog'])
    expect(await ids('Condition?code:below=urn:animals|pet', south)).toEqual([])
    expect(await ids('Condition?code:in=urn:pets')).toEqual(['a-dog'])
  })

  it('refuses a value set that includes itself, before it looks at anything', async () => {
    expect(await refusal('Condition?code:in=urn:ring')).toBe('search.value-set-unknown')
    expect(await refusal('Immunization?vaccine-code:in=urn:ring')).toBe('search.value-set-unknown')
  })

  it('asks only what the grant may read and search', async () => {
    const without = grantOf('user/Condition.rs', { account: 'north', patients: ['a'] })
    expect(await refusal('Condition?code:in=urn:pets', without)).toBe('search.value-set-unknown')
    expect(await refusal(`Condition?code:in=ValueSet/${pets}`, without)).toBe('search.value-set-unknown')
    expect(await ids('Condition?code:in=http://hl7.org/fhir/ValueSet/administrative-gender', without)).toEqual([])
  })

  it('follows hierarchies only through what is seen, and needs the right to search them', async () => {
    await put({ resourceType: 'Location', id: 'house' })
    await put({ resourceType: 'Location', id: 'room', partOf: { reference: 'Location/house' } })
    const at = (id: string, patient: string) => ({
      resourceType: 'Procedure',
      id,
      status: 'completed',
      subject: { reference: `Patient/${patient}` },
      location: { reference: 'Location/room' },
    })
    await put(at('p-a', 'a'))
    await put(at('p-b', 'b'))
    expect(await ids('Procedure?location:below=house', admin)).toEqual(['p-a', 'p-b'])
    expect(await ids('Procedure?location:below=house')).toEqual(['p-a'])
    const without = grantOf('user/Procedure.rs', { account: 'north', patients: ['a'] })
    expect(await refusal('Procedure?location:below=house', without)).toBe('scope.missing')
    expect(await ids('Procedure?location=room', without)).toEqual(['p-a'])
  })

  it('says of each search parameter which modifiers it has', async () => {
    const { json } = await house.ask('GET', '/metadata')
    const of = (type: string, name: string) =>
      json.rest[0].resource
        .find((each: { type: string }) => each.type === type)
        .searchParam.find((each: { name: string }) => each.name === name).documentation
    expect(of('Condition', 'code')).toBe('Modifiers: :missing :not :text :of-type :in :not-in :above :below')
    expect(of('Procedure', 'location')).toBe('Modifiers: :missing :[type] :identifier :text :above :below')
    expect(of('Observation', 'patient')).toBe('Modifiers: :missing :[type] :identifier :text')
    expect(of('QuestionnaireResponse', 'questionnaire')).toBe('Modifiers: :missing :[type] :identifier :text :below')
    expect(of('Patient', '_id')).toBe('Modifiers: :missing :not')
    expect(of('Patient', 'birthdate')).toBe('Modifiers: :missing')
  })
})

describe('conditional interactions by what codes mean – https://hl7.org/fhir/R4/http.html#cond-update', () => {
  const cat = { ...bite('', 'a', 'cat'), id: undefined }
  const change = (method: string, condition: string, body?: object, headers = {}, grant = north) =>
    house.ask(method, `/Condition?${condition}`, { grant, headers, ...(body === undefined ? {} : { body }) })
  beforeAll(async () => {
    const cats = { system: 'urn:animals', concept: [{ code: 'cat' }] }
    await keep(setOf('urn:cats', [cats]))
  })

  it('make one of what many ask for at once, and then find it', async () => {
    const headers = { 'if-none-exist': 'code:in=urn:cats' }
    const made = await Promise.all(
      Array.from({ length: 4 }, () => house.ask('POST', '/Condition', { grant: north, headers, body: cat })),
    )
    expect(made.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201])
    const [id] = await ids('Condition?code=cat')
    const updated = await change('PUT', 'code:in=urn:cats', { ...cat, recordedDate: '2026-01-01' })
    expect([updated.status, updated.json.id]).toEqual([200, id])
    const patched = await change('PATCH', 'code:in=urn:cats', { language: 'de' }, mergePatch)
    expect([patched.status, patched.json.language]).toEqual([200, 'de'])
  })

  it('let a transaction refer to it', async () => {
    const resource = {
      resourceType: 'Encounter',
      status: 'finished',
      class: { code: 'AMB' },
      subject: { reference: 'Patient/a' },
      diagnosis: [{ condition: { reference: 'Condition?code:in=urn:cats' } }],
    }
    const entry = [{ resource, request: { method: 'POST', url: 'Encounter' } }]
    const { status } = await house.ask('POST', '/', {
      grant: north,
      body: { resourceType: 'Bundle', type: 'transaction', entry },
    })
    expect(status).toBe(200)
    const [id] = await ids('Condition?code=cat')
    const [encounter] = (await house.ask('GET', '/Encounter?patient=a', { grant: north })).json.entry
    expect(encounter.resource.diagnosis[0].condition.reference).toBe(`Condition/${id}`)
  })

  it('know nothing of what another family keeps, and change nothing then', async () => {
    for (const [method, body] of [['PUT', cat], ['DELETE'], ['PATCH', { language: 'fr' }]] as const) {
      const answer = await change(method, 'code:in=urn:cats', body, method === 'PATCH' ? mergePatch : {}, south)
      expect([method, answer.status, codeOf(answer)]).toEqual([method, 400, 'search.value-set-unknown'])
    }
    const headers = { 'if-none-exist': 'code:in=urn:cats' }
    const made = await house.ask('POST', '/Condition', {
      grant: south,
      headers,
      body: { ...cat, subject: { reference: 'Patient/b' } },
    })
    expect(codeOf(made)).toBe('search.value-set-unknown')
    expect(await ids('Condition?code=cat', admin)).toHaveLength(1)
  })

  it('delete what they mean', async () => {
    expect((await change('DELETE', 'code:in=urn:cats')).status).toBe(204)
    expect(await ids('Condition?code=cat')).toEqual([])
  })
})

const mergePatch = { 'content-type': 'application/merge-patch+json' }
