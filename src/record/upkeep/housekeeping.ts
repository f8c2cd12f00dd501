import type { Clock, Log } from '#kernel'
import type { Store } from '#store'
import type { Documents, Vault } from '#vault'
import type { AuditOutbox } from '../audit/audit-outbox.ts'
import type { Contents } from '../contents/contents.ts'
import type { DocumentLedger } from '../documents/document-ledger.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Population } from '../population/population.ts'
import type { Registry } from '../registry/registry.ts'
import { type Company, examines } from './company.ts'
import type { HeadNotes } from './head-notes.ts'
import { KeySweep } from './key-sweep.ts'
import type { KeystoreWatch } from './keystore-watch.ts'
import { LedgersWatch } from './ledgers-watch.ts'
import type { Maintenance } from './maintenance.ts'
import { MovesWatch } from './moves-watch.ts'
import { onceAtATime } from './once-at-a-time.ts'
import { PlacesWatch } from './places-watch.ts'
import { Rest } from './rest.ts'
import type { Upkeep } from './upkeep.ts'
import { verifyLedger } from './verify.ts'

/** How soon it is seen that somebody else has written to the store, and looked at what. */
const everyMs = 1_000
/** In so many rounds ledgers are swept and audit tried again, and expired documents purged: every five seconds, every five minutes. */
const sweepEveryRounds = 5
const purgeEveryRounds = 300
/** Between two looks at heads and documents, for each of them: ten times what it takes. */
const restMsPerRow = 0.15

/** What is looked after. */
export interface HousekeepingRooms {
  readonly store: Store
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly documentLedger: DocumentLedger
  readonly registry: Registry
  readonly shelf: Shelf
  readonly populations: readonly Population[]
  readonly notes: HeadNotes
  readonly keystore: KeystoreWatch
  readonly upkeep: Upkeep
  readonly outbox: AuditOutbox
  readonly maintenance: Maintenance
  readonly contents: Contents
  readonly company: Company
  /** What `othersMark` told when the record was opened: what others write from then on was not there when it was read. */
  readonly openedAtMark: number
}

/** What goes on as long as the record is open: it begins when it is made. */
export class Housekeeping {
  readonly #rooms: HousekeepingRooms
  readonly #places: PlacesWatch
  readonly #ledgers: LedgersWatch
  readonly #moves: MovesWatch
  readonly #sweep: KeySweep
  readonly #nowMs: () => number
  readonly #timer: NodeJS.Timeout
  readonly #watch = onceAtATime(() => this.#lookWhenMoved())
  readonly #compareMoves = onceAtATime(() => this.#moves.look(this.#rooms.company.leads()))
  readonly #hear = onceAtATime(() => this.#rooms.vault.hearOfDestroyed())
  readonly #settle = onceAtATime(() => this.#settleLedgers())
  readonly #retry = onceAtATime(() => this.#rooms.outbox.retry())
  readonly #removeOwed = onceAtATime(() => this.#rooms.maintenance.removeOwed())
  readonly #purge = onceAtATime(() => this.#purgeAll())
  #round = 0
  #lookedAt: number | undefined
  readonly #rest = new Rest(restMsPerRow)

  constructor(rooms: HousekeepingRooms) {
    const { store, vault, clock, log, notes, registry, documents } = rooms
    this.#rooms = rooms
    this.#places = new PlacesWatch({ store, log, notes })
    this.#ledgers = new LedgersWatch({
      store,
      vault,
      log,
      verify: (compartment, head, pause) => verifyLedger({ store, vault, documents }, { compartment, head, pause }),
    })
    this.#moves = new MovesWatch({ store, log, populations: rooms.populations })
    this.#sweep = new KeySweep({ store, vault, registry, clock, log })
    this.#nowMs = steadyClock(clock)
    this.#timer = setInterval(() => this.#once(), everyMs).unref()
  }

  /** How much is wrong, and never what it is about. */
  faults(): readonly string[] {
    const { notes, documentLedger, registry, keystore } = this.#rooms
    const counted: readonly (readonly [number, string])[] = [
      [notes.cut, 'ledgers show less than was written'],
      [documentLedger.stale.length, 'documents are not what was written last'],
      [this.#places.misled, 'entries are not where they are looked for'],
      [registry.broken, 'registrations cannot be read'],
      [Math.max(notes.unreadable, this.#ledgers.damaged), 'ledgers hold what was not written there'],
    ]
    const said = [
      ...counted.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`),
      ...(this.#places.failed ? ['the database could not be gone through'] : []),
      ...keystore.faults(),
    ]
    return said.map(text => `${text}; run kinhold verify`)
  }

  /** No round begins any more; what looks through the store stops where it is. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([this.#places.close(), this.#ledgers.close()])
  }

  #once(): void {
    const { upkeep, company } = this.#rooms
    this.#round++
    // Whoever examines hears of it by that as well, in time; the others would by the next request only.
    upkeep.begin(this.#hear)
    // What is kept in memory of what others write is each process's own.
    upkeep.begin(this.#compareMoves)
    if (this.#round % sweepEveryRounds === 0) this.#tidy()
    if (examines(company) || this.faults().length > 0) this.#examine()
    if (company.leads() && this.#round % purgeEveryRounds === 0) upkeep.begin(this.#purge)
  }

  #examine(): void {
    const { upkeep, keystore } = this.#rooms
    upkeep.begin(this.#watch)
    upkeep.begin(keystore.look)
    this.#ledgers.goOn()
  }

  #tidy(): void {
    const { upkeep, populations } = this.#rooms
    for (const population of populations) population.sweep()
    for (const work of [this.#settle, this.#retry, this.#removeOwed]) upkeep.begin(work)
  }

  async #settleLedgers(): Promise<void> {
    const { shelf } = this.#rooms
    await shelf.settle()
    shelf.sweep()
  }

  async #purgeAll(): Promise<void> {
    const { documents, registry, maintenance, contents } = this.#rooms
    await documents.purge(this.#nowMs())
    await contents.sweep(this.#nowMs())
    await this.#sweep.run()
    await registry.catchUp()
    await maintenance.removeLeft()
  }

  /** Looks when somebody else has written to the store since it was looked at last. */
  async #lookWhenMoved(): Promise<void> {
    const { store, notes, documentLedger, openedAtMark } = this.#rooms
    if (!this.#rest.isOver) return
    const mark = await store.othersMark()
    if (mark === this.#lookedAt) return
    this.#places.begin()
    if (mark !== (this.#lookedAt ?? openedAtMark)) this.#ledgers.want()
    const rows = (await notes.check()) + (await documentLedger.check())
    this.#lookedAt = mark
    this.#rest.begin(rows)
  }
}

/**
 * The time as the clock told it at the start, and what has passed since. A clock that jumps forward refuses what is over for as long as
 * it is wrong; what was deleted then would not come back.
 */
function steadyClock(clock: Clock): () => number {
  const [openedAtMs, since] = [clock.nowMs(), performance.now()]
  return () => openedAtMs + performance.now() - since
}
