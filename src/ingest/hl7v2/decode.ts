import { isAscii, isUtf8 } from 'node:buffer'
import { codeTables, lookUp } from './tables.ts'

/** The text of bytes, in pieces as it is asked for, and how to read the bytes of an escape in it. */
export interface Decoded {
  readonly texts: Iterable<string>
  readonly decoder: TextDecoder
  /** What is to be said of the encoding. */
  readonly warnings: readonly string[]
}

/** Bytes that are decoded at once: a fraction of a millisecond. */
const pieceBytes = 64 * 1024

/**
 * The text of HL7 v2 bytes in the character set that MSH-18 names, the first or one that is changed to by escapes. Without one: UTF-8 where it is well-formed, else
 * windows-1252. A byte order mark decides before it, and so do the zeros between the letters of UTF-16. Letters beyond ASCII that are
 * well-formed UTF-8 throughout are UTF-8, whatever set of single bytes MSH-18 names: no word of these reads so by chance.
 */
export function decodeHl7(bytes: Buffer): Decoded {
  const names = charsetNames(bytes.subarray(0, 4096).toString('latin1'))
  const named = markedAs(bytes) ?? labelOf(names)
  const declared = named === '' ? guess(bytes) : new TextDecoder(named)
  const isMistaken = letters(declared) !== undefined && named !== '' && !isAscii(bytes) && isUtf8(bytes)
  const isUnnamed = named === '' && names.some(name => name !== '') && !isAscii(bytes)
  const encoding = isMistaken ? 'utf-8' : declared.encoding
  return {
    texts: pieces(bytes, new TextDecoder(encoding)),
    // Escapes are of the character set that is named.
    decoder: new TextDecoder(hexadecimal(bytes, declared)),
    warnings: [
      ...(isMistaken ? [mistaken] : isUnnamed ? [unnamed(encoding)] : []),
      ...(encoding === 'utf-8' && !isUtf8(bytes) ? [broken] : []),
    ],
  }
}

function unnamed(encoding: string): string {
  return `MSH-18 names no character set that has letters beyond ASCII; they were read as ${encoding}.`
}

const mistaken = 'MSH-18 names another character set than UTF-8, and the bytes are UTF-8; they were read as UTF-8.'

const broken = 'Some bytes are not of the character set that is named, UTF-8; U+FFFD stands for each of them.'

/** Of a text that a byte order mark says to be UTF-8, the set that MSH-18 names. */
function hexadecimal(bytes: Buffer, { encoding }: TextDecoder): string {
  if (markedAs(bytes) === undefined) return encoding
  return labelOf(charsetNames(bytes.subarray(0, 4096).toString('latin1'))) || encoding
}

/**
 * Bytes that `decodeHl7` reads as this text, with its escapes as they were meant: in the character set that it was read in where the
 * message by itself tells which, else in UTF-8.
 */
export function encodeHl7(text: string, { encoding }: TextDecoder): Buffer {
  const table = letters(new TextDecoder(encoding))
  const codes = [...text].map(letter => table?.get(letter))
  const bytes = Buffer.from(codes.filter(code => code !== undefined))
  const isWhole = bytes.length === codes.length && decodeHl7(bytes).decoder.encoding === encoding
  return isWhole ? bytes : Buffer.from(`\uFEFF${text}`, 'utf8')
}

const tables = new Map<string, ReadonlyMap<string, number> | undefined>()

/** The letters of a set of single bytes, by which byte each is; undefined for other sets. */
function letters({ encoding }: TextDecoder): ReadonlyMap<string, number> | undefined {
  if (!tables.has(encoding)) {
    const all = [...new TextDecoder(encoding).decode(Uint8Array.from({ length: 256 }, (_, code) => code))]
    const isSingle = all.length === 256 && encoding !== 'utf-8'
    tables.set(encoding, isSingle ? new Map(all.map((letter, code) => [letter, code])) : undefined)
  }
  return tables.get(encoding)
}

/** A character that is cut in two comes whole with the piece behind it. */
function* pieces(bytes: Buffer, decoder: TextDecoder): Generator<string, void, void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const text = decoder.decode(bytes.subarray(at, at + pieceBytes), { stream: true })
    yield at === 0 ? text.replace(/^\uFEFF/, '') : text
  }
  yield decoder.decode()
}

/** How files begin that say their encoding by their first bytes. */
const beginnings: readonly (readonly [string, readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
  ['utf-16le', [0x4d, 0x00, 0x53, 0x00]],
  ['utf-16be', [0x00, 0x4d, 0x00, 0x53]],
]

function markedAs(bytes: Buffer): string | undefined {
  return beginnings.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte))?.[0]
}

function guess(bytes: Buffer): TextDecoder {
  return new TextDecoder(isUtf8(bytes) ? 'utf-8' : 'windows-1252')
}

/** MSH-18, read as Latin-1, which every character set of the table agrees with there. */
function charsetNames(head: string): readonly string[] {
  const at = head.indexOf('MSH')
  const separator = head[at + 3]
  if (at < 0 || separator === undefined) return []
  const line = head.slice(at).split(/[\r\n]/, 1)[0] ?? ''
  return (line.split(separator)[17] ?? '').split(head[at + 5] ?? '~').map(name => name.trim().toUpperCase())
}

/**
 * Of several sets the first is the default, ASCII when it is not named, and the others are changed to (2.15.9.18): JIS X 0208
 * beside ASCII is `~ISO IR87`.
 */
function labelOf(names: readonly string[]): string {
  return names.map(name => lookUp(codeTables().charsets.labels, name) ?? '').find(label => label !== '') ?? ''
}
