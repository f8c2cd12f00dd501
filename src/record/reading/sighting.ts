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
   * see it in the compartment of one of them.
   */
  visible(grant: Grant, verb: Verb, stored: Stored): boolean | Promise<boolean> {
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
    if (sight.kind === 'all' && (sight.referencedOnly !== true || isMadeBy(stored, sight.madeBy))) return true
    return !stored.deleted && this.#visibleByContent(grant, verb, stored, sight)
  }

  async #visibleByContent(grant: Grant, verb: Verb, stored: Stored, sight: Sight): Promise<boolean> {
    if (sight.kind === 'none') return false
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

function isMadeBy({ creator }: Stored, account: string | undefined): boolean {
  return creator !== undefined && creator === account
}
