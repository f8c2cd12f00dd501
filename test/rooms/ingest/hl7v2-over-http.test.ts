import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem, storageProblem } from '#kernel'
import { openMemoryStore, type Store } from '#store'
import {
  createPatient,
  everything,
  found,
  grantOf,
  ofPatient,
  openHouse,
  readPatient,
  samples,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { message } from './reading.ts'

const identifier = [{ system: 'urn:oid:2.999.1.1', value: '4711' }]
const admission = readFileSync(new URL('adt-a01.hl7', samples))
const results = readFileSync(new URL('oru-r01.hl7', samples))
const send = (house: TestHouse, bytes: Buffer, grant = everything()) => house.ingest.hl7v2({ grant, message: bytes })
const adt = (event: string, pid: string, rest = '', id = 'M1') =>
  message(`MSH|^~\\&|HIS|C|||20260210||ADT^${event}|${id}|P|2.5`, pid, ...(rest === '' ? [] : [rest]))
const field = (ack: string, segment: string, number: number) =>
  ack
    .split('\r')
    .find(line => line.startsWith(segment))
    ?.split('|')[number]

/** A house whose store takes no commit while there is a fault. */
async function faultyHouse() {
  const store = openMemoryStore()
  const state: { fault?: Error } = {}
  const commit: Store['commit'] = async (...drafts) => {
    if (state.fault !== undefined) throw state.fault
    return store.commit(...drafts)
  }
  const faulty = new Proxy(store, {
    get: (target, name) => {
      const value = name === 'commit' ? commit : Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { house: await openHouse({}, faulty), state }
}

describe('what is no fault of the message says so – HL7 v2.5.1, 2.9.2.2: the sender is to send it again', () => {
  const busy = new Problem('busy', 'store.unreachable', 'x', { retryAfterSeconds: 7 })
  it.each<[string, Error, number, number | undefined]>([
    ['a full disk', storageProblem('full'), 507, 60],
    ['a disk that fails', storageProblem('failing'), 503, 5],
    ['a database that is away', busy, 503, 7],
    ['a fault of ours', new TypeError('x'), 500, undefined],
  ])('%s', async (_, fault, status, retryAfterSeconds) => {
    const { house, state } = await faultyHouse()
    await createPatient(house.record, { identifier })
    state.fault = fault
    const before = await versionsOf(house.record)
    const answer = await send(house, admission)
    expect([answer.status, answer.retryAfterSeconds]).toEqual([status, retryAfterSeconds])
    expect([field(answer.ack, 'MSA', 1), field(answer.ack, 'ERR', 3)?.split('^')[0]]).toEqual(['AR', '207'])
    expect(/send it again/.test(answer.ack)).toBe(retryAfterSeconds !== undefined)
    const batch = message(
      'BHS|^~\\&|A|B',
      ...admission
        .toString()
        .trim()
        .split(/[\r\n]+/),
      'BTS|1',
    )
    expect(await send(house, batch)).toMatchObject({ status })
    expect(await versionsOf(house.record)).toBe(before)
    delete state.fault
    expect(await send(house, admission)).toMatchObject({ status: 200 })
  })
})

describe('one HL7 v2 message – the acknowledgement in original mode', () => {
  it('is taken in for the patient that PID-3 names, within reach of the grant', async () => {
    const house = await openHouse()
    const greta = await createPatient(house.record, { identifier })
    const { status, ack } = await send(house, admission, grantOf('user/*.cruds', { patients: [greta, house.bert] }))
    expect([status, field(ack, 'MSA', 1), field(ack, 'MSA', 2)]).toEqual([200, 'AA', 'NK-1001'])
    expect((await send(house, results)).status).toBe(200)
    expect(await found(house.record, 'Observation', `subject=Patient/${greta}`)).toHaveLength(6)
    expect(await found(house.record, 'Encounter', `subject=Patient/${greta}`)).toMatchObject([
      { status: 'in-progress' },
    ])
    expect(await readPatient(house.record, greta)).toMatchObject({ name: [{ family: 'Lindqvist' }] })
  })

  // https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-msh-to-provenance-source.html
  it.each([
    ['HIS^1.2.3^ISO|CLINIC^1.2.4^ISO', 'urn:oid:1.2.4', 'CLINIC', 'HIS'],
    ['HIS|CLINIC', 'CLINIC', 'CLINIC', 'HIS'],
    ['HIS|', 'HIS', 'HIS', 'HIS'],
  ])('is named by its Provenance, with who sent it and when: %s', async (from, value, display, application) => {
    const house = await openHouse()
    const bytes = message(
      `MSH|^~\\&|${from}|||20260210081500+0100||ADT^A01^ADT_A01|M1|P|2.5`,
      'PID|1||1||Sample^Ann',
      'PV1|1|I|W',
    )
    expect(field((await send(house, bytes)).ack, 'MSA', 1)).toBe('AA')
    expect(await found(house.record, 'Provenance')).toMatchObject([
      {
        occurredDateTime: '2026-02-10T08:15:00+01:00',
        activity: { coding: [{ code: 'CREATE' }, { display: 'message - ADT^A01^ADT_A01' }] },
        agent: [
          { type: { coding: [{ code: 'enterer' }] } },
          { type: { coding: [{ code: 'assembler' }] } },
          { type: { coding: [{ code: 'author' }] }, who: { type: 'Organization', identifier: { value }, display } },
        ],
        entity: [
          { role: 'source', what: { identifier: { system: 'urn:ietf:rfc:6920' } } },
          { role: 'source', what: { type: 'Device', display: application } },
        ],
      },
    ])
  })

  it.each(['A28', 'A04', 'A01'])('that says nothing but whom it takes in has a Provenance, too: %s', async event => {
    const house = await openHouse()
    const msh = `MSH|^~\\&|HIS|CLINIC|||20260210081500+0100||ADT^${event}|M1|P|2.5`
    const two = ['PID|1||1||Sample^Ann', 'PID|1||2||Other^Tom']
    for (const pid of two) expect(field((await send(house, message(msh, pid))).ack, 'MSA', 1)).toBe('AA')
    const told = await found(house.record, 'Provenance')
    expect(told).toHaveLength(2)
    for (const family of ['Sample', 'Other']) {
      const [patient] = await found(house.record, 'Patient', `family=${family}`)
      const target = [{ reference: `Patient/${patient?.id}` }]
      const activity = {
        coding: [{ system: expect.anything(), code: 'CREATE' }, { display: `message - ADT^${event}` }],
      }
      expect(told).toContainEqual(expect.objectContaining({ target, activity: expect.objectContaining(activity) }))
    }
  })

  it('is answered again and not imported again when it comes twice', async () => {
    const house = await openHouse()
    await createPatient(house.record, { identifier })
    await send(house, admission)
    const before = await versionsOf(house.record)
    expect(field((await send(house, admission)).ack, 'MSA', 1)).toBe('AA')
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('AE: the patient is not known within reach', async () => {
    const house = await openHouse()
    await createPatient(house.record, { identifier })
    const { status, ack } = await send(house, results, ofPatient(house.bert))
    expect([status, field(ack, 'MSA', 1), field(ack, 'ERR', 2), field(ack, 'ERR', 3)]).toEqual([
      422,
      'AE',
      'PID^1^3',
      '204^Unknown key identifier^HL70357',
    ])
    expect(ack).not.toContain('4711')
    expect(await found(house.record, 'Observation')).toEqual([])
  })

  it('creates the patient when somebody is admitted and the grant may', async () => {
    const house = await openHouse()
    expect((await send(house, admission)).status).toBe(200)
    expect(await found(house.record, 'Patient', 'identifier=urn:oid:2.999.1.1|4711')).toMatchObject([
      { birthDate: '1951-03-12' },
    ])
    expect((await send(house, adt('A08', 'PID|1||5^^^X'))).status).toBe(422)
    expect((await send(house, adt('A04', 'PID|1||5^^^X'), ofPatient(house.anna))).status).toBe(422)
    expect(await found(house.record, 'Patient')).toHaveLength(3)
  })

  it.each([
    ['ingest.hl7-malformed', 'AR', '100', Buffer.from('hello')],
    ['ingest.hl7-type-unsupported', 'AR', '200', message('MSH|^~\\&|A|B|||2026||QBP^Q22|1|P|2.5', 'PID|1')],
    ['ingest.hl7-event-unsupported', 'AR', '201', message('MSH|^~\\&|A|B|||2026||ADT^A20|1|P|2.5', 'PID|1')],
    ['ingest.hl7-processing-unsupported', 'AR', '202', message('MSH|^~\\&|A|B|||2026||ADT^A01|1|X|2.5', 'PID|1')],
    ['ingest.hl7-version-unsupported', 'AR', '203', message('MSH|^~\\&|A|B|||2026||ADT^A01|1|P|3', 'PID|1')],
    ['ingest.hl7-field-missing', 'AE', '101', message('MSH|^~\\&|A|B|||2026||ADT^A01||P|2.5', 'PID|1')],
    [
      'ingest.hl7-field-missing for the patient',
      'AE',
      '101',
      message('MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5', 'PID|1'),
    ],
  ])('%s', async (_, code, condition, bytes) => {
    const house = await openHouse()
    const { status, ack } = await send(house, bytes)
    expect(status).toBe(code === 'AE' ? 422 : 400)
    expect(field(ack, 'MSA', 1)).toBe(code)
    expect(field(ack, 'ERR', 3)).toMatch(new RegExp(`^${condition}\\^`))
  })

  it('several patients who fit, and a missing scope, get their own answers', async () => {
    const house = await openHouse()
    for (const _ of [1, 2]) await createPatient(house.record, { identifier })
    expect(field((await send(house, results)).ack, 'ERR', 3)).toMatch(/^205\^/)
    expect(field((await send(house, results, grantOf('system/Patient.rs'))).ack, 'ERR', 3)).toMatch(/^207\^/)
    expect(field((await send(house, results, grantOf('system/Provenance.c'))).ack, 'MSA', 1)).toBe('AR')
  })

  it('a laboratory that may not change a Patient is heard for its results, and told so', async () => {
    const house = await openHouse()
    await createPatient(house.record, { identifier })
    const types = ['Encounter', 'Observation', 'DiagnosticReport', 'ServiceRequest', 'Specimen']
    const scopes = types.map(type => `system/${type}.crus`).join(' ')
    const { status, ack } = await send(house, results, grantOf(`system/Patient.rs system/Provenance.c ${scopes}`))
    expect([status, field(ack, 'MSA', 1)]).toEqual([200, 'AA'])
    expect(ack).toContain('ERR||PID^1|')
    expect(await found(house.record, 'Observation')).toHaveLength(4)
  })

  it('nothing is kept of a message of which the grant may not write a part', async () => {
    const house = await openHouse()
    await createPatient(house.record, { identifier })
    const grant = grantOf('system/Patient.rus system/Provenance.c system/Encounter.c system/Observation.crus')
    const before = await versionsOf(house.record)
    expect(field((await send(house, admission, grant)).ack, 'MSA', 1)).toBe('AR')
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('a batch file keeps its good messages and names the bad ones by place', async () => {
    const house = await openHouse()
    const file = Buffer.concat([
      Buffer.from('BHS|^~\\&\r'),
      admission,
      message('MSH|^~\\&|A|B|||2026||QBP^Q22|1|P|2.5', 'PID|1'),
      message('MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5'),
      results,
    ])
    const job = await house.ingest.start({
      grant: everything(),
      patient: house.anna,
      source: 'hl7v2',
      body: (async function* () {
        yield file
      })(),
    })
    await job.done
    const rejected = JSON.stringify(job.report).match(/message\[\d\]/g)
    expect(rejected).toEqual(['message[2]', 'message[3]'])
    expect(await found(house.record, 'Observation', `subject=Patient/${house.anna}`)).toHaveLength(6)
  })

  it('a file of many people gives a patient only what is about the patient', async () => {
    const house = await openHouse()
    const other = adt('A01', 'PID|1||99^^^NORDKLINIK&2.999.1.1&ISO^MR||Somebody^Else')
    const elsewhere = adt('A01', 'PID|1||7^^^OTHER&2.999.7&ISO^MR')
    const path = join(mkdtempSync(join(tmpdir(), 'kinhold-test-')), 'batch.hl7')
    writeFileSync(path, Buffer.concat([admission, other, elsewhere]))
    const report = await house.ingest.importFile({ grant: everything(), patient: house.anna, path })
    const refused = { reason: 'other-patient', expression: 'message[2]: PID-3, PID-5' }
    expect(report.rejected).toEqual([expect.objectContaining(refused)])
    expect(JSON.stringify(await readPatient(house.record, house.anna))).not.toContain('Somebody')
  })

  it('a batch that admits and updates and discharges leaves what they say together', async () => {
    const house = await openHouse()
    const visit = (event: string, pid: string, from: string, until: string) =>
      adt(event, pid, `PV1|1|I|W^1|||7^Doc|||||||||||||V1^^^C|||||||||||||||||||||||||${from}|${until}`)
    const file = Buffer.concat([
      visit('A01', 'PID|1||5^^^X||One||19800101', '20260210', ''),
      visit('A08', 'PID|1||5^^^X||One-Two', '', ''),
      visit('A03', 'PID|1||5^^^X', '', '20260212'),
    ])
    const path = join(mkdtempSync(join(tmpdir(), 'kinhold-test-')), 'batch.hl7')
    writeFileSync(path, file)
    const wanted = { grant: everything(), patient: house.anna, path }
    expect(await house.ingest.importFile(wanted)).toMatchObject({ rejected: [], created: 1, updated: 1 })
    const [encounter] = await found(house.record, 'Encounter')
    expect(encounter).toMatchObject({ status: 'finished', period: { start: '2026-02-10', end: '2026-02-12' } })
    expect(await readPatient(house.record, house.anna)).toMatchObject({
      name: [{ family: 'One-Two' }],
      birthDate: '1980-01-01',
      meta: { versionId: '2' },
    })
  })
})

describe('somebody new', () => {
  const born = 'PID|1||new-1^^^C||Doe^Jane||19700101|F'
  const jane = 'identifier=new-1'
  const seenByNobody = 'ingest.hl7-patient-appeared'

  it('is not taken in by a message that is refused: the visit may not be written', async () => {
    const house = await openHouse()
    const grant = grantOf('system/Patient.crs system/Observation.c system/Provenance.c', { patients: 'all' })
    const { ack } = await send(house, adt('A01', born, 'PV1|1|I|INT^1^1||||||||||||||||V-1'), grant)
    expect(field(ack, 'MSA', 1)).toBe('AR')
    expect(await found(house.record, 'Patient', jane)).toEqual([])
  })

  it(`is taken in once by messages that come at once, none of which is told ${seenByNobody}`, async () => {
    const house = await openHouse()
    const ids = ['M1', 'M2', 'M3', 'M4']
    const answers = await Promise.all(ids.map(id => send(house, adt('A04', born, '', id))))
    expect(answers.map(({ ack }) => field(ack, 'MSA', 1))).toEqual(['AA', 'AA', 'AA', 'AA'])
    expect(await found(house.record, 'Patient', jane)).toHaveLength(1)
  })
})

describe('what an acknowledgement names, however much there is', () => {
  const errors = (ack: string) => ack.split('\r').filter(line => line.startsWith('ERR'))
  const known = async () => {
    const house = await openHouse()
    await createPatient(house.record, { identifier: [{ system: 'urn:x-hl7v2-hd:X', value: '5' }] })
    return house
  }
  const oru = (...segments: string[]) =>
    message('MSH|^~\\&|LAB|C|||20260210||ORU^R01|M1|P|2.5', 'PID|1||5^^^X', 'OBR|1||F1|P^Panel^L', ...segments)
  const many = Array.from({ length: 150 }, (_, at) => at + 1)

  it('names a field that stands behind a hundred of another name', async () => {
    const house = await known()
    const observations = many.map(at => `OBX|${at}|NM|C${at}^c^L||1|mg|||||F||ACCESS`)
    const { ack } = await send(
      house,
      oru(...observations, 'OBX|151|NM|Z^z^L||1|mg||||||||||||||||||||||LAST', 'ZZZ|1|x'),
    )
    const [listed = ''] = errors(ack)
    expect(listed.split('|')[8]).toMatch(/: ZZZ, OBX-13, OBX-28$/)
    expect(listed.split('|')[8]).not.toMatch(/more/)
    expect(listed.split('|')[8]?.match(/OBX-13/g)).toHaveLength(1)
  })

  it('says a thing once with all of its places, so that the hundredth of one kind hides none of another', async () => {
    const house = await known()
    const observations = many.map(at => `OBX|${at}|NM|C${at}^c^L||1|mg|||||?`)
    const { ack } = await send(house, oru(...observations, 'OBX|151|NM|Z^z^L||1|mg|||||F|||notatime'))
    const warnings = errors(ack).filter(line => line.split('|')[4] === 'W')
    expect(warnings.map(line => line.split('|')[2]?.split('~').length)).toEqual([100, 1])
    expect(warnings[0]).toMatch(/50 places more/)
    expect(warnings[1]).toMatch(/^ERR\|\|OBX\^151\^14\|/)
  })

  it.each([
    ['a batch that is cut', ['FHS|^~\\&|A', 'BHS|^~\\&|A'], [], 2],
    ['a count that is wrong', ['BHS|^~\\&|A'], ['BTS|2'], 1],
    ['a trailer alone', [], ['BTS|1'], 1],
    ['what stands before the message', ['PID|1||7^^^X'], [], 1],
    ['a whole batch', ['FHS|^~\\&|A', 'BHS|^~\\&|A'], ['BTS|1', 'FTS|1'], 0],
  ])('says of an envelope: %s', async (_, before, after, count) => {
    const house = await known()
    const bytes = Buffer.concat([message(...before), oru('OBX|1|NM|C^c^L||1|mg|||||F'), message(...after)])
    const { ack } = await send(house, bytes)
    expect(ack).toContain('MSA|AA|M1')
    const said = errors(ack).filter(line => line.split('|')[2] === 'MSH^1')
    expect(said).toHaveLength(count)
    expect(said.every(line => line.split('|')[4] === 'W')).toBe(true)
  })
})

describe('what is no statement about anybody', () => {
  it('an acknowledgement is taken, and named', async () => {
    const house = await openHouse()
    const bytes = message('MSH|^~\\&|HIS|C|||20260210||ACK^A01^ACK|A1|P|2.5', 'MSA|AA|K1')
    const { status, ack } = await send(house, bytes)
    expect([status, field(ack, 'MSA', 1), field(ack, 'ERR', 4), field(ack, 'ERR', 8)]).toEqual([
      200,
      'AA',
      'I',
      expect.stringContaining('MSA'),
    ])
    expect(await house.ingest.letters.list(everything())).toEqual([])
  })

  it.each([
    ['A29', 'Nobody is deleted by a message'],
    ['A35', 'Accounts are not moved by a message'],
    ['A42', 'Visits are not made one by a message'],
    ['A45', 'not moved to another by a message'],
    ['A50', 'Visits are not renamed by a message'],
  ])('ADT %s is refused by name, and kept', async (event, why) => {
    const house = await openHouse()
    const { status, ack } = await send(house, adt(event, 'PID|1||4711', 'MRG|4712'))
    expect([status, field(ack, 'MSA', 1), field(ack, 'ERR', 3)?.split('^')[0]]).toEqual([400, 'AR', '201'])
    expect(field(ack, 'ERR', 8)).toContain(why)
    expect(await house.ingest.letters.list(everything())).toHaveLength(1)
  })

  it.each(['QBP^Q11^QBP_Q11', 'QBP^Q22^QBP_Q21', 'QRY^A19', 'VXQ^V01'])(
    'a query is refused by name: ingest.hl7-query-unanswered – %s',
    async event => {
      const house = await openHouse()
      const bytes = message(`MSH|^~\\&|HIS|C|||20260210||${event}|Q1|P|2.5`, 'QPD|Q^q^L|Q1', 'RCP|I')
      const { status, ack } = await send(house, bytes)
      expect([status, field(ack, 'MSA', 1), field(ack, 'ERR', 3)?.split('^')[0]]).toEqual([400, 'AR', '200'])
      expect(field(ack, 'ERR', 8)).toContain('Queries are not answered')
      expect(await house.ingest.letters.list(everything())).toEqual([])
    },
  )
})
