import type { KeyObject } from 'node:crypto'
import type { BlobChunk, CompartmentId, Entry, Locator, Sealed, Segment } from '#store'
import { openChunks, sealChunks } from './blob-stream.ts'
import { hmac } from './derive.ts'
import { keyVersionOf } from './envelope.ts'
import { mint } from './mint.ts'
import { type KeyVersions, Ring, sealBroken } from './ring.ts'

/**
 * What a compartment holds: one patient's record, what an account keeps beside its patients, what is nobody's, the audit
 * trail, or what was ever written of documents.
 */
export type CompartmentKind = 'patient' | 'household' | 'commons' | 'audit' | 'documents'

/**
 * The keys of one compartment. Ask the vault for them anew with each request: they stop working when the
 * compartment is destroyed or the vault closed.
 *
 * Every method throws Problem `gone` · `vault.key-destroyed` then, and every `open…` throws
 * Problem `fault` · `vault.seal-broken` for anything but what was sealed at that very place.
 */
export interface CompartmentKeys {
  readonly compartment: CompartmentId
  /** Seals one version of one resource for its place in the ledger; at most 45 bytes longer than `plain`. */
  sealEntry(plain: Uint8Array, at: { locator: Locator; version: number; seq: number }): Sealed
  openEntry(entry: Entry): Buffer
  /** Seals index rows of the entries `fromSeq … untilSeq`. */
  sealSegment(plain: Uint8Array, at: { fromSeq: number; untilSeq: number }): Sealed
  openSegment(segment: Segment): Buffer
  /** Seals an attachment in 64 KiB chunks, with constant memory. */
  sealBlob(blob: string, source: AsyncIterable<Uint8Array>): AsyncIterable<BlobChunk>
  /** Each chunk is authenticated before it is passed on; a truncated attachment fails at its end. */
  openBlob(blob: string, chunks: AsyncIterable<BlobChunk>): AsyncIterable<Buffer>
  /** Whether the newest version of the key sealed these bytes. */
  isNewest(sealedBytes: Uint8Array): boolean
  /** 32 bytes, equal for equal bytes of one compartment only, also after the key was renewed; for import identifiers. */
  fingerprint(bytes: Uint8Array): Buffer
  /** 32 bytes; one link of the compartment's MAC chain. */
  chain(bytes: Uint8Array): Buffer
}

/** Builds the keys of one compartment; `checkUsable` throws when they must no longer be used. */
export function compartmentKeys(versions: KeyVersions, checkUsable: () => void): CompartmentKeys {
  return new SealedCompartment(versions, checkUsable)
}

type Purpose = 'entries' | 'segments' | 'blobs'

class SealedCompartment implements CompartmentKeys {
  readonly compartment: CompartmentId
  readonly #versions: KeyVersions
  readonly #checkUsable: () => void
  readonly #rings: { [purpose in Purpose]?: Ring } = {}
  readonly #macs = new Map<string, KeyObject>()

  constructor(versions: KeyVersions, checkUsable: () => void) {
    this.compartment = versions.owner
    this.#versions = versions
    this.#checkUsable = checkUsable
  }

  get #entries(): Ring {
    return this.#ring('entries')
  }

  get #segments(): Ring {
    return this.#ring('segments')
  }

  get #blobs(): Ring {
    return this.#ring('blobs')
  }

  /** Made when it is first asked for: who opens many records needs one of them. */
  #ring(purpose: Purpose): Ring {
    this.#rings[purpose] ??= new Ring(this.#versions, purpose)
    return this.#rings[purpose]
  }

  sealEntry(plain: Uint8Array, at: { locator: Locator; version: number; seq: number }): Sealed {
    this.#checkUsable()
    return mint(this.#entries.seal('entry', entryPlace(at), plain))
  }

  openEntry(entry: Entry): Buffer {
    this.#checkOwn(entry.compartment, 'entry')
    return this.#entries.open('entry', entryPlace(entry), entry.sealed)
  }

  sealSegment(plain: Uint8Array, at: { fromSeq: number; untilSeq: number }): Sealed {
    this.#checkUsable()
    return mint(this.#segments.seal('segment', segmentPlace(at), plain))
  }

  openSegment(segment: Segment): Buffer {
    this.#checkOwn(segment.compartment, 'segment')
    return this.#segments.open('segment', segmentPlace(segment), segment.sealed)
  }

  sealBlob(blob: string, source: AsyncIterable<Uint8Array>): AsyncIterable<BlobChunk> {
    this.#checkUsable()
    return sealChunks(this.#blobs, blob, source)
  }

  openBlob(blob: string, chunks: AsyncIterable<BlobChunk>): AsyncIterable<Buffer> {
    this.#checkUsable()
    return openChunks(this.#blobs, blob, chunks)
  }

  isNewest(sealedBytes: Uint8Array): boolean {
    return keyVersionOf(sealedBytes) === this.#versions.newest
  }

  fingerprint(bytes: Uint8Array): Buffer {
    return this.#mac('fingerprint', bytes)
  }

  chain(bytes: Uint8Array): Buffer {
    return this.#mac('chain', bytes)
  }

  #mac(purpose: string, bytes: Uint8Array): Buffer {
    this.#checkUsable()
    const key = this.#macs.get(purpose) ?? this.#versions.stableKey(purpose)
    this.#macs.set(purpose, key)
    return hmac(key, bytes)
  }

  /** The AAD would refuse it too; this spares a derivation and says it plainly. */
  #checkOwn(owner: CompartmentId, kind: string): void {
    this.#checkUsable()
    if (owner !== this.compartment) throw sealBroken(kind)
  }
}

const entryPlace = (at: { locator: Locator; version: number; seq: number }): string[] => [
  at.locator,
  String(at.version),
  String(at.seq),
]

const segmentPlace = (at: { fromSeq: number; untilSeq: number }): string[] => [String(at.fromSeq), String(at.untilSeq)]
