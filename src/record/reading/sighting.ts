import { type Grant, mayTouch, restrictToReadable, type Verb, visionOf } from '#access'
import { parseStored } from '#fhir'
import { parseQuery, type Sight } from '#search'
import type { Stored } from '../types.ts'
import type { Questions } from './questions.ts'
import type { Reach } from './reach.ts'
import { withoutLost } from './searched.ts'

/** Whether one stored version may be shown: by its type and holder alone where that suffices, else by its content. */
export class Sighting {
  readonly #reach: Reach
  readonly #questions: Questions

  constructor(reach: Reach, questions: Questions) {
    this.#reach = reach
    this.#questions = questions
  }

  /**
   * Each version is judged by what it says itself; a deletion says nothing, so only who sees every row sees it. Nothing is
   * promised where type and holder tell, because every read asks. What belongs to several patients is seen by whoever may
   * see it in the compartment of one of them; what a household keeps of several, by whoever reaches all of them. Where Consents
   * withhold something, what the resource says last counts for all of its versions: a label that it was given later is meant for them too.
   */
  visible(grant: Grant, verb: Verb, stored: Stored): boolean | Promise<boolean> {
    const seen = this.#visibleInOne(grant, verb, stored)
    return grant.withheld === undefined || seen === false ? seen : this.#isVisibleStill(grant, verb, stored, seen)
  }

  async #isVisibleStill(grant: Grant, verb: Verb, stored: Stored, seen: boolean | Promise<boolean>): Promise<boolean> {
    if (!(await seen)) return false
    if ((stored.deleted && !isMovedAway(stored)) || stored.holder.kind === 'commons') return true
    if (isUntouched(grant, stored) && !(await this.#reach.liesElsewhere(grant, stored))) return true
    // Where it went the same version says what it says.
    const before = isMovedAway(stored) ? { ...stored, version: stored.version - 1 } : stored
    const last = await this.#reach.lastSaid(grant, before)
    return last.version === before.version || this.#visibleInOne(grant, verb, last)
  }

  #visibleInOne(grant: Grant, verb: Verb, stored: Stored): boolean | Promise<boolean> {
    const seen = this.#visibleHere(grant, verb, stored)
    return seen === true || stored.copies.length === 0 ? seen : this.#visibleSomewhere(grant, verb, stored, seen)
  }

  async #visibleSomewhere(
    grant: Grant,
    verb: Verb,
    stored: Stored,
    here: boolean | Promise<boolean>,
  ): Promise<boolean> {
    if (await here) return true
    for (const compartment of stored.copies) {
      const holder = await this.#reach.holderWithin(grant, compartment)
      if (holder !== undefined && (await this.#visibleHere(grant, verb, { ...stored, holder }))) return true
    }
    return false
  }

  #visibleHere(grant: Grant, verb: Verb, stored: Stored): boolean | Promise<boolean> {
    const sight = visionOf(grant, [verb])(stored.type, stored.holder)
    if (sight.kind === 'none') return false
    const beyond = this.#reach.namedBeyond(grant, [verb], stored)
    if (beyond instanceof Promise)
      return beyond.then(known => known.length === 0 && this.#visibleBySight(grant, verb, stored, sight))
    return this.#visibleBySight(grant, verb, stored, sight)
  }

  #visibleBySight(grant: Grant, verb: Verb, stored: Stored, sight: Exclude<Sight, { kind: 'none' }>) {
    if (sight.kind === 'all' && (sight.referencedOnly !== true || isMadeBy(stored, sight.madeBy))) return true
    return !stored.deleted && this.#visibleByContent(grant, verb, stored, sight)
  }

  async #visibleByContent(
    grant: Grant,
    verb: Verb,
    stored: Stored,
    sight: Exclude<Sight, { kind: 'none' }>,
  ): Promise<boolean> {
    const mine = isMadeBy(stored, sight.madeBy)
    const referenced = sight.referencedOnly === true && !mine && (await this.#referenced(grant, stored))
    return mayTouch(grant, verb, await parseStored(stored.json), stored.holder, { referenced, mine })
  }

  /** Whether a row that the grant may read refers to this row of the commons; the index knows. */
  async #referenced(grant: Grant, { type, id }: Stored): Promise<boolean> {
    const query = parseQuery(type, new URLSearchParams({ _id: id }), { baseUrl: this.#reach.baseUrl })
    const restricted = restrictToReadable(query, grant)
    return withoutLost(async () => {
      const searched = await this.#questions.searched(grant, restricted)
      const found = await searched.answer(restricted, 0)
      return found.matches.length > 0
    })
  }
}

function isMovedAway(stored: Stored & { readonly movedAway?: boolean }): boolean {
  return stored.movedAway === true
}

/** Where nothing is withheld of what lies there. */
function isUntouched({ withheld }: Grant, { holder, copies, type }: Stored): boolean {
  const withholding = holder.patient === undefined ? undefined : withheld?.get(holder.patient)
  return copies.length === 0 && withholding?.isSilentOn(type) !== false
}

function isMadeBy({ creator }: Stored, account: string | undefined): boolean {
  return creator !== undefined && creator === account
}
