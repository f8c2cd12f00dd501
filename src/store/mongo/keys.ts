import type { mongo } from 'mongoose'
import { silentLog } from '#kernel'
import type { KeyRows, KeyStore, KeysChange, Note, Tombstone, WrappedKey } from '../contract.ts'
import { paramsFrom } from '../key-params.ts'
import { OthersWatch } from './changes.ts'
import { type MongoOptions, type OpenDatabase, openDatabase } from './open-database.ts'
import { toBuffer } from './rows.ts'
import type { Transaction } from './transactions.ts'

/** `o` owner, `k` kind, `v` version, `b` the wrapped key, `p` its parameters as JSON, `m` what vouches for the row. */
interface KeyRow {
  readonly o: string
  readonly k: string
  readonly v: number
  readonly b: Buffer
  readonly p: string
  readonly m?: Buffer
}

/** `_id` the owner, `d` when its keys were destroyed, Unix ms. */
interface TombstoneRow {
  readonly _id: string
  readonly d: number
  readonly m?: Buffer
}

/** `_id` the name. */
interface NoteRow {
  readonly _id: string
  readonly b: Buffer
  readonly m?: Buffer
}

/** Every change writes this row: so changes of all processes come one after the other, and what one was decided on holds when it is done. */
interface GateRow {
  readonly _id: 'gate'
  readonly w: Buffer
}

/** A keystore behind a network. */
export interface MongoKeys extends KeyStore {
  /** Whether a server that takes writes is known at this moment. */
  isReady(): boolean
}

class OpenMongoKeys implements MongoKeys {
  readonly #database: OpenDatabase<'keys'>
  readonly #keys: mongo.Collection<KeyRow>
  readonly #tombstones: mongo.Collection<TombstoneRow>
  readonly #notes: mongo.Collection<NoteRow>
  readonly #gate: mongo.Collection<GateRow>
  readonly #others: OthersWatch

  constructor(database: OpenDatabase<'keys'>) {
    this.#database = database
    this.#keys = database.collection<KeyRow>('keys')
    this.#tombstones = database.collection<TombstoneRow>('tombstones')
    this.#notes = database.collection<NoteRow>('notes')
    this.#gate = database.collection<GateRow>('gate')
    this.#others = new OthersWatch({ ...database, collections: ['keys', 'tombstones', 'notes'] })
  }

  isReady(): boolean {
    return this.#database.isReady()
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#database.read(work)
  }

  change(change: KeysChange): Promise<boolean> {
    return this.#database.transactions.write({
      keys: ['gate'],
      work: transaction => this.#change(change, transaction),
      already: () => true,
    })
  }

  /** What is read was acknowledged by a majority, each of which had it in its journal. */
  async durable(): Promise<void> {
    this.#database.transactions.checkOpen()
  }

  async #change({ ifNote, dropped = {}, put = {} }: KeysChange, { session, id }: Transaction): Promise<boolean> {
    await this.#gate.updateOne({ _id: 'gate' }, { $set: { w: id } }, { session, upsert: true })
    if (ifNote !== undefined && !(await this.#isNoted(ifNote, session))) return false
    const keys = [...(dropped.keys ?? []).map(named).map(removal), ...(put.keys ?? []).map(keyRow).map(keyWrite)]
    if (keys.length > 0) await this.#keys.bulkWrite(keys, { session })
    const tombstones = [
      ...(dropped.tombstones ?? []).map(byId).map(removal),
      ...(put.tombstones ?? []).map(tombstoneRow).map(write),
    ]
    if (tombstones.length > 0) await this.#tombstones.bulkWrite(tombstones, { session })
    const notes = [...(dropped.notes ?? []).map(byId).map(removal), ...(put.notes ?? []).map(noteRow).map(write)]
    if (notes.length > 0) await this.#notes.bulkWrite(notes, { session })
    return true
  }

  async #isNoted({ name, value }: NonNullable<KeysChange['ifNote']>, session: mongo.ClientSession): Promise<boolean> {
    const there = (await this.#notes.findOne({ _id: name }, { session }))?.b
    return there === undefined || value === undefined ? there === value : there.equals(value)
  }

  of(owner: string): Promise<readonly WrappedKey[]> {
    return this.#read(async () => (await this.#keys.find({ o: owner }).toArray()).map(keyFrom))
  }

  ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]> {
    return this.#read(async () => (await this.#keys.find({ o: { $in: [...owners] } }).toArray()).map(keyFrom))
  }

  all(): Promise<readonly WrappedKey[]> {
    return this.#read(async () => (await this.#keys.find({}).toArray()).map(keyFrom))
  }

  #one<R extends { readonly _id: string }, T>(
    rows: mongo.Collection<R>,
    name: string,
    from: (row: R) => T,
  ): Promise<T | undefined> {
    return this.#read(async () => {
      const row = await rows.findOne({ _id: name } as mongo.Filter<R>)
      return row === null ? undefined : from(row as R)
    })
  }

  tombstone(owner: string): Promise<Tombstone | undefined> {
    return this.#one(this.#tombstones, owner, tombstoneFrom)
  }

  tombstones(): Promise<readonly Tombstone[]> {
    return this.#read(async () => (await this.#tombstones.find({}).toArray()).map(tombstoneFrom))
  }

  note(name: string): Promise<Note | undefined> {
    return this.#one(this.#notes, name, noteFrom)
  }

  notes(prefix: string): Promise<readonly Note[]> {
    return this.#read(async () => {
      const rows = await this.#notes.find({ _id: beginning(prefix) }).toArray()
      return rows.filter(({ _id }) => _id.startsWith(prefix)).map(noteFrom)
    })
  }

  /** Read at once in one transaction, which the server would not keep open for whoever takes their time; a keystore is small. */
  async *everything(): AsyncIterable<KeyRows> {
    yield await this.#read(() => this.#database.atOneMoment(session => this.#all(session)))
  }

  async #all(session: mongo.ClientSession): Promise<KeyRows> {
    const keys = await this.#keys.find({}, { session }).toArray()
    const tombstones = await this.#tombstones.find({}, { session }).toArray()
    const notes = await this.#notes.find({}, { session }).toArray()
    return { keys: keys.map(keyFrom), tombstones: tombstones.map(tombstoneFrom), notes: notes.map(noteFrom) }
  }

  othersMark(): Promise<number> {
    return this.#read(() => this.#others.mark())
  }

  /** What was deleted lingers in the server's files for as long as the server sees fit. */
  async scrub(): Promise<void> {
    this.#database.transactions.checkOpen()
  }

  /** The pages of its files are the server's own business. */
  check(): Promise<readonly string[]> {
    return this.#read(async () => {
      const there = await this.#keys.indexes()
      const isUnique = there.some(({ key, unique }) => unique === true && JSON.stringify(key) === '{"o":1,"k":1,"v":1}')
      return isUnique ? [] : ['keys: the index by owner, kind and version is missing, or is not unique']
    })
  }

  close(): Promise<void> {
    return this.#database.close(() => this.#others.close())
  }
}

const vouching = (mac: Uint8Array | undefined) => (mac === undefined ? {} : { m: toBuffer(mac) })
const vouchedFor = (mac: Buffer | undefined) => (mac === undefined ? {} : { mac: new Uint8Array(mac) })

/** Texts that begin so lie between this one and the first that is behind all of them, in the order of code points that a server has. */
function beginning(prefix: string): { readonly $gte: string; readonly $lt?: string } {
  const points = Array.from(prefix, point => point.codePointAt(0) ?? 0)
  while (points.at(-1) === lastPoint) points.pop()
  const last = points.pop()
  if (last === undefined) return { $gte: prefix }
  return { $gte: prefix, $lt: String.fromCodePoint(...points, last === beforeSurrogates ? behindSurrogates : last + 1) }
}

const lastPoint = 0x10ffff
/** Between these no code point is a character: https://www.rfc-editor.org/rfc/rfc3629#section-3 */
const [beforeSurrogates, behindSurrogates] = [0xd7ff, 0xe000]

const named = ({ owner, kind, version }: Pick<WrappedKey, 'owner' | 'kind' | 'version'>) => ({
  o: owner,
  k: kind,
  v: version,
})
const byId = (_id: string) => ({ _id })
const removal = <F>(filter: F) => ({ deleteOne: { filter } })
const write = <T extends { readonly _id: string }>(row: T) => ({
  replaceOne: { filter: { _id: row._id }, replacement: row, upsert: true },
})

function keyRow(key: WrappedKey): KeyRow {
  return { ...named(key), b: toBuffer(key.wrapped), p: JSON.stringify(key.params), ...vouching(key.mac) }
}

function keyWrite(row: KeyRow) {
  return { replaceOne: { filter: { o: row.o, k: row.k, v: row.v }, replacement: row, upsert: true } }
}

const tombstoneRow = ({ owner, atMs, mac }: Tombstone): TombstoneRow => ({ _id: owner, d: atMs, ...vouching(mac) })
const noteRow = ({ name, value, mac }: Note): NoteRow => ({ _id: name, b: toBuffer(value), ...vouching(mac) })

function keyFrom({ o, k, v, b, p, m }: KeyRow): WrappedKey {
  return { owner: o, kind: k, version: v, wrapped: new Uint8Array(b), params: paramsFrom(p), ...vouchedFor(m) }
}

const tombstoneFrom = ({ _id, d, m }: TombstoneRow): Tombstone => ({ owner: _id, atMs: d, ...vouchedFor(m) })
const noteFrom = ({ _id, b, m }: NoteRow): Note => ({ name: _id, value: new Uint8Array(b), ...vouchedFor(m) })

/**
 * Opens the keystore in a MongoDB database of its own.
 *
 * @throws as `openDatabase`
 */
export async function openMongoKeys(options: MongoOptions): Promise<MongoKeys> {
  return new OpenMongoKeys(await openDatabase('keys', options, options.log ?? silentLog))
}
