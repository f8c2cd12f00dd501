import type { Criterion, Holder, Sight, Vision } from '#search'
import { activeTerms, type Grant } from './grant.ts'
import { criteriaOf } from './granular.ts'
import { speaksOf } from './permission.ts'
import { type Reach, reachOf, standingOf } from './reach.ts'
import type { Term, Verb } from './term.ts'

/** What one term contributes: rows that meet all criteria, perhaps only if they are referenced. */
interface Piece {
  readonly criteria: readonly Criterion[]
  readonly referencedOnly: boolean
  /** The account whose own rows the term sees too. */
  readonly madeBy: string | undefined
}

/**
 * What the grant may see of each type in each holder, by terms that have any of the verbs.
 *
 * `patient/` terms see their patient's holder, and of the commons what is referenced; `user/` terms see their patients, the
 * household of their account and the commons; `system/` terms see all. Audit ledgers count as their patient's, for reading only.
 */
export function visionOf(grant: Grant, verbs: readonly Verb[]): Vision {
  const key = verbs.join('')
  const known = visions.get(grant) ?? remembering(visions, grant, new Map<string, Vision>())
  return known.get(key) ?? remembering(known, key, lookThrough(grant, verbs))
}

function remembering<K, V>(memory: { set(key: K, value: V): object }, key: K, value: V): V {
  memory.set(key, value)
  return value
}

/** A token is presented many times, and every read asks. */
const visions = new WeakMap<Grant, Map<string, Vision>>()

function lookThrough(grant: Grant, verbs: readonly Verb[]): Vision {
  const terms = activeTerms(grant).filter(term => verbs.some(verb => term.verbs.has(verb)))
  const sightsOfTypes = new Map<string, Map<string, Sight>>()
  const vision = (type: string, holder: Holder) => {
    const reaches = terms.map(term => reachOfTerm(term, grant, verbs, type, holder))
    const key = reaches.join()
    const sights = sightsOfTypes.get(type) ?? remembering(sightsOfTypes, type, new Map<string, Sight>())
    return sights.get(key) ?? remembering(sights, key, unionOf(piecesOf(terms, reaches, type, grant.account)))
  }
  const levels = [...new Set(terms.map(({ level }) => level))]
  return Object.assign(vision, { classOf: (holder: Holder) => standingOf(levels, grant, holder) })
}

/** A Sight says nothing of who made a row, so what is only for its maker is nobody's to see by it. */
const wider: Readonly<Record<Reach, number>> = { mine: -1, none: 0, referenced: 1, all: 2 }

function reachOfTerm(term: Term, grant: Grant, verbs: readonly Verb[], type: string, holder: Holder): Reach {
  let widest: Reach = 'none'
  if (!speaksOf(term, type)) return widest
  for (const verb of verbs) {
    const reach = term.verbs.has(verb) ? reachOf(term.level, grant, verb, type, holder) : 'none'
    if (wider[reach] > wider[widest]) widest = reach
  }
  return widest
}

function piecesOf(
  terms: readonly Term[],
  reaches: readonly Reach[],
  type: string,
  account: string | undefined,
): readonly Piece[] {
  const pieces: Piece[] = []
  terms.forEach((term, at) => {
    const criteria = reaches[at] === 'none' ? undefined : criteriaOf(term, type)
    const madeBy = term.level === 'user' && account !== '' ? account : undefined
    if (criteria !== undefined) pieces.push({ criteria, referencedOnly: reaches[at] === 'referenced', madeBy })
  })
  return pieces
}

/**
 * @NOTE a Sight cannot say "these, or those if referenced". Where both kinds meet, the referenced part is left out:
 * less is seen, never more. It takes a `system/` term with params beside another one on a type of the commons.
 */
function unionOf(pieces: readonly Piece[]): Sight {
  if (pieces.length === 0) return { kind: 'none' }
  const free = pieces.filter(piece => !piece.referencedOnly)
  const counted = free.length > 0 ? free : pieces
  const madeBy = makerOf(counted)
  const limited = { referencedOnly: true, ...(madeBy === undefined ? {} : { madeBy }) }
  const referenced = free.length > 0 ? {} : limited
  if (counted.some(piece => piece.criteria.length === 0)) return { kind: 'all', ...referenced }
  return { kind: 'some', anyOf: counted.map(piece => piece.criteria), ...referenced }
}

/** Whose own rows are seen too: where a term sees some of them only, and others see more of what is referenced, no one's. */
function makerOf(pieces: readonly Piece[]): string | undefined {
  const ofAccount = pieces.filter(({ madeBy }) => madeBy !== undefined)
  const isWhole = ofAccount.length === pieces.length || ofAccount.some(({ criteria }) => criteria.length === 0)
  return isWhole ? ofAccount[0]?.madeBy : undefined
}
