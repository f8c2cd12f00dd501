/** Every way in which a text might lie in a file without being hidden. */

export interface Spelling {
  readonly mark: string
  readonly encoding: string
  readonly bytes: Buffer
}

type Encode = (text: string) => readonly Buffer[]

const encodings: readonly (readonly [name: string, encode: Encode])[] = [
  ['UTF-8', text => [Buffer.from(text)]],
  ['Latin-1', text => [Buffer.from(text, 'latin1')]],
  ['UTF-16LE', text => [Buffer.from(text, 'utf16le')]],
  ['UTF-16BE', text => [Buffer.from(text, 'utf16le').swap16()]],
  ['hex', text => ['hex', 'HEX'].map(name => hex(text, name === 'HEX'))],
  ['base64', text => base64(text, 'base64')],
  ['base64url', text => base64(text, 'base64url')],
  ['base64 of UTF-16LE', text => base64(Buffer.from(text, 'utf16le'), 'base64')],
  ['percent', text => [Buffer.from(encodeURIComponent(text)), percent(text, true), percent(text, false)]],
  ['form', text => [Buffer.from(new URLSearchParams([['', text]]).toString().slice(1))]],
  [
    'JSON',
    text => [Buffer.from(JSON.stringify(text).slice(1, -1)), escaped(text, /[^\x20-\x7e]/g), escaped(text, /./g)],
  ],
  ['XML', text => [Buffer.from(text.replace(/[^\x20-\x7e]/g, char => `&#${char.codePointAt(0)};`))]],
  ['deflate, fixed codes', text => fixedCodes(Buffer.from(text))],
  ['double', text => (/^[0-9]+$/.test(text) ? doubles(Number(text)) : [])],
]

/** All spellings of these marks, also in lower and upper case, as an index would fold them. */
export function spellingsOf(marks: readonly string[]): readonly Spelling[] {
  const seen = new Set<string>()
  const spellings: Spelling[] = []
  for (const mark of marks)
    for (const cased of new Set([
      mark,
      mark.toLowerCase(),
      mark.toUpperCase(),
      unaccented(mark),
      unaccented(mark).toLowerCase(),
    ]))
      for (const [encoding, encode] of encodings)
        for (const bytes of encode(cased)) {
          const key = bytes.toString('latin1')
          if (!seen.has(key)) spellings.push({ mark, encoding, bytes })
          seen.add(key)
        }
  return spellings
}

function unaccented(text: string): string {
  return text.normalize('NFD').replace(/\p{Mn}/gu, '')
}

function hex(text: string, upper: boolean): Buffer {
  const digits = Buffer.from(text).toString('hex')
  return Buffer.from(upper ? digits.toUpperCase() : digits)
}

/** The characters that stay the same wherever the text begins within the three bytes of a group. */
function base64(text: string | Buffer, encoding: 'base64' | 'base64url'): Buffer[] {
  const bytes = Buffer.from(text)
  return [0, 1, 2].map(shift => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString(encoding)
      .replace(/=+$/, '')
    const from = Math.ceil((shift * 8) / 6)
    const until = Math.floor(((shift + bytes.length) * 8) / 6)
    return Buffer.from(whole.slice(from, until))
  })
}

function percent(text: string, upper: boolean): Buffer {
  const digits = [...Buffer.from(text)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')
  return Buffer.from(upper ? digits.toUpperCase() : digits)
}

function escaped(text: string, which: RegExp): Buffer {
  return Buffer.from(text.replace(which, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

/**
 * Short texts are deflated with the fixed codes: eight bits for each ASCII character, beginning at any bit.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1951#section-3.2.6
 */
function fixedCodes(bytes: Buffer): Buffer[] {
  const bits = [...bytes].flatMap(byte => {
    const [code, length] = byte < 144 ? [0x30 + byte, 8] : [0x190 + byte - 144, 9]
    return Array.from({ length }, (_, at) => (code >> (length - 1 - at)) & 1)
  })
  return Array.from({ length: 8 }, (_, skipped) => {
    const from = (8 - skipped) % 8
    const whole = Math.floor((bits.length - from) / 8)
    return Buffer.from(
      Array.from({ length: whole }, (_, byte) =>
        bits.slice(from + byte * 8, from + byte * 8 + 8).reduce((sum, bit, at) => sum | (bit << at), 0),
      ),
    )
  })
}

function doubles(value: number): Buffer[] {
  const [little, big] = [Buffer.alloc(8), Buffer.alloc(8)]
  little.writeDoubleLE(value)
  big.writeDoubleBE(value)
  return [little, big]
}
