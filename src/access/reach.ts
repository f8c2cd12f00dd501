import type { Holder } from '#search'
import { isCommonsType, publishedTypes } from './commons-types.ts'
import type { Grant } from './grant.ts'
import type { Level, Verb } from './term.ts'

/** `referenced`: only rows that a row within reach refers to, for an account also those it made. `mine`: only rows that it made. */
export type Reach = 'none' | 'mine' | 'referenced' | 'all'

const readingVerbs: ReadonlySet<Verb> = new Set(['r', 's'])

type Rule = (grant: Grant, type: string, holder: Holder, verb: Verb) => Reach

/**
 * What `patient/` and `user/` terms see of the commons, or a family's choice of doctors would show to others; what does not belong
 * there is the administrator's to put right.
 */
function readingCommons(type: string): Reach {
  if (publishedTypes.has(type)) return 'all'
  return isCommonsType(type) ? 'referenced' : 'none'
}

/** What terms of each level reach for reading. */
const readingRules: Readonly<Record<Level, Rule>> = {
  patient: (grant, type, holder) =>
    holder.kind === 'commons' ? readingCommons(type) : whether(isInContext(grant, holder)),
  user: (grant, type, holder) =>
    holder.kind === 'commons' ? readingCommons(type) : whether(isKept(grant, holder) || isHome(grant, holder)),
  system: () => 'all',
}

/**
 * Writing reaches no further than reading; never an audit ledger, for `patient/` terms never the commons, and of the commons
 * an account changes only what it made.
 */
const writingRules: Readonly<Record<Level, Rule>> = {
  patient: (grant, _type, holder) => whether(holder.kind === 'patient' && isInContext(grant, holder)),
  user: (grant, type, holder, verb) => {
    if (holder.kind === 'audit') return 'none'
    if (holder.kind !== 'commons') return readingRules.user(grant, type, holder, verb)
    if (verb === 'c') return whether(isCommonsType(type))
    return isCommonsType(type) && isId(grant.account) ? 'mine' : 'none'
  },
  system: (_grant, _type, holder) => whether(holder.kind !== 'audit'),
}

/** How far terms of a level reach into a holder with a verb. */
export function reachOf(level: Level, grant: Grant, verb: Verb, type: string, holder: Holder): Reach {
  return (readingVerbs.has(verb) ? readingRules : writingRules)[level](grant, type, holder, verb)
}

/** By what the rules tell holders of one kind from each other, as bits. */
const bitsOf: Readonly<Record<Level, (grant: Grant, holder: Holder) => number>> = {
  patient: (grant, holder) => (isInContext(grant, holder) ? 1 : 0),
  user: (grant, holder) => (isKept(grant, holder) ? 2 : 0) + (isHome(grant, holder) ? 4 : 0),
  system: () => 0,
}

/** How many numbers `standingOf` can give. */
export const standings = 8

/** The same number for holders of one kind into which terms of these levels reach equally far, whatever the type and the verb. */
export function standingOf(levels: readonly Level[], grant: Grant, holder: Holder): number {
  return levels.reduce((bits, level) => bits | bitsOf[level](grant, holder), 0)
}

function whether(reached: boolean): Reach {
  return reached ? 'all' : 'none'
}

function isInContext(grant: Grant, holder: Holder): boolean {
  return isId(holder.patient) && holder.patient === grant.patient
}

/** The household of the grant's account, or its audit. That of the instance is nobody's home. */
function isHome(grant: Grant, holder: Holder): boolean {
  return isId(holder.account) && holder.account === grant.account
}

function isKept(grant: Grant, holder: Holder): boolean {
  if (!isId(holder.patient)) return false
  return grant.patients === 'all' || setOf(grant.patients).has(holder.patient)
}

function isId(patient: string | undefined): patient is string {
  return patient !== undefined && patient !== ''
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>()

/** A clinic's grant names thousands of patients, and every compartment of a search asks. */
function setOf(patients: readonly string[]): ReadonlySet<string> {
  let set = sets.get(patients)
  if (set === undefined) {
    set = new Set(patients)
    sets.set(patients, set)
  }
  return set
}
