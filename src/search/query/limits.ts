import { Problem } from '#kernel'

/** Bounds on what one search may ask, all of them about the text of the question alone, never about the data. */
export const limits = {
  /** Criteria and control parameters together. */
  parameters: 200,
  /** Characters of all names and values. */
  characters: 512 * 1024,
  /** Values joined by OR, over all criteria. */
  values: 10_000,
  /** Those among them that cannot be looked up and are tried on every value: dates, numbers, texts, composites. */
  scanned: 200,
  /** Steps of one chain, `_has` included. */
  chain: 8,
  /** Criteria that chains unfold to: `subject.name` is one for each type a subject may be of. */
  unfolded: 2_000,
  /** Brackets within brackets of a `_filter`, or of what is sought in texts. */
  nesting: 30,
  /** Comparisons of a `_filter`. */
  tests: 500,
  includes: 50,
  sortKeys: 8,
  /** Rounds of `:iterate`. */
  rounds: 32,
  /** Included resources of one page. */
  included: 10_000,
  /** Matches up to the end of a page, where not all that is searched is in memory. */
  depth: 50_000,
  /** Rounds in which a hierarchy is followed there. */
  lineage: 32,
  /** Resources that chains pass through, where not all that is searched is in memory. */
  passed: 1_000_000,
  defaultCount: 50,
  largestCount: 1_000,
}

interface Refusal {
  /** What there is too much of. */
  readonly unit: string
  /** What to ask instead, as a sentence. */
  readonly instead: string
}

const refusals = {
  parameters: { unit: 'parameters', instead: 'Ask with fewer criteria, or join values of one parameter by commas.' },
  characters: { unit: 'characters', instead: 'Ask with fewer or shorter values, in several searches.' },
  values: { unit: 'values joined by commas', instead: 'Ask for fewer of them at once, in several searches.' },
  scanned: {
    unit: 'dates, numbers, texts and composites joined by commas',
    instead: 'Ask for fewer of them at once, or for ranges by ge and le.',
  },
  chain: { unit: 'steps in one chain', instead: 'Ask with a shorter chain, in several searches.' },
  unfolded: {
    unit: 'criteria that chains unfold to',
    instead: 'Name the type within the chain, as in subject:Patient.name, or ask with fewer chains.',
  },
  nesting: { unit: 'brackets within each other', instead: 'Ask with fewer, or in several searches.' },
  tests: { unit: 'comparisons in a _filter', instead: 'Ask with fewer of them, in several searches.' },
  includes: { unit: 'includes', instead: 'Ask for fewer of them, or for all by *.' },
  sortKeys: { unit: 'sort keys', instead: 'Sort by fewer of them.' },
  rounds: {
    unit: 'rounds of :iterate',
    instead: 'Ask without :iterate, and for what is behind in a search of its own.',
  },
  included: { unit: 'included resources', instead: 'Ask for a smaller page by _count, or with fewer includes.' },
  depth: {
    unit: 'matches before the end of the page, among more patients than are in memory at once',
    instead: 'Ask for a narrower set, for instance by _lastUpdated, or for all of it by $export.',
  },
  lineage: {
    unit: 'steps up or down a hierarchy, among more patients than are in memory at once',
    instead: 'Ask for what lies nearer, or step by step.',
  },
  passed: {
    unit: 'resources that chains pass through, among more patients than are in memory at once',
    instead: 'Ask with a narrower chain, or for the resources that it passes through first.',
  },
} as const satisfies Partial<Record<keyof typeof limits, Refusal>>

/** @returns a Problem `too-costly` · `search.too-costly` that says how much one search may have, and what to ask instead */
export function tooCostly(limit: keyof typeof refusals, name?: string): Problem {
  const { unit, instead } = refusals[limit]
  const text = `The search asks for too much: more than ${limits[limit].toLocaleString('en')} ${unit}. ${instead}`
  return new Problem('too-costly', 'search.too-costly', text, { ...(name === undefined ? {} : { expression: name }) })
}

/**
 * @param instead  what to ask instead, as a sentence
 * @returns a Problem `too-costly` · `search.too-costly` for what is told only where all that is searched is in memory
 */
export function tooWide(instead: string): Problem {
  const text = `This is not told of more patients than are in memory at once. ${instead}`
  return new Problem('too-costly', 'search.too-costly', text)
}
