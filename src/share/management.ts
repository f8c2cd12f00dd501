import { randomBytes } from 'node:crypto'
import { type Grant, patientsInReach } from '#access'
import { type Clock, mapFew, newSecret } from '#kernel'
import type { AuditNote, Record as PatientRecord } from '#record'
import type { Vault } from '#vault'
import { type Gathered, gather } from './gather.ts'
import { attemptsOfLink, type LinkDocument, type LinkSummary, type Links, summaryOf } from './links.ts'
import { passcodeMac, unknownLink } from './opening.ts'
import { checkQuota } from './quota.ts'
import { encryptForLink, type SealedFiles } from './sealed-file.ts'
import { printShlink } from './shlink.ts'
import { covers, type LinkScopes, parseLinkScopes, subGrant } from './sub-grant.ts'
import { type Choices, checkChoices, expiryOf } from './terms-of-link.ts'

/** Patients whose links are looked for at the same time. */
const listedAtOnce = 16

/** What keeping links needs of the house. */
export interface ManagementRooms {
  readonly links: Links
  readonly files: SealedFiles
  readonly record: PatientRecord
  readonly vault: Vault
  readonly clock: Clock
  /** Origin without a slash at its end. */
  readonly baseUrl: string
}

/** What is to be shared, how, and by whom. */
export interface LinkRequest extends Choices {
  /** The creator's grant: the link shows nothing that it may not read. */
  readonly grant: Grant
  /** The grant as it is at this moment, asked once the link is kept: throws when it ended. Without it the grant stays what it was. */
  renew?(): Promise<Grant>
  /** Patient id. */
  readonly patient: string
  /** `patient/` scopes that read and search, e.g. `patient/Observation.rs?category=laboratory patient/Patient.rs`. */
  readonly scopes: string
  /** What the viewer shows, at most 80 characters. It travels in the link and is kept, sealed, for the list. */
  readonly label?: string
  /** Unix milliseconds; in seven days unless told, in a year at most. */
  readonly expiresAtMs?: number
  /** What the recipient must be told beside the link; ten wrong ones end it. */
  readonly passcode?: string
  /** Flag U: the address answers with the file itself, for viewers that know no manifest. */
  readonly flagDirect?: boolean
}

/** A link as it is handed to its creator, once: the key in it is kept nowhere. */
export interface CreatedLink {
  readonly id: string
  /** `shlink:/…` */
  readonly link: string
  /** The address in the link, without the key. */
  readonly url: string
  readonly expiresAtMs: number
}

/** What those who reach a record can do with links to it. */
export interface Management {
  /**
   * Copies what the scopes show at this moment, encrypts it under a new key, and forgets the key. Later changes of the
   * record are not in the link, and a grant that ends later does not end it: `revoke` does.
   *
   * @throws Problem `forbidden` · `share.scope-too-wide`; `not-found` · `share.nothing-to-share`; `too-large` ·
   *   `share.content-too-large`; `invalid` · `share.scope-malformed`, `share.label-invalid`, `share.expiry-invalid`,
   *   `share.passcode-invalid`, `share.flags-contradict`; `conflict` · `share.too-many`; what `renew` throws
   */
  create(request: LinkRequest): Promise<CreatedLink>
  /** The links that this grant could have made, newest first; those that have ended for 30 days more. */
  list(grant: Grant): Promise<readonly LinkSummary[]>
  /**
   * Ends a link at once and deletes its content. For its creator, and for whoever could have made it.
   *
   * @throws Problem `not-found` · `share.unknown`, also for a link that is none of the grant's business
   */
  revoke(request: { readonly grant: Grant; readonly id: string }): Promise<void>
}

function creatorOf({ id: grant, actor: { kind, id, clientId } }: Grant): LinkDocument['creator'] {
  return { grant, kind, id, ...(clientId === undefined ? {} : { clientId }) }
}

/** By the grant, not by its actor: every token that is minted on the host has the same actor, and each its own reach. */
function isCreator(grant: Grant, { creator }: LinkDocument): boolean {
  return grant.id === creator.grant
}

/** A link is shown to, and ended by, the grant that made it and whoever may read all that it shows. */
function mayManage(grant: Grant, link: LinkDocument): boolean {
  return isCreator(grant, link) || covers(grant, link.patient, parseLinkScopes(link.scopes))
}

/** Keeps links for those who may manage them. */
export function openManagement(rooms: ManagementRooms): Management {
  return new ManagedLinks(rooms)
}

class ManagedLinks implements Management {
  readonly #rooms: ManagementRooms

  constructor(rooms: ManagementRooms) {
    this.#rooms = rooms
  }

  async create(request: LinkRequest): Promise<CreatedLink> {
    const { grant, patient } = request
    const { record, clock } = this.#rooms
    const nowMs = clock.nowMs()
    const scopes = parseLinkScopes(request.scopes)
    checkChoices(request)
    const reading = subGrant(grant, patient, scopes)
    const expiresAtMs = expiryOf(request, nowMs, await this.#untilOf(request))
    await checkQuota(this.#rooms.links, patient, nowMs)
    // Asked before: what is withheld meanwhile ends the link.
    const withheld = await record.withheldNote(patient)
    const gathered = await gather(record.reader(reading), reading, `${this.#rooms.baseUrl}/fhir`, nowMs)
    const id = newSecret()
    const told = withheld === '' ? {} : { withheld }
    const facts = { scopes: scopes.text, createdAtMs: nowMs, expiresAtMs, ...told }
    const link = await this.#keep(id, request, facts, gathered)
    await this.#checkStanding(id, request, scopes, expiresAtMs)
    this.#note('export', 'success', grant, patient, 'share link created')
    return { id, link, url: this.#urlOf(id), expiresAtMs }
  }

  async list(grant: Grant): Promise<readonly LinkSummary[]> {
    const reach = patientsInReach(grant)
    const found =
      reach === 'all'
        ? await this.#rooms.links.list()
        : (await mapFew(reach, listedAtOnce, patient => this.#rooms.links.list(patient))).flat()
    return found
      .filter(({ link }) => mayManage(grant, link))
      .sort((one, other) => other.link.createdAtMs - one.link.createdAtMs)
      .map(({ id, link }) => summaryOf(id, link, this.#rooms.clock.nowMs()))
  }

  async revoke({ grant, id }: { readonly grant: Grant; readonly id: string }): Promise<void> {
    const link = await this.#rooms.links.get(id)
    if (link === undefined || !mayManage(grant, link)) {
      this.#note('refused', 'failure', grant, link?.patient, 'share link: revocation refused')
      throw unknownLink()
    }
    await this.#rooms.links.markRevoked(id)
    await this.#rooms.files.drop(id, link.pieces)
    this.#note('revoke', 'success', grant, link.patient, 'share link revoked')
  }

  /** When the account will keep the patient no more, and with that its links end; they are not asked for at each opening. */
  async #untilOf({ grant: { account }, patient }: LinkRequest): Promise<number | undefined> {
    return account === undefined ? undefined : (await this.#rooms.record.keepingOf(account, patient))?.untilMs
  }

  /** Whoever ended the grant while the content was read has ended the links that were there then, and this one was not. */
  async #checkStanding(id: string, request: LinkRequest, scopes: LinkScopes, expiresAtMs: number): Promise<void> {
    const { patient, renew } = request
    if (renew === undefined) return
    try {
      subGrant(await renew(), patient, scopes)
      expiryOf({ expiresAtMs }, this.#rooms.clock.nowMs(), await this.#untilOf(request))
    } catch (error) {
      const link = await this.#rooms.links.markRevoked(id)
      await this.#rooms.files.drop(id, link?.pieces ?? 0)
      throw error
    }
  }

  /** Encrypts under a new key and keeps the result; the key is in the returned link and nowhere else. */
  async #keep(
    id: string,
    { grant, patient, label, passcode, flagDirect: direct = false }: LinkRequest,
    facts: Pick<LinkDocument, 'scopes' | 'createdAtMs' | 'expiresAtMs' | 'withheld'>,
    { json, compartment }: Gathered,
  ): Promise<string> {
    const { expiresAtMs } = facts
    const key = randomBytes(32)
    const pieces = await this.#rooms.files.put(id, await encryptForLink(json, key), { patient, expiresAtMs })
    const labelled = label === undefined ? {} : { label }
    await this.#rooms.links.add(id, {
      ...facts,
      ...labelled,
      ...(passcode === undefined ? {} : { passcodeMac: passcodeMac(this.#rooms.vault, id, passcode) }),
      patient,
      compartment,
      creator: creatorOf(grant),
      direct,
      attemptsLeft: attemptsOfLink,
      pieces,
    })
    return printShlink({
      url: this.#urlOf(id),
      key,
      expiresAtMs,
      direct,
      passcode: passcode !== undefined,
      ...labelled,
    })
  }

  #urlOf(id: string): string {
    return `${this.#rooms.baseUrl}/share/${id}`
  }

  #note(
    action: AuditNote['action'],
    outcome: AuditNote['outcome'],
    { actor }: Grant,
    patient: string | undefined,
    detail: string,
  ): void {
    const of = patient === undefined ? {} : { patient }
    this.#rooms.record.audit({ action, outcome, actor, detail, ...of })
  }
}
