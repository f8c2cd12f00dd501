import type { Clock } from '#kernel'
import type { Registry } from '../registry/registry.ts'
import type { AuditNote } from '../types.ts'
import type { Upkeep } from '../upkeep/upkeep.ts'
import { auditEventOfNote } from './audit.ts'
import type { AuditOutbox } from './audit-outbox.ts'
import { type Gathered, RefusalAudit } from './refusals.ts'

/** What is refused again and again is written once in so long. */
const refusalWindowMs = 60_000

/** What is written from the reserve of a full disk: who ended what, and who came in to do so. */
const urgent: ReadonlySet<AuditNote['action']> = new Set([
  'login',
  'logout',
  'token',
  'revoke',
  'reset',
  'recover',
  'rotate',
  'erase',
])

interface DeskRooms {
  readonly clock: Clock
  readonly registry: Registry
  readonly outbox: AuditOutbox
  readonly upkeep: Upkeep
}

/** Takes what other rooms have to tell of what was done, and writes it to the audit of the patient it is about, or the instance's. */
export class AuditDesk {
  readonly #rooms: DeskRooms
  readonly #refusals: RefusalAudit

  constructor(rooms: DeskRooms) {
    this.#rooms = rooms
    this.#refusals = new RefusalAudit(rooms.clock, refusalWindowMs, (note, gathered) => this.#begin(note, gathered))
  }

  /** What waits for a person is no refusal: each of it has a record of its own. */
  note(note: AuditNote): void {
    if (note.outcome === 'failure' && note.action !== 'import') this.#refusals.note(note)
    else this.#begin(note)
  }

  /** Writes what was gathered until now. */
  flush(): void {
    this.#refusals.flush()
  }

  #begin(note: AuditNote, gathered?: Gathered): void {
    this.#rooms.upkeep.begin(() => this.#write(note, gathered))
  }

  async #write(note: AuditNote, gathered?: Gathered): Promise<void> {
    const { registry, outbox, clock } = this.#rooms
    const pair = note.patient === undefined ? undefined : await registry.ofPatient(note.patient)
    const holder = pair?.audit ?? registry.instanceAudit
    // What a stranger fails at must not use up what is kept for those who end an access.
    const isUrgent = urgent.has(note.action) && note.outcome === 'success'
    await outbox.put([{ holder, event: auditEventOfNote(note, clock.nowMs(), gathered) }], isUrgent)
  }
}
