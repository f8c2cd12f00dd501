import type { Resource } from '#fhir'
import { databaseOf } from './health-connect-files.ts'
import { createPatient, everything, found, ingested, openHouse, type TestHouse, versionsOf } from './house.ts'
import { zipOfMany } from './zips.ts'

/**
 * Records of clinics that a phone keeps. Ids are unique on the server that gave them, and nowhere else
 * (https://hl7.org/fhir/R4/resource.html#id; Apple and Android tell them apart by type, id and source).
 */
interface Kept {
  readonly server: string | undefined
  readonly resource: Resource & { id: string }
}

const [north, south] = ['https://north.example/fhir/R4', 'https://south.example/fhir/R4']

const result = (id: string, value: string, rest: object = {}): Resource & { id: string } => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'Potassium' },
  subject: { reference: 'Patient/1' },
  valueString: value,
  ...rest,
})

/** How the phone writes the address of a record. */
type Address = (server: string, resource: Kept['resource']) => string

const plainly: Address = (server, { resourceType, id }) => `${server}/${resourceType}/${id}`

function appleOf(kept: readonly Kept[], address = plainly): Buffer {
  const rows = kept.map(({ server, resource }, nth) => {
    const source = server === undefined ? '' : ` sourceURL="${address(server, resource).replaceAll('&', '&amp;')}"`
    return `<ClinicalRecord type="HKClinicalTypeIdentifierLabResultRecord" identifier="${resource.id}"${source} resourceFilePath="/clinical-records/Record-${nth}.json"/>`
  })
  const files = kept.map(({ resource }, nth) => ({
    name: `apple_health_export/clinical-records/Record-${nth}.json`,
    data: Buffer.from(JSON.stringify(resource)),
  }))
  const xml = Buffer.from(`<?xml version="1.0"?><HealthData>${rows.join('')}</HealthData>`)
  return zipOfMany([{ name: 'apple_health_export/export.xml', data: xml }, ...files])
}

function androidOf(kept: readonly Kept[], address = (server: string) => server): Buffer {
  const servers = [...new Set(kept.map(({ server }) => server))]
  return databaseOf({
    weight_record_table: [],
    medical_data_source_table: servers.flatMap((server, nth) =>
      server === undefined ? [] : [{ medical_data_source_row_id: nth + 1, fhir_base_uri: address(server) }],
    ),
    medical_resource_table: kept.map(({ server, resource }) => ({
      fhir_resource_id: resource.id,
      fhir_data: JSON.stringify(resource),
      data_source_id: server === undefined ? null : servers.indexOf(server) + 1,
    })),
  })
}

const phones = { apple: appleOf, android: androidOf }
type Phone = keyof typeof phones

async function valuesIn(house: TestHouse): Promise<readonly unknown[]> {
  return (await found(house.record, 'Observation')).map(({ valueString }) => valueString).sort()
}

describe.each(['apple', 'android'] as const)('records of two clinics that gave one id: %s', (phone: Phone) => {
  const both: readonly Kept[] = [
    { server: north, resource: result('1', 'north') },
    { server: south, resource: result('1', 'south') },
  ]

  it.each([
    ['as they come', both],
    ['the other way round', both.toReversed()],
  ])('are two facts, also when they come again: %s', async (_, kept) => {
    const house = await openHouse()
    const first = await ingested(house, house.anna, everything(), phones[phone](kept))
    expect(first.counts).toMatchObject({ rows: 2, mapped: 2, rejected: [], unmapped: [] })
    expect(await valuesIn(house)).toEqual(['north', 'south'])
    const before = await versionsOf(house.record)
    const again = await ingested(house, house.anna, everything(), phones[phone](kept.toReversed()))
    expect(again.counts).toMatchObject({ rows: 2, mapped: 0, duplicate: 2 })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('one by one, a later word of one clinic changes its own', async () => {
    const house = await openHouse()
    for (const one of both) await ingested(house, house.anna, everything(), phones[phone]([one]))
    const corrected = result('1', 'corrected', { status: 'corrected' })
    await ingested(house, house.anna, everything(), phones[phone]([{ server: south, resource: corrected }]))
    expect(await valuesIn(house)).toEqual(['corrected', 'north'])
  })

  it('what a record refers to is its own clinic’s, and nothing where that has none', async () => {
    const house = await openHouse()
    const member = (id: string) => ({ hasMember: [{ reference: `Observation/${id}` }] })
    const kept = [
      { server: north, resource: result('1', 'north') },
      { server: north, resource: result('2', 'panel of north', member('1')) },
      { server: south, resource: result('1', 'south') },
      { server: south, resource: result('3', 'panel of south', member('1')) },
      { server: south, resource: result('4', 'odd panel of south', member('2')) },
    ]
    const { counts } = await ingested(house, house.anna, everything(), phones[phone](kept))
    expect(counts).toMatchObject({ mapped: 5, rejected: [] })
    const observations = await found(house.record, 'Observation')
    const byId = new Map(observations.map(({ id, valueString }) => [`Observation/${id}`, valueString]))
    const members = observations.flatMap(({ valueString, hasMember }) =>
      ((hasMember ?? []) as { reference: string }[]).map(({ reference }) => [valueString, byId.get(reference)]),
    )
    expect(members.sort()).toEqual([
      ['odd panel of south', undefined],
      ['panel of north', 'north'],
      ['panel of south', 'south'],
    ])
  })

  it('each has the person under a number of its own', async () => {
    const house = await openHouse()
    const person = { resourceType: 'Patient', name: [{ family: 'Wolf', given: ['Ida'] }], birthDate: '1980-02-03' }
    const ida = await createPatient(house.record, person)
    const kept = [
      { server: north, resource: { ...person, id: '1' } },
      { server: north, resource: result('1', 'north') },
      { server: south, resource: { ...person, id: '7' } },
      { server: south, resource: result('1', 'south', { subject: { reference: 'Patient/7' } }) },
    ]
    const { counts } = await ingested(house, ida, everything(), phones[phone](kept))
    expect(counts).toMatchObject({ rows: 4, rejected: [] })
    expect(await valuesIn(house)).toEqual(['north', 'south'])
  })

  it('where the phone does not say of which clinic, one id is one fact', async () => {
    const house = await openHouse()
    const kept = both.map(({ resource }) => ({ server: undefined, resource }))
    const { counts } = await ingested(house, house.anna, everything(), phones[phone](kept))
    expect(counts).toMatchObject({ rows: 2, mapped: 1 })
    expect(await valuesIn(house)).toHaveLength(1)
  })

  it('tenants of one host, told by its path, are two clinics', async () => {
    const house = await openHouse()
    const kept = ['a', 'b'].map(tenant => ({
      server: `https://host.example/${tenant}/fhir`,
      resource: result('1', tenant),
    }))
    await ingested(house, house.anna, everything(), phones[phone](kept))
    expect(await valuesIn(house)).toEqual(['a', 'b'])
  })
})

it('a clinic that both phones know is one', async () => {
  const house = await openHouse()
  const kept = [{ server: north, resource: result('1', 'north') }]
  await ingested(house, house.anna, everything(), appleOf(kept))
  const { counts } = await ingested(
    house,
    house.anna,
    everything(),
    androidOf(kept, () => 'https://NORTH.example:443/fhir/R4/'),
  )
  expect(counts).toMatchObject({ rows: 1, mapped: 0, duplicate: 1 })
})

it.each<readonly [string, Address]>([
  ['of a version', (server, resource) => `${plainly(server, resource)}/_history/3`],
  ['of a search', (server, { resourceType, id }) => `${server}/${resourceType}?_id=${id}&_format=json`],
  ['with a slash', (server, resource) => `${plainly(server, resource)}/`],
  ['in capitals', (server, resource) => plainly(server.replace('example', 'EXAMPLE'), resource)],
  ['with its port', (server, resource) => plainly(server.replace('.example', '.example:443'), resource)],
])('the address of a record may be written otherwise: %s', async (_, address) => {
  const house = await openHouse()
  const kept = [
    { server: north, resource: result('1', 'north') },
    { server: south, resource: result('1', 'south') },
  ]
  await ingested(house, house.anna, everything(), appleOf(kept))
  const { counts } = await ingested(house, house.anna, everything(), appleOf(kept, address))
  expect(counts).toMatchObject({ rows: 2, mapped: 0, duplicate: 2 })
})

it.each(['', 'no address', 'file:///fhir/Observation/1', 'urn:uuid:1', '/Observation/1', 'https://'])(
  'what is no address of a server (%j) costs no record',
  async text => {
    const house = await openHouse()
    const kept = [{ server: north, resource: result('1', 'north') }]
    const { counts } = await ingested(
      house,
      house.anna,
      everything(),
      appleOf(kept, () => text),
    )
    expect(counts).toMatchObject({ rows: 1, mapped: 1, rejected: [] })
  },
)
