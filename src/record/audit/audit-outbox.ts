import type { Resource } from '#fhir'
import { gauge, isProblem, type Log, Problem } from '#kernel'
import type { Holder } from '#search'

/** An AuditEvent and whose audit it goes to. */
export interface AuditWork {
  readonly holder: Holder
  readonly event: Resource
}

/** Writes records; `urgent` ones may use what is kept in reserve for a full disk. */
export type WriteAudit = (events: readonly AuditWork[], urgent: boolean) => Promise<void>

/** Bytes of records that may wait together. */
const mostWaitingBytes = 16 * 1024 * 1024

/** Records of audit on their way to the store. What a full or failing disk does not take waits here, in memory, until it does. */
export class AuditOutbox {
  readonly #write: WriteAudit
  readonly #log: Log
  readonly #mostBytes: number
  #waiting: AuditWork[] = []
  #bytes = 0

  constructor(write: WriteAudit, log: Log, mostBytes = mostWaitingBytes) {
    this.#write = write
    this.#log = log
    this.#mostBytes = mostBytes
    const name = 'kinhold_audit_waiting_bytes'
    gauge(this, { name, help: 'Bytes of records of audit that wait for the disk' }, outbox => outbox.#bytes)
  }

  /** Resolves when the records are durable, or wait. @throws what is wrong beside the disk */
  async put(events: readonly AuditWork[], urgent = false): Promise<void> {
    try {
      await this.#write(events, urgent)
    } catch (error) {
      if (isProblem(error, 'full') || isProblem(error, 'busy')) this.#wait(events)
      else await this.#putApart(events, urgent, error)
    }
  }

  /** They are written together or not at all, and what is wrong with one audit must not cost the others theirs. */
  async #putApart(events: readonly AuditWork[], urgent: boolean, cause: unknown): Promise<void> {
    const audits = Map.groupBy(events, ({ holder }) => holder.compartment)
    if (audits.size < 2) throw cause
    for (const own of audits.values()) await this.put(own, urgent).catch(error => this.#lose(own, error))
    throw cause
  }

  #lose({ length: count }: readonly AuditWork[], error: unknown): void {
    const code = isProblem(error) ? error.code : 'unexpected'
    this.#log.error('records of one audit could not be written', { room: 'record', code, count })
  }

  /** Tries again what waits. */
  async retry(): Promise<void> {
    if (this.#waiting.length === 0) return
    const events = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    await this.put(events)
  }

  /**
   * To be asked before a read is answered: nobody reads what the audit cannot keep.
   *
   * @throws Problem `full` · `record.audit-waiting`
   */
  check(): void {
    if (this.#bytes < this.#mostBytes) return
    const text =
      "The server's disk is full, and more was read since than it can remember: reads wait until somebody makes room."
    throw new Problem('full', 'record.audit-waiting', text, { retryAfterSeconds: 60 })
  }

  /** The process ends: what still waits is lost, and that is said. */
  close(): void {
    const count = this.#waiting.length
    if (count > 0)
      this.#log.error('records of audit could not be written; they end with the process', { room: 'record', count })
  }

  #wait(events: readonly AuditWork[]): void {
    if (this.#waiting.length === 0)
      this.#log.error('records of audit wait until the disk takes them', { room: 'record', count: events.length })
    for (const event of events) this.#waiting.push(event)
    for (const { event } of events) this.#bytes += JSON.stringify(event).length
  }
}
