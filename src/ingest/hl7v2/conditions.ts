/** The text at a place, `PV1-45`, `PV1-2.1`, `XAD.7`, or in its second repetition, `PID-11[2]`; empty when nothing is there. */
export type Texts = (place: string) => string

type Term = (texts: Texts) => boolean

/**
 * Whether a condition of the guide holds: places that are VALUED, EQUALS a text or another place, or are IN a list, each
 * perhaps NOT, joined by AND, then by OR.
 *
 * @param condition  `OBR-8 NOT VALUED`, `XAD.7 IN ("M", "SH")`, `PV1-2.1 EQUALS "P" AND PV1-45 NOT VALUED`
 * @throws           Error for what is no condition: the tables are ours
 * @see              https://build.fhir.org/ig/HL7/v2-to-fhir/mapping_guidelines.html#conditions
 */
export function holds(condition: string, texts: Texts): boolean {
  return alternativesOf(condition).some(terms => terms.every(term => term(texts)))
}

const parsed = new Map<string, readonly (readonly Term[])[]>()

function alternativesOf(condition: string): readonly (readonly Term[])[] {
  const known = parsed.get(condition)
  if (known !== undefined) return known
  const alternatives = condition.split(' OR ').map(all => all.split(' AND ').map(toTerm))
  parsed.set(condition, alternatives)
  return alternatives
}

const pattern = /^([A-Z][A-Z0-9]{1,3}[-.]\d[\d.]*(?:\[\d\])?) (NOT )?(VALUED|EQUALS|IN)(?: (.+))?$/

function toTerm(text: string): Term {
  const [, place = '', not, verb = '', operand = ''] = pattern.exec(text) ?? []
  const isTrue = verbs[verb]?.(place, operand)
  if (isTrue === undefined) throw new Error(`no condition: ${text}`)
  return not === undefined ? isTrue : texts => !isTrue(texts)
}

const verbs: Readonly<Record<string, (place: string, operand: string) => Term>> = {
  VALUED: place => texts => texts(place) !== '',
  EQUALS: (place, operand) => {
    const quoted = /^"(.*)"$/.exec(operand)
    return texts => texts(place) === (quoted === null ? texts(operand) : quoted[1])
  },
  IN: (place, operand) => {
    const list = new Set(Array.from(operand.matchAll(/"([^"]*)"/g), ([, text]) => text))
    return texts => list.has(texts(place))
  },
}
