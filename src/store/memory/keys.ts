import { closedProblem } from '../closed.ts'
import type { KeyStore, WrappedKey } from '../contract.ts'
import { destroyedProblem, existsProblem } from '../key-problems.ts'

const isSame = (a: WrappedKey, b: WrappedKey) => a.owner === b.owner && a.kind === b.kind && a.version === b.version

function copyOf(key: WrappedKey): WrappedKey {
  return { ...key, wrapped: key.wrapped.slice(), params: { ...key.params } }
}

class MemoryKeys implements KeyStore {
  #keys: WrappedKey[] = []
  readonly #tombstones = new Map<string, number>()
  readonly #notes = new Map<string, Uint8Array>()
  #closed = false

  #checkOpen(): void {
    if (this.#closed) throw closedProblem()
  }

  async add(key: WrappedKey): Promise<void> {
    this.#checkOpen()
    this.#keys = this.#withAdded(this.#keys, [key])
  }

  async replace(owner: string, kind: string, keys: readonly WrappedKey[]): Promise<void> {
    this.#checkOpen()
    const others = this.#keys.filter(key => key.owner !== owner || key.kind !== kind)
    this.#keys = this.#withAdded(others, keys)
  }

  #withAdded(present: readonly WrappedKey[], added: readonly WrappedKey[]): WrappedKey[] {
    const all = [...present]
    for (const key of added) {
      if (this.#tombstones.has(key.owner)) throw destroyedProblem()
      if (all.some(other => isSame(other, key))) throw existsProblem()
      all.push(copyOf(key))
    }
    return all
  }

  async of(owner: string): Promise<readonly WrappedKey[]> {
    this.#checkOpen()
    return this.#keys.filter(key => key.owner === owner).map(copyOf)
  }

  async all(): Promise<readonly WrappedKey[]> {
    this.#checkOpen()
    return this.#keys.map(copyOf)
  }

  async destroy(owner: string, atMs: number): Promise<void> {
    this.#checkOpen()
    this.#keys = this.#keys.filter(key => key.owner !== owner)
    if (!this.#tombstones.has(owner)) this.#tombstones.set(owner, atMs)
  }

  async tombstones(): Promise<readonly { readonly owner: string; readonly atMs: number }[]> {
    this.#checkOpen()
    return [...this.#tombstones].map(([owner, atMs]) => ({ owner, atMs }))
  }

  async note(name: string): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    return this.#notes.get(name)?.slice()
  }

  async notes(prefix: string): Promise<ReadonlyMap<string, Uint8Array>> {
    this.#checkOpen()
    return new Map([...this.#notes].filter(([name]) => name.startsWith(prefix)))
  }

  async setNote(name: string, value: Uint8Array): Promise<void> {
    this.#checkOpen()
    this.#notes.set(name, value.slice())
  }

  async setNotes(notes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    this.#checkOpen()
    for (const [name, value] of notes)
      if (value === undefined) this.#notes.delete(name)
      else this.#notes.set(name, value.slice())
  }

  async raiseNotes(notes: ReadonlyMap<string, Uint8Array>): Promise<void> {
    this.#checkOpen()
    for (const [name, value] of notes) {
      const there = this.#notes.get(name)
      if (there === undefined || Buffer.compare(value, there) > 0) this.#notes.set(name, value.slice())
    }
  }

  async keepNote(name: string, value: Uint8Array): Promise<Uint8Array> {
    this.#checkOpen()
    const kept = this.#notes.get(name) ?? value.slice()
    this.#notes.set(name, kept)
    return kept
  }

  async check(): Promise<readonly string[]> {
    this.#checkOpen()
    return []
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

/** A keystore in memory; what it holds is gone with the process. */
export function openMemoryKeys(): KeyStore {
  return new MemoryKeys()
}
