import { equalSecrets, type Log, lengthPrefixed } from '#kernel'
import type { CompartmentId, KeyStore, Store } from '#store'
import type { Vault } from '#vault'
import { soundPayload } from '../ledger/ledger-index.ts'
import { linkOf } from '../ledger/payload.ts'
import type { Shelf } from '../ledger/shelf.ts'

/** How far a compartment's ledger had come, kept beside the keys: what a database that was rolled back cannot know. */
export interface HeadNote {
  readonly seq: number
  readonly link: Uint8Array
}

const seqBytes = 8
const linkBytes = 8

/**
 * Heads are noted in the keystore, which is another file with another backup, so that `verify` finds a ledger whose
 * newest entries were cut off. Notes lag behind the ledger by seconds and are never ahead of it.
 */
export class HeadNotes {
  readonly #keys: KeyStore
  readonly #vault: Vault
  readonly #store: Store
  readonly #log: Log
  readonly #noted = new Map<CompartmentId, number>()
  /** Compartments whose ledger is not the one that was noted: their notes are evidence, and are left as they are. */
  readonly #contested = new Set<CompartmentId>()

  constructor(rooms: {
    readonly keys: KeyStore
    readonly vault: Vault
    readonly store: Store
    readonly log: Log
  }) {
    this.#keys = rooms.keys
    this.#vault = rooms.vault
    this.#store = rooms.store
    this.#log = rooms.log
  }

  /** Notes the durable heads of all open ledgers that have moved. */
  async write(shelf: Shelf): Promise<void> {
    const moved = new Map<CompartmentId, number>()
    const notes = new Map<string, Uint8Array>()
    for (const ledger of shelf.opened()) {
      const { compartment } = ledger.holder
      const settled = ledger.pendingHead === ledger.durableHead
      if (!settled || ledger.durableHead === 0 || this.#noted.get(compartment) === ledger.durableHead) continue
      const seq = ledger.durableHead
      if (!(await this.#mayReplace(compartment, seq))) continue
      moved.set(compartment, seq)
      notes.set(noteName(compartment), this.#encode(compartment, { seq, link: ledger.link }))
    }
    if (notes.size === 0) return
    await this.#keys.setNotes(notes)
    for (const [compartment, seq] of moved) this.#noted.set(compartment, seq)
  }

  /**
   * Before this process notes a head for the first time, the note that is there must fit the ledger. Else the ledger
   * was rolled back, and to write over the note would hide it from `verify`.
   */
  async #mayReplace(compartment: CompartmentId, seq: number): Promise<boolean> {
    if (this.#contested.has(compartment)) return false
    if (this.#noted.has(compartment)) return true
    const note = await this.read(compartment)
    if (note === undefined) return true
    if (note !== 'forged' && (await this.#fits(compartment, note))) return note.seq <= seq
    this.#contested.add(compartment)
    this.#log.error('a ledger is not the one whose head was noted; run verify', { room: 'record' })
    return false
  }

  /** Whether the ledger still holds the entry that was its head when the note was written. */
  async #fits(compartment: CompartmentId, note: HeadNote): Promise<boolean> {
    const [entry] = await this.#store.entriesAt(compartment, [note.seq])
    if (entry === undefined) return false
    const payload = soundPayload(await this.#vault.compartment(compartment), entry)
    return Buffer.from(linkOf(entry, payload)).equals(note.link)
  }

  /** @returns undefined when there is none; `forged` when it was not written with this instance's key */
  async read(compartment: CompartmentId): Promise<HeadNote | 'forged' | undefined> {
    const bytes = await this.#keys.note(noteName(compartment))
    if (bytes === undefined) return undefined
    const plain = bytes.subarray(0, seqBytes + linkBytes)
    if (!equalSecrets(bytes.subarray(seqBytes + linkBytes), this.#mac(compartment, plain))) return 'forged'
    const seq = Number(Buffer.from(plain).readBigUInt64BE(0))
    return { seq, link: plain.subarray(seqBytes) }
  }

  #encode(compartment: CompartmentId, { seq, link }: HeadNote): Buffer {
    const plain = Buffer.alloc(seqBytes + linkBytes)
    plain.writeBigUInt64BE(BigInt(seq), 0)
    plain.set(link, seqBytes)
    return Buffer.concat([plain, this.#mac(compartment, plain)])
  }

  #mac(compartment: CompartmentId, plain: Uint8Array): Buffer {
    return this.#vault.mac('head-note', lengthPrefixed([compartment, plain]))
  }
}

/** What the note of a compartment's head is called in the keystore. */
export function noteName(compartment: CompartmentId): string {
  return `head:${compartment}`
}
