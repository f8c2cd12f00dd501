import type { Actor } from '#access'
import type { Clock, Log } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Documents, Vault } from '#vault'
import type { GuardedFetch } from '#web'
import { type Accounts, openAccounts } from './accounts/accounts.ts'
import { type Browsers, openBrowsers } from './accounts/browsers.ts'
import { type Claim, openClaim } from './accounts/claim.ts'
import { openPasskeyCeremonies, type PasskeyCeremonies } from './accounts/passkey-ceremonies.ts'
import { openPasskeys, type Passkeys } from './accounts/passkeys.ts'
import { openProviderJourneys, type ProviderJourneys } from './accounts/provider-journeys.ts'
import { openProviderLinks, type ProviderLinks } from './accounts/provider-links.ts'
import type { ProviderSettings } from './accounts/provider-protocol.ts'
import { openProvider, type Provider } from './accounts/providers.ts'
import { openResets, type Resets } from './accounts/resets.ts'
import { openSealedWords, type SealedWords } from './accounts/sealed-words.ts'
import { openSecondFactors, type SecondFactors } from './accounts/second-factors.ts'
import { openThrottle, type Throttle } from './accounts/throttle.ts'
import { openTravellingRequests, type TravellingRequests } from './authorize/travelling-request.ts'
import { openAssertionVerifier } from './clients/assertions.ts'
import { type ClientAuthenticator, openClientAuthenticator } from './clients/authenticate-client.ts'
import { type Clients, docsClient, openClients } from './clients/clients.ts'
import { type Fetch, openKeySetFetcher } from './clients/key-set-fetcher.ts'
import { type Deletions, openDeletions } from './deletion/deletions.ts'
import { type Emergencies, openEmergencies } from './family/emergencies.ts'
import { type Guardians, openGuardians } from './family/guardians.ts'
import { type Invitations, openInvitations } from './family/invitations.ts'
import { type Leavings, openLeavings } from './family/leavings.ts'
import { type BearerAuthenticator, openBearerAuthenticator } from './token/authenticate-bearer.ts'
import { type Codes, openCodes } from './token/codes.ts'
import { openPermissions, type Permissions } from './token/permissions.ts'
import { openSigningKey, type SigningKey } from './token/signing-key.ts'
import { openTokens, type Tokens } from './token/tokens.ts'

/** What the authorisation server is built on. */
export interface SmartOptions {
  readonly record: PatientRecord
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** The origin people and apps reach this server at, e.g. `https://family.example`; FHIR is at `/fhir` below it. */
  readonly baseUrl: string
  /** Fetches clients' key sets from their `jwks_uri`. Without it only inline key sets can be registered. */
  readonly fetch?: Fetch
  /** At whom people may log in beside here, and what fetches from there; without it nobody is. */
  readonly providers?: { readonly settings: readonly ProviderSettings[]; readonly fetch: GuardedFetch } | undefined
  /** Without it the pages say nothing of recovery. */
  readonly recovery?: Recovery
  /** After how long without a page a person must log in again; the twelve hours of a session unless told. */
  readonly sessionIdleMs?: number | undefined
  /** Ends what an account gave away of a patient whom it keeps no more, beyond this room. */
  readonly guardianLeft?: GuardianLeft | undefined
  /** What ends with an account beyond this room; without it none is ended here. */
  readonly accountEnds?: AccountEnds | undefined
  /** How long an account waits to be deleted; 14 days unless told. */
  readonly deletionWaitMs?: number | undefined
}

/** What the whole house does when an account is deleted; each can be done again. */
export interface AccountEnds {
  /** Erases a patient whom nobody else could decide about. */
  erasePatient(patient: string, actor: Actor): Promise<unknown>
  /** Ends links that it gave away, imports, what was refused and kept for it, and whom it asked to be told. */
  endReach(account: string): Promise<void>
}

const deletionWaitMs = 14 * 24 * 60 * 60_000

/** @param account  who kept the patient by invitation, and does no more */
export type GuardianLeft = (account: string, patient: string) => Promise<void>

/** Somebody who has typed name and password, or was told by a provider, and has not typed yet the code that the account asks for beside them. */
export interface HalfLogin {
  readonly account: string
  /** Of the password that was typed, or that the account had when the provider was asked. */
  readonly salt: string | undefined
  /** The id of the link to the provider. */
  readonly link?: string
  /** What the forms of the browser carry in which it was typed. */
  readonly csrf: string
}

/** The recovery code of this server's keys, as its pages need it. */
export interface Recovery {
  /** `none`: there is no code; `untried`: nobody has typed it back yet. */
  state(): Promise<'none' | 'untried' | 'tried'>
  /** A new code in place of any earlier one; told once and not kept. */
  make(): Promise<string>
  /** Whether a code, however it was typed, opens this server's keys; from then on it counts as tried. */
  check(code: string): Promise<boolean>
}

/** Everything the endpoints are made of; each endpoint names the few it takes. */
export interface Parts {
  readonly record: PatientRecord
  readonly clock: Clock
  readonly log: Log
  /** Origin without a slash at its end; also the issuer. */
  readonly baseUrl: string
  readonly fhirBase: string
  readonly accounts: Accounts
  readonly browsers: Browsers
  readonly secondFactors: SecondFactors
  readonly passkeys: Passkeys
  readonly ceremonies: PasskeyCeremonies
  readonly providers: readonly Provider[]
  readonly links: ProviderLinks
  readonly journeys: ProviderJourneys
  readonly invitations: Invitations
  readonly guardians: Guardians
  readonly emergencies: Emergencies
  readonly leavings: Leavings
  readonly guardianLeft: GuardianLeft | undefined
  readonly deletions: Deletions
  readonly accountEnds: AccountEnds | undefined
  readonly deletionWaitMs: number
  readonly halfLogins: SealedWords<HalfLogin>
  readonly claim: Claim
  readonly resets: Resets
  readonly throttle: Throttle
  readonly clients: Clients
  readonly canFetchKeys: boolean
  readonly authenticateClient: ClientAuthenticator
  readonly authenticate: BearerAuthenticator
  readonly requests: TravellingRequests
  readonly codes: Codes
  readonly permissions: Permissions
  readonly tokens: Tokens
  readonly key: SigningKey
  readonly recovery: Recovery | undefined
}

/** Where the endpoints are, below the origin. */
export const paths = {
  authorize: '/auth/authorize',
  token: '/auth/token',
  introspect: '/auth/introspect',
  revoke: '/auth/revoke',
  register: '/auth/register',
  keys: '/auth/jwks',
  login: '/auth/login',
  loginCode: '/auth/login/code',
  loginPasskey: '/auth/login/passkey',
  loginProvider: '/auth/login/provider',
  logout: '/auth/logout',
  consent: '/auth/consent',
  claim: '/claim',
  account: '/account',
  accountDelete: '/account/delete',
  accountDeleteTakeBack: '/account/delete/take-back',
  accountRevoke: '/account/revoke',
  accountPassword: '/account/password',
  accountPeople: '/account/people',
  accountPeopleGive: '/account/people/give',
  accountSessions: '/account/sessions',
  invitation: '/account/invitation',
  accountInvitations: '/account/invitations',
  accountInvitationsWithdraw: '/account/invitations/withdraw',
  accountGuardiansChange: '/account/guardians/change',
  accountGuardiansEnd: '/account/guardians/end',
  accountEmergencies: '/account/emergencies',
  accountEmergenciesAsk: '/account/emergencies/ask',
  accountEmergenciesOpen: '/account/emergencies/open',
  accountEmergenciesRefuse: '/account/emergencies/refuse',
  accountEmergenciesEnd: '/account/emergencies/end',
  accountFactor: '/account/second-factor',
  accountFactorConfirm: '/account/second-factor/confirm',
  accountFactorCodes: '/account/second-factor/codes',
  accountFactorRemove: '/account/second-factor/remove',
  accountPasskeys: '/account/passkeys',
  accountPasskeysConfirm: '/account/passkeys/confirm',
  accountPasskeysName: '/account/passkeys/name',
  accountPasskeysEnd: '/account/passkeys/end',
  accountLinks: '/account/links',
  accountLinksEnd: '/account/links/end',
  accountReset: '/account/reset',
  accountRecovery: '/account/recovery',
  accountRecoveryTry: '/account/recovery/try',
  clients: '/auth/clients',
  clientsApprove: '/auth/clients/approve',
  clientsEnd: '/auth/clients/end',
  openidConfiguration: '/.well-known/openid-configuration',
  serverMetadata: '/.well-known/oauth-authorization-server',
} as const

/** Where people are sent to a provider, and come back from there. */
export function providerPath(n: number): string {
  return `${paths.loginProvider}/${n}`
}

/** How long a person may look for the phone. */
const halfLoginLifeMs = 10 * 60_000

function openProviders({ providers, clock }: SmartOptions, baseUrl: string): readonly Provider[] {
  if (providers === undefined) return []
  const { fetch } = providers
  return providers.settings.map(settings => openProvider({ settings, fetch, clock, baseUrl, pathOf: providerPath }))
}

/** Opens every part over one set of documents. */
export function openParts(options: SmartOptions): Parts {
  const { record, documents, vault, clock, log, fetch } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const accounts = openAccounts({ documents, clock, baseUrl })
  const secondFactors = openSecondFactors({ documents, vault, clock, baseUrl })
  const passkeys = openPasskeys({ documents, clock })
  const providers = openProviders(options, baseUrl)
  const links = openProviderLinks({ documents, vault, clock, providers })
  const browsers = openBrowsers({
    documents,
    vault,
    clock,
    accounts,
    factors: secondFactors,
    passkeys,
    links,
    baseUrl,
    idleMs: options.sessionIdleMs,
  })
  const clients = openClients({ documents, vault, clock, own: [docsClient(baseUrl)] })
  const tokens = openTokens({ documents, vault })
  const verifyAssertion = openAssertionVerifier({
    clients,
    documents,
    clock,
    audiences: [`${baseUrl}${paths.token}`, baseUrl],
    fetchKeySet: fetch === undefined ? undefined : openKeySetFetcher({ fetch, clock }),
  })
  return {
    record,
    clock,
    log,
    baseUrl,
    fhirBase: `${baseUrl}/fhir`,
    accounts,
    browsers,
    secondFactors,
    passkeys,
    ceremonies: openPasskeyCeremonies({ documents, vault, clock, passkeys, baseUrl }),
    providers,
    links,
    journeys: openProviderJourneys({ documents, vault, clock, baseUrl }),
    invitations: openInvitations({ documents, vault, clock }),
    guardians: openGuardians({ documents, clock }),
    emergencies: openEmergencies({ documents, clock }),
    leavings: openLeavings({ documents }),
    guardianLeft: options.guardianLeft,
    deletions: openDeletions({ documents, record }),
    accountEnds: options.accountEnds,
    deletionWaitMs: options.deletionWaitMs ?? deletionWaitMs,
    halfLogins: openSealedWords({ vault, clock, purpose: 'smart.half-login', lifeMs: halfLoginLifeMs }),
    claim: openClaim({ documents, vault, accounts }),
    resets: openResets({ documents, vault, clock, accounts }),
    throttle: openThrottle({ documents, clock }),
    clients,
    canFetchKeys: fetch !== undefined,
    authenticateClient: openClientAuthenticator({ clients, verifyAssertion }),
    authenticate: openBearerAuthenticator({ tokens, record, clock }),
    requests: openTravellingRequests({ vault, clock }),
    codes: openCodes({ documents, vault, clock }),
    permissions: openPermissions({ documents, clock, tokens }),
    tokens,
    key: openSigningKey(documents, log),
    recovery: options.recovery,
  }
}
