import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '#config'
import { silentLog, systemClock } from '#kernel'
import { openMemoryKeys, openMemoryStore } from '#store'
import { canonicalUnit } from '#terminology'
import { openVault, passphraseRoot } from '#vault'
import { checkGone } from '../../../src/commands/erase.ts'
import { openGround } from '../../../src/compose.ts'
import { Remembered } from '../../../src/search/words/remembered.ts'
import { everything, patient, update } from '../record/family.ts'

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

describe('words and units of patients', () => {
  it('are not remembered by a process that has erased one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kinhold-words-'))
    const [KINHOLD_DATA, KINHOLD_KEYS] = [join(folder, 'data'), join(folder, 'keys')]
    const { config } = loadConfig({ KINHOLD_DATA, KINHOLD_KEYS, KINHOLD_RESERVE: '1M' }, { cwd: folder })
    const { record, close } = await openGround(config, { make: true, log: silentLog })
    await update(record, everything(), { ...patient('Amsel'), id: 'anna' })
    const made: string[] = []
    const remembered = new Remembered(2)
    const ask = () => remembered.of('quokka', each => `${each}${made.push(each)}`)
    for (let times = 0; times < 3; times++) ask()
    expect(made).toHaveLength(1)
    const unit = canonicalUnit('mg{quokka}')
    expect(canonicalUnit('mg{quokka}')).toBe(unit)
    await record.shred('anna')
    ask()
    expect(made).toHaveLength(2)
    expect(canonicalUnit('mg{quokka}')).not.toBe(unit)
    await close()
    await rm(folder, { recursive: true })
  })
})
