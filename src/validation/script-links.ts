/** Media types of which a browser runs what stands in a `data:` address, as a script or as a document that may hold one. */
const activeTypes = [
  ...['text/html', 'text/x', 'text/javascript', 'text/ecmascript', 'image/svg', 'application/x'],
  ...['application/javascript', 'application/ecmascript', 'application/atom', 'application/mathml', 'application/rdf'],
]
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

// Space before a media type is passed over as well: https://fetch.spec.whatwg.org/#data-url-processor
const data = `${spelled('data')}${letter(':')}${before}(?:${anyOf(activeTypes)})`
const scriptLink = new RegExp(`=\\s*["']${before}(?:${anyOf(scripts)}|${data})`, 'i')

/** A pattern of any number of control characters up to this one, as themselves or by reference. */
function controls(last: number): string {
  const codes = Array.from({ length: last + 1 }, (_, code) => code)
  return `(?:[\\0-\\x${last.toString(16).padStart(2, '0')}]|${referenceTo(codes)})*`
}

function anyOf(texts: readonly string[]): string {
  return texts.map(spelled).join('|')
}

function spelled(text: string): string {
  return [...text].map(each => letter(each) + between).join('')
}

function letter(sign: string): string {
  const codes = [...new Set([sign, sign.toUpperCase()])].map(each => each.charCodeAt(0))
  return `(?:${sign}|${referenceTo(codes)})`
}

/** @see https://www.w3.org/TR/xml/#sec-references */
function referenceTo(codes: readonly number[]): string {
  return `&#(?:0*(?:${codes.join('|')})|x0*(?:${codes.map(code => code.toString(16)).join('|')}));`
}
