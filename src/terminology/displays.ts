import type { Designation } from './definitions.ts'

/** What has a display and other names of it. */
interface Named {
  readonly display?: string | undefined
  readonly designations: readonly Designation[]
}

/** @see https://hl7.org/fhir/R4/valueset-designation-use.html and, for SNOMED CT, the same uses by their concepts */
const displayUses: ReadonlySet<string | undefined> = new Set([
  undefined,
  'display',
  'preferredForLanguage',
  '900000000000003001',
])

/**
 * How a concept is called in a language: the best of what is asked for, narrower tags by their wider ones, else its display.
 *
 * @param languages  as Accept-Language has them, `de-CH, de;q=0.8`
 * @see https://www.rfc-editor.org/rfc/rfc4647#section-3.4 and, for the header, RFC 9110, section 12.5.4
 */
export function displayIn(named: Named, languages: string | undefined): string | undefined {
  for (const range of rangesOf(languages ?? '')) {
    const found = lookUp(named.designations, range)
    if (found !== undefined) return found
    if (range === 'en') break
  }
  return named.display
}

function rangesOf(languages: string): readonly string[] {
  return languages
    .split(',')
    .map(text => text.split(';'))
    .map(([tag = '', quality = '']) => ({ tag: tag.trim().toLowerCase(), weight: weightOf(quality) }))
    .filter(({ tag, weight }) => tag !== '' && tag !== '*' && weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag)
}

function weightOf(quality: string): number {
  const [, digits] = /^\s*q=([01](?:\.\d{0,3})?)\s*$/i.exec(quality) ?? []
  return digits === undefined ? 1 : Number(digits)
}

function lookUp(designations: readonly Designation[], range: string): string | undefined {
  for (let tag = range; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) {
    const inTongue = designations.filter(({ language }) => isWithin(language, tag))
    const found = inTongue.find(({ use }) => displayUses.has(use?.code)) ?? inTongue[0]
    if (found !== undefined) return found.value
  }
  return undefined
}

function isWithin(language: string | undefined, tag: string): boolean {
  const own = language?.toLowerCase()
  return own === tag || own?.startsWith(`${tag}-`) === true
}

/** Whether a text is one of a concept's names: capitals and the width of spaces do not matter. */
export function isNameOf(text: string, { display, designations }: Named): boolean {
  const wanted = plain(text)
  return [display, ...designations.map(({ value }) => value)].some(name => name !== undefined && plain(name) === wanted)
}

function plain(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase()
}
