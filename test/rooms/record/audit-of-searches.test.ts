import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { withBudget } from '#kernel'
import type { Record } from '#record'
import { create, everything, grantOf, heartRate, ofPatient, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()
const auditor = grantOf('system/AuditEvent.rs')

interface Entity {
  readonly what?: { readonly reference: string }
  readonly name?: string
  readonly query?: string
  readonly description?: string
  readonly detail?: readonly { readonly type: string; readonly valueString: string }[]
}

/** The AuditEvents of searches for anything but AuditEvents, as a grant finds them. */
async function searches(record: Record, grant = auditor): Promise<Entity[][]> {
  await record.flush()
  const page = await record.reader(grant).search(queryOf(grant, 'AuditEvent', 'subtype=search&_count=1000'))
  const events: Resource[] = page.matches.map(({ json }) => JSON.parse(json.toString('utf8')))
  return events
    .map(({ entity }) => entity as Entity[])
    .filter(entities => !JSON.stringify(entities).includes('AuditEvent'))
    .filter(entities => entities.every(({ query = '' }) => !textOf(query).startsWith('AuditEvent')))
}

const textOf = (query: string) => Buffer.from(query, 'base64').toString('utf8')
const hers = (who: string) => ofPatient(who, 'patient/AuditEvent.rs')

async function search(record: Record, type: string, text: string, grant = all): Promise<void> {
  await record.reader(grant).search(queryOf(grant, type, text))
}

async function twoPatients() {
  const opened = await openTestRecord()
  const { record } = opened
  const amsel = (await create(record, all, patient('Amsel'))).id
  const drossel = (await create(record, all, patient('Drossel'))).id
  await create(record, all, heartRate(amsel, 61))
  await create(record, all, heartRate(drossel, 62))
  await record.flush()
  return { ...opened, amsel, drossel }
}

/** Searches that find or name Drossel alone, each with a value that must show nowhere but with the instance. */
const searchesForDrossel: readonly (readonly [string, string])[] = [
  ['Patient', 'family=Drossel'],
  ['Patient', 'family=Drossel&birthdate=1980-02-03&identifier=urn:ssn|123-45-6789'],
  ['Patient', 'identifier=urn:ssn|123-45-6789'],
  ['Observation', 'subject:Patient.family=Drossel'],
  ['Observation', 'subject:Patient.name=Drossel&_include=Observation:subject'],
  ['Patient', '_has:Observation:subject:value-quantity=62'],
  ['Observation', 'value-quantity=62&_sort=-date&_total=accurate'],
  ['Condition', 'code:text=Drossel'],
]

describe('a search in the audit', () => {
  it.each(searchesForDrossel)('for somebody else leaves nothing with a patient: %s?%s', async (type, text) => {
    const { record, amsel } = await twoPatients()
    await search(record, type, text)
    expect(await searches(record, hers(amsel))).toEqual([])
  })

  it.each(searchesForDrossel)('is kept once, whole, with the instance: %s?%s', async (type, text) => {
    const { record } = await twoPatients()
    await search(record, type, text)
    const texts = (await searches(record)).flat().filter(({ query }) => query !== undefined)
    expect(texts.map(({ query = '' }) => [...new URLSearchParams(textOf(query).replace(/^.*?\?/, ''))])).toEqual([
      [...new URLSearchParams(text)],
    ])
  })

  it('tells a patient whose rows it found by which parameters, without a value, a count or another patient', async () => {
    const { record, amsel, drossel } = await twoPatients()
    await search(record, 'Observation', 'value-quantity=gt1&subject:Patient.family=Amsel,Drossel&_count=1000')
    for (const who of [amsel, drossel])
      expect(await searches(record, hers(who))).toEqual([
        [
          { what: { reference: `Patient/${who}` }, role: expect.anything() },
          { role: expect.anything(), name: 'Observation?value-quantity&subject:Patient.family&_count' },
        ],
      ])
  })

  it('tells a patient whom it named though it found nothing, and no other', async () => {
    const { record, amsel, drossel } = await twoPatients()
    for (const [type, text] of [
      ['Condition', `subject=Patient/${amsel}`],
      ['Condition', `patient=${amsel}`],
      ['Patient', `_id=${amsel}&family=Nobody`],
      ['Condition', `evidence-detail:Observation.subject=Patient/${amsel}`],
      ['Practitioner', `_has:Observation:performer:subject=${amsel}`],
    ] as const)
      await search(record, type, text)
    // They are gathered for a moment: on a slow machine there is more than one record.
    const events = (await searches(record, hers(amsel))).toReversed()
    expect(events.flatMap(entities => entities.slice(1).map(({ name }) => name))).toEqual([
      'Condition?subject',
      'Condition?patient',
      'Patient?_id&family',
      'Condition?evidence-detail:Observation.subject',
      'Practitioner?_has:Observation:performer:subject',
    ])
    expect(await searches(record, hers(drossel))).toEqual([])
  })

  it('writes one record for the instance and one for each patient found, however many were asked', async () => {
    const { record, store } = await openTestRecord()
    const made = []
    for (let at = 0; at < 30; at++) made.push((await create(record, all, patient(`Star${at}`))).id)
    await record.flush()
    const before = (await store.stats()).entries
    await search(record, 'Patient', 'family:exact=Star7')
    await record.flush()
    expect((await store.stats()).entries - before).toBe(2)
  })

  it('keeps a kilobyte of a long one, with a digest by which the whole can be recognised', async () => {
    const { record, amsel } = await twoPatients()
    const long = `Ämsel${'é'.repeat(30_000)},Amsel`
    await search(record, 'Patient', `family=${long}`)
    const [instance] = (await searches(record)).flat().filter(({ query }) => query !== undefined)
    expect(Buffer.from(instance?.query ?? '', 'base64').length).toBeLessThanOrEqual(1_000)
    expect(textOf(instance?.query ?? '')).not.toContain('\ufffd')
    expect(instance?.detail?.map(({ type }) => type)).toEqual(['digest', 'bytes'])
    expect(JSON.stringify(await searches(record, hers(amsel))).length).toBeLessThan(300)
  })

  it('shows the texts to nobody who does not reach everybody', async () => {
    const { record, amsel } = await twoPatients()
    await record.addPatientTo('family', amsel)
    await search(record, 'Patient', 'family=Drossel')
    await search(record, 'Observation', 'value-quantity=61', ofPatient(amsel))
    for (const grant of [
      ofPatient(amsel, 'patient/*.rs'),
      grantOf('user/*.rs', { account: 'family', patients: [amsel] }),
      grantOf('user/*.cruds', { account: 'other', patients: [] }),
    ])
      expect((await searches(record, grant)).flat().filter(({ query }) => query !== undefined)).toEqual([])
  })
})

describe('a record of what several patients own', () => {
  it('tells each of them that it was read, and names no other', async () => {
    const { record, amsel, drossel } = await twoPatients()
    const participant = [amsel, drossel].map(who => ({ actor: { reference: `Patient/${who}` }, status: 'accepted' }))
    const { id } = await create(record, all, { resourceType: 'Appointment', status: 'booked', participant })
    await record.flush()
    await record.reader(ofPatient(amsel)).read('Appointment', id)
    await record.reader(ofPatient(amsel)).vread('Appointment', id, '1')
    await record.flush()
    for (const [who, other] of [
      [amsel, drossel],
      [drossel, amsel],
    ] as const)
      for (const subtype of ['read', 'vread', 'create']) {
        const grant = hers(who)
        const { matches } = await record.reader(grant).search(queryOf(grant, 'AuditEvent', `subtype=${subtype}`))
        const told = matches.map(({ json }) => json.toString('utf8')).filter(json => json.includes(`Appointment/${id}`))
        expect(told).toHaveLength(1)
        expect(told[0]).not.toContain(other)
      }
  })

  it('of one commit for two patients lists for each what is theirs', async () => {
    const { record, amsel, drossel } = await twoPatients()
    const made = await record.writer(all).transact(async txn => {
      const one = await txn.create(heartRate(amsel, 70))
      for (let at = 0; at < 120; at++) await txn.create(heartRate(drossel, at))
      return one.id
    })
    await record.flush()
    const grant = hers(amsel)
    const { matches } = await record.reader(grant).search(queryOf(grant, 'AuditEvent', `entity=Observation/${made}`))
    const event = JSON.parse(matches[0]?.json.toString('utf8') ?? '{}')
    expect(event.entity).toHaveLength(2)
    expect(JSON.stringify(event)).not.toContain('more')
    expect(JSON.stringify(event)).not.toContain(drossel)
  })
})

describe('when a patient is erased', () => {
  it('the values of all searches until then are forgotten, and who asked by which parameters is kept', async () => {
    const { record, drossel, amsel, store } = await twoPatients()
    await search(record, 'Patient', 'family=Drossel&identifier=urn:ssn|123-45-6789')
    await search(record, 'Observation', `subject:Patient.name=Drossel&code=${'é'.repeat(2_000)}`)
    await record.flush()
    const before = (await store.stats()).entries
    await record.shred(drossel)
    const kept = (await searches(record)).flat()
    expect(kept.filter(({ query }) => query !== undefined)).toEqual([])
    expect(
      kept
        .map(({ name }) => name)
        .filter(name => name !== undefined)
        .toSorted(),
    ).toEqual(['Observation?subject:Patient.name&code', 'Patient?family&identifier'])
    expect(kept.flatMap(({ detail = [] }) => detail.filter(({ type }) => type === 'digest'))).toHaveLength(2)
    expect(JSON.stringify(await searches(record))).not.toContain('Drossel')
    expect((await store.stats()).entries).toBeLessThanOrEqual(before + 2)
    const findings = []
    for await (const finding of record.verify()) findings.push(finding)
    expect(findings).toEqual([])
    await search(record, 'Patient', `_id=${amsel}`)
    expect((await searches(record)).flat().some(({ query }) => query !== undefined)).toBe(true)
  })

  it('they are forgotten once: what was looked at before is not gone through again', async () => {
    const { record, drossel, amsel } = await twoPatients()
    await search(record, 'Patient', 'family=Drossel')
    await record.shred(drossel)
    await search(record, 'Patient', 'family=Amsel')
    await record.flush()
    await record.shred(amsel)
    expect(JSON.stringify((await searches(record)).flat().filter(({ query }) => query !== undefined))).toBe('[]')
  })
})

describe('the records of audit that one request leaves', () => {
  it('are as many as it may have, and no more: budget.audited-exceeded', async () => {
    const { record } = await openTestRecord()
    const people = await Promise.all(
      Array.from({ length: 12 }, (_, at) => create(record, everything(), patient(`P${at}`))),
    )
    const ids = people.map(({ id }) => id)
    const asking = (audited: number, work: (grant: Grant) => Promise<unknown>) =>
      withBudget({ audited }, () => work(everything()))
    const searching = (grant: Grant) => record.reader(grant).search(queryOf(grant, 'Patient', '_count=20'))
    const reading = async (grant: Grant) => {
      for (const id of [...ids, ...ids]) await record.reader(grant).read('Patient', id)
    }
    const turning = (grant: Grant) => record.reader(grant).history({ type: 'Patient', count: 50 })
    for (const [work, records] of [
      [searching, 13],
      [reading, 12],
      [turning, 12],
    ] as const) {
      await asking(records, work)
      await record.flush()
      const refused = { kind: 'too-costly', code: 'budget.audited-exceeded' }
      await expect(asking(records - 1, work)).rejects.toMatchObject(refused)
      await record.flush()
    }
  })
})
