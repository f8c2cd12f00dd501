import { randomBytes } from 'node:crypto'
import { type Grant, patientsInReach } from '#access'
import { type Clock, type Log, newSecret, Problem } from '#kernel'
import type { AuditNote, Record as PatientRecord } from '#record'
import type { Documents, Vault } from '#vault'
import { type Gathered, gather } from './gather.ts'
import { attemptsOfLink, type LinkDocument, type LinkSummary, type Links, openLinks, summaryOf } from './links.ts'
import { openOpening, passcodeMac, unknownLink } from './opening.ts'
import { routesOf } from './routes.ts'
import { encryptForLink, openSealedFiles, type SealedFiles } from './sealed-file.ts'
import { longestUrl, printShlink } from './shlink.ts'
import { covers, parseLinkScopes, subGrant } from './sub-grant.ts'
import { type Choices, checkChoices, expiryOf } from './terms-of-link.ts'
import type { WebRoute } from './web.ts'

/** What the room is opened on. */
export interface ShareOptions {
  readonly record: PatientRecord
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** Origin under which strangers reach this server, without a slash at its end; at most 78 characters. */
  readonly baseUrl: string
  /** Who a bearer token is; throws Problem `unauthenticated`. */
  authenticate(bearer: string): Promise<Grant>
}

/** What is to be shared, how, and by whom. */
export interface LinkRequest extends Choices {
  /** The creator's grant: the link shows nothing that it may not read. */
  readonly grant: Grant
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

/** Links to sealed copies of parts of a record. */
export interface Share {
  /**
   * Copies what the scopes show at this moment, encrypts it under a new key, and forgets the key. Later changes of the
   * record are not in the link, and a grant that ends later does not end it: `revoke` does.
   *
   * @throws Problem `forbidden` · `share.scope-too-wide`; `not-found` · `share.nothing-to-share`; `too-large` ·
   *   `share.content-too-large`; `invalid` · `share.scope-malformed`, `share.label-invalid`, `share.expiry-invalid`,
   *   `share.passcode-invalid`, `share.flags-contradict`
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
  /** To be mounted at the origin: the protocol for viewers, and the management for bearers. */
  readonly routes: readonly WebRoute[]
}

function creatorOf({ actor: { kind, id, clientId } }: Grant): LinkDocument['creator'] {
  return { kind, id, ...(clientId === undefined ? {} : { clientId }) }
}

function isCreator({ actor }: Grant, { creator }: LinkDocument): boolean {
  return actor.kind === creator.kind && actor.id === creator.id && actor.clientId === creator.clientId
}

/** A link is shown to, and ended by, whoever made it or may read all that it shows. */
function mayManage(grant: Grant, link: LinkDocument): boolean {
  return isCreator(grant, link) || covers(grant, link.patient, parseLinkScopes(link.scopes))
}

function checkOrigin(baseUrl: string): void {
  if (`${baseUrl}/share/`.length + newSecret().length > longestUrl)
    throw new Problem('invalid', 'share.base-url-too-long', 'Links need an origin of at most 78 characters.', {
      expression: 'baseUrl',
    })
}

/**
 * Opens the room.
 *
 * @throws Problem `invalid` · `share.base-url-too-long`
 */
export function openShare(options: ShareOptions): Share {
  return new SharedLinks(options)
}

class SharedLinks implements Share {
  readonly routes: readonly WebRoute[]
  readonly #options: ShareOptions
  readonly #baseUrl: string
  readonly #links: Links
  readonly #files: SealedFiles

  constructor(options: ShareOptions) {
    const { record, documents, vault, clock, log } = options
    this.#options = options
    this.#baseUrl = options.baseUrl.replace(/\/+$/, '')
    checkOrigin(this.#baseUrl)
    this.#links = openLinks({ documents, clock })
    this.#files = openSealedFiles(documents)
    this.routes = routesOf({
      share: this,
      opening: openOpening({ links: this.#links, files: this.#files, vault, clock, log, record }),
      authenticate: bearer => options.authenticate(bearer),
      baseUrl: this.#baseUrl,
    })
  }

  async create(request: LinkRequest): Promise<CreatedLink> {
    const { grant, patient } = request
    const { record, clock } = this.#options
    const nowMs = clock.nowMs()
    const scopes = parseLinkScopes(request.scopes)
    checkChoices(request)
    const expiresAtMs = expiryOf(request, nowMs)
    const reading = subGrant(grant, patient, scopes)
    const gathered = await gather(record.reader(reading), reading, `${this.#baseUrl}/fhir`, nowMs)
    const id = newSecret()
    const link = await this.#keep(id, request, { scopes: scopes.text, createdAtMs: nowMs, expiresAtMs }, gathered)
    this.#note('export', 'success', grant, patient, 'share link created')
    return { id, link, url: this.#urlOf(id), expiresAtMs }
  }

  async list(grant: Grant): Promise<readonly LinkSummary[]> {
    const reach = patientsInReach(grant)
    const found =
      reach === 'all'
        ? await this.#links.list()
        : (await Promise.all(reach.map(patient => this.#links.list(patient)))).flat()
    return found
      .filter(({ link }) => mayManage(grant, link))
      .sort((one, other) => other.link.createdAtMs - one.link.createdAtMs)
      .map(({ id, link }) => summaryOf(id, link, this.#options.clock.nowMs()))
  }

  async revoke({ grant, id }: { readonly grant: Grant; readonly id: string }): Promise<void> {
    const link = await this.#links.get(id)
    if (link === undefined || !mayManage(grant, link)) {
      this.#note('refused', 'failure', grant, link?.patient, 'share link: revocation refused')
      throw unknownLink()
    }
    await this.#links.markRevoked(id)
    await this.#files.drop(id, link.pieces)
    this.#note('revoke', 'success', grant, link.patient, 'share link revoked')
  }

  /** Encrypts under a new key and keeps the result; the key is in the returned link and nowhere else. */
  async #keep(
    id: string,
    { grant, patient, label, passcode, flagDirect: direct = false }: LinkRequest,
    facts: Pick<LinkDocument, 'scopes' | 'createdAtMs' | 'expiresAtMs'>,
    { json, compartment }: Gathered,
  ): Promise<string> {
    const { expiresAtMs } = facts
    const key = randomBytes(32)
    const pieces = await this.#files.put(id, await encryptForLink(json, key), expiresAtMs)
    const labelled = label === undefined ? {} : { label }
    await this.#links.add(id, {
      ...facts,
      ...labelled,
      ...(passcode === undefined ? {} : { passcodeMac: passcodeMac(this.#options.vault, id, passcode) }),
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
    return `${this.#baseUrl}/share/${id}`
  }

  #note(
    action: AuditNote['action'],
    outcome: AuditNote['outcome'],
    { actor }: Grant,
    patient: string | undefined,
    detail: string,
  ): void {
    const of = patient === undefined ? {} : { patient }
    this.#options.record.audit({ action, outcome, actor, detail, ...of })
  }
}
