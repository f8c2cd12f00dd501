import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resource } from '#fhir'
import type { Log } from '#kernel'
import { createValidator } from '#validation'
import { checkTables } from '../../../src/ingest/mappings/check.ts'
import { openOwnTables } from '../../../src/ingest/mappings/own-tables.ts'
import { shippedTables, tablesIn } from '../../../src/ingest/mappings/table-files.ts'
import { hl7Outcomes, message, resourcesOf } from '../ingest/reading.ts'

/** Z segments become what a table of one's own says (HL7 v2.5.1, 2.11): a row is written, and no code. */
const validator = createValidator()
const silent: Log = { writesDebug: false, debug() {}, info() {}, warn() {}, error() {} }
const pid = 'PID|1||4711^^^HOSP^MR||Doe^Jane||19800101|F'
const pv1 = 'PV1|1|I|||||||||||||||||V1'

const source = 'own: agreement with the ward, 2026'
const url = 'https://ward.example/fhir/StructureDefinition/'
const extension = { to: 'extension[].valueString', source }

const patientMap = {
  segment: 'ZPI',
  resource: 'Patient',
  rows: [
    { from: 'ZPI-1', to: '$said', source },
    { from: 'ZPI-2', beside: { url: `${url}nickname` }, ...extension },
    { from: 'ZPI-3', to: 'communication[].language', as: 'CWE[CodeableConcept]', source },
  ],
}
const visitMap = {
  segment: 'ZPV',
  resource: 'Encounter',
  rows: [{ from: 'ZPV-1', beside: { url: `${url}bedside` }, ...extension }],
}
const braden = { system: 'http://loinc.org', code: '38227-5', display: 'Braden scale total score' }
const scoreMap = {
  segment: 'ZBS',
  resource: 'Observation',
  rows: [
    { from: 'ZBS-2', to: 'code', constant: { coding: [braden] }, source },
    { from: 'ZBS-2', to: 'valueInteger', as: 'integer', source },
    { from: 'ZBS-3', to: 'effectiveDateTime', as: 'dateTime', source },
    { from: 'ZBS-4', to: 'performer[]', as: 'XCN[Practitioner]', source },
  ],
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinhold-own-segments-'))
  mkdirSync(join(folder, 'hl7v2'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(...maps: readonly object[]): void {
  const table = { about: 'Segments of the ward.', sources: { own: 'The ward.' }, maps }
  writeFileSync(join(folder, 'hl7v2/own-segments.json'), JSON.stringify(table))
}

function read(event: string, ...lines: readonly string[]) {
  const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||${event}|M1|P|2.5.1`
  const within = openOwnTables(folder, silent, 0)
  const [outcomes = []] = within(() => hl7Outcomes(message(head, ...lines)))
  const amended = outcomes.flatMap(one => {
    const changed = one.kind === 'amend' ? one.change({ resourceType: one.type }) : undefined
    return changed === undefined ? [] : [changed]
  })
  const resources: readonly Resource[] = [...resourcesOf(outcomes), ...amended]
  for (const resource of resourcesOf(outcomes)) expect(validator.validate(resource)).toEqual([])
  const named = outcomes.flatMap(one =>
    one.kind === 'unread' || one.kind === 'unmapped' || one.kind === 'rejected' || one.kind === 'warning'
      ? [one.location ?? '']
      : [],
  )
  const ofType = (type: string) => resources.filter(({ resourceType }) => resourceType === type)
  return { named: named.filter(place => place.startsWith('Z')), ofType }
}

const why = () => {
  const { tables } = shippedTables()
  const own = tablesIn(folder)
  return [...own.findings, ...checkTables(new Map([...tables, ...own.tables]))].map(({ text }) => text)
}

describe('a segment of a sender', () => {
  it('is named as a whole without a table', () => {
    expect(read('ADT^A01', pid, 'ZPI|1|Jan', pv1).named).toEqual(['ZPI^1'])
  })

  it.each([
    ['behind PID', [pid, 'ZPI|1|Jan|de^German^L', pv1]],
    ['at the end', [pid, pv1, 'ZPI|1|Jan|de^German^L']],
  ])('%s is added to the Patient', (_, lines) => {
    write(patientMap)
    const { named, ofType } = read('ADT^A01', ...lines)
    expect(ofType('Patient')).toMatchObject([
      {
        extension: [{ url: `${url}nickname`, valueString: 'Jan' }],
        communication: [{ language: { coding: [{ code: 'de' }] } }],
      },
    ])
    expect(named).toEqual([])
  })

  it('has its fields named of which no row speaks, and those that could not be read', () => {
    write(patientMap, scoreMap)
    const { named } = read('ADT^A01', pid, 'ZPI|1|Jan^X||more', pv1, 'ZBS|1|18|20zz')
    expect(named.sort()).toEqual(['ZBS^1^1', 'ZBS^1^3', 'ZPI^1^2^1^2', 'ZPI^1^4'])
  })

  it('has its null carried out in an update, and named in an admission', () => {
    write(patientMap)
    expect(read('ADT^A08', pid, 'ZPI|1|""').named).toEqual([])
    expect(read('ADT^A01', pid, 'ZPI|1|""').named).toEqual(['ZPI^1^2'])
  })

  const standing: Resource = {
    resourceType: 'Patient',
    generalPractitioner: [{ display: 'Gp' }],
    address: [{ city: 'City' }],
    maritalStatus: { text: 'married' },
  }
  const patientAfter = (...lines: readonly string[]) => {
    const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||ADT^A08|M1|P|2.5.1`
    const within = openOwnTables(folder, silent, 0)
    const [outcomes = []] = within(() => {
      const read = hl7Outcomes(message(head, ...lines))
      return read.map(of => of.map(one => (one.kind === 'amend' ? { ...one, now: one.change(standing) } : one)))
    })
    return outcomes.flatMap(one => ('now' in one ? [one.now ?? standing] : []))[0]
  }

  it.each([
    ['generalPractitioner[]', 'XCN[Practitioner]', pid],
    ['address[]', 'XAD[Address]', pid],
    ['address[z].city', 'string', pid],
    ['maritalStatus', 'CWE[CodeableConcept]', pid],
  ])('deletes nothing by a null of what PID and others say too: %s', (to, as, line) => {
    write({ ...patientMap, rows: [{ from: 'ZPI-2', to, as, source }] })
    const { generalPractitioner, address, maritalStatus } = standing
    expect(patientAfter(line, 'ZPI|1|""')).toMatchObject({ generalPractitioner, address, maritalStatus })
    expect(read('ADT^A08', line, 'ZPI|1|""').named).toEqual(['ZPI^1^2', 'ZPI^1^1'])
  })

  it('keeps what it has added to a list when PID says a null of it', () => {
    const own = { ...patientMap, rows: [{ from: 'ZPI-2', to: 'address[]', as: 'XAD[Address]', source }] }
    const { address } = standing
    expect(patientAfter(`${pid}|||""`)).not.toHaveProperty('address')
    write(own)
    expect(patientAfter(`${pid}|||""`)).toMatchObject({ address })
  })

  it('deletes nobody of the visit by its null but whom it can tell', () => {
    const person = { from: 'ZPV-1', to: 'participant[z].individual', as: 'XCN[Practitioner]', source }
    write({ ...visitMap, rows: [person] })
    expect(read('ADT^A08', pid, pv1, 'ZPV|""').named).toEqual(['ZPV^1^1'])
    write({ ...visitMap, rows: [{ ...person, beside: { type: [{ text: 'bedside' }] } }] })
    expect(read('ADT^A08', pid, pv1, 'ZPV|""').named).toEqual([])
  })

  it.each(['PV2|||""', 'ZPV|""'])('nothing that a null asked for is named as fallen away: %s', line => {
    write(visitMap)
    const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||ADT^A08|M1|P|2.5.1`
    const within = openOwnTables(folder, silent, 0)
    const said = within(() => {
      const visit: Resource = { resourceType: 'Encounter', class: { code: 'IMP' }, status: 'in-progress' }
      const before = { ...visit, reasonCode: [{ text: 'R' }], extension: [{ url: `${url}bedside`, valueString: 'b' }] }
      const kept = line.startsWith('ZPV') ? { reasonCode: before.reasonCode } : { extension: before.extension }
      return hl7Outcomes(message(head, pid, pv1, line)).flatMap(outcomes =>
        outcomes.flatMap(one => (one.kind === 'mapped' ? (one.dropped?.(before, { ...visit, ...kept }) ?? []) : [])),
      )
    })
    expect(said).toEqual([])
  })

  it('is added to the visit, and named where there is none', () => {
    write(visitMap)
    const { named, ofType } = read('ADT^A01', pid, pv1, 'ZPV|left')
    expect(ofType('Encounter')).toMatchObject([{ extension: [{ url: `${url}bedside`, valueString: 'left' }] }])
    expect(named).toEqual([])
    expect(read('ADT^A08', pid, 'ZPV|left').named).toEqual(['ZPV^1'])
  })

  it.each(['ADT^A01', 'ADT^A08', 'ORU^R01'])('%s: becomes an Observation of the visit, each of its own', event => {
    write(scoreMap)
    const lines = ['ZBS|1|18|20260209|D1^Ann^A', 'ZBS|2|17|20260210']
    const { named, ofType } = read(event, pid, pv1, ...lines)
    const [encounter] = ofType('Encounter')
    const about = {
      encounter: { reference: `Encounter/${encounter?.id}` },
      status: 'final',
      code: { coding: [braden] },
    }
    expect(ofType('Observation')).toMatchObject([
      { ...about, valueInteger: 18, effectiveDateTime: '2026-02-09', performer: [{ display: 'A Ann' }] },
      { ...about, valueInteger: 17, effectiveDateTime: '2026-02-10' },
    ])
    const ids = (...more: readonly string[]) =>
      read(event, pid, pv1, ...more)
        .ofType('Observation')
        .map(({ id }) => id)
    // A score that is said again, and one that is corrected, is the one of its time.
    expect(ids(...lines)).toEqual(ids('ZBS|1|16|20260209', 'ZBS|2|15|20260210'))
    expect(new Set(ids(...lines)).size).toBe(2)
    expect(named).toEqual(['ZBS^1^1', 'ZBS^2^1'])
  })

  it('is of the patient behind whose PID it stands', () => {
    write(scoreMap)
    const order = (number: string) => `OBR|1||${number}|X^T^L`
    const lines = [pid, order('F1'), 'ZBS|1|18|20260209', pid.replace('4711', '4712'), order('F2')]
    const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||ORU^R01|M1|P|2.5.1`
    const within = openOwnTables(folder, silent, 0)
    const [outcomes = []] = within(() => hl7Outcomes(message(head, ...lines)))
    expect(resourcesOf(outcomes).filter(({ resourceType }) => resourceType === 'Observation')).toHaveLength(1)
  })

  it('without what gives its code is rejected, and its fields are named', () => {
    write(scoreMap)
    const { named, ofType } = read('ADT^A01', pid, pv1, 'ZBS|1||20260209')
    expect(ofType('Observation')).toEqual([])
    expect(named).toEqual(['ZBS^1', 'ZBS^1^1', 'ZBS^1^3'])
  })
})

describe('a table of segments of one’s own', () => {
  it('has nothing wrong', () => {
    write(patientMap, visitMap, scoreMap)
    expect(why()).toEqual([])
  })

  const changed = (map: { readonly rows: readonly object[] }, change: object) => ({
    ...map,
    rows: map.rows.map((row, at) => (at === map.rows.length - 1 ? { ...row, ...change } : row)),
  })

  it.each([
    ['a segment of the standard', [{ ...patientMap, segment: 'PID' }], 'This has not the form'],
    ['another resource', [{ ...patientMap, resource: 'Practitioner' }], 'This must be one of: Patient, Encounter'],
    ['a field of another segment', [changed(patientMap, { from: 'ZZZ-3' })], 'ZZZ-3 is nothing of ZPI.'],
    ['an element that R4 has not', [changed(patientMap, { to: 'nickname' })], 'R4 has no element Patient.nickname.'],
    ['a way of reading that there is not', [changed(patientMap, { as: 'CWE[Word]' })], 'has no type CWE[Word]'],
    ['a table that there is not', [changed(patientMap, { table: 'Nicknames' })], 'has no table Nicknames'],
    ['a condition that is none', [changed(patientMap, { when: 'ZPI-2 IS NICE' })], 'When the row counts'],
    ['a source of the guide', [changed(patientMap, { source: 'v2-to-fhir PID[Patient] PID-3' })], 'not the form'],
    ['two maps for one thing', [patientMap, patientMap], 'Another row says the same thing already'],
    ['an Observation without a code', [{ ...scoreMap, rows: scoreMap.rows.slice(1) }], 'No row gives the code'],
    ...[
      'identifier[].value',
      'identifier[]',
      'name[0].family',
      'name[]',
      'birthDate',
      'gender',
      'multipleBirthInteger',
      'multipleBirthBoolean',
      'link[].other',
      'contained[]',
      'id',
    ].map(to => [`who the patient is (${to})`, [changed(patientMap, { to })], 'compared'] as const),
    [
      'who the patient is by a whole person',
      [changed(patientMap, { to: '$this', as: 'XCN[Practitioner]' })],
      '$this says who the patient is',
    ],
    ['no rows', [{ ...patientMap, rows: [] }], 'This needs 1 or more.'],
  ])('with %s is not taken, and the check says why', (_, maps, text) => {
    write(...(maps as readonly object[]))
    expect(why().join('\n')).toContain(text)
    expect(read('ADT^A01', pid, 'ZPI|1|Jan', pv1).named).toContain('ZPI^1')
  })
})
