/** Splits at a separator that no backslash protects. The parts keep their backslashes. */
export function splitAt(text: string, separator: ',' | '|' | '$'): string[] {
  const parts: string[] = []
  let from = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === separator) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}

/** Takes the protecting backslashes away: https://hl7.org/fhir/R4/search.html#escaping */
export function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\([\\,|$])/g, '$1') : text
}
