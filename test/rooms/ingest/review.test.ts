import { tmpdir } from 'node:os'
import { setImmediate as immediate } from 'node:timers/promises'
import { openReview } from '../../../src/ingest/identity/review/review.ts'
import { openKeptFiles } from '../../../src/ingest/source/kept-files.ts'
import { everything, found, grantOf, ofPatient, openHouse, readPatient, type TestHouse, versionsOf } from './house.ts'
import { message } from './reading.ts'

let ids = 0
const adt = (event: string, pid: string, id = `R${++ids}`) =>
  message(`MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||ADT^${event}|${id}|P|2.5.1`, pid)
const send = async (house: TestHouse, bytes: Buffer, grant = everything()) => {
  const { status, ack } = await house.ingest.hl7v2({ grant, message: bytes })
  return { status, code: /MSA\|(..)/.exec(ack)?.[1], ack }
}
const ann = 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800203|F'
const married = 'PID|1||4711^^^HOSP^MR||Miller^Ann||19800203|F|||1 Main^^Town'
/** A house in which Ann is known, and a message that may be about her waits. */
const doubtful = async (pid = married) => {
  const house = await openHouse()
  await send(house, adt('A04', ann))
  const patient = (await found(house.record, 'Patient', 'identifier=4711'))[0]?.id ?? ''
  const before = await versionsOf(house.record)
  const bytes = adt('A31', pid)
  const answer = await send(house, bytes)
  const review = house.ingest.people.review
  const [held] = await review.list(everything())
  return { house, patient, bytes, answer, before, review, id: held?.id ?? '', held }
}
const codeOf = (work: Promise<unknown>) => work.then(String, error => error.code)

describe('a message about whom there is a doubt waits until a person decides', () => {
  it('is acknowledged with AA and a warning at the place: it is in safe custody – HL7 v2.9 chapter 2.9.2', async () => {
    const { house, answer, before, held, patient } = await doubtful()
    expect(answer).toMatchObject({ status: 200, code: 'AA' })
    expect(answer.ack).toMatch(/ERR\|\|PID\^1\^5\|205\^[^|]*\|W\|/)
    expect(answer.ack).not.toMatch(/Miller|Sample/)
    expect(await versionsOf(house.record)).toBe(before)
    expect(held?.doubt).toMatchObject({
      patients: [patient],
      elements: ['name'],
      incoming: { name: [{ family: 'Miller' }] },
    })
  })

  it.each([
    ['a slip in the birth date', 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800302|F'],
    ['a twin', 'PID|1||4711^^^HOSP^MR||Sample^Eve||19800203|F'],
    ['a shared number and no birth date', 'PID|1||P1^^^INS^HC~9^^^X^MR||Sample^Ann'],
  ])('%s', async (_, pid) => {
    const house = await openHouse()
    await send(house, adt('A04', `${ann.replace('^MR|', '^MR~P1^^^INS^HC|')}`))
    expect((await send(house, adt('A01', pid))).code).toBe('AA')
    expect(await house.ingest.people.review.list(everything())).toHaveLength(1)
  })

  it('goes in for the patient when accepted, and what says the same later is not asked again', async () => {
    const { house, patient, review, id } = await doubtful()
    expect(await review.decide({ grant: everything(), id, decision: 'accept', patient })).toBe('accepted')
    expect(await readPatient(house.record, patient)).toMatchObject({
      name: [{ family: 'Miller' }],
      address: [{ city: 'Town' }],
    })
    expect(await review.list(everything())).toEqual([])
    expect((await send(house, adt('A08', 'PID|1||4711^^^HOSP^MR||Miller^Ann||19800203|F'))).code).toBe('AA')
    expect(await review.list(everything())).toEqual([])
  })

  it('of two people with one number, each is then known by name and birth date', async () => {
    const { house, patient, review, id } = await doubtful('PID|1||4711^^^HOSP^MR||Sample^Eve||19800203|F')
    expect(await review.decide({ grant: everything(), id, decision: 'new' })).toBe('accepted')
    const people = await found(house.record, 'Patient', 'identifier=4711')
    const eve = people.find(({ id }) => id !== patient)
    expect(eve).toMatchObject({ name: [{ given: ['Eve'] }] })
    for (const who of ['Ann', 'Eve'])
      expect(
        (await send(house, adt('A08', `PID|1||4711^^^HOSP^MR||Sample^${who}||19800203|F|||2 Side^^${who}ville`))).code,
      ).toBe('AA')
    expect(await review.list(everything())).toEqual([])
    expect(await readPatient(house.record, patient)).toMatchObject({ address: [{ city: 'Annville' }] })
    expect(await readPatient(house.record, eve?.id ?? '')).toMatchObject({ address: [{ city: 'Eveville' }] })
  })

  it('is thrown away when rejected, and the sender is told when it comes again', async () => {
    const { house, review, id, bytes, before } = await doubtful()
    expect(await review.decide({ grant: everything(), id, decision: 'reject' })).toBe('rejected')
    expect(await review.list(everything())).toEqual([])
    expect((await send(house, bytes)).code).toBe('AE')
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('waits once, however often it comes', async () => {
    const { house, review, bytes } = await doubtful()
    for (let times = 0; times < 3; times++) expect((await send(house, bytes)).code).toBe('AA')
    expect(await review.list(everything())).toHaveLength(1)
  })

  it('is decided once when two decide at once: ingest.review-decided', async () => {
    const { house, patient, review, id } = await doubtful()
    const decide = (decision: 'accept' | 'new' | 'reject') =>
      codeOf(review.decide({ grant: everything(), id, decision, ...(decision === 'accept' ? { patient } : {}) }))
    const states = await Promise.all([decide('accept'), decide('new'), decide('reject')])
    expect(states.filter(state => state === 'ingest.review-decided' || state === 'ingest.review-unknown')).toHaveLength(
      2,
    )
    expect((await found(house.record, 'Patient', 'identifier=4711')).length).toBeLessThanOrEqual(2)
  })

  it.each([
    ['some minutes ago', -180_000],
    ['before the clock was set back by hours', 5 * 3_600_000],
  ])('is decided by somebody else when a decision was cut off %s', async (_, aheadOfMs) => {
    const { house, patient, review, id } = await doubtful()
    const { documents } = house.record
    const decidingSince = async (aheadMs: number) => {
      const value = (await documents.get<object>('ingest-review', id))?.value
      const decidingSinceMs = house.clock.nowMs() + aheadMs
      await documents.put('ingest-review', id, { ...value, state: 'deciding', decidingSinceMs }, { group: patient })
      return codeOf(review.decide({ grant: everything(), id, decision: 'accept', patient }))
    }
    expect([await decidingSince(-60_000), await decidingSince(60_000)]).toEqual(Array(2).fill('ingest.review-decided'))
    expect(await decidingSince(aheadOfMs)).toBe('accepted')
  })

  it('stays in the hands of who decides as long as that takes', async () => {
    const { house, patient, review, id } = await doubtful()
    const { record, clock } = house
    const { promise: taken, resolve: end } = Promise.withResolvers<undefined>()
    const deps = { record, clock, keptFiles: openKeptFiles(tmpdir(), clock), renewEveryMs: 1 }
    const decided = openReview(deps, () => taken).decide({ grant: everything(), id, decision: 'accept', patient })
    const heardOf = async () =>
      (await record.documents.get<{ decidingSinceMs?: number }>('ingest-review', id))?.value.decidingSinceMs
    while ((await heardOf()) === undefined) await immediate()
    for (let times = 0; times < 3; times++) {
      clock.advance(3_600_000)
      while ((await heardOf()) !== clock.nowMs()) await immediate()
      expect(await codeOf(review.decide({ grant: everything(), id, decision: 'reject' }))).toBe('ingest.review-decided')
    }
    end(undefined)
    expect(await decided).toBe('accepted')
    expect(await codeOf(review.decide({ grant: everything(), id, decision: 'reject' }))).toBe('ingest.review-unknown')
  })

  it.each([
    ['the patient', (patient: string) => ({ decision: 'accept', patient }) as const],
    ['somebody new', () => ({ decision: 'new' }) as const],
  ])(
    'when taking it in for %s was cut off, it goes to nobody else and is not thrown away: ingest.review-begun',
    async (_, made) => {
      const { house, patient, review, id } = await doubtful()
      const { documents } = house.record
      const choice = made(patient)
      const value = (await documents.get<object>('ingest-review', id))?.value
      const begun = choice.decision === 'new' ? 'new' : patient
      await documents.put(
        'ingest-review',
        id,
        { ...value, state: 'deciding', decidingSinceMs: 0, begun },
        { group: patient },
      )
      const decide = (said: { decision: 'accept' | 'new' | 'reject'; patient?: string }) =>
        codeOf(review.decide({ grant: everything(), id, ...said }))
      const others = [{ decision: 'accept', patient: house.bert }, { decision: 'reject' }] as const
      for (const other of others) expect(await decide(other)).toBe('ingest.review-begun')
      expect(await decide(choice.decision === 'new' ? { decision: 'accept', patient } : { decision: 'new' })).toBe(
        'ingest.review-begun',
      )
      expect(await decide(choice)).toBe('accepted')
    },
  )

  it('what was being taken in for somebody who was erased is decided anew', async () => {
    const { house, patient, review, id } = await doubtful()
    const { documents } = house.record
    const value = (await documents.get<object>('ingest-review', id))?.value
    const other = { ...value, state: 'deciding', decidingSinceMs: 0, begun: house.bert }
    await documents.put('ingest-review', id, other, { group: patient })
    await house.record.shred(house.bert)
    expect(await codeOf(review.decide({ grant: everything(), id, decision: 'accept', patient }))).toBe('accepted')
  })

  it('concerns only who may change all whom it may be about: ingest.review-unknown', async () => {
    const { house, patient, review, id } = await doubtful()
    const berts = grantOf('user/*.cruds', { patients: [house.bert] })
    expect(await review.list(berts)).toEqual([])
    expect(await codeOf(review.show(id, berts))).toBe('ingest.review-unknown')
    expect(await codeOf(review.decide({ grant: berts, id, decision: 'reject' }))).toBe('ingest.review-unknown')
    expect(await codeOf(review.list(grantOf('patient/*.cruds', { patient, patients: [] })))).toBe('scope.missing')
    expect(await codeOf(review.list(grantOf('user/*.rs', { patients: [patient] })))).toBe('scope.missing')
    const anns = grantOf('user/*.cruds', { patients: [patient] })
    expect(await codeOf(review.decide({ grant: anns, id, decision: 'accept' }))).toBe('ingest.review-patient-missing')
    expect(await codeOf(review.decide({ grant: anns, id, decision: 'accept', patient: house.bert }))).toBe(
      'record.unknown',
    )
    expect(await review.decide({ grant: anns, id, decision: 'accept', patient })).toBe('accepted')
  })

  it('waits again when it could not be taken in', async () => {
    const { patient, review, id } = await doubtful()
    const narrow = grantOf('user/Patient.cru', { patients: [patient] })
    expect(await codeOf(review.decide({ grant: narrow, id, decision: 'accept', patient }))).toBe('scope.missing')
    expect(await review.list(everything())).toMatchObject([{ state: 'waiting' }])
  })

  it('is forgotten with the patient whom it may be about', async () => {
    const { house, patient, review } = await doubtful()
    await house.record.shred(patient)
    expect(await review.list(everything())).toEqual([])
    expect(await house.record.documents.list('ingest-review')).toEqual([])
  })

  it('is gone after half a year', async () => {
    const { house, review } = await doubtful()
    house.clock.advance(184 * 24 * 3600 * 1000)
    expect(await review.list(everything())).toEqual([])
  })

  it('does not wait when too much waits for the patient: the sender keeps it; the list is read a page at a time', async () => {
    const { house, review } = await doubtful()
    const answers: (string | undefined)[] = []
    for (let times = 0; times < 205; times++) answers.push((await send(house, adt('A31', married))).code)
    expect(answers.filter(code => code === 'AE')).toHaveLength(6)
    const all = await review.list(everything())
    expect(all).toHaveLength(200)
    const paged: string[] = []
    let asked: Parameters<typeof review.page>[1] | undefined = { count: 64 }
    while (asked !== undefined) {
      const { held, next } = await review.page(everything(), asked)
      paged.push(...held.map(({ id }) => id))
      asked = next
    }
    expect(paged).toEqual(all.map(({ id }) => id))
    // What came is a megabyte at most, of each: it is not in the list.
    expect(all.filter(one => 'bytes' in one)).toEqual([])
    expect(await house.record.documents.get('ingest-review', paged[0] ?? '')).toMatchObject({
      value: { bytes: expect.any(String) },
    })
  })

  it('is looked for among what waits for whom one reaches, whatever waits for others, or is damaged of theirs', async () => {
    const { house, review, patient, id } = await doubtful()
    const { documents } = house.record
    const mine = grantOf('user/*.cruds', { patients: [patient] })
    const asked = new Set<string>()
    const each = documents.each.bind(documents)
    documents.each = collection => {
      asked.add(`all of ${collection}`)
      return each(collection)
    }
    expect((await review.list(mine)).map(held => held.id)).toEqual([id])
    expect((await review.show(id, mine)).id).toBe(id)
    expect(await review.list(grantOf('user/*.cruds', { patients: [house.bert] }))).toEqual([])
    expect(await review.list(grantOf('user/*.cruds', { patients: [] }))).toEqual([])
    expect([...asked]).toEqual([])
    expect(await review.list(everything())).toHaveLength(1)
    expect([...asked]).toEqual(['all of ingest-review'])
  })

  it('every decision and every look is audited, and no log or audit has a value', async () => {
    const { house, patient, review, id } = await doubtful()
    await review.show(id, everything())
    await review.decide({ grant: everything(), id, decision: 'accept', patient })
    await house.record.flush()
    const events = JSON.stringify(await found(house.record, 'AuditEvent'))
    for (const what of ['held until a person decides', 'held import looked at', 'held import: accept'])
      expect(events).toContain(what)
    expect(events).not.toContain('Miller')
  })
  it.each(['accept', 'new', 'reject'] as const)(
    'is in the audit of whom it is about, and of no candidate: %s',
    async decision => {
      const { house, patient, review, id } = await doubtful()
      const chosen = decision === 'accept' ? { patient } : {}
      await review.show(id, everything())
      await review.decide({ grant: everything(), id, decision, ...chosen })
      await house.record.flush()
      const hers = JSON.stringify(
        await found(house.record, 'AuditEvent', '', ofPatient(patient, 'patient/AuditEvent.rs')),
      )
      expect(hers.includes('held')).toBe(decision === 'accept')
      expect(hers).not.toContain('held until')
    },
  )
})
