import type { Resource } from '#fhir'
import type { Record } from '#record'
import { create, everything, grantOf, heartRate, ids, ofPatient, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()
const auditor = grantOf('system/AuditEvent.rs')

async function events(record: Record, text: string): Promise<Resource[]> {
  await record.flush()
  const page = await record.reader(auditor).search(queryOf(auditor, 'AuditEvent', text))
  return page.matches.map(({ json }) => JSON.parse(json.toString('utf8')))
}

const entities = (event: Resource | undefined): string[] =>
  ((event?.entity ?? []) as { what?: { reference: string } }[]).map(({ what }) => what?.reference ?? '')

describe('audit – https://hl7.org/fhir/R4/auditevent.html', () => {
  it('records a write in the very commit of the write', async () => {
    const { record, store } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const before = (await store.stats()).entries
    const { id } = await create(record, all, heartRate(who, 60))
    expect((await store.stats()).entries).toBe(before + 2)
    const [event] = await events(record, `action=C&entity=Observation/${id}`)
    expect(entities(event)).toEqual([`Patient/${who}`, `Observation/${id}/_history/1`])
    expect(event).toMatchObject({ action: 'C', outcome: '0', agent: [{ who: { identifier: { value: 'tester' } } }] })
  })

  it('gathers reads of one grant into one event, and a flush makes them durable', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const made = await Promise.all([1, 2, 3].map(value => create(record, all, heartRate(who, value))))
    const reader = record.reader(ofPatient(who))
    for (const { id } of made) await reader.read('Observation', id)
    const reads = await events(record, 'subtype=read')
    expect(reads.length).toBe(1)
    expect(new Set(entities(reads[0]))).toEqual(
      new Set([`Patient/${who}`, ...made.map(({ id }) => `Observation/${id}`)]),
    )
  })

  it('shows a patient what was done with their record, and nobody else', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    const drossel = (await create(record, all, patient('Drossel'))).id
    await create(record, all, heartRate(amsel, 60))
    expect((await ids(record, ofPatient(amsel, 'patient/AuditEvent.rs'), 'AuditEvent', '')).length).toBe(2)
    expect((await ids(record, ofPatient(drossel, 'patient/AuditEvent.rs'), 'AuditEvent', '')).length).toBe(1)
    await expect(async () => queryOf(ofPatient(amsel, 'patient/Observation.rs'), 'AuditEvent', '')).rejects.toThrow(
      'scope.missing',
    )
  })

  it('keeps what happens outside the FHIR interactions, with the patient it concerns or with the instance', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    record.audit({ action: 'login', outcome: 'failure' })
    record.audit({ action: 'token', outcome: 'success', patient: amsel, detail: 'a link was opened' })
    const [login] = await events(record, 'type=login')
    const [token] = await events(record, 'type=token')
    expect(login).toMatchObject({ outcome: '8', type: { code: 'login' } })
    expect(entities(token)).toEqual([`Patient/${amsel}`])
    expect((await ids(record, ofPatient(amsel, 'patient/AuditEvent.rs'), 'AuditEvent', 'type=token')).length).toBe(1)
    expect(await ids(record, ofPatient(amsel, 'patient/AuditEvent.rs'), 'AuditEvent', 'type=login')).toEqual([])
  })

  it('says how many entities it does not list', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    await record.writer(all).transact(async txn => {
      for (let value = 0; value < 130; value++) await txn.create(heartRate(who, value))
      txn.note('a batch of a test')
    })
    const [event] = await events(record, 'subtype=transaction')
    expect(entities(event).length).toBe(102)
    expect(event).toMatchObject({ outcomeDesc: 'a batch of a test' })
    expect(JSON.stringify(event)).toContain('and 30 more')
  })

  it.each<readonly [string, (record: Record, id: string) => Promise<unknown>]>([
    ['read', (record, id) => record.reader(auditor).read('AuditEvent', id)],
    ['vread', (record, id) => record.reader(auditor).vread('AuditEvent', id, '1')],
    ['history', (record, id) => record.reader(auditor).history({ type: 'AuditEvent', id, count: 5 })],
    ['search', (record, id) => ids(record, auditor, 'AuditEvent', `_id=${id}`)],
  ])('shows a patient who looked at the records of what was done with theirs: by %s', async (subtype, look) => {
    const { record } = await openTestRecord()
    const [amsel, drossel] = [
      (await create(record, all, patient('Amsel'))).id,
      (await create(record, all, patient('Drossel'))).id,
    ]
    const own = ofPatient(amsel, 'patient/AuditEvent.rs')
    const [first = ''] = await ids(record, own, 'AuditEvent', 'action=C')
    await record.flush()
    await look(record, first)
    await record.flush()
    const seen = async (of: string) => {
      const grant = ofPatient(of, 'patient/AuditEvent.rs')
      const page = await record.reader(grant).search(queryOf(grant, 'AuditEvent', `subtype=${subtype}`))
      return page.matches.map(({ json }) => JSON.parse(json.toString('utf8'))).filter(({ action }) => action !== 'C')
        .length
    }
    expect(await seen(drossel)).toBe(0)
    expect(await seen(amsel)).toBeGreaterThanOrEqual(subtype === 'search' ? 2 : 1)
  })

  it('of who was erased are looked at, and recorded as looked at, without harm', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    await record.shred(amsel)
    const events = await ids(record, auditor, 'AuditEvent', '')
    for (const id of events) await record.reader(auditor).read('AuditEvent', id)
    await record.flush()
    for (const id of events) await record.reader(auditor).read('AuditEvent', id)
    await record.flush()
    expect(await Array.fromAsync(record.verify())).toEqual([])
    expect((await ids(record, auditor, 'AuditEvent', 'subtype=read')).length).toBeGreaterThan(0)
  })
})
