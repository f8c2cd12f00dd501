import type { KeyRows, KeyStore, KeysChange, Note, Tombstone, WrappedKey } from '#store'
import { exchanged } from '../set-digest.ts'
import { destroyedProblem, existsProblem } from './key-problems.ts'
import { isSeal } from './seal.ts'
import { type KeyRow, nameOf, type Vouching } from './vouching.ts'

interface Touched {
  readonly before: KeyRow | undefined
  readonly after: KeyRow | undefined
}

/** The rows that several writes touch, as they are and as they will be. A write that throws has changed none of them. */
export class Draft {
  readonly #keys: KeyStore
  readonly #vouching: Vouching
  readonly #isSealed: boolean
  readonly #rows = new Map<string, Touched>()
  readonly #owners = new Set<string>()

  /** @param isSealed  whether rows are vouched for: in what an earlier release has left none is, until all are */
  constructor(keys: KeyStore, vouching: Vouching, isSealed: boolean) {
    this.#keys = keys
    this.#vouching = vouching
    this.#isSealed = isSealed
  }

  async keysOf(owner: string): Promise<readonly WrappedKey[]> {
    if (!this.#owners.has(owner)) for (const key of await this.#keys.of(owner)) this.#saw(nameOf(key), key)
    this.#owners.add(owner)
    const rows = [...this.#rows.values()].map(({ after }) => after)
    return rows.filter(row => row !== undefined && 'wrapped' in row && row.owner === owner) as WrappedKey[]
  }

  /** @throws Problem `gone` · `keys.destroyed`; `conflict` · `keys.exists` */
  async add(added: readonly WrappedKey[], instead: readonly WrappedKey[] = []): Promise<void> {
    const others = new Set(instead.map(nameOf))
    const taken = new Set<string>()
    for (const key of added) {
      if ((await this.tombstone(key.owner)) !== undefined) throw destroyedProblem()
      for (const there of await this.keysOf(key.owner)) if (!others.has(nameOf(there))) taken.add(nameOf(there))
      if (taken.has(nameOf(key))) throw existsProblem()
      taken.add(nameOf(key))
    }
    for (const key of instead) this.#becomes(nameOf(key), undefined)
    for (const key of added) this.put(key)
  }

  async tombstone(owner: string): Promise<Tombstone | undefined> {
    return (await this.#row(`tombstone ${owner}`, () => this.#keys.tombstone(owner))) as Tombstone | undefined
  }

  async note(name: string): Promise<Note | undefined> {
    return (await this.#row(`note ${name}`, () => this.#keys.note(name))) as Note | undefined
  }

  put(row: KeyRow): void {
    this.#becomes(nameOf(row), this.#isSealed ? this.#vouching.vouchedFor(row) : row)
  }

  drop(row: KeyRow): void {
    this.#becomes(nameOf(row), undefined)
  }

  /**
   * Takes rows for what was written, vouched for anew where nobody vouches for them. Tombstones and notes of which it is known that
   * they are forged are left out.
   *
   * @param areOld  whether no row was vouched for yet
   */
  takeIn(rows: KeyRows, areOld: boolean): readonly KeyRow[] {
    const left: KeyRow[] = []
    for (const row of [...rows.keys, ...rows.tombstones, ...rows.notes]) {
      if (isSeal(row)) continue
      this.#saw(nameOf(row), row)
      if (this.#vouching.isOurs(row)) continue
      if (areOld || 'wrapped' in row) this.put(row)
      else left.push(row)
    }
    for (const row of left) this.drop(row)
    return left
  }

  /** The digest of all that was seen, as it becomes. */
  get digest(): bigint {
    const rows = [...this.#rows.values()]
    return rows.reduce((sum, { after }) => exchanged(sum, undefined, after && this.#vouching.elementOf(after)), 0n)
  }

  async #row(name: string, read: () => Promise<KeyRow | undefined>): Promise<KeyRow | undefined> {
    if (!this.#rows.has(name)) this.#saw(name, await read())
    return this.#rows.get(name)?.after
  }

  #saw(name: string, row: KeyRow | undefined): void {
    if (!this.#rows.has(name)) this.#rows.set(name, { before: row, after: row })
  }

  #becomes(name: string, after: KeyRow | undefined): void {
    this.#rows.set(name, { before: this.#rows.get(name)?.before, after })
  }

  get #changed(): readonly Touched[] {
    return [...this.#rows.values()].filter(({ before, after }) => before !== after)
  }

  get isEmpty(): boolean {
    return this.#changed.length === 0
  }

  /** What the digest of all rows becomes. */
  digestAfter(digest: bigint): bigint {
    const element = (row: KeyRow | undefined) => row && this.#vouching.elementOf(row)
    return this.#changed.reduce((sum, { before, after }) => exchanged(sum, element(before), element(after)), digest)
  }

  /** @param seal  put beside the rows */
  changeWith(seal: Note | undefined): Pick<KeysChange, 'dropped' | 'put'> {
    const changed = this.#changed
    const dropped = byTable(changed.flatMap(({ before, after }) => (after === undefined ? (before ?? []) : [])))
    const put = byTable(changed.flatMap(({ after }) => after ?? []))
    return {
      dropped: {
        keys: dropped.keys,
        tombstones: dropped.tombstones.map(({ owner }) => owner),
        notes: dropped.notes.map(({ name }) => name),
      },
      put: { ...put, notes: seal === undefined ? put.notes : [...put.notes, seal] },
    }
  }
}

function byTable(rows: readonly KeyRow[]): KeyRows {
  return {
    keys: rows.filter(row => 'wrapped' in row),
    tombstones: rows.filter(row => 'atMs' in row),
    notes: rows.filter(row => 'name' in row),
  }
}
