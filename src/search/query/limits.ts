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
  includes: 50,
  sortKeys: 8,
  /** Rounds of `:iterate`. */
  rounds: 32,
  /** Included resources of one page. */
  included: 10_000,
  defaultCount: 50,
  largestCount: 1_000,
}

/** @returns a Problem `too-costly` · `search.too-costly` */
export function tooCostly(what: string, name?: string): Problem {
  return new Problem('too-costly', 'search.too-costly', `The search asks for too much: ${what}.`, {
    ...(name === undefined ? {} : { expression: name }),
  })
}
