import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { merge } from '../../../src/ingest/patient-merge.ts'
import { Tally } from '../../../src/ingest/tally.ts'
import { validPart, withoutInvalid } from '../../../src/ingest/without-invalid.ts'
import {
  type countsOf,
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  readPatient,
} from './house.ts'
import { message } from './reading.ts'

const validator = createValidator()
const patient = (elements: object): Resource => ({ resourceType: 'Patient', ...elements })

describe('one form of a choice – https://hl7.org/fhir/R4/formats.html#choice', () => {
  const forms = [
    ['deceasedBoolean', false, 'deceasedDateTime', '2024-01-01'],
    ['deceasedDateTime', '2024-01-01', 'deceasedBoolean', true],
    ['multipleBirthBoolean', true, 'multipleBirthInteger', 2],
    ['multipleBirthInteger', 2, 'multipleBirthBoolean', false],
  ] as const

  it.each(forms)('an update that says %s %j and then %s %j leaves the later one', (one, before, other, after) => {
    const twin = { [`_${one}`]: { extension: [{ url: 'http://x/y', valueBoolean: true }] } }
    expect(merge(patient({ [one]: before, ...twin }), { [other]: after }, true, [])).toEqual(
      patient({ [other]: after }),
    )
  })

  it.each(forms)('what fills gaps leaves %s %j beside %s %j as it is', (one, before, other, after) => {
    expect(merge(patient({ [one]: before }), { [other]: after }, false, [])).toBeUndefined()
  })

  it('a date that is known to be unknown is a form, too', () => {
    const unknown = { _deceasedDateTime: { extension: [{ url: 'http://x/y', valueCode: 'unknown' }] } }
    expect(merge(patient(unknown), { deceasedBoolean: true }, false, [])).toBeUndefined()
    expect(merge(patient(unknown), { deceasedBoolean: true }, true, [])).toEqual(patient({ deceasedBoolean: true }))
  })

  it('the second of two HL7 updates leaves one of deceasedBoolean and deceasedDateTime – PID-29, PID-30', async () => {
    const house = await openHouse()
    const death = (id: string, rest: string) =>
      message(
        `MSH|^~\\&|REG|TESTFAC|||20240310120000+0000||ADT^A08|${id}|P|2.5.1`,
        `PID|1||4711^^^TESTHOSP^MR||Anna${'|'.repeat(24)}${rest}`,
      )
    const grant = everything()
    await house.ingest.hl7v2({
      grant,
      message: message('MSH|^~\\&|REG|TESTFAC|||2024||ADT^A28|0|P|2.5.1', 'PID|1||4711^^^TESTHOSP^MR||Anna'),
    })
    for (const [id, rest] of [
      ['1', '|N'],
      ['2', '20240101|Y'],
    ] as const)
      expect((await house.ingest.hl7v2({ grant, message: death(id, rest) })).status).toBe(200)
    const [stored] = await found(house.record, 'Patient', 'identifier=4711')
    expect(stored).toMatchObject({ deceasedDateTime: '2024-01-01' })
    expect(stored).not.toHaveProperty('deceasedBoolean')
  })

  const born = (flag: string, order = '') => `${flag}|${order}||||`
  it.each([
    [
      'a date, and then that it is not known and the person lives',
      ['|||||20240101|Y', '|||||""|N'],
      { deceasedBoolean: false },
    ],
    ['a date, and then that the person lives', ['|||||20240101|Y', '||||||N'], { deceasedBoolean: false }],
    [
      'a date, and then only that the person has died',
      ['|||||20240101|Y', '||||||Y'],
      { deceasedDateTime: '2024-01-01' },
    ],
    ['a date that is none of a person who has died', ['|||||2024x|Y'], { deceasedBoolean: true }],
    ['a date, and then neither', ['|||||20240101|Y', '|||||""|""'], {}],
    ['a place, and then only one of several', [born('Y', '2'), born('Y')], { multipleBirthInteger: 2 }],
    ['a place, and then that it is not known', [born('Y', '2'), born('Y', '""')], { multipleBirthBoolean: true }],
    ['a place, and then none of several', [born('Y', '2'), born('N')], { multipleBirthBoolean: false }],
    ['a place that is none', [born('Y', 'x')], { multipleBirthBoolean: true }],
  ])('HL7 updates say %s – PID-24, PID-25, PID-29, PID-30', async (_, said, right) => {
    const house = await openHouse()
    const grant = everything()
    for (const [at, rest] of ['', ...said].entries()) {
      const line = `PID|1||4711^^^TESTHOSP^MR||Anna${'|'.repeat(19)}${rest}`
      const head = `MSH|^~\\&|REG|TESTFAC|||2024031${at}120000+0000||ADT^${at === 0 ? 'A28' : 'A08'}|${at}|P|2.5.1`
      expect((await house.ingest.hl7v2({ grant, message: message(head, line) })).status).toBe(200)
    }
    const [stored = {}] = await found(house.record, 'Patient', 'identifier=4711')
    const forms = Object.entries(stored).filter(([name]) => /^_?(deceased|multipleBirth)/.test(name))
    expect(Object.fromEntries(forms)).toEqual(right)
  })
})

describe('what an import writes is valid, the Patient too', () => {
  const bundle = (elements: object) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        { resource: { resourceType: 'Patient', id: 'p1', name: [{ family: 'Anna', given: ['Ann'] }], ...elements } },
        {
          resource: {
            resourceType: 'Observation',
            id: 'o1',
            status: 'final',
            code: { text: 'note' },
            subject: { reference: 'Patient/p1' },
            valueString: 'kept',
          },
        },
      ],
    })

  it.each<[string, object, object?]>([
    ['Patient.gender', { gender: 'M' }],
    ['Patient.gender', { gender: 7 }],
    ['Patient.birthDate', { birthDate: '1980-13-01' }],
    ['Patient.birthDate', { birthDate: '01/02/1980' }],
    ['Patient.deceased.ofType(dateTime)', { deceasedDateTime: 'yes' }],
    ['Patient.deceased.ofType(boolean)', { deceasedBoolean: 'Y' }],
    ['Patient.multipleBirth.ofType(integer)', { multipleBirthInteger: 1.5 }],
    [
      'Patient.telecom[1].system',
      { telecom: [{ value: '1' }, { system: 'mobile', value: '2' }] },
      { telecom: [{ value: '1' }, { value: '2' }] },
    ],
    ['Patient.address[0].use', { address: [{ use: 'HOME', city: 'Town' }] }, { address: [{ city: 'Town' }] }],
    ['Patient.identifier[0].system', { identifier: [{ system: 'not a uri', value: '1' }] }],
    ['Patient.communication[0].language', { communication: [{ preferred: true }] }],
    ['Patient.maritalStatus', { maritalStatus: 'M' }],
    ['Patient.extension[0].url', { extension: [{ valueString: 'x' }] }],
    ['Patient.telecom', { telecom: { value: '1' } }],
    ['Patient.telecom', { telecom: [] }],
    [
      'Patient.deceased',
      { deceasedBoolean: true, deceasedDateTime: '2024-01-01', address: [{ city: 'Town' }] },
      { address: [{ city: 'Town' }] },
    ],
    [
      'Patient.multipleBirth',
      { multipleBirthBoolean: true, _multipleBirthInteger: { id: 'a' }, gender: 'female' },
      { gender: 'female' },
    ],
  ])('%s of %j is left out and named, and the rest goes in', async (place, elements, kept = {}) => {
    const house = await openHouse()
    const { report, state } = await ingested(house, house.anna, ofPatient(house.anna), bundle(elements))
    const stored = await readPatient(house.record, house.anna)
    expect(validator.validate(stored)).toEqual([])
    expect(stored).toMatchObject(kept)
    expect(state).toBe('done')
    expect(JSON.stringify(report)).toContain(place)
    expect(await found(house.record, 'Observation')).toMatchObject([{ valueString: 'kept' }])
  })

  const person = { name: [{ family: 'Anna', given: ['Ann'] }], gender: 'female', birthDate: '1980-01-01' }
  const warningsOf = async (known: object, said: object) => {
    const house = await openHouse()
    const patient = await createPatient(house.record, known)
    const file = bundle(said)
    const told = async () => {
      const { report } = await ingested(house, patient, everything(), file)
      const parameters = (report?.parameter ?? []) as { name: string; valueString?: string }[]
      return parameters.filter(({ name }) => name === 'warning').map(({ valueString }) => valueString?.split(' ')[1])
    }
    const first = await told()
    return { first, again: await told(), stored: await readPatient(house.record, patient) }
  }

  it.each<[string, object, object]>([
    ['Patient.gender', {}, { gender: 'M' }],
    ['Patient.telecom', { telecom: [{ value: '1' }] }, { telecom: [{ value: '2' }] }],
    ['Patient.telecom', { telecom: [{ value: '1' }] }, { telecom: [{ value: '1' }, { value: '2' }] }],
    ['Patient.telecom', { telecom: [{ value: '1' }] }, { telecom: [{ value: '1', use: 'work' }] }],
    ['Patient.maritalStatus', { maritalStatus: { text: 'single' } }, { maritalStatus: { text: 'married' } }],
    ['Patient.deceasedBoolean', { deceasedDateTime: '2024-01-01' }, { deceasedBoolean: true }],
    ['Patient.generalPractitioner', {}, { generalPractitioner: [{ display: 'Dr. No' }] }],
    ['Patient.managingOrganization', {}, { managingOrganization: { display: 'Hospital' } }],
    ['Patient.link', {}, { link: [{ type: 'seealso', other: { display: 'x' } }] }],
    ['Patient.active', {}, { active: false }],
    ['Patient.gender', {}, { _gender: { id: 'a' } }],
    ['Patient.nickname', {}, { nickname: 'Nan' }],
    ['Patient.unrecognised', {}, { 'Ann of 12 Main Street': true }],
  ])('%s that is not taken in is named: %j stays beside %j', async (element, known, said) => {
    const { first, again, stored } = await warningsOf({ ...person, ...known }, said)
    expect(first).toEqual([element])
    expect(again).toEqual([element])
    expect(stored).toMatchObject({ ...person, ...known })
  })

  it.each<[object, object]>([
    [{}, { ...person, id: 'p1', active: true, text: { status: 'empty', div: '<div/>' } }],
    [{ telecom: [{ value: '1', use: 'home' }, { value: '2' }] }, { telecom: [{ value: '2' }, { value: '1' }] }],
    [{ identifier: [{ value: '1' }] }, { identifier: [{ value: '2' }] }],
    [{}, { maritalStatus: { text: 'married' } }],
  ])('nothing is named when the record %j then has all of %j', async (known, said) => {
    expect(await warningsOf({ ...person, ...known }, said)).toMatchObject({ first: [], again: [] })
  })

  it('whom to call in an emergency is kept', async () => {
    const contact = [{ name: { family: 'Anna' }, telecom: [{ system: 'phone', value: '1' }] }]
    expect(await warningsOf(person, { contact })).toMatchObject({ first: [], again: [], stored: { contact } })
  })

  it('who may not read the Patient is not told what differs', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, { ...person, telecom: [{ value: '1' }] })
    const grant = grantOf('patient/Patient.u patient/Observation.cu patient/Provenance.c', { patient, patients: [] })
    const { report } = await ingested(house, patient, grant, bundle({ telecom: [{ value: '2' }] }))
    expect(JSON.stringify(report)).not.toContain('Patient.telecom')
  })

  it('leaves what was wrong before as it was', async () => {
    const before = patient({ gender: 'M' })
    expect(await withoutInvalid(patient({ gender: 'M', birthDate: 'x' }), before, validator, '')).toEqual({
      resource: before,
      left: ['Patient.birthDate'],
    })
    expect((await withoutInvalid(patient({ gender: 'M', active: true }), before, validator, '')).left).toEqual([])
  })

  it('keeps a contact without a system as one, however often it is imported', async () => {
    const house = await openHouse()
    const file = bundle({ telecom: [{ value: '1' }] })
    for (let times = 0; times < 2; times++) await ingested(house, house.anna, ofPatient(house.anna), file)
    expect(((await readPatient(house.record, house.anna)).telecom as object[]).length).toBe(1)
  })

  it.each<[string, object, object, string]>([
    [
      'obs-6',
      { valueString: 'x', dataAbsentReason: { text: 'y' } },
      { valueString: 'x' },
      'Observation.dataAbsentReason',
    ],
    [
      'qty-3',
      { valueQuantity: { value: 1, code: 'mg' } },
      { valueQuantity: { value: 1 } },
      'Observation.value.ofType(Quantity).code',
    ],
  ])('gives up no more than it must to keep %s', (_, broken, kept, place) => {
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
    const wanted = { ...observation, ...broken } as Resource
    expect(validPart(wanted, validator)).toEqual({ resource: { ...observation, ...kept }, left: [place] })
  })

  it('leaves out each of several, by the places they had', async () => {
    const telecom = [{ system: 'a', value: '1' }, { value: '2' }, { system: 'b' }, { value: '4', rank: -1 }]
    const { resource, left } = await withoutInvalid(patient({ telecom }), patient({}), validator, '')
    // A contact of which nobody says what it is breaks cpt-2; that it is not known is said, and it stays.
    const url = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
    const _system = { extension: [{ url, valueCode: 'unknown' }] }
    expect(resource).toEqual(
      patient({
        telecom: [
          { value: '1', _system },
          { value: '2', _system },
          { value: '4', _system },
        ],
      }),
    )
    expect(left).toEqual(
      expect.arrayContaining(['Patient.telecom[0].system', 'Patient.telecom[2].system', 'Patient.telecom[3].rank']),
    )
  })
})

describe('the counts of a report add up: read = mapped + duplicate + unmapped + rejected', () => {
  const sum = (counts: ReturnType<typeof countsOf>) =>
    [...counts.unmapped, ...counts.rejected].reduce(
      (all, { count }) => all + Number(count),
      Number(counts.duplicate) + Number(counts.mapped),
    )

  it('over a file with rows of every kind, the first time and the second', async () => {
    const house = await openHouse()
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/p' },
    }
    const entry = [
      { resource: { resourceType: 'Patient', id: 'p', birthDate: '1980-01-01' } },
      { resource: { ...observation, id: '1' } },
      { resource: { ...observation, id: '1' } },
      { resource: { ...observation, id: '2', status: 'wrong' } },
      { resource: { resourceType: 'ValueSet', id: 'v', status: 'draft' } },
      {},
    ]
    const file = JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry })
    const first = await ingested(house, house.anna, ofPatient(house.anna), file)
    expect(first.counts).toMatchObject({ rows: 6, mapped: 2, duplicate: 0, created: 1, updated: 1 })
    expect(sum(first.counts)).toBe(6)
    const second = await ingested(house, house.anna, ofPatient(house.anna), file)
    expect(second.counts).toMatchObject({ rows: 6, mapped: 0, duplicate: 2, created: 0, updated: 0 })
    expect(sum(second.counts)).toBe(6)
  })

  it('a row of several resources is one row, several rows of one resource are several', () => {
    const resource = { resourceType: 'Observation', id: 'x' }
    const tally = new Tally()
    tally.settle({ kind: 'mapped', row: 'A', resource, mode: 'create', rows: 2 }, 'mapped')
    tally.settle({ kind: 'mapped', row: 'A', resource, mode: 'create', rows: 0 }, { reason: 'not-valid' })
    tally.count({ kind: 'folded', row: 'A' })
    expect([tally.rows, tally.mapped, tally.duplicate, tally.folded]).toEqual([3, 2, 1, 1])
    expect([...tally.warnings]).toHaveLength(1)
    const again = new Tally()
    again.add(tally.settled())
    expect([again.rows, again.mapped, again.warnings.size]).toEqual([3, 2, 1])
  })
})
