/** A canonical reference: `http://x.example/Questionnaire/q|1.0#part`. */
export interface Canonical {
  readonly url: string
  /** Undefined: the latest. */
  readonly version: string | undefined
}

/** @see https://hl7.org/fhir/R4/references.html#canonical */
export function parseCanonical(text: string): Canonical {
  const [whole = ''] = text.split('#')
  const bar = whole.indexOf('|')
  return bar < 0 ? { url: whole, version: undefined } : { url: whole.slice(0, bar), version: whole.slice(bar + 1) }
}

const byNumbers = new Intl.Collator('en', { numeric: true })

/** Business versions in the order in which people count them: 1.9 before 1.10, none before any. */
export function compareVersions(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return byNumbers.compare(a, b)
}
