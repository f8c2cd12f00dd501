import type { Resource } from '#fhir'
import { type Answer, admin, type House, openHouse } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
  await house.record.writer(admin, { imports: 'source' }).transact(txn => txn.create(imported, { id: 'ann' }))
})
afterEach(() => house.close())

const note = { url: 'urn:kinhold:hl7v2:said-at', valueInstant: '2024-03-10T12:00:00.000Z' }
const forged = { ...note, valueInstant: '2999-01-01T00:00:00.000Z' }
const own = { url: 'http://example.org/own', valueString: 'mine' }
const number = { system: 'urn:hospital', value: '1' }
const imported = {
  resourceType: 'Patient',
  identifier: [number],
  meta: { extension: [own, note] },
  birthDate: '1980-01-01',
} satisfies Resource
const body = { resourceType: 'Patient', id: 'ann', identifier: [number], birthDate: '1980-01-02' }
const { meta: _, ...bare } = { ...imported, id: 'ann' }

type Way = (resource: object) => Promise<Answer>
const put: Way = resource => house.ask('PUT', '/Patient/ann', { grant: admin, body: resource })
const ways: [string, Way][] = [
  ['an update', put],
  [
    'a conditional update',
    resource => house.ask('PUT', '/Patient?identifier=urn:hospital%7C1', { grant: admin, body: resource }),
  ],
  ...(['transaction', 'batch'] as const).map((type): [string, Way] => [
    `an update in a ${type}`,
    resource => {
      const entry = [{ resource, request: { method: 'PUT', url: 'Patient/ann' } }]
      return house.ask('POST', '/', { grant: admin, body: { resourceType: 'Bundle', type, entry } })
    },
  ]),
]
const patch = (operations: readonly object[]) => {
  const headers = { 'content-type': 'application/json-patch+json' }
  return house.ask('PATCH', '/Patient/ann', { grant: admin, headers, body: operations })
}
const stored = async () => (await house.ask('GET', '/Patient/ann', { grant: admin })).json
const notesOf = ({ meta }: { meta?: { extension?: { url: string }[] } }) => meta?.extension ?? []
const edited = expect.objectContaining({ url: 'urn:kinhold:edited' })

describe('what imports note in meta can be neither forged nor dropped', () => {
  it.each(ways)('%s without meta', async (_, write) => {
    expect((await write(body)).status).toBe(200)
    expect(notesOf(await stored())).toEqual([note, edited])
  })

  it.each(ways)('%s with other notes', async (_, write) => {
    await write({ ...body, meta: { extension: [forged, own, { url: 'urn:kinhold:more', valueString: 'x' }] } })
    expect(notesOf(await stored())).toEqual([note, own, edited])
  })

  it('a patch that takes them away, or changes them', async () => {
    expect((await patch([{ op: 'remove', path: '/meta/extension' }])).status).toBe(200)
    expect(notesOf(await stored())).toEqual([note])
    await patch([{ op: 'replace', path: '/meta/extension/0/valueInstant', value: forged.valueInstant }])
    expect(notesOf(await stored())).toEqual([note])
  })

  it('labels that are added and taken away', async () => {
    for (const operation of ['$meta-add', '$meta-delete']) {
      const parameter = [{ name: 'meta', valueMeta: { tag: [{ code: 'x' }], extension: [forged] } }]
      const parameters = { resourceType: 'Parameters', parameter }
      const { status } = await house.ask('POST', `/Patient/ann/${operation}`, { grant: admin, body: parameters })
      expect(status).toBe(200)
      expect(notesOf(await stored())).toEqual([own, note])
    }
  })

  it('a resource that is created, under any name, has none', async () => {
    const created = { resourceType: 'Patient', meta: { extension: [forged] } }
    const { json } = await house.ask('POST', '/Patient', { grant: admin, body: created })
    expect(notesOf(json)).toEqual([])
    await house.ask('PUT', '/Patient/ben', { grant: admin, body: { ...created, id: 'ben' } })
    expect((await house.ask('GET', '/Patient/ben', { grant: admin })).json.meta).not.toHaveProperty('extension')
  })

  it('what was deleted and is written again has none', async () => {
    await house.ask('DELETE', '/Patient/ann', { grant: admin })
    await put({ ...body, meta: { extension: [forged] } })
    expect(notesOf(await stored())).toEqual([])
  })
})

describe('an edit is noted by its elements', () => {
  const elements = async () => JSON.stringify(notesOf(await stored())).match(/"elements","valueString":"([^"]*)"/)?.[1]

  it('where something of the patient was changed, and adds to those before', async () => {
    await put(body)
    expect(await elements()).toBe('birthDate')
    await patch([{ op: 'add', path: '/gender', value: 'female' }])
    expect((await elements())?.split(' ').sort()).toEqual(['birthDate', 'gender'])
    await patch([{ op: 'remove', path: '/birthDate' }])
    expect((await elements())?.split(' ').sort()).toEqual(['birthDate', 'gender'])
  })

  it('an extension of a primitive is an edit of the primitive', async () => {
    await put({ ...bare, _birthDate: { extension: [{ url: 'http://x.example/y', valueString: 'z' }] } })
    expect(await elements()).toBe('birthDate')
  })

  it('nothing else than meta and narrative is none', async () => {
    await put({ ...bare, meta: { tag: [{ code: 'x' }] } })
    await put({ ...bare, text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' } })
    expect(await elements()).toBeUndefined()
  })

  it('what was sent as it stands makes no version', async () => {
    const { meta } = await stored()
    await put(await stored())
    expect((await stored()).meta.versionId).toBe(meta.versionId)
  })
})
