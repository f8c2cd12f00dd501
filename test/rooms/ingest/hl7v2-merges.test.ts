import { parseResource } from '#fhir'
import {
  baseUrl,
  everything,
  found,
  grantOf,
  ofPatient,
  openHouse,
  readPatient,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { message } from './reading.ts'

const msh = (event: string, id: string) => `MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||${event}|${id}|P|2.5.1`
let ids = 0
const send = async (
  house: TestHouse,
  event: string,
  segments: readonly string[],
  grant = everything(),
  id = `M${++ids}`,
) => {
  const { ack } = await house.ingest.hl7v2({ grant, message: message(msh(event, id), ...segments) })
  return { code: /MSA\|(..)/.exec(ack)?.[1], places: /ERR\|\|([^|]*)/.exec(ack)?.[1], ack }
}
const admit = (house: TestHouse, number: string, who = 'Sample^Ann||19800203|F') =>
  send(house, 'ADT^A04', [`PID|1||${number}^^^HOSP^MR||${who}`])
const result = (house: TestHouse, number: string, filler: string, who = 'Sample^Ann') =>
  send(house, 'ORU^R01', [
    `PID|1||${number}^^^HOSP^MR||${who}`,
    `OBR|1||${filler}|2345-7^Glucose^LN|||20240310080000+0000`,
    'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
  ])
const idOf = async (house: TestHouse, number: string) =>
  (await found(house.record, 'Patient', `identifier=urn:x-hl7v2-hd:HOSP|${number}&active:not=false`))[0]?.id ?? ''
const results = async (house: TestHouse, patient: string) =>
  (await found(house.record, 'Observation', `subject=Patient/${patient}`)).length

describe('a link that tells of a merge, by which what is sent about one goes to the other', () => {
  const linked = (house: TestHouse, id: string, reference: string, type: string, grant = everything()) =>
    house.record.writer(grant).transact(async txn => {
      const stored = await txn.read('Patient', id)
      return txn.update('Patient', id, { ...parseResource(stored?.json ?? ''), link: [{ type, other: { reference } }] })
    })
  const two = async () => {
    const house = await openHouse()
    for (const number of ['1', '2']) await admit(house, number)
    return { house, one: await idOf(house, '1'), other: await idOf(house, '2') }
  }
  const foreign = expect.objectContaining({ code: 'record.owner-foreign' })

  it.each(['replaced-by', 'replaces'])('is not made by who may change one of them only: %s', async type => {
    const { house, one, other } = await two()
    const account = grantOf('user/*.cruds', { patients: [one] })
    for (const grant of [ofPatient(one), account])
      for (const id of [other, 'nobody'])
        for (const reference of [`Patient/${id}`, `Patient/${id}/_history/1`, `${baseUrl}/Patient/${id}`])
          await expect(linked(house, one, reference, type, grant)).rejects.toEqual(foreign)
    await result(house, '1', 'F1', '')
    expect([await results(house, one), await results(house, other)]).toEqual([1, 0])
  })

  it('of two to each other a merge message says which one stays, and the circle is gone', async () => {
    const { house, one, other } = await two()
    await linked(house, one, `Patient/${other}`, 'replaced-by')
    await linked(house, other, `Patient/${one}`, 'replaced-by')
    await result(house, '2', 'F1', '')
    const segments = ['PID|1||1^^^HOSP^MR||Sample^Ann||19800203|F', 'MRG|2^^^HOSP^MR']
    expect(await send(house, 'ADT^A40', segments)).toMatchObject({ code: 'AA' })
    expect((await readPatient(house.record, one)).link).toEqual([
      { type: 'replaces', other: { reference: `Patient/${other}` } },
    ])
    expect(await readPatient(house.record, other)).toMatchObject({ active: false })
    await result(house, '2', 'F2', '')
    expect([await results(house, one), await results(house, other)]).toEqual([2, 0])
    await house.ingest.people.unmerge({ grant: everything(), source: other })
    expect([await results(house, one), await results(house, other)]).toEqual([1, 1])
  })

  it.each<[string, (one: string, other: string, third: string) => (readonly [string, string])[]]>([
    ['to itself', one => [[one, one]]],
    [
      'two to each other',
      (one, other) => [
        [one, other],
        [other, one],
      ],
    ],
    [
      'three in a circle',
      (one, other, third) => [
        [one, other],
        [other, third],
        [third, one],
      ],
    ],
    [
      'into a circle of others',
      (one, other, third) => [
        [one, other],
        [other, third],
        [third, other],
      ],
    ],
  ])('in a circle leads to nobody else: each is who they are, and nobody is taken in twice: %s', async (_, linking) => {
    const { house, one, other } = await two()
    await admit(house, '3')
    const third = await idOf(house, '3')
    for (const [from, to] of linking(one, other, third)) await linked(house, from, `Patient/${to}`, 'replaced-by')
    const kept = (await found(house.record, 'Patient')).length
    for (const [number, id] of [
      ['1', one],
      ['2', other],
      ['3', third],
    ] as const) {
      await admit(house, number)
      await result(house, number, `F${number}`, '')
      expect(await results(house, id)).toBe(1)
    }
    expect(await found(house.record, 'Patient')).toHaveLength(kept)
  })

  it('is made by who may change both, and stays when who reaches one of them changes something else', async () => {
    const { house, one, other } = await two()
    const both = grantOf('user/*.cruds', { patients: [one, other] })
    await linked(house, one, `Patient/${other}`, 'replaced-by', both)
    await linked(house, one, `Patient/${other}`, 'replaced-by', ofPatient(one))
    await expect(linked(house, one, `Patient/${other}`, 'seealso', ofPatient(one))).rejects.toEqual(foreign)
    await result(house, '1', 'F1', '')
    expect([await results(house, one), await results(house, other)]).toEqual([0, 1])
  })

  it('is not made by who may only read the other', async () => {
    const { house, one, other } = await two()
    const terms = [...ofPatient(one).terms, ...grantOf('user/*.rs').terms]
    const grant = { ...grantOf('user/*.rs', { patients: [one, other], patient: one }), terms }
    await expect(linked(house, one, `Patient/${other}`, 'replaced-by', grant)).rejects.toEqual(foreign)
  })

  it('leads to another server as before', async () => {
    const { house, one } = await two()
    await linked(house, one, 'http://hospital.example/fhir/Patient/2', 'replaced-by', ofPatient(one))
    await result(house, '1', 'F1', '')
    expect(await results(house, one)).toBe(1)
  })
})

describe('merge messages – HL7 v2.9 chapter 3.6.2', () => {
  it.each(['ADT^A40', 'ADT^A39', 'ADT^A34', 'ADT^A30', 'ADT^A18', 'ADT^A36'])(
    '%s makes two Patients one, and later messages with either number are about that one',
    async event => {
      const house = await openHouse()
      await admit(house, '1')
      await admit(house, '2')
      await result(house, '1', 'F1')
      const [source, target] = [await idOf(house, '1'), await idOf(house, '2')]
      expect(await send(house, event, ['PID|1||2^^^HOSP^MR||Sample^Ann', 'MRG|1^^^HOSP^MR'])).toMatchObject({
        code: 'AA',
      })
      expect(await readPatient(house.record, source)).toMatchObject({ active: false, link: [{ type: 'replaced-by' }] })
      expect(await results(house, target)).toBe(1)
      for (const number of ['1', '2']) expect((await result(house, number, `F-${number}`)).code).toBe('AA')
      expect([await results(house, source), await results(house, target)]).toEqual([0, 3])
    },
  )

  it('whoever says at once which of two stays is heard: one of them does', async () => {
    const house = await openHouse()
    for (const number of ['1', '2']) await admit(house, number)
    const merge = (stays: number) => [`PID|1||${stays}^^^HOSP^MR||Sample^Ann`, `MRG|${3 - stays}^^^HOSP^MR`]
    const answers = await Promise.all([1, 2, 1, 2, 2, 1].map(stays => send(house, 'ADT^A40', merge(stays))))
    expect(answers.map(({ code }) => code)).toEqual(Array(6).fill('AA'))
    expect(await found(house.record, 'Patient', 'identifier=1&active:not=false')).toHaveLength(1)
    expect(await found(house.record, 'Patient', 'active=false')).toHaveLength(1)
  })

  it('A40 with several groups merges each', async () => {
    const house = await openHouse()
    for (const number of ['1', '2']) await admit(house, number)
    for (const number of ['3', '4']) await admit(house, number, 'Other^Bob||19910714|M')
    const segments = ['PID|1||2^^^HOSP^MR', 'MRG|1^^^HOSP^MR', 'PID|2||4^^^HOSP^MR', 'MRG|3^^^HOSP^MR']
    expect(await send(house, 'ADT^A40', segments)).toMatchObject({ code: 'AA' })
    const inactive = await found(house.record, 'Patient', 'active=false')
    expect(inactive.map(({ identifier }) => (identifier as { value: string }[])[0]?.value).sort()).toEqual(['1', '3'])
  })

  it.each([
    ['another birth date', 'Sample^Ann||19910714|F', 'MRG^1^1'],
    ['another sex', 'Sample^Ann||19800203|M', 'MRG^1^1'],
    ['another name', 'Other^Bob||19800203|F', 'MRG^1^1'],
  ])('of people with %s is refused, and nothing is merged', async (_, who, places) => {
    const house = await openHouse()
    await admit(house, '1', who)
    await admit(house, '2')
    const before = await versionsOf(house.record)
    expect(await send(house, 'ADT^A40', ['PID|1||2^^^HOSP^MR', 'MRG|1^^^HOSP^MR'])).toMatchObject({
      code: 'AE',
      places,
    })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('is refused where MRG names somebody else, or nobody is known, or there is no MRG', async () => {
    const house = await openHouse()
    await admit(house, '1')
    await admit(house, '2')
    const before = await versionsOf(house.record)
    const merge = (...segments: string[]) => send(house, 'ADT^A40', segments)
    expect(await merge('PID|1||2^^^HOSP^MR', 'MRG|1^^^HOSP^MR||||||Other^Bob')).toMatchObject({
      code: 'AE',
      places: 'MRG^1^7',
    })
    expect(await merge('PID|1||8^^^HOSP^MR', 'MRG|9^^^HOSP^MR')).toMatchObject({
      code: 'AE',
      places: 'PID^1^3~MRG^1^1',
    })
    expect(await merge('PID|1||2^^^HOSP^MR')).toMatchObject({ code: 'AE', places: 'MRG^1' })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('may not be done by who reaches one of them, or may not change them', async () => {
    const house = await openHouse()
    await admit(house, '1')
    await admit(house, '2')
    const [source, target] = [await idOf(house, '1'), await idOf(house, '2')]
    const segments = ['PID|1||2^^^HOSP^MR', 'MRG|1^^^HOSP^MR']
    const reading = grantOf('user/*.rs user/Provenance.c user/Observation.c', { patients: [source, target] })
    expect((await send(house, 'ADT^A40', segments, reading)).code).toBe('AR')
    const one = grantOf('user/*.cruds', { patients: [target] })
    await send(house, 'ADT^A40', segments, one)
    expect(await readPatient(house.record, source)).toMatchObject({ meta: { versionId: '1' } })
  })

  it('with a number that is not known yet gives it to the one who is known', async () => {
    const house = await openHouse()
    await admit(house, '1')
    const patient = await idOf(house, '1')
    expect((await send(house, 'ADT^A47', ['PID|1||7^^^HOSP^MR', 'MRG|1^^^HOSP^MR'])).code).toBe('AA')
    expect(await readPatient(house.record, patient)).toMatchObject({
      identifier: [{ value: '1', use: 'old' }, { value: '7' }],
    })
    expect((await send(house, 'ADT^A40', ['PID|1||7^^^HOSP^MR', 'MRG|9^^^HOSP^MR'])).code).toBe('AA')
    for (const number of ['1', '7', '9']) await result(house, number, `F${number}`)
    expect(await results(house, patient)).toBe(3)
  })

  it('that was wrong can be undone, and is not repeated when it comes again', async () => {
    const house = await openHouse()
    await admit(house, '1')
    await admit(house, '2')
    await result(house, '1', 'F1')
    const [source, target] = [await idOf(house, '1'), await idOf(house, '2')]
    const segments = ['PID|1||2^^^HOSP^MR||Sample^Ann', 'MRG|1^^^HOSP^MR']
    await send(house, 'ADT^A40', segments, everything(), 'SAME')
    expect(await house.ingest.people.unmerge({ grant: everything(), source })).toMatchObject({
      edited: [],
      deleted: [],
    })
    expect([await results(house, source), await results(house, target)]).toEqual([1, 0])
    await send(house, 'ADT^A40', segments, everything(), 'SAME')
    expect([await results(house, source), await results(house, target)]).toEqual([1, 0])
  })

  it.each([
    ['said before', 'ADT^A40', '20260301095900+0000', '20260301095900+0000', ['2', '1'], 0],
    ['recorded before and sent after it', 'ADT^A40', '20260301100500+0000', '20260301095900+0000', ['2', '1'], 0],
    ['said before, the other way about', 'ADT^A40', '20260301095900+0000', '', ['1', '2'], 0],
    ['said before, by another event', 'ADT^A34', '20260301095900+0000', '', ['2', '1'], 0],
    ['said after it', 'ADT^A40', '20260301100500+0000', '20260301100400+0000', ['2', '1'], 1],
  ])(
    'a merge that was undone is not made again by another message that was %s – EVN-2',
    async (_, event, sent, recorded, [stays = '', goes = ''], inactive) => {
      const house = await openHouse()
      for (const number of ['1', '2']) await admit(house, number)
      const source = await idOf(house, '1')
      await send(house, 'ADT^A40', ['PID|1||2^^^HOSP^MR||Sample^Ann', 'MRG|1^^^HOSP^MR'])
      await house.ingest.people.unmerge({ grant: everything(), source })
      const bytes = message(
        `MSH|^~\\&|REG|HOSP|KIN|HOME|${sent}||${event}|OTHER|P|2.5.1`,
        `EVN||${recorded}`,
        `PID|1||${stays}^^^HOSP^MR||Sample^Ann||||||9 New^^Town`,
        `MRG|${goes}^^^HOSP^MR`,
      )
      const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
      expect(ack).toContain('MSA|AA')
      expect(/ERR\|\|MRG\^1\^1\|205.*not merged again/.test(ack)).toBe(inactive === 0)
      expect(await found(house.record, 'Patient', 'active=false')).toHaveLength(inactive)
      // What it says of the one who is named goes in.
      expect(await readPatient(house.record, await idOf(house, stays))).toMatchObject({ address: [{ city: 'Town' }] })
    },
  )

  it('in a file for one patient is refused by its place', async () => {
    const house = await openHouse()
    const file = message(msh('ADT^A40', 'F'), 'PID|1||2^^^HOSP^MR', 'MRG|1^^^HOSP^MR')
    const job = await house.ingest.start({
      grant: everything(),
      patient: house.anna,
      body: (async function* () {
        yield file
      })(),
    })
    await job.done
    expect(JSON.stringify(job.report)).toContain('not-supported')
  })
})

describe('results of before a merge that come again after it', () => {
  const updated = (house: TestHouse, number: string, value: string) =>
    send(house, 'ORU^R01', [
      `PID|1||${number}^^^HOSP^MR||Sample^Ann`,
      'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
      `OBX|1|NM|2345-7^Glucose^LN||${value}|mg/dL|||||F`,
    ])
  const merged = async () => {
    const house = await openHouse()
    await admit(house, '1')
    await admit(house, '2')
    await result(house, '1', 'F1')
    const [source, target] = [await idOf(house, '1'), await idOf(house, '2')]
    await send(house, 'ADT^A40', ['PID|1||2^^^HOSP^MR||Sample^Ann', 'MRG|1^^^HOSP^MR'])
    return { house, source, target }
  }
  const valuesOf = async (house: TestHouse, patient: string) =>
    (await found(house.record, 'Observation', `subject=Patient/${patient}`)).map(({ valueQuantity }) =>
      String((valueQuantity as { value: unknown }).value),
    )

  it.each(['1', '2'])('under number %s they update what is there, and the report names it', async number => {
    const { house, target } = await merged()
    expect((await updated(house, number, '95')).code).toBe('AA')
    expect(await valuesOf(house, target)).toEqual(['95'])
    const [report, ...others] = await found(house.record, 'DiagnosticReport', `subject=Patient/${target}`)
    expect(others).toEqual([])
    const [observation] = await found(house.record, 'Observation', `subject=Patient/${target}`)
    expect(report?.result).toEqual([{ reference: `Observation/${observation?.id}` }])
  })

  it('also after two merges, one after the other', async () => {
    const { house } = await merged()
    await admit(house, '3')
    const last = await idOf(house, '3')
    await send(house, 'ADT^A40', ['PID|1||3^^^HOSP^MR||Sample^Ann', 'MRG|2^^^HOSP^MR'])
    await updated(house, '3', '97')
    expect(await valuesOf(house, last)).toEqual(['97'])
  })

  it('after the merge is undone each has their own again', async () => {
    const { house, source, target } = await merged()
    await updated(house, '2', '95')
    await house.ingest.people.unmerge({ grant: everything(), source })
    expect(await valuesOf(house, source)).toEqual(['95'])
    await updated(house, '1', '99')
    await updated(house, '2', '50')
    expect([await valuesOf(house, source), await valuesOf(house, target)]).toEqual([['99'], ['50']])
  })

  it('a file of the one who stays finds them too', async () => {
    const { house, target } = await merged()
    const bytes = message(
      msh('ORU^R01', 'FILE'),
      'PID|1||2^^^HOSP^MR||Sample^Ann',
      'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
      'OBX|1|NM|2345-7^Glucose^LN||91|mg/dL|||||F',
    )
    const body = (async function* () {
      yield bytes
    })()
    const job = await house.ingest.start({ grant: everything(), patient: target, body })
    await job.done
    expect(await results(house, target)).toBe(1)
  })
})

describe('a merge message of which it is doubtful whom it merges', () => {
  /** Number 1 is Ann's; the message gives it to a name that may be hers. */
  const waiting = async () => {
    const house = await openHouse()
    await admit(house, '1')
    await admit(house, '2')
    const [source, target] = [await idOf(house, '1'), await idOf(house, '2')]
    const answer = await send(house, 'ADT^A40', [
      'PID|1||2^^^HOSP^MR||Sample^Ann||19800203|F',
      'MRG|1^^^HOSP^MR||||||Miller^Ann',
    ])
    const { review } = house.ingest.people
    const [held] = await review.list(everything())
    return { house, source, target, answer, review, id: held?.id ?? '' }
  }

  it('waits and merges nothing', async () => {
    const { house, source, answer, id } = await waiting()
    expect(answer).toMatchObject({ code: 'AA', places: expect.stringContaining('MRG^1^7') })
    expect(id).not.toBe('')
    expect(await readPatient(house.record, source)).not.toHaveProperty('link')
  })

  it('is carried out when a person accepts it', async () => {
    const { house, source, review, id } = await waiting()
    expect(await review.decide({ grant: everything(), id, decision: 'accept', patient: source })).toBe('accepted')
    expect(await readPatient(house.record, source)).toMatchObject({ active: false, link: [{ type: 'replaced-by' }] })
  })

  it('gives the number to the one who stays when it is nobody who is here', async () => {
    const { house, source, target, review, id } = await waiting()
    expect(await review.decide({ grant: everything(), id, decision: 'new' })).toBe('accepted')
    expect(await readPatient(house.record, source)).not.toHaveProperty('link')
    expect(JSON.stringify(await readPatient(house.record, target))).toContain('"use":"old"')
  })

  it('is not carried out when it is rejected, nor when it comes again', async () => {
    const { house, source, review, id } = await waiting()
    expect(await review.decide({ grant: everything(), id, decision: 'reject' })).toBe('rejected')
    expect(await readPatient(house.record, source)).not.toHaveProperty('link')
  })

  it('is not there for another family: ingest.review-unknown', async () => {
    const { house, source, review, id } = await waiting()
    const grant = grantOf('user/*.cruds', { patients: [house.bert] })
    const decision = { grant, id, decision: 'accept', patient: source } as const
    await expect(review.decide({ ...decision, patient: house.bert })).rejects.toMatchObject({
      code: 'ingest.review-unknown',
    })
    expect(await review.list(grant)).toEqual([])
  })
})
