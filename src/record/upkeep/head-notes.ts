import { giveWay, isProblem, type Log, Problem } from '#kernel'
import type { CompartmentId, Entry, Store } from '#store'
import type { Noted, Vault } from '#vault'
import { soundPayload } from '../ledger/ledger-index.ts'
import { chainLink, linkOf } from '../ledger/payload.ts'

/** How far a compartment's ledger had come, kept beside the keys: what a database that was rolled back cannot know. */
export interface HeadNote {
  readonly seq: number
  readonly link: Uint8Array
}

const seqBytes = 8
const linkBytes = 8

/** Heads are noted this soon after they moved: often enough to be worth something, seldom enough to cost nothing. */
const noteAfterMs = 250

/** Of so many ledgers the heads are asked for at once. */
const checkedAtOnce = 500

type Known = readonly [CompartmentId, HeadNote]

/** Under which names heads are noted, and those that were seen once and were gone later. */
const prefixes = { head: 'head:', alarm: 'alarm:' } as const

interface HeadRooms {
  readonly vault: Vault
  readonly store: Store
  readonly log: Log
  /** Runs what nobody waits for. */
  begin(work: () => Promise<void>): void
  /** Compartments of data whose audit this compartment keeps. */
  auditedBy(compartment: CompartmentId): readonly CompartmentId[]
}

/**
 * What this process has seen durable, and what is noted in the keystore, which is another file with another backup. A store
 * that shows less is not believed: of such a ledger nothing is read or written any more, and what was there is noted as an
 * alarm, so that `verify` names it after this process has ended. Notes are never set back.
 */
export class HeadNotes {
  readonly #rooms: HeadRooms
  readonly #seen = new Map<CompartmentId, HeadNote>()
  /** What is noted, as far as this process knows; `seq` 0 where nothing was. */
  readonly #noted = new Map<CompartmentId, number>()
  readonly #moved = new Set<CompartmentId>()
  readonly #lost = new Set<CompartmentId>()
  /** Those of them that go as far as they should, and whose head cannot be opened. */
  readonly #damaged = new Set<CompartmentId>()
  /** Of which the entry that is noted does not open: damage, or another ledger in its place. */
  readonly #unreadable = new Set<CompartmentId>()
  /** The lost ones, and the data whose audit they keep: what cannot be audited is not done. */
  readonly #refused = new Set<CompartmentId>()
  readonly #all = [this.#seen, this.#noted, this.#moved, this.#lost, this.#damaged, this.#unreadable, this.#refused]
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(rooms: HeadRooms) {
    this.#rooms = rooms
  }

  /** The ledgers of which nothing is believed: the store shows less than was there, or their head cannot be opened. */
  get lost(): ReadonlySet<CompartmentId> {
    return this.#lost
  }

  /** How many of them show less than was there. */
  get cut(): number {
    return this.#lost.size - this.#damaged.size
  }

  /** Of which nothing is read or written. */
  get refused(): ReadonlySet<CompartmentId> {
    return this.#refused
  }

  /** How many ledgers hold something at their head, or at the noted one, that cannot be opened. */
  get unreadable(): number {
    return this.#unreadable.union(this.#damaged).size
  }

  /** A head that is durable. It will be noted soon, and the store must show it from now on. */
  saw(compartment: CompartmentId, note: HeadNote): void {
    if (note.seq === 0 || note.seq < (this.#seen.get(compartment)?.seq ?? 0)) return
    this.#seen.set(compartment, { seq: note.seq, link: Uint8Array.from(note.link) })
    if (this.#noted.get(compartment) === note.seq) return
    this.#moved.add(compartment)
    this.#timer ??= setTimeout(() => this.#rooms.begin(() => this.write()), noteAfterMs).unref()
  }

  /** Forgets a compartment that was removed by this process. */
  forget(compartment: CompartmentId): void {
    for (const known of this.#all) known.delete(compartment)
  }

  /** Nothing of a compartment is to be read or written, for a reason that somebody else has found. */
  refuse(compartment: CompartmentId): void {
    this.#refused.add(compartment)
  }

  /** Nothing of a ledger can be believed, because its head cannot be opened: damage, or another ledger in its place. */
  async distrust(compartment: CompartmentId): Promise<void> {
    if (this.#lost.has(compartment)) return
    this.#damaged.add(compartment)
    await this.#lose(compartment, undefined)
  }

  /** Takes that back, unless the ledger itself is lost. */
  allow(compartment: CompartmentId): void {
    if (!this.#lost.has(compartment)) this.#refused.delete(compartment)
  }

  /** @throws Problem `fault` · `record.rolled-back` */
  checkSound(compartment: CompartmentId): void {
    if (this.#refused.size > 0 && this.#refused.has(compartment)) throw rolledBack()
  }

  /**
   * Before a ledger that was opened is used: it must show what was seen and what is noted.
   *
   * @throws Problem `fault` · `record.rolled-back`
   */
  async admit(compartment: CompartmentId, head: HeadNote): Promise<void> {
    this.checkSound(compartment)
    const seen = this.#seen.get(compartment)
    if (seen !== undefined && !(isSame(seen, head) || (await this.#holds(compartment, seen))))
      await this.#lose(compartment, seen)
    if (!this.#noted.has(compartment)) await this.#compareNote(compartment, head)
    this.checkSound(compartment)
    this.saw(compartment, head)
  }

  async #compareNote(compartment: CompartmentId, head: HeadNote): Promise<void> {
    const note = await this.#read(prefixes.head, compartment)
    if (note === 'forged' || (note === undefined && head.seq > 0 && this.mayBeMissing))
      return this.#lose(compartment, undefined)
    // What an earlier process had seen and missed, perhaps before it was noted as a head.
    for (const each of [note, await this.#read(prefixes.alarm, compartment)])
      if (each === 'forged' || (each !== undefined && !isSame(each, head) && !(await this.#holds(compartment, each))))
        return this.#lose(compartment, each === 'forged' ? undefined : each)
    this.#noted.set(compartment, note?.seq ?? 0)
  }

  /** Notes the durable heads of all ledgers that have moved. */
  write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const moved = [...this.#moved]
    const heads = new Map<CompartmentId, HeadNote>()
    for (const compartment of moved) {
      const head = this.#seen.get(compartment)
      if (head !== undefined && (await this.#mayReplace(compartment))) heads.set(compartment, head)
    }
    const notes = [...heads].map(([of, head]) => [prefixes.head + of, encoded(head)] as const)
    if (notes.length > 0) await this.#raise(new Map(notes))
    for (const [compartment, { seq }] of heads) this.#noted.set(compartment, seq)
    // What moved on meanwhile is noted the next time.
    for (const compartment of moved)
      if (!heads.has(compartment) || heads.get(compartment) === this.#seen.get(compartment))
        this.#moved.delete(compartment)
  }

  /** What another process has written unhurriedly was perhaps only seen: a head that a power cut takes back must not be noted. */
  async #raise(notes: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#rooms.store.durable()
    await this.#rooms.vault.keys.raiseNotes(notes)
  }

  /** The note that is there, perhaps another process's, must fit the ledger: to write over it would hide a rollback. */
  async #mayReplace(compartment: CompartmentId): Promise<boolean> {
    if (this.#refused.has(compartment)) return false
    const note = await this.#read(prefixes.head, compartment)
    if (note === undefined || (note !== 'forged' && note.seq === this.#noted.get(compartment))) return true
    if (note !== 'forged' && (await this.#holds(compartment, note))) return true
    await this.#lose(compartment, note === 'forged' ? undefined : note)
    return false
  }

  /** Whether the store still shows all that this process has seen durable. @returns how many ledgers were looked at */
  async check(): Promise<number> {
    const seen = [...this.#seen]
    await this.#checkAll(seen)
    return seen.length
  }

  /** The same for whatever is noted beside the keys, and for what ought to be. */
  async checkNoted(): Promise<void> {
    const all = await this.all()
    const noted = new Set(all.map(({ compartment }) => compartment))
    const readable: Known[] = []
    for (const { compartment, note } of all)
      if (note === 'forged') await this.#lose(compartment, undefined)
      else readable.push([compartment, note])
    await this.#checkAll(readable)
    if (this.mayBeMissing)
      for (const compartment of (await this.#rooms.store.allHeads()).keys())
        if (!noted.has(compartment)) await this.#lose(compartment, undefined)
  }

  /** The same for some ledgers alone, for who must not wait for all. */
  async checkNotedOf(compartments: Iterable<CompartmentId>): Promise<void> {
    const known: Known[] = []
    for (const compartment of compartments)
      for (const prefix of Object.values(prefixes)) {
        const note = await this.#read(prefix, compartment)
        if (note === 'forged') await this.#lose(compartment, undefined)
        else if (note !== undefined) known.push([compartment, note])
      }
    await this.#checkAll(known)
  }

  /** Whether a ledger of which nothing is noted may be one whose note was taken away. A keystore that is older has its own notes. */
  get mayBeMissing(): boolean {
    const { fault } = this.#rooms.vault.keys
    return fault !== undefined && fault !== 'older'
  }

  /** Heads are read after what they are compared with was known. */
  async #checkAll(known: readonly Known[]): Promise<void> {
    for (let at = 0; at < known.length; at += checkedAtOnce) {
      const some = known.slice(at, at + checkedAtOnce)
      const heads = await this.#rooms.store.heads(some.map(([compartment]) => compartment))
      for (const [compartment, note] of some) await this.#checkOne(compartment, note, heads.get(compartment) ?? 0)
    }
  }

  async #checkOne(compartment: CompartmentId, note: HeadNote, head: number): Promise<void> {
    if (!this.#lost.has(compartment)) {
      const holds = head >= note.seq && (await this.#holdsEntry(compartment, note))
      if (!holds) await this.#lose(compartment, note)
      // A patient who was erased by another process.
      if (holds === 'unreadable' && !(await this.#rooms.vault.isDestroyed(compartment)))
        this.#unreadable.add(compartment)
      else this.#unreadable.delete(compartment)
    }
    const pause = giveWay()
    if (pause !== undefined) await pause
  }

  /** Heads and alarms, by compartment; `forged` where they were not written with this instance's key. */
  async all(): Promise<readonly { readonly compartment: CompartmentId; readonly note: HeadNote | 'forged' }[]> {
    const found = []
    for (const prefix of Object.values(prefixes))
      for (const [name, bytes] of await this.#rooms.vault.keys.notes(prefix))
        found.push({ compartment: name.slice(prefix.length), note: decoded(bytes) })
    return found
  }

  /** Takes these heads for right, and forgets all that was noted and seen before. */
  async accept(heads: ReadonlyMap<CompartmentId, HeadNote>): Promise<void> {
    await this.#writing.catch(() => undefined)
    const notes = new Map<string, Uint8Array | undefined>()
    for (const prefix of Object.values(prefixes))
      for (const name of (await this.#rooms.vault.keys.notes(prefix)).keys()) notes.set(name, undefined)
    for (const [of, head] of heads) notes.set(prefixes.head + of, encoded(head))
    await this.#rooms.store.durable()
    await this.#rooms.vault.keys.setNotes(notes)
    for (const known of this.#all) known.clear()
  }

  /** The head of a ledger as the store shows it; undefined for one without entries. */
  async headOf(compartment: CompartmentId): Promise<HeadNote | undefined> {
    const seq = (await this.#rooms.store.heads([compartment])).get(compartment) ?? 0
    const [entry] = seq === 0 ? [] : await this.#rooms.store.entriesAt(compartment, [seq])
    return entry === undefined ? undefined : { seq, link: (await this.#linkOf(entry)) ?? chainLink(entry.sealed) }
  }

  /** Whether the ledger still goes as far as when the note was written, and holds the entry that was its head. */
  async #holds(compartment: CompartmentId, note: HeadNote): Promise<boolean | 'unreadable'> {
    const head = (await this.#rooms.store.heads([compartment])).get(compartment) ?? 0
    return head >= note.seq && (await this.#holdsEntry(compartment, note))
  }

  async #holdsEntry(compartment: CompartmentId, { seq, link }: HeadNote): Promise<boolean | 'unreadable'> {
    const [entry] = await this.#rooms.store.entriesAt(compartment, [seq])
    if (entry === undefined) return false
    if (Buffer.from(link).equals(chainLink(entry.sealed))) return true
    // One that was sealed anew says which link it had. What does not open is damage, and named as that.
    const said = await this.#linkOf(entry)
    return said === undefined ? 'unreadable' : Buffer.from(link).equals(said)
  }

  async #linkOf(entry: Entry): Promise<Uint8Array | undefined> {
    try {
      const payload = soundPayload(await this.#rooms.vault.compartment(entry.compartment), entry)
      return payload === undefined ? undefined : linkOf(entry, payload)
    } catch (error) {
      if (isProblem(error)) return undefined
      throw error
    }
  }

  async #lose(compartment: CompartmentId, was: HeadNote | undefined): Promise<void> {
    if (this.#lost.has(compartment)) return
    // A patient was erased, perhaps by another process.
    if (await this.#rooms.vault.isDestroyed(compartment)) return this.forget(compartment)
    this.#lost.add(compartment)
    for (const each of [compartment, ...this.#rooms.auditedBy(compartment)]) this.#refused.add(each)
    const how = this.#damaged.has(compartment) ? 'cannot be opened at its head' : 'was rolled back'
    const text = `a ledger ${how}: nothing of it is read or written any more; run verify`
    this.#rooms.log.error(text, { room: 'record', code: 'record.rolled-back', detail: `compartment ${compartment}` })
    if (was !== undefined)
      await this.#rooms.vault.keys.setNotes(new Map([[prefixes.alarm + compartment, encoded(was)]]))
  }

  async #read(prefix: string, compartment: CompartmentId): Promise<HeadNote | 'forged' | undefined> {
    const noted = await this.#rooms.vault.keys.note(prefix + compartment)
    return noted === undefined ? undefined : decoded(noted)
  }
}

function decoded(noted: Noted): HeadNote | 'forged' {
  if (noted === 'forged') return noted
  return { seq: Number(Buffer.from(noted).readBigUInt64BE(0)), link: noted.subarray(seqBytes, seqBytes + linkBytes) }
}

/** The seq comes first, so that of two notes the later one is the greater, byte for byte. */
function encoded({ seq, link }: HeadNote): Uint8Array {
  const bytes = new Uint8Array(seqBytes + linkBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seq))
  bytes.set(link, seqBytes)
  return bytes
}

/** What the note of a compartment's head is called in the keystore. */
export function noteName(compartment: CompartmentId): string {
  return prefixes.head + compartment
}

function isSame(a: HeadNote, b: HeadNote): boolean {
  return a.seq === b.seq && Buffer.from(a.link).equals(b.link)
}

/** Nothing of it is served: it may be what was true once. */
export const rolledBack = (): Problem =>
  new Problem(
    'fault',
    'record.rolled-back',
    'The database does not show what was written: it was set back, or is damaged. Nothing of this is read or written until the administrator has run kinhold verify.',
  )
