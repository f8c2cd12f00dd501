import { FixedClock } from '#kernel'
import { openMemoryKeys, openMemoryStore } from '#store'
import { openDocuments, openVault, passphraseRoot } from '#vault'
import { commonsKey, fingerprintKey, forgetFingerprintKey } from '../../../src/ingest/keys.ts'

async function openShelf() {
  const store = openMemoryStore()
  const clock = new FixedClock(1_000)
  const vault = await openVault({ keys: openMemoryKeys(), root: passphraseRoot('a passphrase of a test'), clock })
  return { store, documents: openDocuments(store, vault, clock) }
}

describe('the secret of import ids', () => {
  it('is made once for each owner, also by many at once, and anew after it was forgotten', async () => {
    const { documents } = await openShelf()
    const keys = await Promise.all(Array.from({ length: 8 }, () => fingerprintKey(documents, 'anna')))
    const texts = (of: readonly Uint8Array[]) => new Set(of.map(key => Buffer.from(key).toString('hex')))
    expect(texts(keys).size).toBe(1)
    expect(texts([...keys, await fingerprintKey(documents, commonsKey)]).size).toBe(2)
    await forgetFingerprintKey(documents, 'anna')
    expect(texts([...keys, await fingerprintKey(documents, 'anna')]).size).toBe(2)
  })

  it('is not waited for in vain: ingest.failed', async () => {
    const { store, documents } = await openShelf()
    store.commit = async () => ({ ok: false, heads: [], locators: [], documents: ['ingest-keys'] })
    await expect(fingerprintKey(documents, 'anna')).rejects.toMatchObject({ kind: 'fault', code: 'ingest.failed' })
  })
})
