/** Media types of which a browser runs what stands in a `data:` address. */
const activeTypes = ['text/html', 'text/xml', 'text/javascript', 'image/svg', 'application/x', 'application/javascript']
const scripts = ['javascript:', 'vbscript:', 'livescript:']

/** Whoever reads a URL passes over these before it, and between its letters: https://url.spec.whatwg.org/#url-parsing */
const before = controls(0x20)
const between = controls(0x0d)

/**
 * Whether an attribute of some markup holds an address that is run, however it is spelled: in any case, by references to
 * characters, with tabs and line breaks in it.
 */
export function hasScriptLink(markup: string): boolean {
  return scriptLink.test(markup)
}

const scriptLink = new RegExp(
  `=\\s*["']${before}(?:${anyOf(scripts)}|${spelled('data:')}(?:${anyOf(activeTypes)}))`,
  'i',
)

/** A pattern of any number of control characters up to this one, as themselves or by reference. */
function controls(last: number): string {
  const codes = Array.from({ length: last + 1 }, (_, code) => code)
  return `(?:[\\0-\\x${last.toString(16).padStart(2, '0')}]|${referenceTo(codes)})*`
}

function anyOf(texts: readonly string[]): string {
  return texts.map(spelled).join('|')
}

function spelled(text: string): string {
  const codesOf = (letter: string) => [...new Set([letter, letter.toUpperCase()])].map(each => each.charCodeAt(0))
  return [...text].map(letter => `(?:${letter}|${referenceTo(codesOf(letter))})${between}`).join('')
}

/** @see https://www.w3.org/TR/xml/#sec-references */
function referenceTo(codes: readonly number[]): string {
  return `&#(?:0*(?:${codes.join('|')})|x0*(?:${codes.map(code => code.toString(16)).join('|')}));`
}
