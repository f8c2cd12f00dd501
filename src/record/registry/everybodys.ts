import { isProblem, type Log, toUtf8 } from '#kernel'
import type { Holder } from '#search'
import type { DocumentDraft, Documents, Found, Noted, Vault } from '#vault'
import { registrations as collection, type Pair, type Registration } from './registration.ts'

/** What a note of a registration is sealed under, and what its name begins with. */
const notedAs = 'registration'
const commonsShards = 16

/** Takes a registration into the registry. */
export type Keeping = (name: string, registration: Registration, revision: number) => Pair

interface EverybodysRooms {
  readonly documents: Documents
  readonly vault: Vault
  readonly log: Log
  /** Writes over documents that are not what was written last. */
  repair(drafts: readonly DocumentDraft[]): Promise<void>
  readonly keep: Keeping
}

/** The compartments that are everybody's, without which there is no house: their registrations are noted beside the keys as well. */
export class Everybodys {
  readonly #rooms: EverybodysRooms

  constructor(rooms: EverybodysRooms) {
    this.#rooms = rooms
  }

  /** Reads what is there, and makes on first use what is not. */
  async open(): Promise<{ readonly instanceAudit: Holder; readonly commons: readonly Holder[] }> {
    const names = ['instance', ...Array.from({ length: commonsShards }, (_, shard) => `commons/${shard}`)]
    const noted = await this.#notes(names)
    const instanceAudit = (await this.#found('instance', 'instance', noted)).audit
    const commons: Holder[] = []
    for (let shard = 0; shard < commonsShards; shard++)
      commons.push((await this.#found(`commons/${shard}`, 'commons', noted, instanceAudit)).data)
    const unnoted = names.filter(name => !noted.has(name))
    if (unnoted.length > 0)
      await this.#rooms.vault.keys.setNotes(new Map(await Promise.all(unnoted.map(name => this.#note(name)))))
    return { instanceAudit, commons }
  }

  async #found(
    name: string,
    kind: 'commons' | 'instance',
    notes: ReadonlyMap<string, string>,
    instanceAudit?: Holder,
  ): Promise<Pair> {
    const { documents, vault } = this.#rooms
    const note = notes.get(name)
    if (note !== undefined) return this.#noted(name, note)
    const known = await documents.get<Registration>(collection, name)
    if (known !== undefined) return this.#rooms.keep(name, known.value, known.revision)
    const own = (await vault.createCompartment(kind === 'instance' ? 'audit' : kind)).compartment
    const audit = instanceAudit?.compartment ?? own
    const registration: Registration = { kind, compartment: own, audit }
    const won = await documents.put(collection, name, registration, { ifRevision: 0 })
    return won ? this.#rooms.keep(name, registration, 1) : this.#found(name, kind, notes, instanceAudit)
  }

  /** The note beside the keys is believed; a document that says something else, or nothing, is written anew. */
  async #noted(name: string, text: string): Promise<Pair> {
    const { documents, log, repair } = this.#rooms
    const registration = JSON.parse(text) as Registration
    const known = await this.#readable(name)
    if (known !== undefined && JSON.stringify(known.value) === text)
      return this.#rooms.keep(name, registration, known.revision)
    log.warn('a registration was damaged, and is written anew', { room: 'record' })
    try {
      await repair([documents.write(collection, name, registration)])
    } catch (error) {
      // As long as nothing may be written the note alone must do.
      if (!isProblem(error)) throw error
    }
    return this.#rooms.keep(name, registration, (await this.#readable(name))?.revision ?? 0)
  }

  /** What is noted, by name; a note that was damaged counts as none. */
  async #notes(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const notes = await this.#rooms.vault.keys.notes(`${notedAs}:`)
    const opened = new Map<string, string>()
    for (const name of names) {
      const text = this.#openNote(name, notes.get(`${notedAs}:${name}`))
      if (text !== undefined) opened.set(name, text)
    }
    return opened
  }

  #openNote(name: string, note: Noted | undefined): string | undefined {
    if (note === undefined) return undefined
    const { vault, log } = this.#rooms
    try {
      return vault.openUnder(notedAs, note === 'forged' ? new Uint8Array() : note, toUtf8(name)).toString('utf8')
    } catch (error) {
      if (!isProblem(error)) throw error
      log.warn('a note of a registration was damaged, and is written anew', { room: 'record' })
      return undefined
    }
  }

  async #readable(name: string): Promise<Found<Registration> | undefined> {
    try {
      return await this.#rooms.documents.get<Registration>(collection, name)
    } catch (error) {
      if (isProblem(error, 'fault')) return undefined
      throw error
    }
  }

  async #note(name: string): Promise<readonly [string, Uint8Array]> {
    const { documents, vault } = this.#rooms
    const found = await documents.get<Registration>(collection, name)
    const text = toUtf8(JSON.stringify(found?.value))
    return [`${notedAs}:${name}`, vault.sealUnder(notedAs, text, toUtf8(name))]
  }
}
