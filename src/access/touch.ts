import type { Resource } from '#fhir'
import { type Holder, matches } from '#search'
import { activeTerms, type Grant } from './grant.ts'
import { criteriaOf } from './granular.ts'
import { speaksOf } from './permission.ts'
import { reachOf } from './reach.ts'
import type { Term, Verb } from './term.ts'

/** What is known of a row beside what it says; whoever does not know leaves it out, and less is allowed. */
export interface Standing {
  /** A row within the grant's reach refers to this row of the commons: only such rows are read, and by an account its own. */
  readonly referenced?: boolean
  /** The grant's account made this row of the commons: `user/` terms read such rows, and change no others. */
  readonly mine?: boolean
}

/**
 * Whether the grant may do this to one version of one resource in its holder. Each version is judged by what it says
 * itself; an update must be allowed on the version before and on the new one, in all holders before and after.
 *
 * A Patient that does not exist yet is in no grant: whoever creates it asks with the grant as it will be, whose `patients`
 * name it already.
 */
export async function mayTouch(
  grant: Grant,
  verb: Verb,
  resource: Resource,
  holder: Holder,
  standing: Standing = unknownStanding,
): Promise<boolean> {
  const type = resource.resourceType
  const speaking = activeTerms(grant).filter(
    term => speaks(term, verb, type) && reaches(term, grant, verb, type, holder, standing),
  )
  if (speaking.some(term => term.params.length === 0)) return true
  for (const term of speaking) if (await meets(term, resource)) return true
  return false
}

/** Whether the grant may do this to every row of a type in a holder, whatever it says: to a deletion, which says nothing. */
export function mayTouchAny(
  grant: Grant,
  verb: Verb,
  type: string,
  holder: Holder,
  standing: Standing = unknownStanding,
): boolean {
  return activeTerms(grant).some(
    term => term.params.length === 0 && speaks(term, verb, type) && reaches(term, grant, verb, type, holder, standing),
  )
}

const unknownStanding: Standing = {}

function speaks(term: Term, verb: Verb, type: string): boolean {
  return term.verbs.has(verb) && speaksOf(term, type)
}

function reaches(term: Term, grant: Grant, verb: Verb, type: string, holder: Holder, standing: Standing): boolean {
  const reach = reachOf(term.level, grant, verb, type, holder)
  if (reach === 'referenced') return standing.referenced === true || (term.level === 'user' && standing.mine === true)
  return reach === 'all' || (reach === 'mine' && standing.mine === true)
}

async function meets(term: Term, resource: Resource): Promise<boolean> {
  const criteria = criteriaOf(term, resource.resourceType)
  return criteria !== undefined && matches(resource, criteria)
}
