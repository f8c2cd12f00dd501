import { systemClock } from '#kernel'
import { openMemoryKeys, openMemoryStore } from '#store'
import { openVault, passphraseRoot } from '#vault'
import { checkGone } from '../../../src/commands/erase.ts'

describe('what an erasure leaves', () => {
  it('is named when it is a key, or something that the key sealed: command.erase-incomplete', async () => {
    const [keys, store] = [openMemoryKeys(), openMemoryStore()]
    const vault = await openVault({ keys, root: passphraseRoot('a passphrase of many words'), clock: systemClock })
    const patient = await vault.createCompartment('patient')
    const tombstones = [{ owner: patient.compartment, atMs: 0 }]
    const incomplete = { code: 'command.erase-incomplete' }
    await expect(checkGone({ keys, store }, tombstones)).rejects.toMatchObject(incomplete)
    const at = { locator: 'a'.repeat(32), version: 1, seq: 1 }
    const entry = { compartment: patient.compartment, ...at, sealed: patient.sealEntry(Buffer.from('{}'), at) }
    await store.commit({ appends: [{ compartment: patient.compartment, expectedHead: 0, entries: [entry] }] })
    await vault.destroy(patient.compartment)
    await expect(checkGone({ keys, store }, tombstones)).rejects.toMatchObject(incomplete)
    await store.dropCompartment(patient.compartment)
    await checkGone({ keys, store }, tombstones)
    await checkGone({ keys, store }, [])
  })
})
