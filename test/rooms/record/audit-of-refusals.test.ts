import type { Resource } from '#fhir'
import type { AuditNote, Record } from '#record'
import { grantOf, openTestRecord, queryOf } from './family.ts'

const auditor = grantOf('system/AuditEvent.rs')
const anna = { kind: 'account', id: 'anna' } as const
const refusal = (more: Partial<AuditNote> = {}): AuditNote => ({
  action: 'refused',
  outcome: 'failure',
  actor: anna,
  detail: 'read: record.unknown',
  ...more,
})

async function events(record: Record): Promise<Resource[]> {
  await record.flush()
  const page = await record.reader(auditor).search(queryOf(auditor, 'AuditEvent', '_count=1000&type:not=rest'))
  return page.matches.map(({ json }) => JSON.parse(json.toString('utf8')))
}

const toldIn = (all: readonly Resource[]) => all.map(({ outcomeDesc }) => outcomeDesc).toSorted()

describe('what is refused again and again', () => {
  it('is written once at once, and then by its number', async () => {
    const { record } = await openTestRecord()
    for (let n = 0; n < 5000; n++) record.audit(refusal())
    expect(toldIn(await events(record))).toEqual(['read: record.unknown', 'read: record.unknown, 4999 times'])
    await record.close()
  })

  it('says from when to when', async () => {
    const { record, clock } = await openTestRecord()
    record.audit(refusal())
    clock.advance(1000)
    record.audit(refusal())
    clock.advance(5000)
    record.audit(refusal())
    clock.advance(1000)
    const counted = (await events(record)).find(({ outcomeDesc }) => String(outcomeDesc).endsWith('2 times'))
    expect(counted).toMatchObject({
      period: { start: '2026-03-01T10:00:01.000Z', end: '2026-03-01T10:00:07.000Z' },
    })
    await record.close()
  })

  it('is told apart by actor and code, for who does many things up to a number of them', async () => {
    const { record } = await openTestRecord()
    for (let n = 0; n < 100; n++)
      for (const actor of [anna, { kind: 'account', id: 'bert' } as const])
        record.audit(refusal({ actor, detail: `read: code-${n}` }))
    const all = await events(record)
    expect(all.length).toBeLessThanOrEqual(2 * 2 * 5)
    expect(toldIn(all)).toContain('other refusals, 95 times')
    await record.close()
  })

  it.each([
    ['logins', { action: 'login', detail: 'name or password wrong' }],
    ['tokens', { action: 'token' }],
    ['claims', { action: 'claim' }],
  ] as const)('is gathered of %s by strangers too', async (_what, note) => {
    const { record } = await openTestRecord()
    for (let n = 0; n < 1000; n++) record.audit({ outcome: 'failure', ...note })
    const all = await events(record)
    expect(all).toHaveLength(2)
    expect(JSON.stringify(all)).toContain('999 times')
    await record.close()
  })

  it('is written when the record is closed', async () => {
    const { record, again: reopen } = await openTestRecord()
    for (let n = 0; n < 10; n++) record.audit(refusal())
    await record.close()
    const again = await reopen()
    expect(toldIn(await events(again))).toContain('read: record.unknown, 9 times')
    await again.close()
  })

  it('is not what went well, nor what waits for a person: each has a record of its own', async () => {
    const { record } = await openTestRecord()
    for (let n = 0; n < 5; n++) {
      record.audit({ action: 'login', outcome: 'success', actor: anna })
      record.audit({ action: 'import', outcome: 'failure', detail: 'held until a person decides' })
    }
    expect(await events(record)).toHaveLength(10)
    await record.close()
  })
})
