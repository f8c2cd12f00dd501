import { type Grant, isCommonsType } from '#access'
import { Problem } from '#kernel'
import { type HeadNotes, rolledBack } from '../upkeep/head-notes.ts'
import type { Reach } from './reach.ts'

interface AbsenceRooms {
  readonly reach: Reach
  readonly notes: Pick<HeadNotes, 'refused' | 'mayBeMissing' | 'checkNotedOf'>
  /** While what is noted beside the keys is compared with what the store shows, at a start: resolves when that is done. */
  checking(): Promise<void> | undefined
}

/** Of so many compartments each is compared at once, before the start has come to them. */
const fewAtOnce = 64

/**
 * What is told of whatever is not found. Where the store shows less than was written, it may have lain in what is missing: whoever
 * reaches that is told so, since "not known" would be taken for "never was".
 */
export class Absences {
  readonly #rooms: AbsenceRooms

  constructor(rooms: AbsenceRooms) {
    this.#rooms = rooms
  }

  /** The same for what is not there and for what is not to be seen. */
  async of(type: string, grant: Grant): Promise<Problem> {
    const { reach, notes } = this.#rooms
    await this.#compared(grant)
    const mayLieInCommons = isCommonsType(type)
    for (const compartment of notes.refused) {
      const holder = await reach.holderWithin(grant, compartment)
      if (holder !== undefined && (holder.kind !== 'commons' || mayLieInCommons)) return rolledBack()
    }
    return unknown()
  }

  /** At a start there may be a hundred thousand ledgers to look at: who reaches a few waits for those alone. */
  async #compared(grant: Grant): Promise<void> {
    const { reach, notes, checking } = this.#rooms
    const all = checking()
    if (all === undefined) return
    const few = notes.mayBeMissing ? undefined : await reach.fewWithin(grant, fewAtOnce)
    await (few === undefined ? all : notes.checkNotedOf(few))
  }
}

/** What is told of what never was, and of whatever is not to be seen. */
export function unknown(): Problem {
  return new Problem('not-found', 'record.unknown', 'No such resource is known.')
}
