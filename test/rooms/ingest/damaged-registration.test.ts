import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FixedClock, silentLog } from '#kernel'
import { openRecord } from '#record'
import { openMemoryKeys, openMemoryStore } from '#store'
import { fileRoot, openVault } from '#vault'
import { openIngest } from '../../../src/ingest/index.ts'
import { baseUrl, createPatient, everything, found, ofPatient, validator } from './house.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-damaged-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Two patients, and the registration of the second one is damaged before the house is opened. */
async function damagedHouse() {
  const [store, keys] = [openMemoryStore(), openMemoryKeys()]
  const clock = new FixedClock(Date.parse('2026-03-01T10:00:00Z'))
  const vault = await openVault({ keys, root: fileRoot(join(folder, 'root.key')), clock })
  const rooms = { store, vault, clock, log: silentLog, baseUrl }
  const before = await openRecord(rooms)
  const [anna, bert] = [await createPatient(before, {}), await createPatient(before, {})]
  await before.close()
  const key = vault.documentKey('compartments', `patient/${bert}`)
  const row = (await store.documents('compartments', 0)).find(each => each.key === key)
  if (row === undefined) throw new Error('there is no such registration')
  const sealed = row.sealed.map((byte, at) => (at === 50 ? byte ^ 1 : byte)) as typeof row.sealed
  await store.commit({ appends: [], documents: [{ op: 'put', collection: row.collection, key, sealed }] })
  const record = await openRecord(rooms)
  const ingest = openIngest({
    ...{ record, validator, clock, log: silentLog, baseUrl },
    senders: { zone: 'UTC', known: [] },
    spoolFolder: join(folder, 'spool'),
  })
  return { record, ingest, anna }
}

describe('a patient’s registration that is damaged', () => {
  it.each([
    ['of one patient', (id: string) => ofPatient(id)],
    ['of everybody', () => everything()],
  ])('fails no import into another patient’s record, under a token %s', async (_, grantFor) => {
    const { record, ingest, anna } = await damagedHouse()
    await expect(record.allPatients()).rejects.toMatchObject({ code: 'record.registration-broken' })
    const heartRate = { resourceType: 'Observation', status: 'final', code: { text: 'pulse' }, valueString: 'x' }
    const body = (async function* () {
      yield Buffer.from(`${JSON.stringify({ ...heartRate, subject: { reference: `Patient/${anna}` } })}\n`)
    })()
    const job = await ingest.start({ grant: grantFor(anna), patient: anna, body })
    await job.done
    expect([job.state, job.problem]).toEqual(['done', undefined])
    expect(await found(record, 'Observation', `patient=${anna}`, ofPatient(anna))).toHaveLength(1)
    await record.close()
  })
})
