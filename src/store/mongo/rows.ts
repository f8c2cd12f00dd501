import type { mongo } from 'mongoose'
import { Problem } from '#kernel'
import type { Append, Entry, Sealed, Segment, StoredDocument } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { headTagBytes } from '../well-formed.ts'

/**
 * The rows of each collection. Names are one letter, because MongoDB writes them into every row:
 * `c` compartment, `s` seq, `l` locator, `v` version, `b` sealed bytes, `w` the write that came last.
 * Ids are 16 raw bytes; nothing is ever turned into text.
 */
export interface EntryRow {
  readonly c: Buffer
  readonly s: number
  readonly l: Buffer
  readonly v: number
  readonly b: Buffer
}

/**
 * One per compartment: its head, and the tag of the entry there. Every write that was decided on a head writes this row with a `w` of
 * its own, also when the head stays: MongoDB takes no lock for a value that is the same.
 */
export interface HeadRow {
  readonly _id: Buffer
  readonly n: number
  readonly t?: Buffer
  readonly w: Buffer
}

/** Where the copies of the newest version of a resource lie. */
export interface PlaceRow {
  /** The locator. */
  readonly _id: Buffer
  readonly v: number
  readonly at: readonly { readonly c: Buffer; readonly s: number }[]
}

/** `f` and `u`: the first and the last seq. */
export interface SegmentRow {
  readonly c: Buffer
  readonly f: number
  readonly u: number
  readonly b: Buffer
}

/** `n` collection, `k` key, `r` revision, `g` group, `e` when it expires, Unix ms. */
export interface DocumentRow {
  readonly n: string
  readonly k: Buffer
  readonly r: number
  readonly g?: Buffer
  readonly e?: number
  readonly b: Buffer
  readonly w: Buffer
}

/** `n` its name, absent while it is written and once it was replaced; `k` how many chunks; `m` when it grew last, Unix ms. */
export interface BlobRow {
  readonly _id: mongo.ObjectId
  readonly c: Buffer
  readonly n?: string
  readonly k: number
  readonly m: number
}

/** `f` the attachment's row, `i` which chunk. */
export interface ChunkRow {
  readonly c: Buffer
  readonly f: mongo.ObjectId
  readonly i: number
  readonly b: Buffer
}

/**
 * One per transaction, written in it: whoever has lost the answer finds here that it was committed. It goes by itself after a day.
 */
export interface CommitRow {
  /** 8 bytes of the opening that wrote it, and its count there. */
  readonly _id: Buffer
  readonly at: Date
}

/** MongoDB refuses rows of more than 16 MiB; what else is in a row is a few hundred bytes. */
const mostBytes = 16 * 1024 * 1024 - 4_096

/**
 * BSON takes a Buffer as it is; whatever else holds bytes would be written as a document.
 *
 * @throws Problem `too-large` · `store.row-too-large`
 */
export function toBuffer(bytes: Uint8Array): Buffer {
  if (bytes.length > mostBytes)
    throw new Problem('too-large', 'store.row-too-large', 'A part of this is larger than a row of the database may be.')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/**
 * Bytes that come back from a field named `b`, copied out of the answer of which they are a part. The one cast of this store: nothing
 * but `Sealed` was ever written there, and opening what somebody else wrote into the database fails in `vault`, not here.
 */
export function sealedFromDatabase(bytes: Uint8Array): Sealed {
  return new Uint8Array(bytes) as Sealed
}

export function entryFrom(row: EntryRow): Entry {
  return {
    compartment: toHex(row.c),
    seq: row.s,
    locator: toHex(row.l),
    version: row.v,
    sealed: sealedFromDatabase(row.b),
  }
}

export function rowOf(entry: Entry): EntryRow {
  return {
    c: idBytes(entry.compartment),
    s: entry.seq,
    l: idBytes(entry.locator),
    v: entry.version,
    b: toBuffer(entry.sealed),
  }
}

export function segmentFrom({ c, f, u, b }: SegmentRow): Segment {
  return { compartment: toHex(c), fromSeq: f, untilSeq: u, sealed: sealedFromDatabase(b) }
}

export function documentFrom(row: DocumentRow): StoredDocument {
  return {
    collection: row.n,
    key: toHex(row.k),
    revision: row.r,
    ...(row.g === undefined ? {} : { group: toHex(row.g) }),
    ...(row.e === undefined ? {} : { expiresAtMs: row.e }),
    sealed: sealedFromDatabase(row.b),
  }
}

/** What tells an entry from every other that may take its seq. */
export function tagOf(sealed: Uint8Array): Buffer {
  return toBuffer(sealed.subarray(-headTagBytes))
}

/** The head that an append leaves behind. */
export function headAfter({ expectedHead, entries }: Append): { readonly n: number; readonly t?: Buffer } {
  const last = entries.at(-1)
  return last === undefined ? { n: expectedHead } : { n: last.seq, t: tagOf(last.sealed) }
}
