/** What resources contain: https://hl7.org/fhir/R4/search.html#contained */
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB } from './house.ts'

let house: House
const own = grantOf('patient/*.rs', { patient: 'a' })
const codeOf = (answer: Answer) => answer.json.issue[0].details.coding[0].code
const idsOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { resource: { id: string } }) => entry.resource.id)
const linkOf = ({ json }: Answer, relation: string): string =>
  json.link.find((link: { relation: string }) => link.relation === relation)?.url ?? ''
const ask = (path: string, grant = own) => house.ask('GET', path, { grant })
const follow = (answer: Answer, relation: string) =>
  ask(linkOf(answer, relation).replace('http://127.0.0.1:8080/fhir', ''))

const pills = (code: string) => ({
  resourceType: 'Medication',
  id: 'm',
  code: { coding: [{ system: 'urn:rx', code }] },
})
const orderOf = (patient: string, id: string, code: string, status = 'active') => ({
  resourceType: 'MedicationRequest',
  id,
  status,
  intent: 'order',
  subject: { reference: `Patient/${patient}` },
  medicationReference: { reference: '#m' },
  contained: [pills(code)],
})
const device = (id: string, type: string, more: object = {}) => ({
  resourceType: 'Device',
  id,
  type: { coding: [{ system: 'urn:device', code: type }] },
  ...more,
})
const deviceOrder = (id: string, contained: readonly { readonly id: string }[]) => ({
  resourceType: 'DeviceRequest',
  id,
  intent: 'order',
  subject: { reference: 'Patient/a' },
  codeReference: { reference: `#${contained[0]?.id}` },
  note: contained.slice(1).map(each => ({ text: 'x', extension: [relatedTo(each.id)] })),
  contained,
})
const relatedTo = (id: string) => ({ url: 'https://clinic.example/related', valueReference: { reference: `#${id}` } })
const together = {
  resourceType: 'Appointment',
  id: 'together',
  status: 'proposed',
  participant: ['Patient/a', 'Patient/b', '#d'].map(reference => ({ status: 'accepted', actor: { reference } })),
  contained: [{ resourceType: 'Practitioner', id: 'd', name: [{ family: 'Sorrel' }] }],
}

beforeAll(async () => {
  house = await openHouse()
  for (const resource of [
    patientA,
    patientB,
    { ...pills('alone'), id: 'alone' },
    ...['1', '2', '3'].map(n => orderOf('a', `a${n}`, 'pill')),
    orderOf('a', 'stopped', 'pill', 'stopped'),
    orderOf('b', 'b1', 'pill'),
    together,
    deviceOrder('several', [
      device('1', 'cuff'),
      device('2', 'pump', { status: 'active' }),
      device('3', 'cuff', { patient: { reference: 'Patient/a' } }),
    ]),
    deviceOrder('more', [device('1', 'pump'), device('2', 'cuff')]),
  ]) {
    house.clock.advance(1000)
    const { resourceType, id } = resource as { readonly resourceType: string; readonly id: string }
    const answer = await house.ask('PUT', `/${resourceType}/${id}`, { grant: admin, body: resource })
    if (answer.status !== 201) throw new Error(answer.text)
  }
})
afterAll(() => house.close())

describe('_contained – https://hl7.org/fhir/R4/search.html#contained', () => {
  it('by default finds nothing within others', async () => {
    expect(idsOf(await ask('/Medication?code=pill'))).toEqual([])
    expect(idsOf(await ask('/Medication?code=pill&_contained=false'))).toEqual([])
  })

  it('returns the containers, as they are kept, by GET and by POST', async () => {
    const found = await ask('/Medication?_contained=true&code=urn:rx|pill')
    expect(idsOf(found)).toEqual(['stopped', 'a3', 'a2', 'a1'])
    expect(found.json.total).toBe(4)
    expect(found.json.entry[0]).toMatchObject({
      fullUrl: 'http://127.0.0.1:8080/fhir/MedicationRequest/stopped',
      search: { mode: 'match' },
    })
    expect(linkOf(found, 'self')).toBe('http://127.0.0.1:8080/fhir/Medication?code=urn%3Arx%7Cpill&_contained=true')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/Medication/_search', {
      grant: own,
      headers,
      body: '_contained=true&code=pill&_containedType=container',
    })
    expect(idsOf(posted)).toEqual(idsOf(found))
    expect(idsOf(await ask('/?_type=Medication&_contained=true&code=pill'))).toEqual(idsOf(found))
    expect(idsOf(await ask('/Patient/a/Medication?_contained=true&code=pill'))).toEqual(idsOf(found))
  })

  it('with both, also what stands by itself', async () => {
    const everybody = await ask('/Medication?_contained=both&code=pill,alone&_sort=_lastUpdated', admin)
    expect(idsOf(everybody)).toEqual(['alone', 'a1', 'a2', 'a3', 'stopped', 'b1'])
  })

  it('is answered page by page', async () => {
    const first = await ask('/Medication?_contained=true&code=pill&_count=3')
    const second = await follow(first, 'next')
    expect([...idsOf(first), ...idsOf(second)]).toEqual(['stopped', 'a3', 'a2', 'a1'])
    expect(idsOf(await follow(second, 'previous'))).toEqual(idsOf(first))
    const count = await ask('/Medication?_contained=true&code=pill&_summary=count')
    expect([count.json.total, idsOf(count)]).toEqual([4, []])
  })

  it('includes what containers refer to', async () => {
    const found = await ask('/Medication?_contained=true&code=pill&_count=1&_include=MedicationRequest:subject')
    expect(idsOf(found)).toEqual(['stopped', 'a'])
  })

  it('finds what belongs to several once, for each of them', async () => {
    const search = '/Practitioner?_contained=true&family=sorrel'
    for (const grant of [own, grantOf('patient/*.rs', { patient: 'b' }), admin])
      expect(idsOf(await ask(search, grant))).toEqual(['together'])
  })
})

describe('_containedType=contained answers what lies within – https://hl7.org/fhir/R4/search.html#contained', () => {
  const urlsOf = ({ json }: Answer): string[] =>
    (json.entry ?? []).map(({ fullUrl }: { fullUrl: string }) => fullUrl.replace('http://127.0.0.1:8080/fhir/', ''))
  const orders = ['stopped', 'a3', 'a2', 'a1'].map(id => `MedicationRequest/${id}#m`)
  const asked = '_contained=true&_containedType=contained&code=pill'

  it('as it stands there, under the address of its container', async () => {
    const found = await ask(`/Medication?${asked}`)
    expect(urlsOf(found)).toEqual(orders)
    expect(found.json.total).toBe(4)
    expect(found.json.entry[0]).toMatchObject({ resource: pills('pill'), search: { mode: 'match' } })
    expect(Object.keys(found.json.entry[0].resource)).toEqual(['resourceType', 'id', 'code'])
    expect(linkOf(found, 'self')).toBe(
      'http://127.0.0.1:8080/fhir/Medication?code=pill&_contained=true&_containedType=contained',
    )
  })

  it('by POST, in a search of several types, of a patient, in a batch, and in XML', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/Medication/_search', { grant: own, headers, body: asked })
    expect(urlsOf(posted)).toEqual(orders)
    expect(urlsOf(await ask(`/?_type=Medication,Substance&${asked}`))).toEqual(orders)
    expect(urlsOf(await ask(`/Patient/a/Medication?${asked}`))).toEqual(orders)
    const request = { method: 'GET', url: `Medication?${asked}` }
    const batch = { resourceType: 'Bundle', type: 'batch', entry: [{ request }] }
    const together = await house.ask('POST', '/', { grant: own, body: batch })
    expect(urlsOf({ ...together, json: together.json.entry[0].resource })).toEqual(orders)
    const xml = await house.ask('GET', `/Medication?${asked}&_count=1`, {
      grant: own,
      headers: { accept: 'application/fhir+xml' },
    })
    expect(xml.text).toContain('/MedicationRequest/stopped#m"/><resource><Medication><id value="m"/>')
  })

  it('with both, what stands by itself beside it', async () => {
    const both = '_contained=both&_containedType=contained&code=pill,alone&_sort=_lastUpdated'
    const found = await ask(`/Medication?${both}`, admin)
    const within = ['a1', 'a2', 'a3', 'stopped', 'b1'].map(id => `MedicationRequest/${id}#m`)
    expect(urlsOf(found)).toEqual(['Medication/alone', ...within])
    expect(found.json.entry[0].resource).toMatchObject({ id: 'alone', meta: { versionId: '1' } })
    expect(urlsOf(await ask('/MedicationRequest?_contained=both&_containedType=contained&_count=2'))).toEqual([
      'MedicationRequest/stopped',
      'MedicationRequest/a3',
    ])
  })

  it('page by page, counting what is answered', async () => {
    const first = await ask(`/Medication?${asked}&_count=3`)
    const second = await follow(first, 'next')
    expect([urlsOf(first), urlsOf(second)]).toEqual([orders.slice(0, 3), orders.slice(3)])
    expect(urlsOf(await follow(second, 'previous'))).toEqual(urlsOf(first))
    const several = '/Device?_contained=true&_containedType=contained&_sort=_lastUpdated'
    const counted = async (query: string) => (await ask(`${several}${query}`)).json.total
    expect([await counted('&_summary=count'), await counted('&_total=accurate&_count=2')]).toEqual([5, 5])
    const pages: string[][] = []
    for (let page = await ask(`${several}&_count=2`); ; page = await follow(page, 'next')) {
      pages.push(urlsOf(page))
      if (linkOf(page, 'next') === '') break
    }
    expect(pages).toEqual([
      ['DeviceRequest/several#1', 'DeviceRequest/several#2'],
      ['DeviceRequest/several#3', 'DeviceRequest/more#1'],
      ['DeviceRequest/more#2'],
    ])
    expect(urlsOf(await ask(`${several}&_count=2&_offset=2`))).toEqual(pages[1])
  })

  it('only what fulfils all that is asked, of several in one container', async () => {
    const some = '/Device?_contained=true&_containedType=contained&_sort=_lastUpdated'
    expect(urlsOf(await ask(`${some}&type=pump`))).toEqual(['DeviceRequest/several#2', 'DeviceRequest/more#1'])
    expect(urlsOf(await ask(`${some}&type=pump&status=active`))).toEqual(['DeviceRequest/several#2'])
    expect(urlsOf(await ask(`${some}&type:not=pump`))).toEqual([
      'DeviceRequest/several#1',
      'DeviceRequest/several#3',
      'DeviceRequest/more#2',
    ])
    expect(urlsOf(await ask(`${some}&patient.name=alder`))).toEqual(['DeviceRequest/several#3'])
  })

  it('a part of it, and once what its container refers to', async () => {
    const part = await ask(`/Medication?${asked}&_count=1&_elements=id`)
    expect(part.json.entry[0].resource).toMatchObject({ id: 'm', meta: { tag: [{ code: 'SUBSETTED' }] } })
    expect(part.json.entry[0].resource).not.toHaveProperty('code')
    const device = '/Device?_contained=true&_containedType=contained&_sort=_lastUpdated&_count=3'
    const included = await ask(`${device}&_include=DeviceRequest:subject`)
    expect(urlsOf(included).slice(3)).toEqual(['Patient/a'])
  })

  it('of those whom the token reaches, once for each container, however many are asked', async () => {
    const doctor = '/Practitioner?_contained=true&_containedType=contained&family=sorrel'
    for (const grant of [own, grantOf('patient/*.rs', { patient: 'b' }), admin])
      expect(urlsOf(await ask(doctor, grant))).toEqual(['Appointment/together#d'])
    const search = `/Medication?${asked}`
    expect(urlsOf(await ask(search, grantOf('patient/Medication.rs', { patient: 'a' })))).toEqual([])
    const some = grantOf('patient/Medication.rs patient/MedicationRequest.rs?status=stopped', { patient: 'a' })
    expect(urlsOf(await ask(search, some))).toEqual(['MedicationRequest/stopped#m'])
    const other = await ask(search, grantOf('patient/MedicationRequest.rs', { patient: 'a' }))
    expect(codeOf(other)).toBe('scope.missing')
    expect(urlsOf(await ask(`${search}&_total=accurate`, admin))).toEqual(['MedicationRequest/b1#m', ...orders])
  })

  it('so that the Bundle is valid', async () => {
    const found = await ask('/Device?_contained=true&_containedType=contained')
    const { json } = await house.ask('POST', '/Bundle/$validate', { grant: admin, body: found.json })
    expect(json.issue.filter(({ severity }: { severity: string }) => severity === 'error')).toEqual([])
  })
})

describe('_contained shows what may be seen, and needs the scope of what is sought', () => {
  it('shows containers of types that the token may search', async () => {
    const search = '/Medication?_contained=true&code=pill'
    expect(idsOf(await ask(search, grantOf('patient/Medication.rs', { patient: 'a' })))).toEqual([])
    const both = grantOf('patient/Medication.rs patient/MedicationRequest.rs', { patient: 'a' })
    expect(idsOf(await ask(search, both))).toEqual(['stopped', 'a3', 'a2', 'a1'])
    const some = grantOf('patient/Medication.rs patient/MedicationRequest.rs?status=stopped', { patient: 'a' })
    expect(idsOf(await ask(search, some))).toEqual(['stopped'])
    const other = await ask(search, grantOf('patient/MedicationRequest.rs', { patient: 'a' }))
    expect(codeOf(other)).toBe('scope.missing')
  })

  it('needs the scope for what chains lead to from within', async () => {
    const narrow = grantOf('patient/Medication.rs patient/MedicationRequest.rs', { patient: 'a' })
    const chained = '/Medication?_contained=true&manufacturer:Organization.name=x'
    expect(codeOf(await ask(chained, narrow))).toBe('scope.missing')
  })

  it('is the same where many are asked as one', async () => {
    const found = await ask('/Medication?_contained=true&code=pill&_total=accurate', admin)
    expect(idsOf(found)).toEqual(['b1', 'stopped', 'a3', 'a2', 'a1'])
  })
})

describe('what _contained does not do is refused', () => {
  it.each([
    ['/Medication?_contained=maybe', 'search.control-malformed'],
    ['/Medication?_contained=true&_contained=both', 'search.parameter-repeated'],
    ['/Medication?_contained=true&_containedType=some', 'search.control-malformed'],
    ['/Medication?_contained=true&_containedType=contained&_sort=code', 'search.sort-unknown'],
    ['/Medication?_contained=true&_containedType=contained&_containedType=contained', 'search.parameter-repeated'],
    ['/MedicationRequest?_contained=true&_sort=authoredon', 'search.sort-unknown'],
    ['/Observation/$lastn?patient=a&code=x&_contained=true', 'search.parameter-unsupported'],
    ['/Practitioner/doctor/MedicationRequest?_contained=true', 'search.parameter-unsupported'],
  ])('%s', async (path, code) => {
    expect(codeOf(await ask(path))).toBe(code)
  })

  it('in conditions of writes, which would change the container', async () => {
    const remove = await house.ask('DELETE', '/Medication?_contained=true&code=pill', { grant: admin })
    expect(codeOf(remove)).toBe('search.parameter-unsupported')
    const headers = { 'if-none-exist': '_contained=both&code=pill' }
    const create = await house.ask('POST', '/Medication', { grant: admin, headers, body: pills('pill') })
    expect(codeOf(create)).toBe('search.parameter-unsupported')
    expect(idsOf(await ask('/MedicationRequest?_count=10', admin)).length).toBe(5)
  })
})
