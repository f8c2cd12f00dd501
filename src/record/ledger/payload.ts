import { Problem } from '#kernel'
import type { CompartmentId, Entry } from '#store'
import type { Content, Stored } from '../types.ts'
import { type Deflated, deflate, inflate } from './compression.ts'

/** What one entry of the ledger says, before it is sealed. */
export interface Payload {
  readonly method: Stored['method']
  readonly deleted: boolean
  /** This version left for another compartment: its owner was corrected. It is no event of the resource's history. */
  readonly movedAway: boolean
  /** Whether this version made the resource: its first one, and one that follows a deletion. */
  readonly created: boolean
  readonly lastUpdatedMs: number
  /** Seq, in the same compartment, of the version that this one replaces; 0 when there is none. */
  readonly supersedes: number
  /** The first 8 bytes of the previous entry's authentication tag: a chain that shows a replaced or lost entry. */
  readonly chain: Uint8Array
  /** Of an entry that was sealed anew: the link that it had, because the entries and notes after it name that one. */
  readonly link?: Uint8Array
  /** The other compartments in which the same version lies: it belongs to several patients. */
  readonly copies: readonly CompartmentId[]
  /** The account that made the resource; noted only where an account may change no more than it made itself. */
  readonly creator?: string
  /** Of its numbers those that stand on the word of an account, as `numberOf` gives them. */
  readonly entered?: readonly string[]
  /** Ids of the Patients whose a household's version is by what it says, or what it removes. */
  readonly named?: readonly string[]
  /** What a Binary holds beside its JSON. */
  readonly content?: Content
  /** JSON text; for a deletion just type and id, so that the entry still says what it was about. */
  readonly json: Buffer
}

const headerBytes = 24
/** The second one says more behind the text. */
const formats = { plain: 1, more: 2 }
const flag = { deleted: 1, deflated: 2, movedAway: 4, wideWindow: 8, shortDictionary: 64, created: 128 }
const methods: readonly Stored['method'][] = ['POST', 'PUT', 'DELETE']
const bucketBytes = 32

const largeBytes = 1024

/**
 * Sizes tell a thief something, so they are blurred: steps of 32 bytes for small entries, and Padmé for large ones,
 * which lets no more than log log of the length through for at most 12 % more space.
 *
 * @see https://petsymposium.org/popets/2019/popets-2019-0056.pdf section 4 (Padmé)
 */
export function paddedLength(length: number): number {
  if (length <= largeBytes) return Math.ceil(length / bucketBytes) * bucketBytes
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const step = 2 ** (exponent - kept)
  return Math.ceil(length / step) * step
}

const compartmentBytes = 16

/**
 * What few entries say: how many copies, the compartment of each, how long the creator's name is, the name, how long the link
 * is, the link, how long the list of numbers is, the list as JSON, and the same of the patients named and of the content. What is cut off at the end is absent: behind it are zeros or nothing.
 */
function encodeMore({ copies, creator = '', link, entered = [], named = [], content }: Payload): Buffer {
  const lists = listsOf(entered, named, content)
  if (copies.length === 0 && creator === '' && link === undefined && lists.length === 0) return nothingMore
  const name = Buffer.from(creator, 'utf8')
  const others = [Buffer.of(copies.length), Buffer.from(copies.join(''), 'hex'), Buffer.of(name.length), name]
  if (link === undefined && lists.length === 0) return Buffer.concat(others)
  return Buffer.concat([...others, Buffer.of(link?.length ?? 0), link ?? nothingMore, ...lists.flatMap(listSaid)])
}

function listsOf(
  entered: readonly string[],
  named: readonly string[],
  content: Content | undefined,
): readonly (readonly string[])[] {
  if (content !== undefined) return [entered, named, [content.name, String(content.sizeBytes), content.sha256]]
  if (named.length > 0) return [entered, named]
  return entered.length > 0 ? [entered] : []
}

function listSaid(list: readonly string[]): readonly Buffer[] {
  const json = list.length === 0 ? nothingMore : Buffer.from(JSON.stringify(list), 'utf8')
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32BE(json.length)
  return [length, json]
}

const lengthBytes = 4

const nothingMore = Buffer.alloc(0)

function decodeMore(bytes: Buffer): Pick<Payload, 'copies' | 'creator' | 'link' | 'entered' | 'named' | 'content'> {
  const nameAt = 1 + bytes.readUInt8(0) * compartmentBytes
  const hex = bytes.toString('hex', 1, nameAt)
  const copies = hex.match(/.{32}/g) ?? []
  const linkAt = nameAt + 1 + bytes.readUInt8(nameAt)
  const creator = bytes.toString('utf8', nameAt + 1, linkAt)
  const link = bytes.subarray(linkAt + 1, linkAt + 1 + (bytes[linkAt] ?? 0))
  const { list: entered, end } = listIn(bytes, linkAt + 1 + link.length)
  const { list: named, end: namedEnd } = listIn(bytes, end)
  const { list: said } = listIn(bytes, namedEnd)
  return {
    copies,
    ...(creator === '' ? {} : { creator }),
    ...(link.length === 0 ? {} : { link }),
    ...(entered.length === 0 ? {} : { entered }),
    ...(named.length === 0 ? {} : { named }),
    ...contentSaid(said),
  }
}

function contentSaid([name, size, sha256]: readonly string[]): Pick<Payload, 'content'> {
  return name === undefined || sha256 === undefined ? {} : { content: { name, sizeBytes: Number(size), sha256 } }
}

function listIn(bytes: Buffer, at: number): { readonly list: readonly string[]; readonly end: number } {
  const from = at + lengthBytes
  const end = from > bytes.length ? from : from + bytes.readUInt32BE(at)
  return { list: end === from ? [] : (JSON.parse(bytes.toString('utf8', from, end)) as readonly string[]), end }
}

const alone: Pick<Payload, 'copies'> = { copies: [] }

/**
 * Bytes to be sealed: a 24-byte header, the deflated JSON, what few entries say beside it, zeros up to the padded length.
 *
 * @param deflation  of the JSON, where that was done before
 */
export function encodePayload(payload: Payload, deflation: Deflated = deflate(payload.json)): Buffer {
  const { deflated, how } = deflation
  const smaller = deflated.length < payload.json.length
  const body = smaller ? deflated : payload.json
  const more = encodeMore(payload)
  const out = Buffer.alloc(paddedLength(headerBytes + body.length + more.length))
  out[0] = more.length > 0 ? formats.more : formats.plain
  out[1] =
    (payload.deleted ? flag.deleted : 0) |
    (smaller ? flag.deflated : 0) |
    (payload.movedAway ? flag.movedAway : 0) |
    (payload.created ? flag.created : 0) |
    (how.isWide ? flag.wideWindow : 0) |
    (how.isShort ? flag.shortDictionary : 0) |
    (methods.indexOf(payload.method) << 4)
  out.writeUIntBE(payload.lastUpdatedMs, 2, 6)
  out.writeUInt32BE(payload.supersedes, 8)
  out.set(payload.chain.subarray(0, 8), 12)
  out.writeUInt32BE(body.length, 20)
  out.set(body, headerBytes)
  out.set(more, headerBytes + body.length)
  return out
}

/** @throws Problem `fault` · `record.payload-unknown` when the bytes were written by a later release */
export function decodePayload(bytes: Buffer): Payload {
  const flags = bytes[1] ?? 0
  const method = methods[(flags >> 4) & 3]
  if ((bytes[0] !== formats.plain && bytes[0] !== formats.more) || method === undefined)
    throw new Problem('fault', 'record.payload-unknown', 'An entry has a form that this release does not know.')
  const end = headerBytes + bytes.readUInt32BE(20)
  const body = bytes.subarray(headerBytes, end)
  return {
    ...(bytes[0] === formats.plain ? alone : decodeMore(bytes.subarray(end))),
    method,
    deleted: (flags & flag.deleted) !== 0,
    movedAway: (flags & flag.movedAway) !== 0,
    created: (flags & flag.created) !== 0,
    lastUpdatedMs: bytes.readUIntBE(2, 6),
    supersedes: bytes.readUInt32BE(8),
    chain: bytes.subarray(12, 20),
    json: (flags & flag.deflated) === 0 ? body : inflated(body, flags),
  }
}

function inflated(body: Buffer, flags: number): Buffer {
  return inflate(body, {
    isWide: (flags & flag.wideWindow) !== 0,
    isShort: (flags & flag.shortDictionary) !== 0,
  })
}

/** The link that the next entry of the ledger carries: the head of a sealed entry's authentication tag. */
export function chainLink(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(sealed.length - 16, sealed.length - 8)
}

/** The link of an entry that has been opened, which outlives a renewal of its key. */
export function linkOf(entry: Pick<Entry, 'sealed'>, payload: Payload | undefined): Uint8Array {
  return payload?.link ?? chainLink(entry.sealed)
}

/** The link of a ledger's first entry. */
export const firstLink: Uint8Array = new Uint8Array(8)
