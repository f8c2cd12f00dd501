import { isUtf8 } from 'node:buffer'
import { codeTables, lookUp } from './tables.ts'

/** The text of bytes, and how to read the bytes of an escape in it. */
export interface Decoded {
  readonly text: string
  readonly decoder: TextDecoder
}

/**
 * The text of HL7 v2 bytes in the character set that MSH-18 names. Without one: UTF-8 where it is well-formed, else
 * windows-1252. A byte order mark decides before it, and so do the zeros between the letters of UTF-16.
 */
export function decodeHl7(bytes: Buffer): Decoded {
  const named = markedAs(bytes) ?? labelOf(charsetName(bytes.subarray(0, 4096).toString('latin1')))
  const decoder = named === '' ? guess(bytes) : new TextDecoder(named)
  return { text: decoder.decode(bytes).replace(/^\uFEFF/, ''), decoder: new TextDecoder(decoder.encoding) }
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

/** First repetition of MSH-18, read as Latin-1, which every character set of the table agrees with there. */
function charsetName(head: string): string {
  const at = head.indexOf('MSH')
  const separator = head[at + 3]
  if (at < 0 || separator === undefined) return ''
  const line = head.slice(at).split(/[\r\n]/, 1)[0] ?? ''
  return (line.split(separator)[17] ?? '').split('~', 1)[0]?.trim().toUpperCase() ?? ''
}

function labelOf(name: string): string {
  return lookUp(codeTables().charsets.labels, name) ?? ''
}
