import { type Clock, giveWay, isProblem, Problem, randomId16 } from '#kernel'
import type { CompartmentId, WrappedKey } from '#store'
import { type CompartmentKeys, type CompartmentKind, compartmentKeys } from './compartment-keys.ts'
import { newCompartmentRow, unwrapCompartment } from './compartment-rows.ts'
import { KeyCache } from './key-cache.ts'
import type { Buried, Keystore } from './keystore/keystore.ts'
import { KeyVersions } from './ring.ts'

/** About what an unwrapped key takes in memory with all that is derived from it. */
const bytesOfKey = 4 * 1024
const idleMs = 600_000
/** How soon it is seen that another process has destroyed a key, by whoever asks for keys. */
const seenWithinMs = 60_000
/** Who asks only whether any was destroyed waits so long, for each tombstone, before they are read again: about a twentieth of the time. */
const restMsPerTombstone = 0.2
/** Compartments whose keys are read together. */
const readAtOnce = 128
const compartmentId = /^[0-9a-f]{32}$/

/** A compartment that is in memory only: what is sealed for it can be opened in this process while it is planned. */
export interface PlannedCompartment {
  readonly compartment: CompartmentId
  /** Makes the key durable; to be done before anything that it sealed is. Once is enough. */
  keep(): Promise<void>
  /** Forgets the key, unless it was kept. */
  forget(): void
  /** Removes the key, kept or not: nothing that it sealed became durable. */
  takeBack(): Promise<void>
}

/** The compartments of one keystore: their keys are made, unwrapped, kept while they are used, and destroyed here. */
export class Compartments {
  readonly #store: Keystore
  readonly #clock: Clock
  readonly #instance: KeyVersions
  readonly #cache: KeyCache<CompartmentKeys>
  readonly #forgotten: () => void
  readonly #planned = new Map<CompartmentId, CompartmentKeys>()
  readonly #destroyed = new Set<CompartmentId>()
  /** Of which a tombstone that is not ours says that they are destroyed. */
  #doubtful: ReadonlySet<CompartmentId> = new Set()
  #tombstonesReadAtMs = Number.NEGATIVE_INFINITY
  /** What others had written to the keystore by when it was asked whether they destroyed anything, and when to ask again. */
  #heard: { readonly mark?: number; readonly untilMs: number } = { untilMs: Number.NEGATIVE_INFINITY }
  #closed = false

  /**
   * @param keyBytes   what the unwrapped keys may take in memory
   * @param forgotten  called when a key was destroyed, and when none is in use any more
   */
  constructor(
    store: Keystore,
    clock: Clock,
    instance: KeyVersions,
    { keyBytes, forgotten }: { readonly keyBytes: number; forgotten(): void },
  ) {
    this.#forgotten = forgotten
    this.#store = store
    this.#clock = clock
    this.#instance = instance
    this.#cache = new KeyCache(clock, Math.ceil(keyBytes / bytesOfKey), idleMs, { emptied: forgotten })
  }

  async create(kind: CompartmentKind): Promise<CompartmentKeys> {
    this.checkOpen()
    const id = randomId16().toString('hex')
    const { row, key } = await newCompartmentRow(this.#instance, id, kind, 1)
    await this.#store.add(row)
    return this.#keep(new KeyVersions(this.#instance.instanceId, id, new Map([[1, key]])))
  }

  /** Keys that leave nothing behind unless they are kept. */
  async plan(kind: CompartmentKind): Promise<PlannedCompartment> {
    this.checkOpen()
    const id = randomId16().toString('hex')
    const { row, key } = await newCompartmentRow(this.#instance, id, kind, 1)
    const versions = new KeyVersions(this.#instance.instanceId, id, new Map([[1, key]]))
    this.#planned.set(id, this.#usable(versions))
    let keeping: Promise<void> | undefined
    const keep = async () => {
      await this.#store.add(row)
      this.#keep(versions)
      this.#planned.delete(id)
    }
    return {
      compartment: id,
      keep: () => (keeping ??= keep()),
      forget: () => void (keeping === undefined && this.#planned.delete(id)),
      takeBack: async () => {
        this.#planned.delete(id)
        if (keeping !== undefined) await this.discard(id)
      },
    }
  }

  async of(id: CompartmentId): Promise<CompartmentKeys> {
    return this.atHand(id) ?? (await this.#stillKept(id)) ?? this.#load(id)
  }

  /** Keys of many, or why there are none; those that are not kept already are not kept for this, so that they push out no others. */
  async ofMany(ids: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, CompartmentKeys | Problem>> {
    this.checkOpen()
    await this.#readTombstones()
    const found = new Map<CompartmentId, CompartmentKeys | Problem>()
    for (let at = 0; at < ids.length; at += readAtOnce) {
      const some = ids.slice(at, at + readAtOnce)
      const rows = await this.#rowsOf(some.filter(id => this.atHand(id) === undefined))
      for (const id of some) {
        found.set(id, await this.#inPassing(id, rows.get(id) ?? []))
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
    }
    return found
  }

  async #rowsOf(ids: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, readonly WrappedKey[]>> {
    const asked = ids.filter(id => this.#isAlive(id))
    return Map.groupBy(asked.length === 0 ? [] : await this.#store.ofEach(asked), ({ owner }) => owner)
  }

  async #inPassing(id: CompartmentId, rows: readonly WrappedKey[]): Promise<CompartmentKeys | Problem> {
    try {
      return this.atHand(id) ?? this.#usable(this.#unwrap(id, await this.#checkRows(id, rows)))
    } catch (error) {
      if (isProblem(error)) return error
      throw error
    }
  }

  /** The keys that are kept already, if it was seen lately that nobody has destroyed them. */
  atHand(id: CompartmentId): CompartmentKeys | undefined {
    this.checkOpen()
    return this.#planned.get(id) ?? (this.#isInTime() ? this.#cache.get(id) : undefined)
  }

  async #stillKept(id: CompartmentId): Promise<CompartmentKeys | undefined> {
    await this.#readTombstones()
    return this.#cache.get(id)
  }

  #isInTime(): boolean {
    return Math.abs(this.#clock.nowMs() - this.#tombstonesReadAtMs) < seenWithinMs
  }

  /** Adds a version of the key, which seals from now on; what older versions sealed stays readable. */
  async renew(id: CompartmentId): Promise<CompartmentKeys> {
    const rows = await this.#rows(id)
    const newest = Math.max(...rows.map(row => row.version))
    const kind = rows[0]?.kind as CompartmentKind
    const { row } = await newCompartmentRow(this.#instance, id, kind, newest + 1)
    await this.#store.add(row)
    return this.#load(id)
  }

  /** How many versions of a key there are; more than one while a renewal is under way. */
  async versions(id: CompartmentId): Promise<number> {
    return (await this.#rows(id)).length
  }

  /** Destroys every version of a key but the newest: nothing must be left that an older one has sealed. */
  async retire(id: CompartmentId): Promise<void> {
    const rows = await this.#rows(id)
    const newest = Math.max(...rows.map(row => row.version))
    await this.#store.replace(
      id,
      rows[0]?.kind ?? '',
      rows.filter(row => row.version === newest),
    )
    this.#cache.drop(id)
  }

  /** Removes the keys of a compartment that never came to be; no tombstone is left of what nobody was. */
  async discard(id: CompartmentId): Promise<void> {
    this.checkOpen()
    for (const kind of new Set((await this.#store.of(id)).map(row => row.kind))) await this.#store.replace(id, kind, [])
    this.#bury(id)
  }

  async list(): Promise<readonly { id: CompartmentId; kind: string }[]> {
    this.checkOpen()
    await this.#readTombstones('now')
    const kinds = new Map<CompartmentId, string>()
    for (const row of await this.#store.all()) if (this.#isAlive(row.owner)) kinds.set(row.owner, row.kind)
    return [...kinds].map(([id, kind]) => ({ id, kind }))
  }

  async destroy(id: CompartmentId): Promise<void> {
    this.checkOpen()
    if (!compartmentId.test(id))
      throw new Problem('invalid', 'vault.compartment-malformed', 'This is not the id of a compartment.')
    await this.#store.destroy(id, this.#clock.nowMs())
    this.#bury(id)
    this.#forgotten()
  }

  /** Whether its key was destroyed, in whatever process: only a tombstone says so. */
  async isDestroyed(id: CompartmentId): Promise<boolean> {
    if (!this.#destroyed.has(id)) await this.#readTombstones('now')
    return this.#destroyed.has(id)
  }

  /** Whether that is known without asking the keystore. */
  wasDestroyed(id: CompartmentId): boolean {
    return this.#destroyed.has(id)
  }

  /**
   * To be called now and then: learns which keys other processes have destroyed, if any other has written to the keystore since the
   * last time. Where there are very many tombstones it is not done each time.
   */
  async hearOfDestroyed(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs < this.#heard.untilMs) return
    const mark = await this.#store.othersMark()
    if (mark === this.#heard.mark) return
    const count = await this.#readTombstones('now')
    this.#heard = { mark, untilMs: nowMs + count * restMsPerTombstone }
  }

  /** Destroys again what a restored, older keystore has brought back to life. */
  async replayTombstones(): Promise<void> {
    const tombstones = (await this.#store.tombstones()).filter(({ isOurs }) => isOurs)
    if (tombstones.length === 0) return
    const owners = new Set((await this.#store.all()).map(row => row.owner))
    for (const { owner, atMs } of tombstones) if (owners.has(owner)) await this.#store.destroy(owner, atMs)
  }

  checkOpen(): void {
    if (this.#closed) throw new Problem('fault', 'vault.closed', 'The vault is closed.')
  }

  close(): void {
    this.#closed = true
    this.#cache.clear()
    this.#planned.clear()
  }

  async #load(id: CompartmentId): Promise<CompartmentKeys> {
    return this.#keep(await this.#unwrapped(id))
  }

  async #unwrapped(id: CompartmentId): Promise<KeyVersions> {
    return this.#unwrap(id, await this.#rows(id))
  }

  #unwrap(id: CompartmentId, rows: readonly WrappedKey[]): KeyVersions {
    const versions = unwrapCompartment(this.#instance, id, rows)
    this.#checkUsable(id) // It may have been destroyed while its key was being read.
    return versions
  }

  async #rows(id: CompartmentId): Promise<readonly WrappedKey[]> {
    this.checkOpen()
    await this.#readTombstones()
    return this.#checkRows(id, this.#isAlive(id) ? await this.#store.of(id) : [])
  }

  async #checkRows(id: CompartmentId, rows: readonly WrappedKey[]): Promise<readonly WrappedKey[]> {
    if (this.#doubtful.has(id)) throw tombstoneForged()
    if (rows.length > 0) return rows
    throw (await this.isDestroyed(id)) ? keyDestroyed() : keyLost()
  }

  #keep(versions: KeyVersions): CompartmentKeys {
    this.#checkUsable(versions.owner)
    const keys = this.#usable(versions)
    this.#cache.set(versions.owner, keys)
    return keys
  }

  #usable(versions: KeyVersions): CompartmentKeys {
    return compartmentKeys(versions, () => this.#checkUsable(versions.owner))
  }

  #checkUsable(id: CompartmentId): void {
    this.checkOpen()
    if (this.#destroyed.has(id)) throw keyDestroyed()
  }

  #isAlive(owner: string): boolean {
    return compartmentId.test(owner) && !this.#destroyed.has(owner)
  }

  #bury(id: CompartmentId): void {
    this.#destroyed.add(id)
    this.#cache.drop(id)
  }

  /** Another process may have destroyed a compartment; its tombstone is looked for once a minute. @returns how many were read */
  async #readTombstones(when: 'now' | 'in-time' = 'in-time'): Promise<number> {
    if (when === 'in-time' && this.#isInTime()) return 0
    const nowMs = this.#clock.nowMs()
    const tombstones = await this.#store.tombstones()
    this.#take(tombstones)
    this.#tombstonesReadAtMs = nowMs
    return tombstones.length
  }

  #take(tombstones: readonly Buried[]): void {
    const doubtful = new Set<CompartmentId>()
    const before = this.#destroyed.size
    for (const { owner, isOurs } of tombstones)
      if (isOurs) this.#bury(owner)
      else if (!this.#destroyed.has(owner)) doubtful.add(owner)
    for (const id of doubtful) this.#cache.drop(id)
    this.#doubtful = doubtful
    if (this.#destroyed.size > before) this.#forgotten()
  }
}

/** No one destroyed it, so nothing is over: whoever asks must not believe that it is. */
const keyLost = (): Problem =>
  new Problem('fault', 'vault.key-lost', 'The key of this compartment is not in the keystore. Restore its backup.')

/** Neither is the key destroyed, as far as anybody knows, nor may it be used as if nothing were. */
const tombstoneForged = (): Problem =>
  new Problem(
    'fault',
    'vault.tombstone-forged',
    'The keystore says that the key of this compartment was destroyed, but not in our words. Run kinhold verify.',
  )

const keyDestroyed = (): Problem =>
  new Problem('gone', 'vault.key-destroyed', 'The key of this compartment was destroyed; its content is lost for good.')
