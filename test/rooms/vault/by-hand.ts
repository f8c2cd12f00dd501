import type { KeyRows, KeyStore, WrappedKey } from '#store'

/** What somebody does who can write to a keystore and has none of its keys. */
export const byHand = {
  async putKeys(keys: KeyStore, ...put: WrappedKey[]): Promise<void> {
    await keys.change({ put: { keys: put } })
  },
  async dropKeys(keys: KeyStore, owner: string, kind?: string): Promise<void> {
    const dropped = (await keys.of(owner)).filter(key => kind === undefined || key.kind === kind)
    await keys.change({ dropped: { keys: dropped } })
  },
  async bury(keys: KeyStore, owner: string): Promise<void> {
    await keys.change({ put: { tombstones: [{ owner, atMs: 1 }] } })
  },
  async setNote(keys: KeyStore, name: string, value: Uint8Array): Promise<void> {
    await keys.change({ put: { notes: [{ name, value }] } })
  },
  async dropNotes(keys: KeyStore, ...notes: string[]): Promise<void> {
    await keys.change({ dropped: { notes } })
  },
  /** All rows, to be put back. */
  async keep(keys: KeyStore): Promise<KeyRows> {
    return { keys: await keys.all(), tombstones: await keys.tombstones(), notes: await keys.notes('') }
  },
  /** All rows that there are go, and these come. */
  async putBack(keys: KeyStore, put: KeyRows): Promise<void> {
    const now = await byHand.keep(keys)
    const dropped = {
      keys: now.keys,
      tombstones: now.tombstones.map(({ owner }) => owner),
      notes: now.notes.map(({ name }) => name),
    }
    await keys.change({ dropped, put })
  },
  /** As an earlier release would have left it: nothing vouches for anything. */
  async unseal(keys: KeyStore): Promise<void> {
    const rows = await byHand.keep(keys)
    const bare = <T extends { readonly mac?: Uint8Array | undefined }>(list: readonly T[]) =>
      list.map(({ mac: _, ...row }) => row as T)
    const notes = bare(rows.notes).filter(({ name }) => name !== 'seal')
    await byHand.putBack(keys, { keys: bare(rows.keys), tombstones: bare(rows.tombstones), notes })
  },
} as const
