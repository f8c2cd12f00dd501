import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import type { Record } from '#record'
import { type KeyStore, openMemoryKeys, openSqliteStore } from '#store'
import { cutNewest } from '../../journeys/rollback/rows.ts'
import { create, everything, grantOf, heartRate, ofPatient, openTestRecord, patient } from './family.ts'

const all = everything()
const lost = 'record.rolled-back'
const unknown = 'record.unknown'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinhold-absences-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Keys of which the heads of all ledgers come late; a single one does not. */
function slowOnes(keys: KeyStore, come: Promise<void> | undefined): KeyStore {
  return new Proxy(keys, {
    get: (of, name) => {
      const member = Reflect.get(of, name)
      if (name === 'notes')
        return async (prefix: string) => {
          if (prefix === 'head:') await come
          return keys.notes(prefix)
        }
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
}

/** Two people and what is nobody's; of a ledger the newest entry is cut off while nobody has it open, as a log whose end cannot be read does. */
async function cutOff(which: 'amsel' | 'commons', notes: { readonly come?: Promise<void> } = {}) {
  const path = join(folder, 'store.sqlite')
  const keys = openMemoryKeys()
  const store = await openSqliteStore({ path })
  const { record } = await openTestRecord(store, keys)
  const amsel = await create(record, all, patient('Amsel'))
  const drossel = await create(record, all, patient('Drossel'))
  const kept = await create(record, all, heartRate(amsel.id, 60))
  await create(record, all, heartRate(drossel.id, 60))
  const last =
    which === 'amsel'
      ? await create(record, all, heartRate(amsel.id, 61))
      : await create(record, all, { resourceType: 'Organization', name: 'Clinic' })
  await record.close()
  await store.close()
  cutNewest(path, last.holder.compartment)
  const opened = await openSqliteStore({ path })
  const { record: again } = await openTestRecord(opened, slowOnes(keys, notes.come))
  return { record: again, store: opened, amsel, drossel, kept, last }
}

const codeOf = (told: Promise<unknown>) => told.then(() => 'found').catch(({ code }) => code)

/** What is told of something, whichever way it is asked for. */
async function told(record: Record, grant: Grant, type: string, id: string): Promise<string[]> {
  const reader = record.reader(grant)
  const asked = [reader.read(type, id), reader.vread(type, id, '1'), reader.history({ type, id, count: 10 })] as const
  return Promise.all(asked.map(codeOf))
}

const each = (code: string) => [code, code, code]

describe('what is not found while a ledger shows less than was written – https://hl7.org/fhir/R4/http.html#read', () => {
  it('is not told to be unknown to whoever reaches that ledger, from the first request on', async () => {
    const { record, store, amsel, drossel, kept, last } = await cutOff('amsel')
    expect(await told(record, all, 'Observation', last.id)).toEqual(each(lost))
    expect(await told(record, ofPatient(amsel.id), 'Observation', last.id)).toEqual(each(lost))
    // Whether it ever was cannot be said of anything that might have lain there.
    expect(await told(record, all, 'Observation', 'never-was')).toEqual(each(lost))
    expect(await told(record, all, 'Observation', kept.id)).toEqual(each(lost))
    // Others are not told of it.
    expect(await told(record, ofPatient(drossel.id), 'Observation', last.id)).toEqual(each(unknown))
    await record.close()
    await store.close()
  })

  it('is told alike whether it is there or not to a grant that may not see it', async () => {
    const { record, store, amsel, kept } = await cutOff('amsel')
    const laboratory = 'patient/Observation.rs?category=laboratory'
    const grant = grantOf(laboratory, { patients: [amsel.id], patient: amsel.id })
    const [there, never] = [
      await told(record, grant, 'Observation', kept.id),
      await told(record, grant, 'Observation', 'no'),
    ]
    expect(there).toEqual(never)
    await record.close()
    await store.close()
  })

  it('is told only of the types that are nobody’s where one of their ledgers was cut', async () => {
    const { record, store, amsel, last } = await cutOff('commons')
    expect(await told(record, all, 'Organization', last.id)).toEqual(each(lost))
    expect(await told(record, ofPatient(amsel.id), 'Observation', 'never-was')).toEqual(each(unknown))
    await record.close()
    await store.close()
  })

  it('is told before the start has come to that ledger, and others do not wait for the start', async () => {
    const start = Promise.withResolvers<void>()
    const { record, store, amsel, drossel, last } = await cutOff('amsel', { come: start.promise })
    expect(await told(record, ofPatient(amsel.id), 'Observation', last.id)).toEqual(each(lost))
    expect(await told(record, ofPatient(drossel.id), 'Observation', last.id)).toEqual(each(unknown))
    start.resolve()
    expect(await told(record, all, 'Observation', last.id)).toEqual(each(lost))
    await record.close()
    await store.close()
  })
})
