import { closedProblem } from '../closed.ts'
import type { KeyRows, KeyStore, KeysChange, Note, Tombstone, WrappedKey } from '../contract.ts'

const nameOf = ({ owner, kind, version }: Pick<WrappedKey, 'owner' | 'kind' | 'version'>): string =>
  `${owner} ${kind} ${version}`

const bytesOf = (bytes: Uint8Array | undefined): Uint8Array | undefined => bytes && Uint8Array.from(bytes)

const vouchedFor = (mac: Uint8Array | undefined) => (mac === undefined ? {} : { mac: Uint8Array.from(mac) })

function copyOfKey({ owner, kind, version, wrapped, params, mac }: WrappedKey): WrappedKey {
  return { owner, kind, version, wrapped: Uint8Array.from(wrapped), params: { ...params }, ...vouchedFor(mac) }
}

function copyOfNote({ name, value, mac }: Note): Note {
  return { name, value: Uint8Array.from(value), ...vouchedFor(mac) }
}

const copyOfTombstone = ({ owner, atMs, mac }: Tombstone): Tombstone => ({ owner, atMs, ...vouchedFor(mac) })

class MemoryKeys implements KeyStore {
  readonly #keys = new Map<string, WrappedKey>()
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #notes = new Map<string, Note>()
  #mark = 0
  #closed = false

  #checkOpen(): void {
    if (this.#closed) throw closedProblem()
  }

  async change({ ifNote, dropped = {}, put = {} }: KeysChange): Promise<boolean> {
    this.#checkOpen()
    if (ifNote !== undefined && !isSame(this.#notes.get(ifNote.name)?.value, bytesOf(ifNote.value))) return false
    for (const key of dropped.keys ?? []) this.#keys.delete(nameOf(key))
    for (const owner of dropped.tombstones ?? []) this.#tombstones.delete(owner)
    for (const name of dropped.notes ?? []) this.#notes.delete(name)
    for (const key of put.keys ?? []) this.#keys.set(nameOf(key), copyOfKey(key))
    for (const tombstone of put.tombstones ?? []) this.#tombstones.set(tombstone.owner, copyOfTombstone(tombstone))
    for (const note of put.notes ?? []) this.#notes.set(note.name, copyOfNote(note))
    this.#mark++
    return true
  }

  async durable(): Promise<void> {
    this.#checkOpen()
  }

  async of(owner: string): Promise<readonly WrappedKey[]> {
    return (await this.all()).filter(key => key.owner === owner)
  }

  async ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]> {
    const asked = new Set(owners)
    return (await this.all()).filter(key => asked.has(key.owner))
  }

  async all(): Promise<readonly WrappedKey[]> {
    this.#checkOpen()
    return [...this.#keys.values()].map(copyOfKey)
  }

  async tombstone(owner: string): Promise<Tombstone | undefined> {
    this.#checkOpen()
    return this.#tombstones.get(owner)
  }

  async tombstones(): Promise<readonly Tombstone[]> {
    this.#checkOpen()
    return [...this.#tombstones.values()].map(copyOfTombstone)
  }

  async note(name: string): Promise<Note | undefined> {
    this.#checkOpen()
    const note = this.#notes.get(name)
    return note && copyOfNote(note)
  }

  async notes(prefix: string): Promise<readonly Note[]> {
    this.#checkOpen()
    return [...this.#notes.values()].filter(({ name }) => name.startsWith(prefix)).map(copyOfNote)
  }

  async *everything(): AsyncIterable<KeyRows> {
    const [keys, tombstones, notes] = await Promise.all([this.all(), this.tombstones(), this.notes('')])
    yield { keys, tombstones, notes }
  }

  /** Several may share it: what another one has written cannot be told from what this one has. */
  async othersMark(): Promise<number> {
    this.#checkOpen()
    return this.#mark
  }

  async scrub(): Promise<void> {
    this.#checkOpen()
  }

  async check(): Promise<readonly string[]> {
    this.#checkOpen()
    return []
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : Buffer.from(one).equals(other)
}

/** A keystore in memory; what it holds is gone with the process. */
export function openMemoryKeys(): KeyStore {
  return new MemoryKeys()
}
