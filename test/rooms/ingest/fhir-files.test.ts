import { readFileSync } from 'node:fs'
import type { Resource } from '#fhir'
import { metWhile, mostMetMs } from '../../turns.ts'
import {
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  readPatient,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { cases } from './reading.ts'

const fixture = (name: string) => readFileSync(new URL(`fhir/${name}`, cases))
const entry = (resource: object, fullUrl?: string) => ({ ...(fullUrl === undefined ? {} : { fullUrl }), resource })
const bundle = (...entries: object[]) => JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: entries })
const weight = (subject: string, rest: object = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'Weight' },
  subject: { reference: subject },
  ...rest,
})

async function imported(house: TestHouse, text: string | Buffer, grant = everything()) {
  return ingested(house, house.anna, grant, text)
}

describe('a FHIR Bundle – https://hl7.org/fhir/R4/bundle.html', () => {
  const privacy = 'http://terminology.hl7.org/CodeSystem/consentscope'
  const consent = (rest: object) => ({
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: privacy, code: 'patient-privacy' }] },
    category: [{ text: 'Privacy' }],
    patient: { reference: 'Patient/p' },
    ...rest,
  })

  // What would be taken without the effect that its author counts on is refused here as it is over HTTP.
  it.each([
    ['a rule by provision', consent({ provision: { type: 'deny' } }), true],
    ['a rule by policy', consent({ policyRule: { text: 'Nobody' } }), true],
    ['a draft', consent({ status: 'proposed', policyRule: { text: 'Nobody' } }), false],
    [
      'a consent to research',
      consent({ scope: { coding: [{ system: privacy, code: 'research' }] }, policyRule: { text: 'x' } }),
      false,
    ],
    [
      'a consent on paper',
      consent({ policy: [{ uri: 'https://example.org/policy' }], sourceAttachment: { title: 'Signed' } }),
      false,
    ],
  ])('with a Consent – %s – names what it does not take', async (_, resource, isRefused) => {
    const house = await openHouse()
    const patient = entry({ resourceType: 'Patient', id: 'p', gender: 'female' })
    const files = [
      bundle(patient, entry(resource)),
      [patient.resource, resource].map(each => JSON.stringify(each)).join('\n'),
    ]
    for (const [at, file] of files.entries()) {
      const place = at === 0 ? 'Bundle.entry[1]' : 'line[2]'
      const { rejected } = (await imported(house, file)).counts
      expect(rejected).toMatchObject(isRefused ? [{ row: 'Consent', reason: 'without-effect', expression: place }] : [])
      expect(await found(house.record, 'Consent')).toHaveLength(isRefused ? 0 : 1)
    }
  })

  const odd: readonly (readonly [element: string, value: unknown])[] = [
    ['identifier', [null]],
    ['identifier', [null, 'x', ['y'], { system: 'urn:x', value: '1' }]],
    ['identifier', [{ system: 5, value: {} }]],
    ['name', [null]],
    ['name', [{ given: 5, prefix: {}, family: ['x'], text: {} }]],
    ['name', [{ given: [null, 7], prefix: 'Dr' }]],
  ]
  it.each(
    ['Practitioner', 'Organization', 'PractitionerRole'].flatMap(type => odd.map(each => [type, ...each] as const)),
  )('with a %s whose %s is %j takes in all the rest', async (type, element, value) => {
    const house = await openHouse()
    const file = bundle(
      entry({ resourceType: type, id: 'x', [element]: value }),
      entry({ resourceType: 'Patient', id: 'p', gender: 'female' }),
      entry(weight('Patient/p', { performer: [{ reference: `${type}/x` }] })),
    )
    expect((await imported(house, file)).counts).toMatchObject({ created: 1, updated: 1 })
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })

  it.each([[[null]], [[null, { system: 'urn:x', value: '1' }]]])(
    'whose Patient has the numbers %j takes in all the rest',
    async identifier => {
      const house = await openHouse()
      const file = bundle(
        entry({ resourceType: 'Patient', id: 'p', gender: 'female', identifier }),
        entry(weight('Patient/p')),
      )
      expect((await imported(house, file)).counts).toMatchObject({ created: 1, updated: 1, rejected: [] })
    },
  )

  // Of most roles nobody says a number, and they have no name.
  it.each([
    ['PractitionerRole', {}],
    ['Practitioner', { active: true }],
    ['Organization', { address: [{ city: 'Berlin' }] }],
  ])('keeps what a %s did of which there are no words, where it cannot be kept itself', async (type, rest) => {
    const house = await openHouse()
    const own = ofPatient(house.anna)
    const role = { resourceType: type, id: 'x', ...rest }
    const patient = { resourceType: 'Patient', id: 'p', gender: 'female' }
    const bySomebody = (reference: string) => entry(weight('Patient/p', { performer: [{ reference }] }))
    const outside = `http://hospital.example/fhir/${type}/x`
    for (const [reference, fullUrl, performer] of [
      [`${type}/x`, undefined, { identifier: { value: `${type}/x` } }],
      ['urn:uuid:1', 'urn:uuid:1', { identifier: { value: 'urn:uuid:1' } }],
      [outside, outside, { reference: outside }],
    ] as const) {
      const report = await imported(house, bundle(entry(role, fullUrl), entry(patient), bySomebody(reference)), own)
      expect(report.counts.rejected).toEqual([])
      expect((await found(house.record, 'Observation')).map(one => one.performer)).toContainEqual([performer])
    }
  })

  it('keeps the code of a Medication that it cannot keep, and names one without', async () => {
    const house = await openHouse()
    const code = { coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '5640' }] }
    const taken = (reference: string, more: object) => ({
      resourceType: 'MedicationStatement',
      status: 'active',
      subject: { reference: 'Patient/p' },
      medicationReference: { reference },
      ...more,
    })
    const file = bundle(
      entry({ resourceType: 'Medication', id: 'coded', code }),
      entry({ resourceType: 'Medication', id: 'bare' }),
      entry({ resourceType: 'Patient', id: 'p', gender: 'female' }),
      entry(taken('Medication/coded', { derivedFrom: [{ reference: 'Medication/coded' }] })),
      entry(taken('Medication/bare', {})),
    )
    expect((await imported(house, file, ofPatient(house.anna))).counts.rejected).toEqual([])
    const statements = await found(house.record, 'MedicationStatement')
    expect(statements).toHaveLength(2)
    expect(statements).toContainEqual(
      expect.objectContaining({
        medicationCodeableConcept: code,
        derivedFrom: [{ identifier: { value: 'Medication/coded' } }],
      }),
    )
    expect(statements).toContainEqual(
      expect.objectContaining({ medicationReference: { identifier: { value: 'Medication/bare' } } }),
    )
  })

  it('is re-owned: what it says of its patient is said of ours', async () => {
    const house = await openHouse()
    const file = bundle(
      entry(
        { resourceType: 'Patient', id: 'p', identifier: [{ system: 'urn:x', value: '1' }], gender: 'female' },
        'urn:uuid:1',
      ),
      entry(
        {
          resourceType: 'Encounter',
          id: 'e',
          status: 'finished',
          class: { code: 'AMB' },
          subject: { reference: 'urn:uuid:1' },
        },
        'urn:uuid:2',
      ),
      entry(
        weight('Patient/p', {
          id: 'o',
          encounter: { reference: 'urn:uuid:2' },
          meta: { versionId: '7', profile: ['http://x/y'] },
        }),
      ),
    )
    expect((await imported(house, file)).counts).toMatchObject({ created: 2, updated: 1, rejected: [] })
    const [encounter] = await found(house.record, 'Encounter')
    const [observation] = await found(house.record, 'Observation')
    expect(observation).toMatchObject({
      subject: { reference: `Patient/${house.anna}` },
      encounter: { reference: `Encounter/${encounter?.id}` },
      meta: { versionId: '1', profile: ['http://x/y'] },
    })
    expect(await readPatient(house.record, house.anna)).toMatchObject({
      gender: 'female',
      identifier: [{ system: 'urn:x', value: '1' }],
    })
    expect(await found(house.record, 'Patient')).toHaveLength(2)
  })

  it('brings up to date what it brought before, and changes nothing when it says the same', async () => {
    const house = await openHouse()
    const file = (text: string) =>
      bundle(entry({ resourceType: 'Patient', id: 'p' }), entry(weight('Patient/p', { id: 'o', valueString: text })))
    await imported(house, file('one'))
    const before = await versionsOf(house.record)
    expect((await imported(house, `${file('one')} `)).counts).toMatchObject({ created: 0, updated: 0, duplicate: 2 })
    expect(await versionsOf(house.record)).toBe(before)
    expect((await imported(house, file('two'))).counts).toMatchObject({ created: 0, updated: 1 })
    expect(await found(house.record, 'Observation')).toMatchObject([{ valueString: 'two', meta: { versionId: '2' } }])
  })

  it('keeps what belongs to nobody once for all patients, if the grant may', async () => {
    const house = await openHouse()
    const doctor = {
      resourceType: 'Practitioner',
      id: 'd',
      identifier: [{ system: 'urn:d', value: '9' }],
      name: [{ family: 'Brandt' }],
    }
    const file = bundle(
      entry(doctor, 'urn:uuid:d'),
      entry(weight('Patient/p', { performer: [{ reference: 'urn:uuid:d' }] })),
    )
    await imported(house, file)
    await ingested(house, house.bert, everything(), file)
    const doctors = await found(house.record, 'Practitioner')
    expect(doctors).toHaveLength(1)
    for (const observation of await found(house.record, 'Observation'))
      expect(observation.performer).toEqual([{ reference: `Practitioner/${doctors[0]?.id}` }])
  })

  it('keeps the doctor of each account by itself: neither tells of the other, nor is changed by it', async () => {
    const house = await openHouse()
    const file = (family: string) => {
      const identifier = [{ system: 'urn:d', value: '9' }]
      const doctor = { resourceType: 'Practitioner', id: 'd', identifier, name: [{ family }] }
      return bundle(entry(doctor), entry(weight('Patient/p', { performer: [{ reference: 'Practitioner/d' }] })))
    }
    const accounts = [
      {
        patient: house.anna,
        grant: grantOf('user/*.cruds', { account: 'a', patients: [house.anna] }),
        family: 'Brandt',
      },
      {
        patient: house.bert,
        grant: grantOf('user/*.cruds', { account: 'b', patients: [house.bert] }),
        family: 'Brand',
      },
    ]
    for (const { patient, grant, family } of accounts)
      for (const [created, duplicate] of [
        [2, 0],
        [0, 2],
      ])
        expect((await ingested(house, patient, grant, file(family))).counts).toMatchObject({ created, duplicate })
    const [doctors, others] = await Promise.all(
      accounts.map(({ grant }) => found(house.record, 'Practitioner', '', grant)),
    )
    expect([doctors, others]).toMatchObject([[{ name: [{ family: 'Brandt' }] }], [{ name: [{ family: 'Brand' }] }]])
    const [mine = '', theirs = ''] = [doctors, others].map(all => String(all?.[0]?.id))
    expect(mine).not.toBe(theirs)
    for (const { patient, grant } of accounts) {
      const [observation] = await found(house.record, 'Observation', '', grant)
      expect(observation?.performer).toEqual([{ reference: `Practitioner/${patient === house.anna ? mine : theirs}` }])
    }
  })

  it('keeps name and identifier, and the code of a medication, where the grant may not write the commons', async () => {
    const house = await openHouse()
    const file = bundle(
      entry({
        resourceType: 'Practitioner',
        id: 'd',
        identifier: [{ system: 'urn:d', value: '9' }],
        name: [{ prefix: ['Dr.'], family: 'Brandt' }],
      }),
      entry({ resourceType: 'Medication', id: 'm', code: { text: 'Ramipril' } }),
      entry({
        resourceType: 'MedicationRequest',
        status: 'active',
        intent: 'order',
        subject: { reference: 'Patient/p' },
        requester: { reference: 'Practitioner/d' },
        medicationReference: { reference: 'Medication/m' },
      }),
    )
    const { counts } = await imported(house, file, ofPatient(house.anna))
    expect(counts).toMatchObject({ created: 1, unmapped: [{ row: 'Practitioner' }, { row: 'Medication' }] })
    const [request] = await found(house.record, 'MedicationRequest')
    expect(request).toMatchObject({
      requester: { identifier: { system: 'urn:d', value: '9' }, display: 'Dr. Brandt' },
      medicationCodeableConcept: { text: 'Ramipril' },
    })
    expect(request).not.toHaveProperty('medicationReference')
    expect(request?.requester).not.toHaveProperty('reference')
  })

  it('does not let a reference to what is not in the file point at what has that id here', async () => {
    const house = await openHouse()
    const file = bundle(
      entry(
        weight('Patient/p', {
          performer: [
            { reference: `Patient/${house.bert}` },
            { reference: 'Practitioner?identifier=urn:d|9' },
            { reference: 'https://other.example/fhir/Organization/1' },
          ],
          derivedFrom: [{ reference: 'Observation/1' }],
        }),
      ),
    )
    await imported(house, file)
    const [observation] = await found(house.record, 'Observation')
    expect(observation?.performer).toEqual([
      { identifier: { value: `Patient/${house.bert}` } },
      { identifier: { system: 'urn:d', value: '9' } },
      { reference: 'https://other.example/fhir/Organization/1' },
    ])
    expect(observation?.derivedFrom).toEqual([{ identifier: { value: 'Observation/1' } }])
  })

  it('keeps the digits of its numbers', async () => {
    const house = await openHouse()
    await imported(
      house,
      bundle(entry(weight('Patient/p'))).replace('"code":{', '"valueQuantity":{"value":62.40},"code":{'),
    )
    const page = await house.record.reader(everything()).history({ type: 'Observation', count: 1 })
    expect(page.items[0]?.json.toString()).toContain('"value":62.40')
  })

  it('names what it leaves out and what is not valid', async () => {
    const house = await openHouse()
    const file = bundle(
      { request: { method: 'DELETE', url: 'Observation/1' } },
      entry({ resourceType: 'Nonsense' }),
      entry({ resourceType: 'Bundle', type: 'batch' }),
      entry(weight('Patient/p', { status: 7 })),
      entry({ resourceType: 'Observation', status: 'final', code: {}, subject: { display: 'who' } }),
    )
    const { counts } = await imported(house, file)
    expect(counts.created).toBe(0)
    expect(counts.unmapped).toEqual([
      { row: 'entry-without-resource', count: 1 },
      { row: 'Bundle', count: 1 },
    ])
    expect(counts.rejected).toMatchObject([
      { row: 'unknown-resource', reason: 'structure-unknown' },
      { row: 'Observation', reason: 'element-missing' },
      { row: 'Observation', reason: 'not-valid', expression: expect.stringMatching(/^Observation\.status/) },
    ])
  })

  it('takes a bundle of Synthea whole', async () => {
    const house = await openHouse()
    const { counts } = await imported(house, fixture('synthea.json'))
    expect(counts.rejected).toEqual([])
    expect(counts.created).toBeGreaterThan(50)
  })

  it('takes a single resource', async () => {
    const house = await openHouse()
    expect((await imported(house, JSON.stringify(weight('Patient/p')))).counts).toMatchObject({ created: 1 })
  })
})

describe('a file of several people', () => {
  const lines = (...resources: object[]) => resources.map(resource => `${JSON.stringify(resource)}\n`).join('')

  it('is refused when none of them is known to be ours', async () => {
    const house = await openHouse()
    expect(await imported(house, fixture('Patient.000.ndjson'))).toMatchObject({
      state: 'failed',
      counts: { created: 0, problem: { code: 'ingest.several-patients' } },
    })
  })

  it('gives ours what is ours by identifier, and refuses the rest', async () => {
    const house = await openHouse()
    const carla = await createPatient(house.record, { identifier: [{ system: 'urn:x', value: '2' }] })
    const people = ['1', '2'].map(value => ({
      resourceType: 'Patient',
      id: value,
      identifier: [{ system: 'urn:x', value }],
    }))
    const file = lines(...people, weight('Patient/1'), weight('Patient/2'))
    const { counts } = await ingested(house, carla, everything(), file)
    expect(counts).toMatchObject({
      created: 1,
      rejected: [
        { row: 'Patient', reason: 'other-patient', expression: 'line[1]' },
        { row: 'Observation', reason: 'other-patient', expression: 'line[3]' },
      ],
    })
    expect(await found(house.record, 'Observation', `subject=Patient/${carla}`)).toHaveLength(1)
  })

  it('is refused when it has no Patient but speaks of several', async () => {
    const house = await openHouse()
    expect(await imported(house, lines(weight('Patient/1'), weight('Patient/2')))).toMatchObject({
      counts: { problem: { code: 'ingest.several-patients' } },
    })
    expect((await imported(house, lines(weight('Patient/1'), weight(`Patient/${house.anna}`)))).counts).toMatchObject({
      created: 1,
    })
  })
})

describe('NDJSON – https://hl7.org/fhir/R4/nd-json.html', () => {
  it('is read line by line, bad lines by themselves, whatever the order of references', async () => {
    const house = await openHouse()
    const report = {
      resourceType: 'DiagnosticReport',
      id: 'r',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/p' },
      result: [{ reference: 'Observation/o' }],
    }
    const file = `${JSON.stringify(report)}\r\n{"resourceType":"Observation"\n\n${JSON.stringify(weight('Patient/p', { id: 'o' }))}`
    expect((await imported(house, file)).counts).toMatchObject({ created: 2, rejected: [{ row: 'line', count: 1 }] })
    const [observation] = await found(house.record, 'Observation')
    expect((await found(house.record, 'DiagnosticReport'))[0]?.result).toEqual([
      { reference: `Observation/${observation?.id}` },
    ])
  })

  it('holds a document of some megabytes, and reads it once', async () => {
    const house = await openHouse()
    const data = Buffer.alloc(12 * 1024 ** 2, 7).toString('base64')
    const content = [{ attachment: { contentType: 'application/pdf', data } }]
    const scan = {
      resourceType: 'DocumentReference',
      id: 'd',
      status: 'current',
      subject: { reference: 'Patient/p' },
      content,
    }
    const file = `${JSON.stringify(weight('Patient/p', { id: 'o' }))}\n${JSON.stringify(scan)}`
    expect((await imported(house, file)).counts).toMatchObject({ created: 2, rejected: [] })
  })

  it('costs itself where what it says of its version is nothing', async () => {
    const house = await openHouse()
    const metas = ['x', 5, [1], { extension: 'x' }, { extension: [null] }, { lastUpdated: 5 }, { versionId: {} }]
    const bad = metas.map((meta, i) => JSON.stringify(weight('Patient/p', { id: `m${i}`, meta })))
    const file = [...bad, JSON.stringify(weight('Patient/p', { id: 'o', valueString: 'kept' }))].join('\n')
    const { counts } = await imported(house, file)
    expect(counts.problem).toBeUndefined()
    expect((await found(house.record, 'Observation')).map(({ valueString }) => valueString)).toContain('kept')
  })

  it('holds no line longer than the limit, and not more resources than the limit', async () => {
    const house = await openHouse({ maxLine: 1000 })
    const long = `${JSON.stringify(weight('Patient/p'))}\n${JSON.stringify(weight('Patient/p', { valueString: 'x'.repeat(300_000) }))}`
    expect((await imported(house, long)).counts).toMatchObject({
      created: 0,
      problem: { code: 'ingest.token-too-long' },
    })
    const few = await openHouse({ maxResources: 1 })
    const many = [1, 2, 3].map(id => JSON.stringify(weight('Patient/p', { id: `o${id}` }))).join('\n')
    const people = [1, 2, 3].map(id => JSON.stringify({ resourceType: 'Patient', id: `p${id}` })).join('\n')
    const gone = [1, 2, 3].map(id => ({ request: { method: 'DELETE', url: `Observation/o${id}` } }))
    const history = JSON.stringify({ resourceType: 'Bundle', type: 'history', entry: gone })
    for (const file of [many, people, history])
      expect((await imported(few, file)).counts.problem).toMatchObject({ code: 'ingest.too-many-resources' })
  })

  /** Short to send, packed, and long to parse. */
  const manyValues = (count: number) => `[${'{"a":1},'.repeat(count / 2)}1]`
  const bundleOf = (entry: string) =>
    `{"resourceType":"Bundle","type":"collection","entry":[${entry},{"resource":${JSON.stringify(weight('Patient/p', { valueString: 'kept' }))}}]}`
  const linesOf = (line: string) =>
    [...['kept', 'too'].map(valueString => JSON.stringify(weight('Patient/p', { valueString }))), line].join('\n')

  it.each([
    ['a line', linesOf],
    ['an entry of a Bundle', bundleOf],
  ])('parses %s of many values bit by bit, and others have their turns (A78)', async (_what, fileOf) => {
    const { result, metMs } = await metWhile(async () => {
      const house = await openHouse()
      await imported(house, fileOf(manyValues(900_000)))
      return (await found(house.record, 'Observation')).map(({ valueString }) => valueString)
    })
    expect(result).toContain('kept')
    expect(metMs).toBeLessThan(mostMetMs)
  })

  it.each([
    ['a line', linesOf],
    ['an entry of a Bundle', bundleOf],
  ])('holds no more values of %s than the limit (A78)', async (_what, fileOf) => {
    const { counts } = await imported(await openHouse(), fileOf(manyValues(1_000_002)))
    expect(counts.problem).toMatchObject({ code: 'ingest.token-too-long' })
  })

  it('commits what is heavy in several transactions', async () => {
    const letter = (id: string) => ({
      resourceType: 'DocumentReference',
      id,
      status: 'current',
      subject: { reference: 'Patient/p' },
      content: [{ attachment: { contentType: 'text/plain', data: 'AAAA'.repeat(2_000) } }],
    })
    const lines = ['a', 'b', 'c', 'd'].map(id => JSON.stringify(letter(id))).join('\n')
    for (const [limits, targets] of [
      [{}, 5],
      // A run of several transactions names the patient alone.
      [{ batchBytes: 10_000 }, 1],
    ] as const) {
      const house = await openHouse(limits)
      expect((await imported(house, lines)).counts).toMatchObject({ created: 4 })
      const [run] = await found(house.record, 'Provenance')
      expect(run?.target).toHaveLength(targets)
    }
  })

  it('refuses JSON that is deep, doubled, or forged', async () => {
    const house = await openHouse()
    const head = '{"resourceType":"Observation",'
    for (const [code, text] of [
      ['json.too-deep', `${head}"a":${'['.repeat(5000)}`],
      ['json.duplicate-key', `${head}"a":1,"a":2}`],
      ['json.forbidden-key', `${head}"__proto__":{"x":1}}`],
      ['json.malformed', `${head}"a":`],
    ] as const)
      expect((await imported(house, text)).counts.problem).toMatchObject({ code })
    expect(await found(house.record, 'Observation')).toEqual([])
    const resource: Resource = { resourceType: 'x' }
    expect(resource).not.toHaveProperty('x')
  })
})
