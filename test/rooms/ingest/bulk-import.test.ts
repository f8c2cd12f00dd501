import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { type IngestOptions, openIngest } from '#ingest'
import type { ImportPort } from '#interactions'
import { Problem, silentLog } from '#kernel'
import { openFetch } from '#subscriptions'
import {
  baseUrl,
  createPatient,
  everything,
  found,
  grantOf,
  openHouse,
  readPatient,
  type TestHouse,
  validator,
  versionsOf,
} from './house.ts'

let house: TestHouse
let clinic: Server
let base: string
/** What the clinic gives, by path. */
const files = new Map<string, string | Buffer>()
/** What was asked of it: path and Authorization. */
const asked: (string | undefined)[][] = []

beforeEach(async () => {
  house = await openHouse()
  files.clear()
  asked.length = 0
  clinic = createServer((request, response) => {
    asked.push([request.url, request.headers.authorization])
    const file = files.get(request.url ?? '')
    if (request.url === '/endless') {
      const drips = setInterval(() => response.write('\n'), 5)
      response.on('close', () => clearInterval(drips))
    } else if (request.url === '/elsewhere') response.writeHead(302, { location: `${base}/Patient` }).end()
    else if (request.url === '/broken') {
      response.writeHead(200, { 'content-length': '1000' }).write('{"resourceType":"Patient"')
      response.socket?.destroySoon()
    } else response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>(resolve => clinic.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(clinic.address() as AddressInfo).port}`
})
afterEach(async () => {
  await house.ingest.close()
  clinic.closeAllConnections()
  clinic.close()
})

const ndjson = (...resources: object[]) => resources.map(one => JSON.stringify(one)).join('\n')

const personOf = (id: string, family: string, more: object = {}) => ({
  resourceType: 'Patient',
  id,
  identifier: [{ system: 'https://clinic.example/mrn', value: `mrn-${id}` }],
  name: [{ family, given: ['Ada'] }],
  birthDate: '1980-02-03',
  gender: 'female',
  ...more,
})

const visitOf = (...patients: readonly string[]) => ({
  resourceType: 'Appointment',
  id: 'a',
  status: 'booked',
  start: '2026-01-01T10:00:00Z',
  end: '2026-01-01T11:00:00Z',
  participant: patients.map(reference => ({ actor: { reference }, status: 'accepted' })),
})

const weightOf = (id: string, patient: string, more: object = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
  subject: { reference: patient },
  effectiveDateTime: '2026-01-02',
  valueQuantity: { value: 70, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
  ...more,
})

type View = NonNullable<Awaited<ReturnType<ImportPort['find']>>>
type Done = Extract<View, { state: 'done' }>

async function ended(id: string, grant: Grant, bulk: ImportPort = house.ingest.bulk): Promise<Done> {
  for (;;) {
    const view = await bulk.find(id, { grant })
    if (view === undefined) throw new Error('no such import')
    if (view.state === 'done') return view
    await pause(2)
  }
}

async function faultsOf(id: string, input: number, grant: Grant) {
  const all = []
  for await (const { faults } of (await house.ingest.bulk.faults(id, input, grant)) ?? []) all.push(...faults)
  return all.map(({ line, text, isWaiting, expression }) => [line, isWaiting ? `waiting: ${text}` : text, expression])
}

/** Imports what the clinic has at these paths, to the end. */
async function imported(paths: readonly string[], more: { source?: string; authorization?: string } = {}) {
  const grant = everything()
  const inputs = paths.map(path => ({ url: path.startsWith('Binary/') ? path : `${base}${path}` }))
  const id = await house.ingest.bulk.begin({
    grant,
    inputs,
    request: 'asked',
    source: 'https://clinic.example',
    ...more,
  })
  const view = await ended(id, grant)
  return {
    id,
    grant,
    counts: view.inputs.map(({ counts }) => counts),
    faults: (input: number) => faultsOf(id, input, grant),
  }
}

const none = { taken: 0, known: 0, passed: 0, waiting: 0, refused: 0 }
const familiesOf = async () =>
  (await found(house.record, 'Patient'))
    .flatMap(({ name = [] }) => (name as { family: string }[]).map(one => one.family))
    .sort()
const subjectOf = (resource: Resource | undefined) =>
  (resource?.subject as { reference: string } | undefined)?.reference

async function patientNamed(family: string): Promise<string> {
  const [one, other] = await found(house.record, 'Patient', `family=${family}`)
  if (one?.id === undefined || other !== undefined) throw new Error(`not one ${family}`)
  return one.id
}

describe('an import of files about many people', () => {
  it('refuses whom its account has no room for, with the number, and takes in all others', async () => {
    const grant = grantOf('user/*.cruds', { account: 'anna', patients: [] })
    await house.record.setPatientQuota('anna', 1)
    files.set('/Patient', ndjson(personOf('1', 'Ash'), personOf('2', 'Beech')))
    files.set('/Observation', ndjson(weightOf('w1', 'Patient/1'), weightOf('w2', 'Patient/2')))
    const inputs = ['/Patient', '/Observation'].map(path => ({ url: base + path }))
    const renew = async () => ({ ...grant, patients: await house.record.patientsOf('anna') })
    const order = { grant, renew, inputs, request: 'asked', source: 'https://clinic.example' }
    const id = await house.ingest.bulk.begin(order)
    expect((await ended(id, grant)).inputs.map(({ counts }) => counts)).toEqual([
      { ...none, taken: 1, refused: 1 },
      { ...none, taken: 1, refused: 1 },
    ])
    const text = 'The account may keep 1 people in its own right, and has no room for another one.'
    expect(await faultsOf(id, 0, grant)).toEqual([[2, text, undefined]])
    expect(await familiesOf()).toEqual(['Ash'])
  })

  it('takes in each of them, whatever the order of files, and changes nothing when it comes again', async () => {
    files.set(
      '/Observation',
      ndjson(weightOf('w1', 'Patient/1'), weightOf('w2', 'Patient/2'), weightOf('w3', 'Patient/1')),
    )
    files.set('/Patient', gzipSync(ndjson(personOf('1', 'Ash'), personOf('2', 'Beech'))))
    const first = await imported(['/Observation', '/Patient'])
    expect(first.counts).toEqual([
      { ...none, taken: 3 },
      { ...none, taken: 2 },
    ])
    expect(await familiesOf()).toEqual(['Ash', 'Beech'])
    const [ash, beech] = [await patientNamed('Ash'), await patientNamed('Beech')]
    expect(await found(house.record, 'Observation', `patient=Patient/${ash}`)).toHaveLength(2)
    expect(await found(house.record, 'Observation', `patient=Patient/${beech}`)).toHaveLength(1)
    expect(await found(house.record, 'Provenance')).toHaveLength(2)
    const before = await versionsOf(house.record)
    const again = await imported(['/Patient', '/Observation'])
    expect(again.counts.map(({ refused, waiting }) => refused + waiting)).toEqual([0, 0])
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('knows who is here by the one rule: certain goes in, a contradiction is refused, doubt waits', async () => {
    const identifier = [{ system: 'https://clinic.example/mrn', value: 'mrn-1' }]
    const name = [{ family: 'Ash', given: ['Ada'] }]
    const ash = await createPatient(house.record, { identifier, name, birthDate: '1980-02-03', gender: 'female' })
    const number = (value: string) => [{ system: 'https://clinic.example/mrn', value }]
    const other = { identifier: number('mrn-2'), name: [{ family: 'Beech', given: ['Bo'] }], birthDate: '1999-09-09' }
    await createPatient(house.record, other)
    const third = { identifier: number('mrn-3'), name: [{ family: 'Cedar', given: ['Cy'] }], birthDate: '1970-01-01' }
    const cedar = await createPatient(house.record, third)
    files.set(
      '/Patient',
      ndjson(
        personOf('1', 'Ash'),
        personOf('2', 'Somebody'),
        personOf('3', 'Cedar', { name: [{ family: 'Cedar', given: ['Cy'] }], birthDate: '1970-01-02', gender: 'male' }),
      ),
    )
    files.set(
      '/Observation',
      ndjson(weightOf('w1', 'Patient/1'), weightOf('w2', 'Patient/2'), weightOf('w3', 'Patient/3')),
    )
    const { counts, faults } = await imported(['/Patient', '/Observation'])
    expect(counts[1]).toEqual({ ...none, taken: 1, refused: 1, waiting: 1 })
    expect((await found(house.record, 'Observation')).map(subjectOf)).toEqual([`Patient/${ash}`])
    expect(await faults(1)).toEqual([
      [
        2,
        expect.stringMatching(/^A number of this patient is that of somebody else here/),
        expect.stringMatching(/Patient\.name/),
      ],
      [3, expect.stringMatching(/^waiting: It waits until a person says whom it is about: \$review\//), undefined],
    ])
    for (const told of [await faults(0), await faults(1)]) expect(JSON.stringify(told)).not.toMatch(/mrn-|Cedar|1970/)
    const [held, ...more] = await house.ingest.people.review.list(everything())
    expect(more).toEqual([])
    await house.ingest.people.review.decide({
      grant: everything(),
      id: held?.id ?? '',
      decision: 'accept',
      patient: cedar,
    })
    expect(await found(house.record, 'Observation', `patient=Patient/${cedar}`)).toHaveLength(1)
  })

  it('takes nobody in twice who has no number, and finds whom files do not describe by their source', async () => {
    files.set('/Patient', ndjson(withoutNumber(personOf('1', 'Ash'))))
    await imported(['/Patient'])
    await imported(['/Patient'])
    expect(await familiesOf()).toEqual(['Ash'])
    files.set('/later', ndjson(weightOf('w', 'Patient/1'), weightOf('x', 'Patient/unheard-of')))
    const { counts, faults } = await imported(['/later'])
    expect(counts).toEqual([{ ...none, taken: 1, refused: 1 }])
    expect(await faults(0)).toEqual([[2, expect.stringMatching(/described by no file/), undefined]])
    const elsewhere = await imported(['/later'], { source: 'https://another.example' })
    expect(elsewhere.counts).toEqual([{ ...none, refused: 2 }])
  })

  it('holds somebody who is called and born as a person here, and has no number in common, for doubtful', async () => {
    await createPatient(house.record, {
      name: [{ family: 'Ash', given: ['Ada'] }],
      birthDate: '1980-02-03',
      gender: 'female',
    })
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    const { counts } = await imported(['/Patient'])
    expect(counts).toEqual([{ ...none, waiting: 1 }])
    expect(await familiesOf()).toEqual(['Ash'])
  })

  it('tells apart what two servers call the same – https://hl7.org/fhir/R4/resource.html#id', async () => {
    files.set('/one', ndjson(personOf('1', 'Ash'), weightOf('w', 'Patient/1')))
    const other = weightOf('w', 'Patient/7', { effectiveDateTime: '2026-02-03' })
    files.set('/other', ndjson(personOf('7', 'Ash', { identifier: personOf('1', 'Ash').identifier }), other))
    const one = { source: 'https://one.example/fhir' }
    await imported(['/one'], one)
    await imported(['/other'], { source: 'https://other.example/fhir/' })
    const ash = await patientNamed('Ash')
    expect(await found(house.record, 'Observation', `patient=Patient/${ash}`)).toHaveLength(2)
    const before = await versionsOf(house.record)
    for (const source of [one.source, `${one.source}/`]) await imported(['/one'], { source })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('brings the same in once, whether a person has decided about it or not', async () => {
    const birthDate = '1980-02-03'
    const ash = await createPatient(house.record, { name: [{ family: 'Ash', given: ['Ada'] }], birthDate })
    files.set('/Patient', ndjson(personOf('1', 'Ash'), weightOf('w', 'Patient/1')))
    expect((await imported(['/Patient'])).counts).toEqual([{ ...none, waiting: 2 }])
    const [held] = await house.ingest.people.review.list(everything())
    const decision = { grant: everything(), id: held?.id ?? '', decision: 'accept', patient: ash } as const
    await house.ingest.people.review.decide(decision)
    expect((await imported(['/Patient'])).counts).toEqual([{ ...none, known: 2 }])
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })

  it('takes versions of one person together, and tells apart two people under one id', async () => {
    const at = (lastUpdated: string) => ({ meta: { lastUpdated } })
    files.set('/one', ndjson(personOf('1', 'Ash', at('2026-01-02T00:00:00Z')), weightOf('a', 'Patient/1')))
    const earlier = personOf('1', 'Ash', { ...at('2026-01-01T00:00:00Z'), telecom: [{ system: 'phone', value: '1' }] })
    files.set('/other', ndjson(earlier, weightOf('b', 'Patient/1')))
    expect((await imported(['/one', '/other'])).counts).toEqual([
      { ...none, taken: 2 },
      { ...none, taken: 1, passed: 1 },
    ])
    const zed = { name: [{ family: 'Oak', given: ['Zed'] }], birthDate: '1999-01-01', gender: 'male', identifier: [] }
    files.set('/one', ndjson(personOf('9', 'Elm'), weightOf('c', 'Patient/9')))
    files.set('/other', ndjson(personOf('9', 'Oak', zed), weightOf('d', 'Patient/9'), personOf('8', 'Fir')))
    const { counts, faults } = await imported(['/one', '/other'])
    expect(counts).toEqual([
      { ...none, refused: 2 },
      { ...none, taken: 1, refused: 2 },
    ])
    const told = [...(await faults(0)), ...(await faults(1))].map(([, text]) => text)
    expect(new Set(told)).toEqual(
      new Set([expect.stringMatching(/^The files describe several people under this id\./)]),
    )
    expect(await familiesOf()).toEqual(['Ash', 'Fir'])
  })

  // https://hl7.org/fhir/R4/datatypes.html#id
  it.each([[5], [['1']], [null], [''], ['a b'], [{}], [true]])('takes in nobody whose id is %j', async id => {
    files.set('/Patient', ndjson({ ...personOf('1', 'Ash'), id }))
    const { counts, faults } = await imported(['/Patient'])
    expect(counts).toEqual([{ ...none, refused: 1 }])
    expect(await faults(0)).toEqual([[1, expect.any(String), 'Patient.id']])
    expect(await familiesOf()).toEqual([])
  })

  it('keeps what is nobody’s once, and lets all refer to it', async () => {
    const doctor = {
      resourceType: 'Practitioner',
      id: 'd',
      identifier: [{ system: 'https://npi.example', value: '7' }],
      name: [{ family: 'Oak' }],
    }
    const ward = { resourceType: 'Organization', id: 'o', name: 'Clinic' }
    const role = {
      resourceType: 'PractitionerRole',
      id: 'r',
      practitioner: { reference: 'Practitioner/d' },
      organization: { reference: 'Organization/o' },
    }
    files.set(
      '/shared',
      ndjson(role, doctor, ward, { resourceType: 'Organization', id: 'alone', name: 'Nobody goes there' }),
    )
    files.set(
      '/Patient',
      ndjson(personOf('1', 'Ash', { managingOrganization: { reference: 'Organization/o' } }), personOf('2', 'Beech')),
    )
    const by = (reference: string) => ({ performer: [{ reference }] })
    files.set(
      '/Observation',
      ndjson(
        weightOf('w1', 'Patient/1', by('PractitionerRole/r')),
        weightOf('w2', 'Patient/2', by('Practitioner?identifier=https://npi.example|7')),
      ),
    )
    const { counts } = await imported(['/Observation', '/shared', '/Patient'])
    expect(counts).toEqual([
      { ...none, taken: 2 },
      { ...none, taken: 4 },
      { ...none, taken: 2 },
    ])
    const [kept, ...others] = await found(house.record, 'Practitioner')
    expect(others).toEqual([])
    expect(await found(house.record, 'Organization')).toHaveLength(2)
    const performers = (await found(house.record, 'Observation')).map(
      ({ performer }) => (performer as { reference: string }[])[0]?.reference,
    )
    expect(performers).toContain(`Practitioner/${kept?.id}`)
    expect(performers).toContain(`PractitionerRole/${(await found(house.record, 'PractitionerRole'))[0]?.id}`)
  })

  it('gives what is about two people to both, and what names nobody to who refers to it', async () => {
    files.set('/Patient', ndjson(personOf('1', 'Ash'), personOf('2', 'Beech')))
    const visit = visitOf('Patient/1', 'Patient/2')
    const bytes = {
      resourceType: 'Binary',
      id: 'b',
      contentType: 'text/plain',
      data: Buffer.from('letter').toString('base64'),
    }
    const letter = {
      resourceType: 'DocumentReference',
      id: 'l',
      status: 'current',
      subject: { reference: 'Patient/2' },
      content: [{ attachment: { contentType: 'text/plain', url: 'Binary/b' } }],
    }
    const lost = { resourceType: 'Binary', id: 'lost', contentType: 'text/plain', data: 'AAAA' }
    files.set('/rest', ndjson(bytes, lost, visit, letter))
    const { counts, faults } = await imported(['/rest', '/Patient'])
    expect(counts[0]).toEqual({ ...none, taken: 3, refused: 1 })
    expect(await faults(0)).toEqual([[2, expect.any(String), 'subject']])
    for (const family of ['Ash', 'Beech'])
      expect(await found(house.record, 'Appointment', `patient=Patient/${await patientNamed(family)}`)).toHaveLength(1)
    const [document] = await found(house.record, 'DocumentReference')
    const [content] = (document?.content ?? []) as { attachment: { url: string } }[]
    const [binary] = await found(house.record, 'Binary')
    expect(content?.attachment.url).toBe(`Binary/${binary?.id}`)
  })

  it('tells each row that is not in by its line and element, and takes in all others', async () => {
    files.set('/Patient', `\uFEFF${ndjson(personOf('1', 'Ash'))}\r\n\n  \n`)
    files.set(
      '/Observation',
      [
        'no json at all',
        JSON.stringify(weightOf('bad', 'Patient/1', { status: 'nonsense' })),
        '',
        JSON.stringify({ resourceType: 'Unheard', id: '1' }),
        JSON.stringify(weightOf('good', 'urn:uuid:nobody')),
        JSON.stringify(weightOf('good', 'https://clinic.example/Patient/1')),
        JSON.stringify({ resourceType: 'AuditEvent', id: '1' }),
        JSON.stringify(weightOf('foreign', 'https://another.example/Patient/1')),
      ].join('\n'),
    )
    const { counts, faults } = await imported(['/Observation', '/Patient'])
    expect(counts).toEqual([
      { ...none, taken: 1, refused: 5, passed: 1 },
      { ...none, taken: 1 },
    ])
    expect(await faults(0)).toEqual(
      expect.arrayContaining([
        [1, expect.any(String), undefined],
        [2, 'The resource would not be valid FHIR R4.', 'Observation.status'],
        [4, expect.any(String), undefined],
        [5, expect.stringMatching(/described by no file/), undefined],
        [8, expect.stringMatching(/described by no file/), undefined],
      ]),
    )
  })

  // https://hl7.org/fhir/R4/references.html#literal: an absolute reference is one to that server.
  it.each([
    ['where it is said from where they come', 'https://clinic.example', 'https://clinic.example', [1, 1]],
    ['below another base', 'https://clinic.example', 'https://another.example', [1, 0]],
    ['where nothing is said', 'a clinic', 'https://clinic.example', [1, 0]],
  ] as const)('lets an absolute reference lead to who is meant alone, %s', async (_, source, other, [ash, beech]) => {
    files.set('/Patient', ndjson(personOf('1', 'Ash'), personOf('2', 'Beech')))
    const visit = visitOf('Patient/1', `${other}/Patient/2`)
    files.set('/rest', ndjson(visit))
    expect((await imported(['/rest', '/Patient'], { source })).counts[0]).toEqual({ ...none, taken: 1 })
    const of = async (family: string) =>
      await found(house.record, 'Appointment', `patient=Patient/${await patientNamed(family)}`)
    expect([(await of('Ash')).length, (await of('Beech')).length]).toEqual([ash, beech])
  })

  it('takes absolute references as those of one server where all are, and as nobody’s where they are of several', async () => {
    const source = 'a clinic'
    const of = (id: string, base: string) => weightOf(id, `https://${base}.example/fhir/Patient/1`)
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    files.set('/one', ndjson(of('a', 'one'), of('b', 'one'), weightOf('c', 'Patient/1')))
    files.set('/two', ndjson(of('d', 'one'), of('e', 'other'), weightOf('f', 'Patient/1')))
    expect((await imported(['/one', '/Patient'], { source })).counts[0]).toEqual({ ...none, taken: 3 })
    expect((await imported(['/two', '/Patient'], { source })).counts[0]).toEqual({ ...none, taken: 1, refused: 2 })
  })

  it('refuses what is another server’s by itself, also of somebody whom the files do not describe', async () => {
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    await imported(['/Patient'])
    files.set('/later', ndjson(weightOf('w', 'Patient/1'), weightOf('x', 'https://another.example/Patient/1')))
    expect((await imported(['/later'])).counts).toEqual([{ ...none, taken: 1, refused: 1 }])
  })

  it('fetches with the credential that was given, follows no redirect, and tells which file did not come', async () => {
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    const paths = ['/elsewhere', '/missing', '/broken', '/Patient', 'Binary/none']
    const { counts, faults } = await imported(paths, { authorization: 'Basic YTpi' })
    expect(counts.map(({ taken }) => taken)).toEqual([0, 0, 0, 1, 0])
    expect(asked).toEqual(paths.slice(0, 4).map(path => [path, 'Basic YTpi']))
    const told = await Promise.all(paths.map((_, input) => faults(input)))
    expect(told.map(([fault]) => fault?.[1])).toEqual([
      'The address answered with status 302.',
      'The address answered with status 404.',
      'The file broke off while it came.',
      undefined,
      'No such Binary is known here.',
    ])
  })

  it.each([
    ['a private address', 'http://10.0.0.1/x'],
    ['plain http', 'http://93.184.215.14/x'],
    ['what this machine is called', 'https://[::1]/x'],
    ['the address of a cloud’s secrets', 'http://169.254.169.254/latest'],
    ['a file', 'file:///etc/passwd'],
  ])('fetches nothing from %s', async (_, url) => {
    const grant = everything()
    const id = await house.ingest.bulk.begin({ grant, inputs: [{ url }], request: '' })
    await ended(id, grant)
    expect(await faultsOf(id, 0, grant)).toEqual([
      [0, 'The address lies where this server may not fetch from.', undefined],
    ])
  })

  it('takes files that were stored here as Binaries', async () => {
    const data = Buffer.from(ndjson(personOf('1', 'Ash'), weightOf('w', 'Patient/1'))).toString('base64')
    const { id } = await house.record
      .writer(everything())
      .transact(txn => txn.create({ resourceType: 'Binary', contentType: 'application/fhir+ndjson', data }))
    expect((await imported([`Binary/${id}`])).counts).toEqual([{ ...none, taken: 2 }])
  })

  it('takes many small files and large ones, wherever they lie meanwhile', async () => {
    house = await openHouse({ spoolFrom: 1500 })
    const paths = Array.from({ length: 30 }, (_, n) => `/file${n}`)
    const rowsOf = (n: number) => [
      ...Array.from({ length: n % 10 === 3 ? 12 : 1 }, (_, at) => weightOf(`w${n}-${at}`, `Patient/p${(n + 7) % 30}`)),
      personOf(`p${n}`, `Family${n}`, { birthDate: `19${50 + n}-02-03` }),
    ]
    for (const [n, path] of paths.entries()) {
      const bytes = Buffer.from(ndjson(...rowsOf(n)))
      files.set(path, n % 3 === 0 ? gzipSync(bytes) : bytes)
    }
    files.set('/nothing', '')
    const { counts } = await imported([...paths, '/nothing', '/file3'])
    // Of what comes twice the later one is taken.
    const taken = paths.map((_, n) => (n === 3 ? 0 : rowsOf(n).length))
    expect(counts.map(({ taken }) => taken)).toEqual([...taken, 0, rowsOf(3).length])
    for (const n of [0, 3, 13, 29]) {
      const patient = await patientNamed(`Family${n}`)
      const from = (n + 23) % 30
      const of = await found(house.record, 'Observation', `patient=Patient/${patient}`)
      expect(of).toHaveLength(from % 10 === 3 ? 12 : 1)
    }
  })

  it('refuses a line that is too long by itself', async () => {
    house = await openHouse({ maxLine: 2000 })
    const long = weightOf('long', 'Patient/1', { note: [{ text: 'x'.repeat(300_000) }] })
    files.set('/Patient', ndjson(long, personOf('1', 'Ash'), long, weightOf('w', 'Patient/1'), long))
    const { counts, faults } = await imported(['/Patient'])
    expect(counts).toEqual([{ ...none, taken: 2, refused: 3 }])
    const told = [1, 3, 5].map(line => [line, 'The line is longer than 2000 bytes.', undefined])
    expect(await faults(0)).toEqual(told)
  })

  it('brings in anew who was erased, and nothing of them before', async () => {
    files.set('/Patient', ndjson(withoutNumber(personOf('1', 'Ash')), weightOf('w', 'Patient/1')))
    await imported(['/Patient'])
    const erased = await patientNamed('Ash')
    await house.ingest.forgetPatient(erased)
    await house.record.shred(erased)
    expect((await imported(['/Patient'])).counts).toEqual([{ ...none, taken: 2 }])
    expect(await patientNamed('Ash')).not.toBe(erased)
  })
})

function withoutNumber({ identifier: _, ...person }: ReturnType<typeof personOf>): object {
  return person
}

describe('whose a bulk import is', () => {
  it('is that of who began it, and nobody else’s', async () => {
    files.set('/Patient', ndjson(personOf('1', 'Ash'), { resourceType: 'Unheard' }))
    const { id, grant } = await imported(['/Patient'])
    const other = everything()
    expect(await house.ingest.bulk.find(id, { grant: other })).toBeUndefined()
    expect(await house.ingest.bulk.faults(id, 0, other)).toBeUndefined()
    expect(await house.ingest.bulk.remove(id, other)).toBe(false)
    expect(await house.ingest.bulk.remove(id, grant)).toBe(true)
    expect(await house.ingest.bulk.find(id, { grant })).toBeUndefined()
    expect(await house.ingest.bulk.faults(id, 0, grant)).toBeUndefined()
    expect((await readPatient(house.record, await patientNamed('Ash'))).gender).toBe('female')
  })
})

describe('a bulk import of several processes', () => {
  const another = (bulk: IngestOptions['bulk'] = {}) => {
    const { record, clock } = house
    const fetch = openFetch(['127.0.0.0/8'])
    return openIngest({ record, validator, clock, log: silentLog, baseUrl, fetch, bulk })
  }
  /** Where what is asked for never comes. */
  const never = () => `http://127.0.0.1:${(silent.address() as AddressInfo).port}/x`
  let silent: Server
  let unanswered = 0

  beforeEach(async () => {
    unanswered = 0
    silent = createServer((request, response) => {
      unanswered += 1
      const file = files.get(request.url ?? '')
      if (file !== undefined) response.end(file)
    })
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  })
  afterEach(() => {
    silent.closeAllConnections()
    silent.close()
  })

  it('goes on in the one that is asked for it, when the one that began it has ended, however it did', async () => {
    const grant = everything()
    files.set('/Patient', ndjson(personOf('1', 'Ash'), weightOf('w', 'Patient/1')))
    const inputs = [{ url: `${base}/Patient` }, { url: never() }]
    const [closed, killed, there] = [another(), another(), another()]
    const [one, other] = await Promise.all([
      closed.bulk.begin({ grant, inputs, request: '' }),
      killed.bulk.begin({ grant, inputs, request: '' }),
    ])
    expect(await there.bulk.find(one, { grant })).toMatchObject({ state: 'running' })
    // Both are where nothing comes; whoever asks again gets it.
    while (unanswered < 2) await pause(2)
    files.set('/x', ndjson(personOf('2', 'Beech')))
    await closed.close()
    expect((await ended(one, grant, there.bulk)).inputs.map(({ counts }) => counts.taken)).toEqual([2, 1])
    house.clock.advance(31_000)
    const { inputs: told } = await ended(other, grant, there.bulk)
    expect(told.map(({ counts }) => counts.taken + counts.known)).toEqual([2, 1])
    expect(await familiesOf()).toEqual(['Ash', 'Beech'])
    await killed.close()
    expect((await there.bulk.find(other, { grant }))?.state).toBe('done')
    await there.close()
  })

  it('is given up when it has ended its process again and again', async () => {
    const grant = everything()
    const there = another({ maxTries: 2 })
    const first = another()
    const id = await first.bulk.begin({ grant, inputs: [{ url: never() }], request: '' })
    house.clock.advance(31_000)
    const second = another({ maxTries: 2 })
    expect(await second.bulk.find(id, { grant })).toMatchObject({ state: 'running' })
    house.clock.advance(31_000)
    for (const _ of ['once', 'and again'])
      await expect(there.bulk.find(id, { grant })).rejects.toMatchObject({ code: 'ingest.bulk-interrupted' })
    for (const room of [first, second, there]) await room.close()
  })

  it('ends where it runs when it is removed, and is forgotten', async () => {
    const grant = everything()
    const there = another()
    const id = await there.bulk.begin({ grant, inputs: [{ url: never() }], request: '' })
    expect(await there.bulk.remove(id, grant)).toBe(true)
    expect(await there.bulk.find(id, { grant })).toBeUndefined()
    const told = async () => JSON.stringify(await found(house.record, 'AuditEvent'))
    while (!(await told()).includes('ingest.bulk-removed')) await pause(2)
    expect(await familiesOf()).toEqual([])
    await there.close()
  })

  it('is given up for nothing that passes', async () => {
    const grant = everything()
    files.set('/Patient', ndjson(personOf('1', 'Ash'), weightOf('w', 'Patient/1')))
    house = await openHouse({ spoolFrom: 100, keepFree: 1e18 })
    const { bulk } = house.ingest
    const id = await bulk.begin({ grant, inputs: [{ url: `${base}/Patient` }], request: '' })
    const brokenOff = async () =>
      (await found(house.record, 'AuditEvent')).filter(one => JSON.stringify(one).includes('ingest.spool-unwritable'))
    while ((await brokenOff()).length < 7) {
      expect(await bulk.find(id, { grant })).toMatchObject({ state: 'running' })
      house.clock.advance(31_000)
      await pause(2)
    }
  })

  it('keeps no other waiting while its files come, and waits for none that comes for ever', async () => {
    const grant = everything()
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    house = await openHouse({ maxRunning: 1 })
    const endless = { grant, inputs: [{ url: `${base}/endless` }, { url: `${base}/Patient` }], request: '' }
    const first = await house.ingest.bulk.begin(endless)
    while (asked.length < 1) await pause(2)
    expect((await imported(['/Patient'])).counts).toEqual([{ ...none, taken: 1 }])
    expect(await house.ingest.bulk.find(first, { grant })).toMatchObject({ state: 'running' })
    expect(await house.ingest.bulk.remove(first, grant)).toBe(true)
    const there = another({ fetchMs: 100 })
    const late = await there.bulk.begin(endless)
    await ended(late, grant, there.bulk)
    for (const input of [0, 1])
      expect(await faultsOf(late, input, grant)).toEqual([[0, 'The files took too long to come.', undefined]])
    await there.close()
  })

  it('fetches nothing more when what permits it is taken back', async () => {
    const grant = everything()
    files.set('/Patient', ndjson(personOf('1', 'Ash')))
    const renew = async () => {
      if (asked.length > 0) throw new Problem('unauthenticated', 'token.unknown', 'It was revoked.')
      return grant
    }
    const inputs = ['/Patient', '/other'].map(path => ({ url: `${base}${path}` }))
    const id = await house.ingest.bulk.begin({ grant, inputs, request: '', renew })
    await expect(ended(id, grant)).rejects.toMatchObject({ kind: 'forbidden', code: 'ingest.withdrawn' })
    expect(asked.map(([path]) => path)).toEqual(['/Patient'])
    expect(await familiesOf()).toEqual([])
  })

  it('is one of so many', async () => {
    const grant = everything()
    const there = another({ maxOfOwner: 1 })
    await there.bulk.begin({ grant, inputs: [{ url: never() }], request: '' })
    await expect(there.bulk.begin({ grant, inputs: [], request: '' })).rejects.toMatchObject({
      code: 'ingest.bulk-too-many',
    })
    await there.close()
  })

  it('ends when what permits it is taken back, and what was in stays', async () => {
    const grant = everything()
    files.set('/Patient', ndjson(personOf('1', 'Ash'), personOf('2', 'Beech')))
    const renew = async () => {
      if ((await familiesOf()).includes('Ash')) throw new Problem('unauthenticated', 'token.unknown', 'It was revoked.')
      return grant
    }
    const inputs = [{ url: `${base}/Patient` }]
    const id = await house.ingest.bulk.begin({ grant, inputs, request: '', renew })
    await expect(ended(id, grant)).rejects.toMatchObject({ kind: 'forbidden', code: 'ingest.withdrawn' })
    expect(await familiesOf()).toEqual(['Ash'])
  })
})
