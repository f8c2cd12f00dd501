import type { Criterion, Holder, Sight, Vision } from '#search'
import { boundAt } from './bounds.ts'
import { activeTerms, type Grant } from './grant.ts'
import { criteriaOf } from './granular.ts'
import { speaksOf } from './permission.ts'
import { type Reach, reachOf, standingOf, standings } from './reach.ts'
import type { Term, Verb } from './term.ts'
import { type ReachOfNamed, reachOfNamed, termsAt } from './touch.ts'

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
 * household of their account – but for what there names a patient out of reach – and the commons; `system/` terms see all. Audit ledgers count as their patient's, for reading only.
 */
export function visionOf(grant: Grant, verbs: readonly Verb[]): Vision {
  const key = verbs.join('')
  const known = visions.get(grant) ?? remembering(visions, grant, new Map<string, Vision>())
  const before = known.get(key)
  if (before !== undefined) return before
  const vision = lookThrough(grant, verbs)
  // What is new may be added where nothing is seen.
  return remembering(known, key, verbs.every(verb => verb === 'c') ? vision : withoutWithheld(vision, grant))
}

/** All that can be done with what is there: who may do any of it knows of it. */
export const knowingVerbs: readonly Verb[] = ['r', 's', 'u', 'd']

/**
 * Whether of a type a grant may know all of what it reaches, so that neither whose a resource is nor what it says need be looked at;
 * but for what lies in the commons, or names somebody beyond reach.
 */
export function seesAlike(grant: Grant, type: string): boolean {
  if (grant.within !== undefined || grant.withheld !== undefined) return false
  const terms = activeTerms(grant)
  const [first] = terms
  if (terms.some(({ level }) => level !== first?.level)) return false
  return terms.some(
    term => term.params.length === 0 && speaksOf(term, type) && knowingVerbs.some(verb => term.verbs.has(verb)),
  )
}

/** What is left of a vision where Consents withhold something from the grant; the same for the same vision and grant. */
export function withoutWithheld(vision: Vision, { withheld }: Pick<Grant, 'withheld'>): Vision {
  if (withheld === undefined) return vision
  const known = narrowed.get(withheld) ?? remembering(narrowed, withheld, new WeakMap<Vision, Vision>())
  return known.get(vision) ?? remembering(known, vision, narrow(vision, withheld))
}

type Withheld = Grant['withheld'] & object

const narrowed = new WeakMap<Withheld, WeakMap<Vision, Vision>>()

function narrow(vision: Vision, withheld: Withheld): Vision {
  const numbers = new Map([...withheld.keys()].map((patient, at) => [patient, at + 1]))
  const at = ({ patient }: Holder) => (patient === undefined ? undefined : withheld.get(patient))
  const naming = new WeakMap<Sight, Map<string, Sight>>()
  const ofNobodyWithheld = (sight: Sight, type: string) => {
    const known = naming.get(sight) ?? remembering(naming, sight, new Map<string, Sight>())
    return known.get(type) ?? remembering(known, type, withoutNaming(sight, type, withheld))
  }
  const seen = (type: string, holder: Holder) => {
    const sight = vision(type, holder)
    if (holder.kind === 'household') return ofNobodyWithheld(sight, type)
    return at(holder)?.narrow(sight, type) ?? sight
  }
  const { classOf } = vision
  if (classOf === undefined) return seen
  // Of whom something is withheld each is looked at by themself.
  return Object.assign(seen, {
    classOf: (holder: Holder) => classOf(holder) * (numbers.size + 1) + (numbers.get(holder.patient ?? '') ?? 0),
  })
}

/** Of what a household keeps what names nobody of whom something of the type is withheld. */
function withoutNaming(sight: Sight, type: string, withheld: Withheld): Sight {
  if (sight.kind === 'none') return sight
  const { named = () => true } = sight
  return { ...sight, named: patient => named(patient) && withheld.get(patient)?.isSilentOn(type) !== false }
}

function remembering<K, V>(memory: { set(key: K, value: V): object }, key: K, value: V): V {
  memory.set(key, value)
  return value
}

/** A token is presented many times, and every read asks. */
const visions = new WeakMap<Grant, Map<string, Vision>>()

function lookThrough(grant: Grant, verbs: readonly Verb[]): Vision {
  const terms = activeTerms(grant).filter(term => verbs.some(verb => term.verbs.has(verb)))
  const bounds = numbered(grant)
  const termsOfBounds = new Map<number, readonly Term[]>([[0, terms]])
  const sightsOfTypes = new Map<string, Map<string, Sight>>()
  const vision = (type: string, holder: Holder) => {
    const bound = bounds(holder)
    const own = termsOfBounds.get(bound) ?? remembering(termsOfBounds, bound, termsAt(grant, holder))
    const reaches = own.map(term => reachOfTerm(term, grant, verbs, type, holder))
    // What a patient's compartment holds is theirs to see, whomever else it names.
    const isHousehold = holder.kind === 'household'
    const key = `${bound} ${reaches.join()} ${isHousehold ? 'household' : ''}`
    const sights = sightsOfTypes.get(type) ?? remembering(sightsOfTypes, type, new Map<string, Sight>())
    const known = sights.get(key)
    if (known !== undefined) return known
    const named = isHousehold ? reachOfNamed(grant, verbs, type) : undefined
    return remembering(sights, key, unionOf(piecesOf(own, reaches, type, grant.account), named))
  }
  const levels = [...new Set(terms.map(({ level }) => level))]
  return Object.assign(vision, {
    classOf: (holder: Holder) => standingOf(levels, grant, holder) + standings * bounds(holder),
  })
}

/** Holders of patients with equal bounds have the same number; those without one 0. */
function numbered(grant: Grant): (holder: Holder) => number {
  const numbers = new Map<readonly Term[], number>()
  return holder => {
    const bound = boundAt(grant, holder)
    if (bound === undefined) return 0
    return numbers.get(bound) ?? remembering(numbers, bound, numbers.size + 1)
  }
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
function unionOf(pieces: readonly Piece[], named: ReachOfNamed | undefined): Sight {
  if (pieces.length === 0) return { kind: 'none' }
  const free = pieces.filter(piece => !piece.referencedOnly)
  const counted = free.length > 0 ? free : pieces
  const madeBy = makerOf(counted)
  const limited = { referencedOnly: true, ...(madeBy === undefined ? {} : { madeBy }) }
  const bounds = { ...(free.length > 0 ? {} : limited), ...(named === undefined ? {} : { named }) }
  if (counted.some(piece => piece.criteria.length === 0)) return { kind: 'all', ...bounds }
  return { kind: 'some', anyOf: counted.map(piece => piece.criteria), ...bounds }
}

/** Whose own rows are seen too: where a term sees some of them only, and others see more of what is referenced, no one's. */
function makerOf(pieces: readonly Piece[]): string | undefined {
  const ofAccount = pieces.filter(({ madeBy }) => madeBy !== undefined)
  const isWhole = ofAccount.length === pieces.length || ofAccount.some(({ criteria }) => criteria.length === 0)
  return isWhole ? ofAccount[0]?.madeBy : undefined
}
