import { giveWay } from '#kernel'
import type { KeyRows, KeyStore, Note, Tombstone, WrappedKey } from '#store'
import type { KeyVersions } from '../ring.ts'
import { exchanged } from '../set-digest.ts'
import { Draft } from './draft.ts'
import { type Examined, examine, faultOf } from './examination.ts'
import { type Seal, SealKey, sealName, type WholeFault } from './seal.ts'
import { type KeyRow, Vouching } from './vouching.ts'
import { type Outcome, outcomesOf, untilWon, type Write, type WriteKind, Writes } from './writes.ts'

/** What stands in a note, or that it is not what was written there. */
export type Noted = Uint8Array | 'forged'

/** What is wrong with a keystore as a whole. */
export type KeystoreFault = WholeFault | 'incomplete'

/** A tombstone, and whether it was written here. One that was not says nothing: neither that a key is destroyed nor that it is not. */
export interface Buried extends Tombstone {
  readonly isOurs: boolean
}

/**
 * The keystore of one instance: whatever is in it was written here, and is all that was. Each row is vouched for by a MAC over its
 * place and content, and all of them together by the seal, a note with the digest of the set that is written in the same transaction
 * as they are.
 */
export interface Keystore {
  /** Adds keys; concurrent calls share one flush. @throws Problem `conflict` · `keys.exists`; `gone` · `keys.destroyed` */
  add(key: WrappedKey): Promise<void>
  /** Replaces all keys of an owner and kind by these, atomically. Throws like `add`. */
  replace(owner: string, kind: string, keys: readonly WrappedKey[]): Promise<void>
  of(owner: string): Promise<readonly WrappedKey[]>
  /** The keys of several owners, some hundreds at most. */
  ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]>
  all(): Promise<readonly WrappedKey[]>
  /** Deletes every key of an owner and leaves a tombstone, atomically. */
  destroy(owner: string, atMs: number): Promise<void>
  tombstones(): Promise<readonly Buried[]>
  note(name: string): Promise<Noted | undefined>
  /** All notes whose name begins so. */
  notes(prefix: string): Promise<ReadonlyMap<string, Noted>>
  /** Several notes at once, with one flush of the disk; undefined removes. */
  setNotes(notes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void>
  /** Writes each unless there is one that is the same or greater, byte for byte, or is forged: what only rises is never set back. */
  raiseNotes(notes: ReadonlyMap<string, Uint8Array>): Promise<void>
  /** Writes a note unless there is one, and resolves to the one that is there then: of several who try, all get the same. */
  keepNote(name: string, value: Uint8Array): Promise<Noted>

  /** How many changes there ever were, as far as is known to be durable; 0 before the keystore is sealed. */
  readonly generation: number
  /** The same at the last change by this process that somebody else should know of. */
  readonly notable: number
  /** There were at least so many changes: somebody else has written that down. */
  expect(generation: number): void
  /** Whether there is no seal, as an earlier release has left it. */
  isUnsealed(): Promise<boolean>
  /** What the last examination has found. */
  readonly fault: KeystoreFault | undefined
  readonly forged: readonly KeyRow[]
  /** Goes through every row. @returns how many there are */
  examine(): Promise<number>
  /**
   * Takes what there is for all that was written, and seals it. What an earlier release has left is vouched for from now on; else
   * forged tombstones and notes are left out.
   *
   * @returns what was left out
   */
  takeAsItIs(): Promise<readonly KeyRow[]>
  /** Structural faults of the file. */
  check(): Promise<readonly string[]>
  /** Another number after somebody else has written. */
  othersMark(): Promise<number>
}

class GuardedKeystore implements Keystore {
  readonly #keys: KeyStore
  readonly #vouching: Vouching
  readonly #sealKey: SealKey
  readonly #writes = new Writes((writes, kind) => this.#tryWrite(writes, kind))
  #generation = 0
  #notable = 0
  #fault: KeystoreFault | undefined
  #forged: readonly KeyRow[] = []

  constructor(keys: KeyStore, instance: KeyVersions) {
    this.#keys = keys
    this.#vouching = new Vouching(instance)
    this.#sealKey = new SealKey(instance)
  }

  of(owner: string): Promise<readonly WrappedKey[]> {
    return this.#keys.of(owner)
  }

  ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]> {
    return this.#keys.ofEach(owners)
  }

  all(): Promise<readonly WrappedKey[]> {
    return this.#keys.all()
  }

  async tombstones(): Promise<readonly Buried[]> {
    const isSealed = await this.#isSealed()
    const buried: Buried[] = []
    // They only become more, and each takes a MAC: others have their turns in between.
    for (const tombstone of await this.#keys.tombstones()) {
      buried.push({ ...tombstone, isOurs: !isSealed || this.#vouching.isOurs(tombstone) })
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    return buried
  }

  async note(name: string): Promise<Noted | undefined> {
    const note = await this.#keys.note(name)
    return note && this.#noted(note, await this.#isSealed())
  }

  async notes(prefix: string): Promise<ReadonlyMap<string, Noted>> {
    const isSealed = await this.#isSealed()
    const noted = new Map<string, Noted>()
    // One for each ledger there is, each of which takes a MAC.
    for (const note of await this.#keys.notes(prefix)) {
      if (note.name !== sealName) noted.set(note.name, this.#noted(note, isSealed))
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    return noted
  }

  #noted(note: Note, isSealed: boolean): Noted {
    return !isSealed || this.#vouching.isOurs(note) ? note.value : 'forged'
  }

  async #isSealed(): Promise<boolean> {
    return !(await this.isUnsealed())
  }

  async isUnsealed(): Promise<boolean> {
    return this.#generation === 0 && (await this.#keys.note(sealName)) === undefined
  }

  // -- writing

  add(key: WrappedKey): Promise<void> {
    return this.#writes.put('new', draft => draft.add([key]))
  }

  replace(owner: string, kind: string, keys: readonly WrappedKey[]): Promise<void> {
    return this.#writes.put('urgent', async draft => {
      const before = (await draft.keysOf(owner)).filter(key => key.kind === kind)
      await draft.add(keys, before)
    })
  }

  async destroy(owner: string, atMs: number): Promise<void> {
    await this.#writes.put('urgent', async draft => {
      for (const key of await draft.keysOf(owner)) draft.drop(key)
      const before = await draft.tombstone(owner)
      if (before === undefined || !this.#isSound(before)) draft.put({ owner, atMs })
    })
    await this.#keys.scrub()
  }

  setNotes(notes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    return this.#writes.put('urgent', async draft => {
      for (const [name, value] of notes) {
        const before = await draft.note(name)
        if (value !== undefined) draft.put({ name, value })
        else if (before !== undefined) draft.drop(before)
      }
    })
  }

  raiseNotes(notes: ReadonlyMap<string, Uint8Array>): Promise<void> {
    return this.#writes.put('rises', async draft => {
      for (const [name, value] of notes) {
        const before = await draft.note(name)
        if (before === undefined || (this.#isSound(before) && Buffer.compare(value, before.value) > 0))
          draft.put({ name, value })
      }
    })
  }

  keepNote(name: string, value: Uint8Array): Promise<Noted> {
    return this.#writes.put('urgent', async draft => {
      const before = await draft.note(name)
      if (before === undefined) draft.put({ name, value })
      return before === undefined || this.#isSound(before) ? (before?.value ?? value) : 'forged'
    })
  }

  /** While something is written it is known whether there is a seal. */
  #isSound(row: Tombstone | Note): boolean {
    return this.#generation === 0 || this.#vouching.isOurs(row)
  }

  async #tryWrite(writes: readonly Write[], kind: WriteKind): Promise<readonly Outcome[] | undefined> {
    const before = (await this.#keys.note(sealName))?.value
    await this.#settled(before)
    const seal = this.#goingOnFrom(before)
    const draft = new Draft(this.#keys, this.#vouching, seal !== undefined)
    const outcomes = await outcomesOf(writes, draft)
    if (draft.isEmpty) return outcomes
    const next = seal && { ...seal, generation: seal.generation + 1, digest: draft.digestAfter(seal.digest) }
    const ifNote = { name: sealName, value: before }
    const manner = { urgent: kind !== 'new', unhurried: kind === 'rises' }
    const change = { ...draft.changeWith(next && this.#noteOf(next)), ifNote, ...manner }
    if (!(await this.#keys.change(change))) return undefined
    if (next !== undefined) this.expect(next.generation)
    if (kind !== 'rises') this.#notable = this.#generation
    return outcomes
  }

  /** Another process may have raised notes a moment ago: how often anything was written is told elsewhere once it is durable. */
  async #settled(sealBytes: Uint8Array | undefined): Promise<void> {
    const seal = sealBytes && this.#sealKey.open(sealBytes)
    if (seal !== undefined && seal.generation > this.#generation) await this.#keys.durable()
  }

  /** A seal that is gone, not ours, or was put back is gone on from, and says so for good: what is written must not hide it. */
  #goingOnFrom(bytes: Uint8Array | undefined): Seal | undefined {
    if (bytes === undefined && this.#generation === 0) return undefined
    const seal = bytes && this.#sealKey.open(bytes)
    if (seal === undefined) return { generation: this.#generation, digest: 0n, fault: 'unsealed' }
    if (seal.generation < this.#generation)
      return { ...seal, generation: this.#generation, fault: seal.fault ?? 'older' }
    this.expect(seal.generation)
    return seal
  }

  #noteOf(seal: Seal): Note {
    return { name: sealName, value: this.#sealKey.close(seal) }
  }

  // -- all rows together

  get generation(): number {
    return this.#generation
  }

  get notable(): number {
    return this.#notable
  }

  get fault(): KeystoreFault | undefined {
    return this.#fault
  }

  get forged(): readonly KeyRow[] {
    return this.#forged
  }

  expect(generation: number): void {
    this.#generation = Math.max(this.#generation, generation)
  }

  async examine(): Promise<number> {
    if (await this.isUnsealed()) return 0
    const least = this.#generation
    const examined = await this.#examined()
    await this.#settled(examined.sealBytes)
    this.#fault = faultOf(examined, least)
    this.#forged = examined.forged
    if (this.#fault === undefined) this.expect(examined.seal?.generation ?? 0)
    return examined.rows
  }

  #examined(): Promise<Examined> {
    return examine(this.#keys, this.#vouching, this.#sealKey)
  }

  takeAsItIs(): Promise<readonly KeyRow[]> {
    return untilWon(async () => {
      const { seal, sealBytes, isVouched } = await this.#examined()
      const isOld = seal === undefined && !isVouched
      const draft = new Draft(this.#keys, this.#vouching, true)
      const left: KeyRow[] = []
      for await (const rows of this.#keys.everything()) left.push(...draft.takeIn(rows, isOld))
      const generation = Math.max(seal?.generation ?? 0, this.#generation) + 1
      const change = draft.changeWith(this.#noteOf({ generation, digest: draft.digest }))
      const done = await this.#keys.change({ ...change, ifNote: { name: sealName, value: sealBytes }, urgent: true })
      if (!done) return undefined
      this.expect(generation)
      await this.examine()
      return left
    })
  }

  check(): Promise<readonly string[]> {
    return this.#keys.check()
  }

  othersMark(): Promise<number> {
    return this.#keys.othersMark()
  }
}

/** The keystore of an instance that was opened. */
export function guardKeystore(keys: KeyStore, instance: KeyVersions): Keystore {
  return new GuardedKeystore(keys, instance)
}

/** What an instance begins with: its first rows, all that there are. */
export function firstRows(instance: KeyVersions, key: WrappedKey, note: Note): Pick<KeyRows, 'keys' | 'notes'> {
  const [vouching, sealKey] = [new Vouching(instance), new SealKey(instance)]
  const digest = exchanged(vouching.elementOf(key), undefined, vouching.elementOf(note))
  const seal = { name: sealName, value: sealKey.close({ generation: 1, digest }) }
  return { keys: [vouching.vouchedFor(key)], notes: [vouching.vouchedFor(note), seal] }
}
