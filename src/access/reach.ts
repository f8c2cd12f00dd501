import type { Holder } from '#search'
import { publishedTypes } from './commons-types.ts'
import type { Grant } from './grant.ts'
import type { Level, Verb } from './term.ts'

/** `referenced`: only rows that a row within reach refers to. */
export type Reach = 'none' | 'all' | 'referenced'

const readingVerbs: ReadonlySet<Verb> = new Set(['r', 's'])

type Rule = (grant: Grant, type: string, holder: Holder) => Reach

/** What terms of each level reach for reading. */
const readingRules: Readonly<Record<Level, Rule>> = {
  patient: (grant, type, holder) =>
    holder.kind === 'commons' ? (publishedTypes.has(type) ? 'all' : 'referenced') : whether(isInContext(grant, holder)),
  user: (grant, _type, holder) => whether(holder.kind === 'commons' || isKept(grant, holder)),
  system: () => 'all',
}

/** Writing reaches no further than reading; never an audit ledger, and for `patient/` terms never the commons. */
const writingRules: Readonly<Record<Level, Rule>> = {
  patient: (grant, _type, holder) => whether(holder.kind === 'patient' && isInContext(grant, holder)),
  user: (grant, type, holder) => (holder.kind === 'audit' ? 'none' : readingRules.user(grant, type, holder)),
  system: (_grant, _type, holder) => whether(holder.kind !== 'audit'),
}

/** How far terms of a level reach into a holder with a verb. */
export function reachOf(level: Level, grant: Grant, verb: Verb, type: string, holder: Holder): Reach {
  return (readingVerbs.has(verb) ? readingRules : writingRules)[level](grant, type, holder)
}

function whether(reached: boolean): Reach {
  return reached ? 'all' : 'none'
}

function isInContext(grant: Grant, holder: Holder): boolean {
  return isId(holder.patient) && holder.patient === grant.patient
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
