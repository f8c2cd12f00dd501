/** Consents about single resources, and about those of a time: https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.data */
import type { Grant } from '#access'
import { consentOf, ofCodes, ofTypes, toRecipients } from './consent-of.ts'
import { type Answer, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'
import { expectUnseen, idsIn, waysToRead } from './ways-to-read.ts'

let house: House
const admin = grantOf('system/*.cruds')
const secret = 'Hidden-7f3a'

async function grantFor(account: string, about: Partial<Grant> = {}): Promise<Grant> {
  const actor = { kind: 'account', id: account } as const
  const id = `${account} ${JSON.stringify(about)}`
  return grantOf('user/*.cruds', { id, actor, account, ...(await house.record.keptBy(account)), ...about })
}

async function written(method: string, path: string, body?: object, grant = admin): Promise<Answer> {
  const answer = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer
}

const put = (type: string, id: string, body: object) =>
  written('PUT', `/${type}/${id}`, { ...body, resourceType: type, id })
const ruled = async (provision: object, more: object = {}): Promise<string> =>
  (await written('POST', '/Consent', consentOf('a', provision, more), await grantFor('anna'))).json.id
const seenBy = async (account: string, type = 'Observation') =>
  idsIn(await house.ask('GET', `/${type}`, { grant: await grantFor(account) }))
const instance = (...references: readonly string[]) => ({
  data: references.map(reference => ({ meaning: 'instance', reference: { reference } })),
})

beforeEach(async () => {
  house = await openHouse()
  await put('Patient', 'a', patientA)
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  await house.record.addPatientTo('mona', 'a', { role: 'member' })
})
afterEach(() => house.close())

describe('data, by its instance – https://hl7.org/fhir/R4/valueset-consent-data-meaning.html', () => {
  beforeEach(async () => {
    await put('Observation', 'a-one', weightOf('a', 1, { note: [{ text: secret }] }))
    await put('Observation', 'a-two', weightOf('a', 2))
    await put('Condition', 'a-one', { subject: { reference: 'Patient/a' }, code: { text: 'x' } })
  })

  it('is withheld by whatever way, and nothing else that has its id', async () => {
    await ruled(instance('Observation/a-one'))
    const grant = await grantFor('bert')
    const ways = [...waysToRead('a-one'), '/Observation?_id=a-one,a-two', '/Observation?code=29463-7']
    await expectUnseen(house, grant, { ways, secret, ids: [] })
    expect((await house.ask('GET', '/Observation/a-one', { grant })).status).toBe(404)
    expect((await house.ask('GET', '/Condition/a-one', { grant })).status).toBe(200)
    expect([await seenBy('bert'), await seenBy('anna')]).toEqual([['a-two'], ['a-one', 'a-two']])
    const counted = await house.ask('GET', '/Observation?_summary=count', { grant })
    expect(counted.json.total).toBe(1)
  })

  it.each([
    ['two of them', instance('Observation/a-one', 'Observation/a-two'), []],
    ['by an address of this server', instance('http://127.0.0.1:8080/fhir/Observation/a-one'), ['a-two']],
    ['of another type', instance('Condition/a-one'), ['a-one', 'a-two']],
    [
      'and a class that it is not of',
      { ...instance('Observation/a-one'), ...ofTypes('Condition') },
      ['a-one', 'a-two'],
    ],
    [
      'and a code that it has not',
      { ...instance('Observation/a-one'), ...ofCodes('http://loinc.org|1-8') },
      ['a-one', 'a-two'],
    ],
    ['to another account', { ...instance('Observation/a-one'), ...toRecipients('actor=mona') }, ['a-one', 'a-two']],
  ])('%s', async (_, provision, seen) => {
    await ruled(provision)
    expect(await seenBy('bert')).toEqual(seen)
  })

  it('says nothing of what lies within another resource under the same id', async () => {
    const contained = [{ ...weightOf('a', 3), id: 'a-one' }]
    await put('DiagnosticReport', 'a-report', {
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/a' },
      contained,
      result: [{ reference: '#a-one' }],
    })
    await ruled(instance('Observation/a-one'))
    expect(await seenBy('bert', 'DiagnosticReport')).toEqual(['a-report'])
  })

  it('is all that is left where all else is denied', async () => {
    await ruled({ provision: [{ type: 'permit', ...instance('Observation/a-two') }] })
    expect([await seenBy('bert'), await seenBy('bert', 'Condition')]).toEqual([['a-two'], []])
  })

  it('is explained to who may rule it', async () => {
    const id = await ruled(instance('Observation/a-one'))
    const explained = async (about: string) =>
      (await house.ask('GET', `/Patient/a/$explain-access?role=guardian${about}`, { grant: await grantFor('anna') }))
        .json.parameter
    expect((await explained(''))[0].valueCode).toBe('part')
    expect((await explained('&reference=Observation/a-two'))[0].valueCode).toBe('none')
    const [extent, reason] = await explained('&reference=Observation/a-one')
    expect([extent.valueCode, reason.part[0].valueReference.reference]).toEqual(['whole', `Consent/${id}`])
  })
})

describe('dataPeriod – https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.dataPeriod', () => {
  const on = (date: object) => ({ ...weightOf('a', 1), effectiveDateTime: undefined, ...date })
  beforeEach(async () => {
    await put('Observation', 'before', on({ effectiveDateTime: '2019-12-31' }))
    await put('Observation', 'in', on({ effectiveDateTime: '2020-06-01' }))
    await put('Observation', 'year', on({ effectiveDateTime: '2020' }))
    await put('Observation', 'into', on({ effectivePeriod: { start: '2019-06-01', end: '2020-02-01' } }))
    await put('Observation', 'open', on({ effectivePeriod: { start: '2019-06-01' } }))
    await put('Observation', 'over', on({ effectivePeriod: { start: '2019-06-01', end: '2021-02-01' } }))
    await put('Observation', 'times', on({ effectiveTiming: { event: ['2019-01-01', '2020-03-01', '2022-01-01'] } }))
    await put('Observation', 'after', on({ effectiveDateTime: '2021-01-02' }))
    await put('Observation', 'undated', on({}))
  })
  const year = { ...ofTypes('Observation'), dataPeriod: { start: '2020-01-01', end: '2020-12-31' } }

  it.each([
    ['from a date until another', year, ['after', 'before']],
    ['from a date on', { ...year, dataPeriod: { start: '2020' } }, ['before']],
    ['until a date', { ...year, dataPeriod: { end: '2020' } }, ['after']],
    ['of one day', { ...year, dataPeriod: { start: '2020-06-01', end: '2020-06-01' } }, ['after', 'before', 'into']],
  ])('denies what may be of it, also what is of no date: %s', async (_, provision, seen) => {
    await ruled(provision)
    expect(await seenBy('bert')).toEqual(seen)
    expect((await seenBy('anna')).length).toBe(9)
    for (const id of ['in', 'over', 'undated', 'after', 'before']) {
      const { status } = await house.ask('GET', `/Observation/${id}`, { grant: await grantFor('bert') })
      expect([id, status]).toEqual([id, (seen as readonly string[]).includes(id) ? 200 : 404])
    }
  })

  it.each([
    ['9999-12-31', ['before']],
    ['9999', ['before']],
    ['9999-12-31T23:59:59-14:00', ['before']],
  ])('reaches as far as dates do: until %s', async (end, seen) => {
    await ruled({ ...year, dataPeriod: { start: '2020-01-01', end } })
    expect(await seenBy('bert')).toEqual(seen)
  })

  it('begins as early as dates do', async () => {
    await ruled({ ...year, dataPeriod: { start: '0001-01-01T00:00:00+14:00', end: '2020-12-31' } })
    expect(await seenBy('bert')).toEqual(['after'])
  })

  describe('in another zone – https://hl7.org/fhir/R4/datatypes.html#dateTime', () => {
    beforeEach(async () => {
      await put('Observation', 'first-night', on({ effectiveDateTime: '2020-01-01T00:30:00+02:00' }))
      await put('Observation', 'last-night', on({ effectiveDateTime: '2020-12-31T23:30:00-08:00' }))
      await put('Observation', 'night-before', on({ effectiveDateTime: '2019-12-31T23:30:00-08:00' }))
      await put('Observation', 'night-behind', on({ effectiveDateTime: '2021-01-01T00:30:00+10:00' }))
      await put(
        'Observation',
        'into-the-night',
        on({ effectivePeriod: { start: '2019', end: '2020-01-01T00:30:00+02:00' } }),
      )
    })

    it('is of a date what says so itself, and may be what is of another one here', async () => {
      await ruled(year)
      expect(await seenBy('bert')).toEqual(['after', 'before'])
    })

    it('is compared by instants where the period has them', async () => {
      await ruled({ ...year, dataPeriod: { start: '2020-01-01T00:00:00+02:00', end: '2020-12-31T23:59:59-08:00' } })
      expect(await seenBy('bert')).toEqual(['after'])
    })

    it('is permitted where it is of it in each', async () => {
      await put('Observation', 'noon-of-first', on({ effectiveDateTime: '2020-01-01T12:00:00Z' }))
      await put('Observation', 'morning-of-last', on({ effectiveDateTime: '2020-12-31T09:59:58Z' }))
      await ruled({ provision: [{ type: 'permit', ...year }] })
      expect(await seenBy('bert')).toEqual(['in', 'morning-of-last', 'noon-of-first', 'year'])
    })
  })

  it('permits what is wholly of it', async () => {
    await ruled({ provision: [{ type: 'permit', ...year }] })
    expect(await seenBy('bert')).toEqual(['in', 'year'])
  })

  it('bounds the types that are named, each by its own date of care', async () => {
    const subject = { reference: 'Patient/a' }
    const request = { status: 'active', intent: 'order', medicationCodeableConcept: { text: 'x' }, subject }
    await put('MedicationRequest', 'in', { ...request, authoredOn: '2020-06-01' })
    await put('MedicationRequest', 'after', { ...request, authoredOn: '2021-06-01' })
    await ruled({ ...year, ...ofTypes('MedicationRequest') })
    expect([await seenBy('bert', 'MedicationRequest'), (await seenBy('bert')).length]).toEqual([['after'], 9])
  })
})
