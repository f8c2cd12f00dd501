import type { Actor } from '#access'
import { type Clock, equalSecrets, isProblem, type Log, lengthPrefixed, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Vault } from '#vault'
import { type LinkDocument, type Links, stateOf } from './links.ts'
import type { SealedFiles } from './sealed-file.ts'

/** An address of the file lives for this long: the specification allows an hour. */
export const locationLifeMs = 10 * 60_000
const linkId = /^[A-Za-z0-9_-]{43}$/
const longestRecipient = 80

/** The opened file, or how many wrong passcodes are left. */
export type Opened =
  | { readonly kind: 'opened'; readonly jwe: string; readonly link: LinkDocument }
  | { readonly kind: 'refused'; readonly remainingAttempts: number }

/** What strangers who have a link can do with it. */
export interface Opening {
  /** Through the manifest. @throws Problem `not-found` · `share.unknown` */
  openManifest(id: string, recipient: string, passcode: string | undefined): Promise<Opened>
  /** The file itself, for a link with flag U. @throws Problem `not-found` · `share.unknown` */
  openDirect(id: string, recipient: string): Promise<string>
  /** A name for the file in the address of a location; it stops working after `locationLifeMs`. */
  ticketFor(id: string): string
  /** @throws Problem `not-found` · `share.unknown` */
  openTicket(id: string, ticket: string): Promise<string>
}

/** The one answer for a link that is unknown, expired, revoked, exhausted, or of the other kind. */
export function unknownLink(): Problem {
  return new Problem('not-found', 'share.unknown', 'There is no such link, or not any more.')
}

/** Finds a passcode's keyed hash: who steals the database cannot guess the passcode from it. */
export function passcodeMac(vault: Vault, id: string, passcode: string): string {
  return vault.mac('share.passcode', lengthPrefixed([id, passcode])).toString('hex')
}

const refusals = {
  revoked: 'share link refused: revoked',
  expired: 'share link refused: expired',
  exhausted: 'share link refused: too many wrong passcodes',
  active: 'share link refused: not opened as its flags say',
  gone: 'share link refused: the record is gone',
  withheld: 'share link refused: the Consents of the patient have changed',
  passcode: 'share link refused: wrong passcode',
  ticket: 'share link refused: location not valid',
} as const

/** What opening needs of the house. */
export interface OpeningRooms {
  readonly links: Links
  readonly files: SealedFiles
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  readonly record: PatientRecord
}

export function openOpening(rooms: OpeningRooms): Opening {
  return new LinkOpening(rooms)
}

class LinkOpening implements Opening {
  readonly #rooms: OpeningRooms

  constructor(rooms: OpeningRooms) {
    this.#rooms = rooms
  }

  async openManifest(id: string, recipient: string, passcode: string | undefined): Promise<Opened> {
    const link = await this.#find(id)
    const actor = this.#strangerWith(id, recipient)
    await this.#checkUsable(link, false, actor)
    const remainingAttempts = await this.#checkPasscode(id, link, passcode, actor)
    if (remainingAttempts === undefined)
      return { kind: 'opened', jwe: await this.#fileOf(id, link, actor, 'share link opened'), link }
    this.#refuse('passcode', link.patient, actor)
    return { kind: 'refused', remainingAttempts }
  }

  async openDirect(id: string, recipient: string): Promise<string> {
    const link = await this.#find(id)
    const actor = this.#strangerWith(id, recipient)
    await this.#checkUsable(link, true, actor)
    return this.#fileOf(id, link, actor, 'share link opened')
  }

  ticketFor(id: string): string {
    const expiresAt = (this.#rooms.clock.nowMs() + locationLifeMs).toString(36)
    return `${expiresAt}.${this.#ticketMac(id, expiresAt)}`
  }

  async openTicket(id: string, ticket: string): Promise<string> {
    const link = await this.#find(id)
    const actor = this.#strangerWith(id)
    await this.#checkUsable(link, false, actor)
    if (this.#isTicket(id, ticket)) return this.#fileOf(id, link, actor, 'share link: file fetched')
    this.#refuse('ticket', link.patient, actor)
    throw unknownLink()
  }

  // Whoever tries random ids is not audited: strangers must not be able to fill the ledger.
  async #find(id: string): Promise<LinkDocument> {
    const link = linkId.test(id) ? await this.#rooms.links.get(id) : undefined
    if (link !== undefined) return link
    this.#rooms.log.info('an unknown share link was asked for', { room: 'share' })
    throw unknownLink()
  }

  /** Strangers have no account; the link stands for them, and what they call themselves is only a name. */
  #strangerWith(id: string, recipient?: string): Actor {
    const pseudonym = this.#rooms.vault.mac('share.actor', Buffer.from(id)).toString('hex', 0, 8)
    const display = recipient?.replace(/\p{C}/gu, ' ').slice(0, longestRecipient)
    return { kind: 'client', id: `share:${pseudonym}`, ...(display === undefined ? {} : { display }) }
  }

  #refuse(reason: keyof typeof refusals, patient: string, actor: Actor): void {
    this.#rooms.record.audit({ action: 'refused', outcome: 'failure', actor, patient, detail: refusals[reason] })
  }

  /** @throws Problem `not-found` · `share.unknown`, and leaves a record of the refusal */
  async #checkUsable(link: LinkDocument, direct: boolean, actor: Actor): Promise<void> {
    const state = stateOf(link, this.#rooms.clock.nowMs())
    const isAsFlagged = link.direct === direct
    const isUsable = state === 'active' && isAsFlagged
    const hindrance = isUsable ? await this.#hindrance(link) : state
    if (hindrance === undefined) return
    this.#refuse(hindrance, link.patient, actor)
    throw unknownLink()
  }

  /** What a link holds was gathered while other Consents counted: nobody knows whether it would be given now. */
  async #hindrance(link: LinkDocument): Promise<'gone' | 'withheld' | undefined> {
    if (!(await this.#hasRecord(link))) return 'gone'
    const { withheld = '' } = link
    return (await this.#rooms.record.withheldNote(link.patient)) === withheld ? undefined : 'withheld'
  }

  async #hasRecord({ compartment }: LinkDocument): Promise<boolean> {
    try {
      await this.#rooms.vault.compartment(compartment)
      return true
    } catch (error) {
      if (isProblem(error, 'gone')) return false
      throw error
    }
  }

  /** How many attempts are left when the passcode is not the right one, else undefined. None given is no guess. */
  async #checkPasscode(
    id: string,
    link: LinkDocument,
    passcode: string | undefined,
    actor: Actor,
  ): Promise<number | undefined> {
    if (link.passcodeMac === undefined) return undefined
    return passcode === undefined ? link.attemptsLeft : this.#attempt(id, link, passcode, actor)
  }

  /** @NOTE an attempt is taken before the passcode is compared, so parallel guesses cannot share one. */
  async #attempt(id: string, link: LinkDocument, passcode: string, actor: Actor): Promise<number | undefined> {
    const { links, vault } = this.#rooms
    const spent = await links.spendAttempt(id)
    if (spent === undefined) {
      this.#refuse('exhausted', link.patient, actor)
      throw unknownLink()
    }
    if (!equalSecrets(passcodeMac(vault, id, passcode), link.passcodeMac ?? '')) return spent.attemptsLeft
    await links.restoreAttempt(id)
    return undefined
  }

  async #fileOf(id: string, link: LinkDocument, actor: Actor, detail: string): Promise<string> {
    const jwe = await this.#rooms.files.get(id, link.pieces)
    if (jwe === undefined) throw unknownLink()
    this.#rooms.record.audit({ action: 'export', outcome: 'success', actor, patient: link.patient, detail })
    return jwe
  }

  #ticketMac(id: string, expiresAt: string): string {
    return this.#rooms.vault.mac('share.location', lengthPrefixed([id, expiresAt])).toString('base64url')
  }

  #isTicket(id: string, ticket: string): boolean {
    const [expiresAt = '', mac = ''] = ticket.split('.')
    return (
      equalSecrets(mac, this.#ticketMac(id, expiresAt)) && Number.parseInt(expiresAt, 36) > this.#rooms.clock.nowMs()
    )
  }
}
