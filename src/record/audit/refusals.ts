import type { Clock } from '#kernel'
import type { AuditNote } from '../types.ts'

/** What has happened several times: how often, and since when (Unix milliseconds). */
export interface Gathered {
  readonly count: number
  readonly fromMs: number
}

interface Kind {
  readonly note: AuditNote
  count: number
  fromMs: number
}

/** Kinds of refusal of one actor that have a record of their own; what more there is has one together. */
const kindsOfActor = 4

/**
 * Gathers what was refused. The first of a kind – an actor, an action, a code – is written at once; what follows within the
 * window is counted and becomes one record. So the ledger does not grow with how often somebody asks for what they may not have.
 */
export class RefusalAudit {
  readonly #clock: Clock
  readonly #windowMs: number
  readonly #write: (note: AuditNote, gathered?: Gathered) => void
  readonly #kinds = new Map<string, Map<string, Kind>>()
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, windowMs: number, write: (note: AuditNote, gathered?: Gathered) => void) {
    this.#clock = clock
    this.#windowMs = windowMs
    this.#write = write
  }

  note(note: AuditNote): void {
    const actor = `${note.actor?.kind} ${note.actor?.id} ${note.actor?.clientId}`
    const kinds = this.#kinds.get(actor) ?? new Map<string, Kind>()
    const known = kinds.get(keyOf(note)) ?? kinds.get(keyOf(otherOf(note)))
    if (known !== undefined) count(known, this.#clock.nowMs())
    else this.#begin(kinds, kinds.size < kindsOfActor ? note : otherOf(note))
    this.#kinds.set(actor, kinds)
    this.#timer ??= setInterval(() => this.flush(), this.#windowMs).unref()
  }

  /** Writes what has been counted. */
  flush(): void {
    for (const [actor, kinds] of this.#kinds) {
      for (const [key, kind] of kinds)
        if (kind.count === 0) kinds.delete(key)
        else this.#sum(kind)
      if (kinds.size === 0) this.#kinds.delete(actor)
    }
    if (this.#kinds.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #begin(kinds: Map<string, Kind>, note: AuditNote): void {
    kinds.set(keyOf(note), { note, count: 0, fromMs: 0 })
    this.#write(note)
  }

  #sum(kind: Kind): void {
    this.#write(kind.note, { count: kind.count, fromMs: kind.fromMs })
    kind.count = 0
  }
}

function count(kind: Kind, nowMs: number): void {
  if (kind.count++ === 0) kind.fromMs = nowMs
}

function keyOf({ action, patient, detail }: AuditNote): string {
  return `${action} ${patient} ${detail}`
}

/** What an actor was refused beside the kinds that are told apart. */
function otherOf({ outcome, actor }: AuditNote): AuditNote {
  return { action: 'refused', outcome, ...(actor === undefined ? {} : { actor }), detail: 'other refusals' }
}
