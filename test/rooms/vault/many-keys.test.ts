import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KeyStore, openMemoryKeys, openSqliteKeys } from '#store'
import { metWhile, mostMetMs } from '../../turns.ts'
import { newVault } from './arrange.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-many-keys-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** As many as ten thousand patients have. */
const ledgers = 20_000
const owners = Array.from({ length: ledgers }, (_, at) => at.toString(16).padStart(32, '0'))

const keystores: [string, () => Promise<KeyStore>][] = [
  ['memory', async () => openMemoryKeys()],
  ['sqlite', () => openSqliteKeys({ path: join(folder, 'keys.sqlite') })],
]

describe.each(keystores)('what goes through all rows of a keystore of many patients, in %s', (_, open) => {
  it('lets others have their turns', async () => {
    const keys = await open()
    const vault = await newVault(keys)
    await vault.keys.setNotes(new Map(owners.map(owner => [`head:${owner}`, new Uint8Array(16)])))
    await keys.change({
      put: {
        keys: owners.map(owner => ({ owner, kind: 'patient', version: 1, wrapped: new Uint8Array(40), params: {} })),
      },
    })
    const looks: Record<string, () => Promise<unknown>> = {
      notes: () => vault.keys.notes('head:'),
      examine: () => vault.keys.examine(),
      ...(_ === 'memory' ? {} : { keys: () => vault.keys.all() }),
    }
    for (const [name, look] of Object.entries(looks))
      expect([name, (await metWhile(look)).metMs < mostMetMs]).toEqual([name, true])
    expect((await vault.keys.notes('head:')).size).toBe(ledgers)
    await vault.close()
    await keys.close()
  })
})
