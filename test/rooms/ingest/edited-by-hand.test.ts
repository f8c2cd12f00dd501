import type { Resource } from '#fhir'
import { everything, found, ingested, openHouse, readPatient, type TestHouse } from './house.ts'
import { message } from './reading.ts'

/** The clock of the house stands at this day's noon while somebody edits. */
const editMs = Date.parse('2026-03-01T12:00:00Z')

let house: TestHouse
let ids = 0
beforeEach(async () => {
  house = await openHouse()
  house.clock.advance(editMs - house.clock.nowMs())
})

const early = '20260301110000+0000'
const older = '20260301113000+0000'
const later = '20260301123000+0000'
const pid = 'PID|1||4711^^^HOSP^MR||Smith^Anna||20150607|F'
const address = (city: string) => `${pid}|||1 Main^^${city}^^^^H||^PRN^PH^^^^${city.length}`

const send = async (at: string, event: string, ...segments: string[]) => {
  const head = `MSH|^~\\&|REG|HOSP|KIN|HOME|${at}||${event}|H${++ids}|P|2.5.1`
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: message(head, ...segments) })
  expect(ack).toMatch(/MSA\|AA/)
  return ack
}
const only = async (type: string): Promise<Resource & { id: string }> => {
  const all = (await found(house.record, type)).filter(one => one.id !== house.anna && one.id !== house.bert)
  expect(all).toHaveLength(1)
  return all[0] as Resource & { id: string }
}
const edit = async (type: string, change: (stood: Resource) => Resource) => {
  const stood = await only(type)
  await house.record
    .writer(everything())
    .transact(txn => txn.update(type, stood.id, { ...change(stood), id: stood.id, resourceType: type }))
}
const withoutMeta = ({ meta: _, ...rest }: Resource): Resource => rest
const omitting =
  (...names: string[]) =>
  (stood: Resource): Resource =>
    Object.fromEntries(Object.entries(stood).filter(([name]) => !names.includes(name))) as Resource

/** As a client may write what it has changed: whole, without `meta`, with notes of its own making. */
const forms: [string, (edited: Resource) => Resource][] = [
  ['as it was read', edited => edited],
  ['without meta', withoutMeta],
  [
    'with forged notes',
    edited => ({
      ...edited,
      meta: { extension: [{ url: 'urn:kinhold:hl7v2:said-at', valueInstant: '2000-01-01T00:00:00Z' }] },
    }),
  ],
]

describe.each(forms)('an edit by hand, written %s', (_, written) => {
  const moved = (stood: Resource) => written({ ...stood, address: [{ city: 'Mine' }] })

  it('stays when an update comes that was said before it, and what else that says is taken', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await edit('Patient', moved)
    const ack = await send(older, 'ADT^A08', address('Between'))
    const patient = await only('Patient')
    expect(patient).toMatchObject({ address: [{ city: 'Mine' }], telecom: [{ value: '7' }] })
    expect(ack).toContain('PID-11 says something else than what stands')
    await send(older, 'ADT^A08', address('Again it'))
    expect((await only('Patient')).address).toEqual([{ city: 'Mine' }])
  })

  it('stays when an update comes that was said at that very moment', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await edit('Patient', moved)
    const ack = await send('20260301120000+0000', 'ADT^A08', address('Between'))
    expect((await only('Patient')).address).toEqual([{ city: 'Mine' }])
    expect(ack).toContain('PID-11 says something else than what stands')
  })

  it('is replaced by an update that was said after it, and that is told', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await edit('Patient', moved)
    const ack = await send(later, 'ADT^A08', address('New'))
    expect(ack).toContain('Patient.address was changed here before')
    expect(ack).not.toContain('Patient.telecom was changed')
    expect(ack).not.toContain('Mine')
    expect((await only('Patient')).address).toMatchObject([{ city: 'New' }])
    await send(older, 'ADT^A08', address('Between'))
    expect((await only('Patient')).address).toMatchObject([{ city: 'New' }])
  })

  it.each(['ADT^A08', 'ADT^A01'])(
    'what it deletes does not come back by an older %s, but by a newer one',
    async event => {
      await send(early, 'ADT^A04', address('Old'))
      await edit('Patient', stood => written(omitting('address')(stood)))
      await send(older, event, address('Between'), 'PV1|1|I|||||||||||||||||V1')
      expect(await only('Patient')).not.toHaveProperty('address')
      await send(later, event, address('New'), 'PV1|1|I|||||||||||||||||V1')
      expect((await only('Patient')).address).toMatchObject([{ city: 'New' }])
    },
  )

  it('a null that was said before it deletes nothing of it', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await edit('Patient', moved)
    await send(older, 'ADT^A08', `${pid}|||""||""`)
    expect(await only('Patient')).toMatchObject({ address: [{ city: 'Mine' }] })
    expect(await only('Patient')).not.toHaveProperty('telecom')
  })

  it.each<[string, string, string[], string[], (stood: Resource) => Resource, object]>([
    [
      'a visit',
      'Encounter',
      ['PV1|1|I|WARD1||||||||||||||||V1'],
      ['PV1|1|O|WARD2||||||||||||||||V1'],
      stood => ({ ...stood, class: { code: 'VR' } }),
      { class: { code: 'VR' }, location: [{ location: { display: 'WARD2' } }] },
    ],
    [
      'an allergy of a list that is sent as a whole',
      'AllergyIntolerance',
      ['AL1|1|DA|1^Aspirin^L|MI|Rash'],
      ['AL1|1|DA|1^Aspirin^L|SV|Hives'],
      stood => ({ ...stood, criticality: 'unable-to-assess' }),
      { criticality: 'unable-to-assess', reaction: [{ manifestation: [{ text: 'Hives' }] }] },
    ],
    [
      'a relative',
      'RelatedPerson',
      ['NK1|1|Smith^Eve|MTH|1 Main^^Old'],
      ['NK1|1|Smith^Eve|MTH|1 Main^^Between'],
      stood => ({ ...stood, address: [{ city: 'Mine' }] }),
      { address: [{ city: 'Mine' }] },
    ],
  ])('in %s', async (_, type, first, second, change, expected) => {
    await send(early, 'ADT^A04', pid, ...first)
    await edit(type, stood => written(change(stood)))
    await send(older, 'ADT^A08', pid, ...second)
    expect(await only(type)).toMatchObject(expected)
  })

  const result = (at: string, value: string, flag: string) =>
    send(at, 'ORU^R01', pid, 'OBR|1||F1|P^Panel^L', `OBX|1|NM|G^Glucose^L||${value}|mg/dL||${flag}|||F`)

  it('of a value holds for what is said of the value, too', async () => {
    await send(early, 'ADT^A04', pid)
    await result(early, '90', 'N')
    await edit('Observation', stood => written({ ...stood, valueQuantity: { value: 95 } }))
    await result(older, '190', 'H')
    const observation = await only('Observation')
    expect(observation).toMatchObject({ valueQuantity: { value: 95 } })
    expect(JSON.stringify(observation.interpretation)).not.toContain('"H"')
  })

  it('of something else leaves a correction of the value what it is', async () => {
    await send(early, 'ADT^A04', pid)
    await result(early, '90', 'N')
    await edit('Observation', stood => written({ ...stood, note: [{ text: 'Mine' }] }))
    await result(older, '190', 'H')
    expect(await only('Observation')).toMatchObject({ valueQuantity: { value: 190 }, note: [{ text: 'Mine' }] })
  })
})

describe('what is no edit', () => {
  it('labels alone: an older update is taken', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await edit('Patient', stood => ({ ...stood, meta: { ...stood.meta, tag: [{ code: 'mine' }] } }))
    await send(older, 'ADT^A08', address('Between'))
    expect((await only('Patient')).address).toMatchObject([{ city: 'Between' }])
  })

  it('the same written again makes no version, in whatever form', async () => {
    await send(early, 'ADT^A04', address('Old'))
    const stood = await only('Patient')
    for (const { meta: _, ...body } of [stood])
      await house.record
        .writer(everything())
        .transact(txn => txn.update('Patient', stood.id, body as Resource, { unlessSame: true }))
    expect((await only('Patient')).meta?.versionId).toBe(stood.meta?.versionId)
  })

  it('a merge and its undoing', async () => {
    await send(early, 'ADT^A04', address('Old'))
    await send(early, 'ADT^A04', pid.replace('4711', '4712'))
    const [source, target] = await Promise.all(
      ['4711', '4712'].map(async number => (await found(house.record, 'Patient', `identifier=${number}`))[0]?.id ?? ''),
    )
    await house.ingest.people.merge({ grant: everything(), source: source ?? '', target: target ?? '' })
    await house.ingest.people.unmerge({ grant: everything(), source: source ?? '' })
    expect(JSON.stringify(await found(house.record, 'Patient'))).not.toContain('urn:kinhold:edited')
  })
})

describe('a Patient whom nobody but a person has written', () => {
  const byHand = {
    resourceType: 'Patient',
    identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }],
    name: [{ family: 'Smith', given: ['Anna'] }],
    address: [{ city: 'Mine', use: 'home' }],
  }
  const create = () => house.record.writer(everything()).transact(txn => txn.create(byHand, { id: 'hand' }))

  it('stays as they were written when an older update comes, which only fills', async () => {
    await create()
    for (const city of ['Between', 'Again']) {
      await send(older, 'ADT^A08', address(city))
      expect(await readPatient(house.record, 'hand')).toMatchObject({ address: [{ city: 'Mine' }], gender: 'female' })
    }
  })

  it('stays as they were written at the moment at which an update was said', async () => {
    await create()
    await send('20260301120000+0000', 'ADT^A08', address('Between'))
    expect((await readPatient(house.record, 'hand')).address).toEqual([{ city: 'Mine', use: 'home' }])
  })

  it('is brought up to date by a later one', async () => {
    await create()
    await send(older, 'ADT^A08', address('Between'))
    await send(later, 'ADT^A08', address('New'))
    expect((await readPatient(house.record, 'hand')).address).toMatchObject([{ city: 'New' }])
  })

  it('has no notes, whatever they are sent with', async () => {
    const meta = { extension: [{ url: 'urn:kinhold:hl7v2:said-at', valueInstant: '2999-01-01T00:00:00Z' }] }
    await house.record.writer(everything()).transact(txn => txn.create({ ...byHand, meta }, { id: 'hand' }))
    await house.record.writer(everything()).transact(txn => txn.update('Patient', 'hand', { ...byHand, meta }))
    expect(JSON.stringify(await readPatient(house.record, 'hand'))).not.toContain('urn:kinhold')
  })
})

describe('a FHIR file', () => {
  const condition = (text: string, lastUpdated?: string) => ({
    resourceType: 'Condition',
    id: 'c1',
    ...(lastUpdated === undefined ? {} : { meta: { lastUpdated } }),
    subject: { reference: 'Patient/p' },
    code: { text },
    note: [{ text }],
  })
  const file = (...resources: object[]) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: { resourceType: 'Patient', id: 'p' } }, ...resources.map(resource => ({ resource }))],
    })
  const take = (...resources: object[]) => ingested(house, house.anna, everything(), file(...resources))
  const recode = () => edit('Condition', stood => withoutMeta({ ...stood, code: { text: 'Mine' } }))

  it.each([
    ['says of an older version', '2026-03-01T11:00:00Z', '2026-03-01T11:30:00Z', 'Mine'],
    ['says of a version of that moment', '2026-03-01T11:00:00Z', '2026-03-01T12:00:00Z', 'Mine'],
    ['says without its time', undefined, undefined, 'Mine'],
    ['says of a newer version', '2026-03-01T11:00:00Z', '2026-03-01T12:30:00Z', 'Second'],
  ])('what it %s: %s, %s', async (_, first, second, code) => {
    await take(condition('First', first))
    await recode()
    const { report } = await take(condition('Second', second))
    expect(await only('Condition')).toMatchObject({ code: { text: code }, note: [{ text: 'Second' }] })
    expect(JSON.stringify(report).includes('Condition.code was changed here since')).toBe(code === 'Mine')
    expect(JSON.stringify(report).includes('Condition.code was changed here before')).toBe(code !== 'Mine')
  })

  it('brings no notes of another house', async () => {
    const meta = { lastUpdated: '2026-03-01T11:00:00Z', extension: [{ url: 'urn:kinhold:edited', valueString: 'x' }] }
    await take({ ...condition('First'), meta })
    expect(JSON.stringify(await only('Condition'))).not.toContain('urn:kinhold:edited')
  })

  it('that deletes what was changed here since leaves it', async () => {
    const history = (entry: object) => JSON.stringify({ resourceType: 'Bundle', type: 'history', entry: [entry] })
    const gone = (lastModified: string) =>
      ingested(
        house,
        house.anna,
        everything(),
        history({
          fullUrl: 'http://h/fhir/Condition/c1',
          request: { method: 'DELETE', url: 'Condition/c1' },
          response: { status: '204', lastModified },
        }),
      )
    await ingested(
      house,
      house.anna,
      everything(),
      history({
        fullUrl: 'http://h/fhir/Condition/c1',
        resource: condition('First', '2026-03-01T11:00:00Z'),
        request: { method: 'PUT', url: 'Condition/c1' },
        response: { status: '200' },
      }),
    )
    await recode()
    await gone('2026-03-01T11:30:00Z')
    expect(await only('Condition')).toMatchObject({ code: { text: 'Mine' } })
    await gone('2026-03-01T12:30:00Z')
    expect(await found(house.record, 'Condition')).toEqual([])
  })
})
