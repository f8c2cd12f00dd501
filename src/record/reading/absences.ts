import { type Grant, isCommonsType } from '#access'
import { Problem } from '#kernel'
import { type HeadNotes, rolledBack } from '../upkeep/head-notes.ts'
import type { Reach } from './reach.ts'

interface AbsenceRooms {
  readonly reach: Reach
  readonly notes: Pick<HeadNotes, 'refused'>
  /** Resolves when what is noted beside the keys was compared with what the store shows. */
  checked(): Promise<void>
}

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
    const { reach, notes, checked } = this.#rooms
    await checked()
    const mayLieInCommons = isCommonsType(type)
    for (const compartment of notes.refused) {
      const holder = await reach.holderWithin(grant, compartment)
      if (holder !== undefined && (holder.kind !== 'commons' || mayLieInCommons)) return rolledBack()
    }
    return unknown()
  }
}

/** What is told of what never was, and of whatever is not to be seen. */
export function unknown(): Problem {
  return new Problem('not-found', 'record.unknown', 'No such resource is known.')
}
