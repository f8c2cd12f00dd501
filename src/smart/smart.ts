import type { Grant } from '#access'
import { mapFew, Problem } from '#kernel'
import type { WebRoute } from '#web'
import type { Account } from './accounts/accounts.ts'
import { endOpened } from './accounts/new-password.ts'
import { approveClient, type ClientSummary, endClient, listClients } from './clients/administration.ts'
import { docsClient } from './clients/clients.ts'
import { parseMetadata } from './clients/parse-metadata.ts'
import { askForDeletion, takeDeletionBack } from './deletion/asking.ts'
import { endDueAccounts } from './deletion/ending.ts'
import { fatesOf } from './deletion/fates.ts'
import { smartConfiguration } from './discovery.ts'
import { describeClient } from './endpoints/register.ts'
import { endLeft } from './family/giving.ts'
import { host, type MintOptions, mint } from './mint.ts'
import { openParts, type Parts, paths, type SmartOptions } from './parts.ts'
import { routesOf } from './routes.ts'
import { standing } from './token/standing.ts'

/** An account as the administrator sees it. */
export interface AccountSummary {
  readonly id: string
  /** The name its owner logs in with. */
  readonly name: string
  readonly createdAtMs: number
  /** Whether it is the one that claimed this server. */
  readonly isOwner: boolean
  /** False until the person behind it has chosen one. */
  readonly hasPassword: boolean
  /** Whether logging in takes a code beside the password. */
  readonly hasSecondFactor: boolean
  /** How many passkeys log in to it, in place of both. */
  readonly passkeys: number
  /** How many identities at providers log in to it, in place of the password. */
  readonly links: number
  /** How many patients it keeps. */
  readonly patients: number
}

/** An account that waits to be deleted, as the administrator sees it. */
export interface DeletionSummary {
  readonly id: string
  readonly name: string
  readonly askedAtMs: number
  readonly dueAtMs: number
  /** `put-off`: its day had come, and it was not said what becomes of somebody. */
  readonly state: 'waiting' | 'put-off' | 'begun'
}

/** The authorisation server: who may log in, which apps may ask, what was allowed, and what a token means. */
export interface Smart {
  /**
   * What a bearer token allows now.
   *
   * @throws Problem `unauthenticated` · `token.unknown` (also: revoked), `token.expired`
   */
  authenticate(bearer: string): Promise<Grant>
  /**
   * What a grant that was given earlier stands for at this moment, beyond the life of its access token: for what goes on while nobody
   * asks. Undefined when what it came from has ended – revoked, expired, its patient erased or not theirs any more.
   */
  standing(given: Grant): Promise<Grant | undefined>
  /** Everything to be mounted at the origin; who carries it answers preflights and sets CORS headers by `readers`. */
  readonly routes: readonly WebRoute[]
  /** The content of `[fhir]/.well-known/smart-configuration`. */
  configuration(): object
  /**
   * An access token for the administrator of the host.
   *
   * @throws Problem `invalid` · `smart.mint-scope-malformed`, `smart.mint-patient-missing`, `smart.mint-scope-of-user`, `smart.mint-ttl-invalid`
   */
  mint(options: MintOptions): Promise<string>
  /** Whether somebody can log in: before that, whoever has the one-time address becomes the owner. */
  isClaimed(): Promise<boolean>
  /** The one-time address at which this server gets its owner; undefined once somebody can log in. */
  claimUrl(): Promise<string | undefined>
  /**
   * Makes an account; resolves to its id. Without a password nobody can log in until `resetAccount` was used.
   *
   * @throws Problem `unprocessable` · `smart.password-weak`, `smart.password-common`, `smart.account-name-invalid`; `conflict` · `smart.account-name-taken`
   */
  createAccount(options: { readonly name: string; readonly password?: string }): Promise<string>
  /** Who can log in, oldest first. */
  listAccounts(): Promise<readonly AccountSummary[]>
  /**
   * A one-time address, good for a day, at which the person behind an account chooses a password; addresses that were made before
   * end. What the account has open (browsers, apps, tokens, passkeys, links to providers) ends when the address is used, or with `endNow` at once. With
   * `endSecondFactor` the account's second factor, passkeys and links end at once as well, for a person who lost both phone and paper: nobody can
   * log in until the address is used.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  resetAccount(
    name: string,
    options?: { readonly endNow?: boolean; readonly endSecondFactor?: boolean },
  ): Promise<{ readonly url: string; readonly expiresAtMs: number }>
  /**
   * How many patients an account keeps in its own right and may keep; with `most` that is changed first, `default`: as many as all others.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  quota(name: string, most?: number | 'default'): Promise<{ readonly used: number; readonly most: number }>
  /**
   * What becomes of those whom an account keeps when it is deleted, as things stand, by Patient id. Whom nobody else could decide about is
   * erased.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  fatesOf(
    name: string,
    options?: { readonly isNow?: boolean },
  ): Promise<ReadonlyMap<string, 'stays' | 'given' | 'erased'>>
  /**
   * Asks for an account to be deleted, after the time of waiting or now, with all of whom nobody else could decide about; resolves to when it is due.
   * What it has open ends.
   *
   * @throws Problem `not-found` · `smart.account-absent`; `conflict` · `smart.deletion-begun`
   */
  deleteAccount(name: string, options?: { readonly isNow?: boolean }): Promise<number>
  /**
   * Takes that back; resolves to whether there was something to take back, and it had not begun.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  keepAccount(name: string): Promise<boolean>
  /** Which accounts wait to be deleted, soonest first. */
  listDeletions(): Promise<readonly DeletionSummary[]>
  /** Ends accounts whose time has come, and those whose end was cut off; for one process at a time. What hinders is logged, and tried again. */
  endDueAccounts(): Promise<void>
  /**
   * The id of an account, by the name its owner logs in with.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  accountId(name: string): Promise<string>
  /**
   * Gives an account a new password, for people who forgot theirs, and ends all that it has open: browsers, apps, tokens.
   *
   * @throws Problem `not-found` · `smart.account-absent`; `unprocessable` · `smart.password-weak`, `smart.password-common`
   */
  resetPassword(options: { readonly name: string; readonly password: string }): Promise<void>
  /**
   * Registers an app from RFC 7591 metadata, as `POST /auth/register` would; resolves to the answer of that.
   *
   * @throws Problem `invalid` · `smart.invalid-client-metadata`, `smart.invalid-redirect-uri`
   */
  registerClient(metadata: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>
  /**
   * Lets a client with its own key act without a person, within these `system/` scopes; without them within those that it
   * registered for. Resolves to what was approved.
   *
   * @throws Problem `invalid` · `smart.approval-malformed`; `not-found` · `smart.client-absent`
   */
  approveClient(clientId: string, scope?: string): Promise<string>
  /**
   * Ends a client: its registration, what people allowed it, and its tokens.
   *
   * @throws Problem `not-found` · `smart.client-absent`
   */
  endClient(clientId: string): Promise<void>
  /** The registered apps, oldest first. */
  listClients(): Promise<readonly ClientSummary[]>
  /**
   * Goes on with what was cut off: of somebody who gave a patient away what they had of them ends. For whoever serves, once all rooms are
   * open. What cannot be ended at the moment is logged, and ended the next time.
   */
  goOn(): Promise<void>
  /** Ends what apps were allowed about a patient, and every token with that patient in context: the patient is erased. */
  forgetPatient(patient: string): Promise<void>
  /** The id of the client with which the server's own API page asks for access. */
  readonly docsClientId: string
  /** Whether pages of this origin belong to a registered app and may call the FHIR API. */
  allowsOrigin(origin: string): Promise<boolean>
}

async function accountNamed(parts: Parts, name: string): Promise<Account> {
  const account = await parts.accounts.named(name)
  if (account === undefined)
    throw new Problem('not-found', 'smart.account-absent', 'There is no account with this name.')
  return account
}

async function forgetPatient(
  { accounts, permissions, tokens, invitations, guardians, emergencies }: Parts,
  patient: string,
): Promise<void> {
  await invitations.forget(patient)
  await emergencies.forget(patient)
  await guardians.forget(patient)
  for (const { id } of await permissions.ofPatient(patient)) await permissions.revoke(id)
  await tokens.deleteOfPatient(patient)
  for (const account of await accounts.list()) if (account.self === patient) await accounts.setSelf(account, undefined)
}

async function resetPassword(parts: Parts, { name, password }: { name: string; password: string }): Promise<void> {
  const account = await accountNamed(parts, name)
  await parts.accounts.changePassword(account, password)
  await endOpened(account.id, parts, { keepApps: false, keepPasskeys: false, keepLinks: false })
}

async function quota(parts: Parts, name: string, most: number | 'default' | undefined) {
  const { record } = parts
  const { id } = await accountNamed(parts, name)
  if (most !== undefined) {
    await record.setPatientQuota(id, most === 'default' ? undefined : most)
    const detail = 'how many patients an account may keep was changed'
    record.audit({ action: 'approve', outcome: 'success', actor: host, detail })
  }
  return record.patientQuota(id)
}

/** The administrator says of everybody whom nobody else could decide about that all is erased. */
async function hostSays(parts: Parts, name: string) {
  const account = await accountNamed(parts, name)
  const erases = await parts.record.patientsOf(account.id)
  return { account, said: { erases, heirs: (await parts.deletions.get(account.id))?.heirs ?? {} } }
}

async function hostFatesOf(
  parts: Parts,
  name: string,
  isNow: boolean,
): Promise<ReadonlyMap<string, 'stays' | 'given' | 'erased'>> {
  const { account, said } = await hostSays(parts, name)
  const fates = await fatesOf(account.id, { ...said, ...(isNow ? { dueAtMs: parts.clock.nowMs() } : {}) }, parts)
  return new Map([...fates].map(([patient, { kind }]) => [patient, kind === 'open' ? 'erased' : kind]))
}

async function deleteAccount(parts: Parts, name: string, isNow: boolean): Promise<number> {
  const { account, said } = await hostSays(parts, name)
  const { dueAtMs } = await askForDeletion(account, { said, actor: host, isNow }, parts)
  if (isNow) await endDueAccounts(parts, account.id)
  return dueAtMs
}

async function listDeletions({ deletions }: Parts): Promise<readonly DeletionSummary[]> {
  return (await deletions.all()).map(({ account, name, askedAtMs, dueAtMs, isBegun, isPutOff }) => {
    const waits = isPutOff === true ? 'put-off' : 'waiting'
    return { id: account, name, askedAtMs, dueAtMs, state: isBegun === true ? 'begun' : waits }
  })
}

/** Each opens a household. */
const summarizedAtOnce = 16

async function listAccounts({ accounts, record, secondFactors, ...parts }: Parts): Promise<readonly AccountSummary[]> {
  return mapFew(await accounts.list(), summarizedAtOnce, summarize)

  async function summarize({ id, name, createdAtMs, password, isOwner }: Account): Promise<AccountSummary> {
    const patients = (await record.patientsOf(id)).length
    const hasSecondFactor = (await secondFactors.of(id)) !== undefined
    const has = { isOwner: isOwner === true, hasPassword: password !== undefined, hasSecondFactor }
    const [passkeys, links] = [(await parts.passkeys.of(id)).length, (await parts.links.of(id)).length]
    return { id, name, createdAtMs, ...has, passkeys, links, patients }
  }
}

async function resetAccount(
  parts: Parts,
  name: string,
  { endNow = false, endSecondFactor = false }: { readonly endNow?: boolean; readonly endSecondFactor?: boolean } = {},
): Promise<{ url: string; expiresAtMs: number }> {
  const account = await accountNamed(parts, name)
  if (endSecondFactor) await parts.accounts.forgetPassword(account)
  const ends = { keepPasskeys: false, keepLinks: false }
  if (endNow || endSecondFactor) await endOpened(account.id, parts, { keepApps: !endNow, ...ends })
  // Last, so that at no moment the old password alone opens the account.
  if (endSecondFactor) await parts.secondFactors.remove(account.id)
  const { secret, expiresAtMs } = await parts.resets.make(account)
  const ended = [
    ...(endNow ? ['what was open has ended'] : []),
    ...(endSecondFactor ? ['the second step and all passkeys were taken away, and all links to providers'] : []),
  ]
  const detail = ['an address for a new password', ...ended].join('; ')
  parts.record.audit({ action: 'reset', outcome: 'success', actor: host, detail })
  return { url: `${parts.baseUrl}${paths.accountReset}?code=${secret}`, expiresAtMs }
}

/** Opens the authorisation server over a record and sealed documents. */
export async function openSmart(options: SmartOptions): Promise<Smart> {
  const parts = openParts(options)
  const configuration = smartConfiguration(parts.baseUrl)
  return {
    authenticate: parts.authenticate,
    standing: given => standing(given, parts),
    routes: routesOf(parts),
    configuration: () => configuration,
    mint: wanted => mint(wanted, parts),
    isClaimed: () => parts.claim.isOver(),
    async claimUrl() {
      const secret = await parts.claim.secret()
      return secret === undefined ? undefined : `${parts.baseUrl}${paths.claim}?code=${secret}`
    },
    async createAccount(wanted) {
      const { id } = await parts.accounts.create(wanted)
      // From now on the house is somebody's, whatever its database says later.
      await parts.claim.isOver()
      return id
    },
    listAccounts: () => listAccounts(parts),
    resetAccount: (name, how) => resetAccount(parts, name, how),
    quota: (name, most) => quota(parts, name, most),
    fatesOf: (name, { isNow = false } = {}) => hostFatesOf(parts, name, isNow),
    deleteAccount: (name, { isNow = false } = {}) => deleteAccount(parts, name, isNow),
    keepAccount: async name => takeDeletionBack((await accountNamed(parts, name)).id, host, parts),
    listDeletions: () => listDeletions(parts),
    endDueAccounts: () => endDueAccounts(parts),
    accountId: async name => (await accountNamed(parts, name)).id,
    resetPassword: wanted => resetPassword(parts, wanted),
    async registerClient(metadata) {
      const { client, secret } = await parts.clients.register(parseMetadata(metadata, parts.canFetchKeys))
      return describeClient(client, secret)
    },
    approveClient: (id, scope) => approveClient({ id, scope, actor: host }, parts),
    endClient: id => endClient({ id, actor: host }, parts),
    listClients: () => listClients(parts),
    goOn: () => endLeft(parts),
    forgetPatient: patient => forgetPatient(parts, patient),
    docsClientId: docsClient(parts.baseUrl).id,
    allowsOrigin: origin => parts.clients.hasOrigin(origin),
  }
}
