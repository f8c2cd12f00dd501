import { silentLog } from '#kernel'
import { openRecord } from '#record'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import type { Vault } from '#vault'
import { baseUrl, create, everything, heartRate, ofPatient, openTestRecord, patient } from './family.ts'

/** A store that answers wider than it was asked: what a mistake in it, or whoever can write to it, could bring about. */
function careless(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'newest') return (locator: string) => target.newest(locator, undefined)
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** A vault that remembers whose keys it was asked for. */
function watched(vault: Vault): { vault: Vault; asked: Set<string> } {
  const asked = new Set<string>()
  const watching = new Proxy(vault, {
    get: (target, name) => {
      if (name === 'compartment')
        return (id: string) => {
          asked.add(id)
          return target.compartment(id)
        }
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { vault: watching, asked }
}

describe('the key is the compartment', () => {
  it('of a patient out of reach is not asked for, even when the store answers with a row of theirs', async () => {
    const all = everything()
    const { record, store, keys, vault, clock } = await openTestRecord(openMemoryStore(), openMemoryKeys())
    const amsel = await create(record, all, patient('Amsel'))
    const drossel = await create(record, all, patient('Drossel'))
    const own = await create(record, all, heartRate(amsel.id, 60))
    const secret = await create(record, all, heartRate(drossel.id, 140))
    const { vault: watching, asked } = watched(vault)
    const rooms = { store: careless(store), keys, vault: watching, clock, log: silentLog, baseUrl }
    const reader = (await openRecord(rooms)).reader(ofPatient(amsel.id))
    await expect(reader.read('Observation', secret.id)).rejects.toMatchObject({ code: 'record.unknown' })
    expect((await reader.read('Observation', own.id)).id).toBe(own.id)
    expect(asked.has(amsel.holder.compartment)).toBe(true)
    expect(asked.has(drossel.holder.compartment)).toBe(false)
  })
})
