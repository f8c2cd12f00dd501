import { randomId16 } from '#kernel'
import type { Entry } from '#store'
import type { CompartmentKeys } from '#vault'
import { chainLink, decodePayload, encodePayload, linkOf } from '../ledger/payload.ts'
import { fromText, toText } from './element.ts'

/** What became of one document: which row of it is the newest, or that it was deleted. */
export interface DocumentChange {
  readonly collection: string
  readonly key: string
  /** HMAC of what it belongs to. */
  readonly group?: string | undefined
  /** Absent: it was deleted. */
  readonly element?: bigint
}

/** Where the ledger of documents stands: behind which entry, and what all documents together make then. */
export interface DocumentHead {
  readonly seq: number
  readonly link: Uint8Array
  /** The last bytes of the sealed entry, by which the store knows it; undefined before the first one. */
  readonly tag: Uint8Array | undefined
  readonly digest: bigint
  readonly atMs: number
  /** How many changes of the keystore there were by then, at least. */
  readonly keys: number
}

/** One entry as it was opened. */
export interface DocumentEntry extends DocumentHead {
  readonly chain: Uint8Array
  readonly changes: readonly DocumentChange[]
  /** Whatever was written before counts no more: the changes tell of all that there is. */
  readonly anew: boolean
}

type ChangeText = readonly [collection: string, key: string, element: string | 0, group?: string]

interface EntryText {
  readonly digest: string
  readonly changes: readonly ChangeText[]
  readonly anew?: true
  readonly keys?: number
}

/** An entry behind `before`, in which the digest has become another one. */
export function sealChanges(
  keys: CompartmentKeys,
  before: DocumentHead,
  after: Pick<DocumentHead, 'digest' | 'atMs' | 'keys'>,
  changes: readonly DocumentChange[],
  anew = false,
): { entry: Entry; head: DocumentHead } {
  const text: EntryText = {
    digest: toText(after.digest),
    changes: changes.map(textOf),
    ...(anew ? { anew } : {}),
    ...(after.keys === 0 ? {} : { keys: after.keys }),
  }
  const said = { method: 'POST', deleted: false, movedAway: false, created: true, supersedes: 0, copies: [] } as const
  const json = Buffer.from(JSON.stringify(text), 'utf8')
  const plain = encodePayload({ ...said, lastUpdatedMs: after.atMs, chain: before.link, json })
  // A name that nobody looks up: these entries are read in their order.
  const place = { locator: randomId16().toString('hex'), version: 1, seq: before.seq + 1 }
  const sealed = keys.sealEntry(plain, place)
  return {
    entry: { compartment: keys.compartment, ...place, sealed },
    head: { ...after, seq: place.seq, link: Buffer.from(chainLink(sealed)), tag: tagOf(sealed) },
  }
}

/** @throws Problem `fault` · `vault.seal-broken` */
export function openChanges(keys: CompartmentKeys, entry: Entry): DocumentEntry {
  const payload = decodePayload(keys.openEntry(entry))
  const { digest, changes, anew, keys: generation = 0 } = JSON.parse(payload.json.toString('utf8')) as EntryText
  return {
    seq: entry.seq,
    link: Buffer.from(linkOf(entry, payload)),
    tag: tagOf(entry.sealed),
    chain: payload.chain,
    atMs: payload.lastUpdatedMs,
    digest: fromText(digest),
    changes: changes.map(changeOf),
    anew: anew === true,
    keys: generation,
  }
}

/** The head behind an entry of which nothing but its bytes is known. */
export function unopened({ seq, sealed }: Entry, atMs: number): DocumentHead {
  return { seq, link: Buffer.from(chainLink(sealed)), tag: tagOf(sealed), digest: 0n, atMs, keys: 0 }
}

const tagBytes = 16

const tagOf = (sealed: Uint8Array): Uint8Array => Uint8Array.from(sealed.subarray(-tagBytes))

function textOf({ collection, key, group, element }: DocumentChange): ChangeText {
  const said = element === undefined ? 0 : toText(element)
  return group === undefined ? [collection, key, said] : [collection, key, said, group]
}

function changeOf([collection, key, element, group]: ChangeText): DocumentChange {
  return { collection, key, group, ...(element === 0 ? {} : { element: fromText(element) }) }
}

/** The name of a document among all, as the store names it. */
export const nameOf = ({ collection, key }: { readonly collection: string; readonly key: string }): string =>
  `${collection}/${key}`
