import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { type KeysChange, openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore, type Store } from '#store'
import { until } from '../../journeys/server/waiting.ts'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  remove,
  update,
} from './family.ts'
import { refusing } from './refusing.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-erasing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = everything()
const unknown = { kind: 'not-found', code: 'record.unknown' }
const erased = { kind: 'gone', code: 'record.id-erased' }

const named = (id: string): Resource => ({ ...patient('Amsel'), id })

async function house() {
  const opened = await openTestRecord()
  await update(opened.record, all, named('greta'))
  await update(opened.record, all, named('hugo'))
  await opened.record.addPatientTo('family', 'greta')
  await opened.record.addPatientTo('family', 'hugo')
  return opened
}

describe('the id of an erased patient', () => {
  it('is never given again: record.id-erased for who reaches everybody', async () => {
    const { record, again } = await house()
    await record.shred('greta')
    for (const each of [record, await again()]) {
      await expect(update(each, all, named('greta'))).rejects.toMatchObject(erased)
      await expect(create(each, all, patient('Amsel'), 'greta')).rejects.toMatchObject(erased)
      await expect(each.reader(all).read('Patient', 'greta')).rejects.toMatchObject(erased)
      await expect(create(each, all, heartRate('greta', 60))).rejects.toMatchObject({ code: 'record.owner-unknown' })
      expect(await each.allPatients()).toEqual(['hugo'])
    }
  })

  it('is unknown to everybody else, also to whose it was', async () => {
    const { record } = await house()
    const family = grantOf('user/*.cruds', { account: 'family', patients: ['greta', 'hugo'] })
    await record.shred('greta')
    for (const grant of [family, ofPatient('greta'), ofPatient('hugo')]) {
      await expect(record.reader(grant).read('Patient', 'greta')).rejects.toMatchObject(unknown)
      await expect(update(record, grant, named('greta'))).rejects.toMatchObject({ code: 'record.client-id-refused' })
      expect(await ids(record, grant, 'Observation', 'subject=Patient/greta')).toEqual([])
    }
  })

  it('leads no household, token, link or key of imports to anybody', async () => {
    const { record, store } = await house()
    const { documents } = record
    const kept: readonly (readonly [string, string, unknown, { group?: string }])[] = [
      ['smart.tokens', 'of greta', { patient: 'greta' }, { group: 'token family' }],
      ['smart.tokens', 'of hugo', { patient: 'hugo' }, { group: 'token family' }],
      ['smart.permissions', 'of greta', { patient: 'greta' }, { group: 'family' }],
      ['share.links', 'of greta', { patient: 'greta' }, { group: 'greta' }],
      ['share.content', 'of greta', 'a sealed copy', { group: 'greta' }],
      ['share.content', 'of hugo', 'a sealed copy', { group: 'hugo' }],
      ['ingest-keys', 'greta', { key: 'x' }, { group: 'greta' }],
      ['ingest-keys', 'hugo', { key: 'x' }, { group: 'hugo' }],
      ['ingest-review', 'doubt of hana or greta', { doubt: { patients: ['hana', 'greta'] } }, { group: 'hana' }],
      ['ingest-review', 'doubt of hugo', { doubt: { patients: ['hugo'] }, said: 'greta' }, { group: 'hugo' }],
      [
        'ingest-jobs',
        'report of greta',
        { report: { parameter: [{ valueReference: { reference: 'Patient/greta' } }] } },
        {},
      ],
      [
        'ingest-jobs',
        'report of hugo',
        { report: { parameter: [{ valueReference: { reference: 'Patient/hugo' } }] } },
        {},
      ],
    ]
    for (const [collection, name, value, options] of kept) await documents.put(collection, name, value, options)
    await record.shred('greta')
    expect(await record.patientsOf('family')).toEqual(['hugo'])
    for (const [collection, name] of kept)
      expect([name, (await documents.get(collection, name)) !== undefined]).toEqual([name, name.includes('hugo')])
    expect(await store.collections()).not.toContain('smart.permissions')
  })

  it('cannot be attached to an account, and neither can one that never was: record.owner-unknown', async () => {
    const { record } = await house()
    await record.shred('greta')
    for (const id of ['greta', 'never-was'])
      await expect(record.addPatientTo('other', id)).rejects.toMatchObject({ code: 'record.owner-unknown' })
  })
})

describe('a server beside the command that erases', () => {
  it('acknowledges no write into the dead compartment, whatever it still believes', async () => {
    const { record, store, beside } = await house()
    const server = await beside()
    const { id } = await create(server, all, heartRate('greta', 60))
    const { compartment } = (await server.reader(all).read('Patient', 'greta')).holder
    await record.shred('greta')
    await expect(create(server, all, heartRate('greta', 61))).rejects.toMatchObject({ code: 'record.owner-unknown' })
    await expect(create(server, ofPatient('greta'), heartRate('greta', 61))).rejects.toMatchObject({
      code: 'record.owner-unknown',
    })
    await expect(update(server, ofPatient('greta'), { ...heartRate('greta', 62), id })).rejects.toMatchObject({
      code: 'record.client-id-refused',
    })
    expect(await remove(server, ofPatient('greta'), 'Observation', id)).toBeUndefined()
    expect((await store.allHeads()).has(compartment)).toBe(false)
  })

  it('finds nothing of it any more', async () => {
    const { record, beside } = await house()
    const server = await beside()
    await create(server, all, heartRate('greta', 60))
    expect(await ids(server, all, 'Observation', '')).toHaveLength(1)
    expect(await ids(server, ofPatient('greta'), 'Observation', '')).toHaveLength(1)
    await record.shred('greta')
    expect(await ids(server, all, 'Observation', '')).toEqual([])
    expect(await ids(server, ofPatient('greta'), 'Observation', '')).toEqual([])
  })

  it('refuses a transaction that had begun before', async () => {
    const { record, beside } = await house()
    const server = await beside()
    let turn = 0
    const work = server.writer(all).transact(async txn => {
      await txn.create(heartRate('greta', 60))
      if (turn++ === 0) await record.shred('greta')
    })
    await expect(work).rejects.toMatchObject({ code: 'record.owner-unknown' })
    expect(turn).toBe(1)
  })
})

describe('a process that is asked for nothing, beside the one that erases', () => {
  // Who leads examines what others write, and hears of it by that too.
  it.each([
    ['leads', true],
    ['does not lead', false],
  ])('hears of it by itself, if it %s', async (_, leads) => {
    const path = join(folder, `${leads}`)
    const open = async () =>
      openTestRecord(await openSqliteStore({ path }), await openSqliteKeys({ path: `${path}-keys` }))
    const first = await open()
    await update(first.record, all, named('greta'))
    const { compartment } = await create(first.record, all, heartRate('greta', 60)).then(({ holder }) => holder)
    const store = await openSqliteStore({ path })
    const keys = await openSqliteKeys({ path: `${path}-keys` })
    const second = await openTestRecord(store, keys, { company: { leads: () => leads, isAlarmed: () => false } })
    await second.record.reader(all).read('Patient', 'greta')
    expect([second.vault.hasAtHand(compartment), second.vault.wasDestroyed(compartment)]).toEqual([true, false])
    await first.record.shred('greta')
    await until(() => second.vault.wasDestroyed(compartment))
    expect(second.vault.hasAtHand(compartment)).toBe(false)
    for (const { record, vault, ...files } of [first, second]) {
      await record.close()
      vault.close()
      await files.store.close()
      await files.keys.close()
    }
  })
})

describe('what another process notes about a patient at the moment of the erasure', () => {
  it('goes at the next start', async () => {
    const { record, again } = await house()
    await record.shred('greta')
    await record.documents.put('ingest-jobs', 'late', { state: 'failed' }, { group: 'greta' })
    await record.documents.put('ingest-jobs', 'other', { state: 'failed' }, { group: 'hugo' })
    const { documents } = await again()
    expect([
      await documents.get('ingest-jobs', 'late'),
      (await documents.get('ingest-jobs', 'other'))?.revision,
    ]).toEqual([undefined, 1])
  })
})

describe('an erasure that was cut off', () => {
  it('is finished at the next start: by the tombstone of the key', async () => {
    const { record, vault, again } = await house()
    const { holder } = await create(record, all, heartRate('greta', 60))
    await vault.keys.destroy(holder.compartment, 0)
    const next = await again()
    expect(await next.allPatients()).toEqual(['hugo'])
    await expect(next.reader(all).read('Patient', 'greta')).rejects.toMatchObject(erased)
    expect(await next.patientsOf('family')).toEqual(['hugo'])
  })
})

const full = new Problem('full', 'storage.full', 'There is no room.')
const busy = new Problem('busy', 'store.busy', 'The store is in use by another process.')
const broken = new Problem('fault', 'store.failed', 'The store has failed.')

const isIn = async (store: Store, compartment: string) => (await store.allHeads()).has(compartment)

const hindrances = [
  ['is full', 'the entries', full, 'dropCompartment'],
  ['is in use', 'the entries', busy, 'dropCompartment'],
  ['is full', 'the texts of searches', full, 'reseal'],
  ['is in use', 'the texts of searches', busy, 'reseal'],
  ['is in use', 'the documents', busy, 'collections'],
] as const

async function erasing(refusal: Problem, method: string) {
  const { state, part: store } = refusing(openMemoryStore(), refusal, name => name === method)
  const opened = await openTestRecord(store)
  await update(opened.record, all, named('greta'))
  const { holder } = await create(opened.record, all, heartRate('greta', 60))
  // Whose text is to be taken out.
  await ids(opened.record, all, 'Patient', 'name=Amsel')
  await opened.record.flush()
  return { ...opened, state, compartment: holder.compartment }
}

async function untilGone(store: Store, compartment: string): Promise<void> {
  for (let tries = 0; tries < 480 && (await isIn(store, compartment)); tries++) await delay(250)
  expect(await isIn(store, compartment)).toBe(false)
}

describe.each(hindrances)('an erasure whose store %s when %s are to go', (_why, _what, refusal, method) => {
  it('keeps no house from being opened, and whoever asks again is told how far it is', async () => {
    const { record, store, beside, state, compartment } = await erasing(refusal, method)
    expect(await record.shred('greta')).toBe('owed')
    await record.close()
    const meanwhile = await beside()
    expect([await meanwhile.shredOn('greta'), await meanwhile.allPatients()]).toEqual(['owed', []])
    await meanwhile.close()
    state.isOver = true
    const later = await beside()
    expect([await later.shredOn('greta'), await isIn(store, compartment)]).toEqual(['whole', false])
    await later.close()
    const last = await beside()
    expect([await last.shredOn('greta'), await last.shredOn('hugo')]).toEqual([undefined, undefined])
    await last.close()
  })
})

describe('an erasure whose store refuses what is to be done after the key is destroyed', () => {
  // All at once: each waits for the next round of what goes on by itself.
  it('is done, acknowledges nothing more, and goes on by itself', async () => {
    await Promise.all(
      hindrances.map(async ([, , refusal, method]) => {
        const { record, store, vault, state, compartment } = await erasing(refusal, method)
        expect(await record.shred('greta')).toBe('owed')
        await expect(vault.compartment(compartment)).rejects.toMatchObject({ code: 'vault.key-destroyed' })
        await expect(create(record, all, heartRate('greta', 61))).rejects.toMatchObject({
          code: 'record.owner-unknown',
        })
        expect(await isIn(store, compartment)).toBe(true)
        state.isOver = true
        await untilGone(store, compartment)
        await record.close()
      }),
    )
  })
})

describe('an erasure that what is wrong with the store stops', () => {
  it('is told as that: it will not go by itself', async () => {
    const { part: store } = refusing(openMemoryStore(), broken, name => name === 'dropCompartment')
    const { record, vault } = await openTestRecord(store)
    const { holder } = await update(record, all, named('greta'))
    await expect(record.shred('greta')).rejects.toBe(broken)
    await expect(vault.compartment(holder.compartment)).rejects.toMatchObject({ code: 'vault.key-destroyed' })
    await record.close()
  })
})

describe.each([
  ['is full', full],
  ['is in use', busy],
])('an erasure whose keystore %s', (_why, refusal) => {
  const burying = (name: string, [change]: readonly unknown[]) =>
    name === 'change' && ((change as KeysChange).put?.tombstones ?? []).length > 0

  async function refused() {
    const { state, part: keys } = refusing(openMemoryKeys(), refusal, burying)
    const opened = await openTestRecord(openMemoryStore(), keys)
    const { compartment } = (await update(opened.record, all, named('greta'))).holder
    const isAlive = async () => (await keys.of(compartment)).length > 0
    await expect(opened.record.shred('greta')).rejects.toBe(refusal)
    expect([await isAlive(), await opened.record.allPatients()]).toEqual([true, []])
    await expect(opened.record.shredOn('greta')).rejects.toBe(refusal)
    return { ...opened, state, compartment, isAlive }
  }

  it('is not told as done, and destroys the key by itself once it can', async () => {
    const { record, store, state, compartment, isAlive } = await refused()
    state.isOver = true
    await untilGone(store, compartment)
    expect(await isAlive()).toBe(false)
    await record.close()
  })

  it('is gone on with at the next start', async () => {
    const { record, store, beside, state, compartment, isAlive } = await refused()
    await record.close()
    const meanwhile = await beside()
    await expect(meanwhile.shredOn('greta')).rejects.toBe(refusal)
    await meanwhile.close()
    state.isOver = true
    const next = await beside()
    expect([await next.shredOn('greta'), await isAlive(), await isIn(store, compartment)]).toEqual([
      'whole',
      false,
      false,
    ])
    await next.close()
  })

  it('is done when only what is left of the key in the files cannot be overwritten yet', async () => {
    const { part: keys } = refusing(openMemoryKeys(), refusal, name => name === 'scrub')
    const { record } = await openTestRecord(openMemoryStore(), keys)
    const { holder } = await update(record, all, named('greta'))
    expect([await record.shred('greta'), await keys.of(holder.compartment)]).toEqual(['owed', []])
    await record.close()
  })
})

describe('what the erased patient shared with others', () => {
  const appointment = (...of: string[]): Resource => ({
    resourceType: 'Appointment',
    status: 'booked',
    participant: of.map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' })),
  })

  it('goes on in the hands of who reaches those who are left, without naming anybody new', async () => {
    const { record } = await house()
    await update(record, all, named('fremd'))
    const { id } = await create(record, all, appointment('greta', 'hugo'))
    await record.shred('greta')
    const hugo = ofPatient('hugo')
    expect((await update(record, hugo, { ...appointment('greta', 'hugo'), id })).version).toBe(2)
    expect((await update(record, hugo, { ...appointment('hugo'), id })).version).toBe(3)
    await expect(update(record, hugo, { ...appointment('greta', 'hugo'), id })).rejects.toMatchObject({
      code: 'record.owner-foreign',
    })
    await expect(update(record, hugo, { ...appointment('hugo', 'fremd'), id })).rejects.toMatchObject({
      code: 'record.owner-foreign',
    })
    expect((await remove(record, hugo, 'Appointment', id))?.version).toBe(4)
  })

  it('cannot be opened with anything that is left of the erased one’s copies', async () => {
    const { record, store, vault } = await house()
    const { id } = await create(record, all, appointment('greta', 'hugo'))
    const copies = (await store.places([vault.locator('Appointment', id)], undefined)).values().next().value ?? []
    expect(copies).toHaveLength(2)
    const { compartment } = (await record.reader(ofPatient('greta')).read('Appointment', id)).holder
    const entries = await store.entriesFrom(compartment, 1, 99)
    await record.shred('greta')
    await expect(vault.compartment(compartment)).rejects.toMatchObject({ code: 'vault.key-destroyed' })
    const others = await Promise.all((await vault.compartments()).map(each => vault.compartment(each.id)))
    for (const entry of entries)
      for (const keys of others)
        expect(() => keys.openEntry({ ...entry, compartment: keys.compartment })).toThrow('vault.seal-broken')
    expect((await record.reader(ofPatient('hugo')).read('Appointment', id)).id).toBe(id)
  })
})
