const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = '"(?:[^"\\\\\\u0000-\\u001f\\u007f-\\uffff]|\\\\[\\u0020-\\u007e])*"'
const mediaTypeGrammar = new RegExp(`^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|${quoted}))*$`)
const longest = 255

/**
 * Whether a text is a media type, perhaps with parameters, as a header may carry it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1
 */
export function isMediaType(text: string): boolean {
  return text.length <= longest && mediaTypeGrammar.test(text)
}
