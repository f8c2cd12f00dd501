import type { Grant } from '#access'
import { parseScope } from '#access'
import { Problem } from '#kernel'
import type { Account } from './accounts/accounts.ts'
import type { Client } from './clients/clients.ts'
import { parseMetadata } from './clients/parse-metadata.ts'
import { smartConfiguration } from './discovery.ts'
import { describeClient } from './endpoints/register.ts'
import { type MintOptions, mint } from './mint.ts'
import { openParts, type Parts, paths, type SmartOptions } from './parts.ts'
import { routesOf } from './routes.ts'
import type { WebRoute } from './web.ts'

/** The authorisation server: who may log in, which apps may ask, what was allowed, and what a token means. */
export interface Smart {
  /**
   * What a bearer token allows now.
   *
   * @throws Problem `unauthenticated` · `token.unknown` (also: revoked), `token.expired`
   */
  authenticate(bearer: string): Promise<Grant>
  /** Everything to be mounted at the origin, preflights included; the answers carry their own CORS headers. */
  readonly routes: readonly WebRoute[]
  /** The content of `[fhir]/.well-known/smart-configuration`. */
  configuration(): object
  /**
   * An access token for the administrator of the host.
   *
   * @throws Problem `invalid` · `smart.mint-scope-malformed`, `smart.mint-patient-missing`, `smart.mint-scope-of-user`, `smart.mint-ttl-invalid`
   */
  mint(options: MintOptions): Promise<string>
  /** The one-time address at which this server gets its owner; undefined once somebody can log in. */
  claimUrl(): Promise<string | undefined>
  /**
   * Makes an account; resolves to its id.
   *
   * @throws Problem `unprocessable` · `smart.password-weak`, `smart.account-name-invalid`; `conflict` · `smart.account-name-taken`
   */
  createAccount(options: { readonly name: string; readonly password: string }): Promise<string>
  /**
   * The id of an account, by the name its owner logs in with.
   *
   * @throws Problem `not-found` · `smart.account-absent`
   */
  accountId(name: string): Promise<string>
  /**
   * Gives an account a new password, for people who forgot theirs, and logs it out everywhere.
   *
   * @throws Problem `not-found` · `smart.account-absent`; `unprocessable` · `smart.password-weak`
   */
  resetPassword(options: { readonly name: string; readonly password: string }): Promise<void>
  /**
   * Registers an app from RFC 7591 metadata, as `POST /auth/register` would; resolves to the answer of that.
   *
   * @throws Problem `invalid` · `smart.invalid-client-metadata`, `smart.invalid-redirect-uri`
   */
  registerClient(metadata: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>
  /**
   * Lets a client with its own key act without a person, within these `system/` scopes.
   *
   * @throws Problem `invalid` · `smart.approval-malformed`; `not-found` · `smart.client-absent`
   */
  approveClient(clientId: string, scope: string): Promise<void>
  /** The registered apps. */
  clients(): Promise<readonly Client[]>
  /** Whether pages of this origin belong to a registered app and may call the FHIR API. */
  allowsOrigin(origin: string): Promise<boolean>
}

async function approve(parts: Parts, clientId: string, scope: string): Promise<void> {
  const terms = scope.split(' ').map(parseScope)
  if (!terms.every(term => term?.level === 'system'))
    throw new Problem('invalid', 'smart.approval-malformed', 'Only system/ scopes are approved by an administrator.')
  if (!(await parts.clients.approve(clientId, scope)))
    throw new Problem('not-found', 'smart.client-absent', 'There is no client with this id.')
}

async function accountNamed(parts: Parts, name: string): Promise<Account> {
  const account = await parts.accounts.named(name)
  if (account === undefined)
    throw new Problem('not-found', 'smart.account-absent', 'There is no account with this name.')
  return account
}

async function resetPassword(parts: Parts, { name, password }: { name: string; password: string }): Promise<void> {
  const account = await accountNamed(parts, name)
  await parts.accounts.changePassword(account, password)
  await parts.browsers.logOutEverywhere(account.id)
}

/** Opens the authorisation server over a record and sealed documents. */
export async function openSmart(options: SmartOptions): Promise<Smart> {
  const parts = openParts(options)
  const configuration = smartConfiguration(parts.baseUrl)
  return {
    authenticate: parts.authenticate,
    routes: routesOf(parts),
    configuration: () => configuration,
    mint: wanted => mint(wanted, parts),
    async claimUrl() {
      const secret = await parts.claim.secret()
      return secret === undefined ? undefined : `${parts.baseUrl}${paths.claim}?code=${secret}`
    },
    async createAccount(wanted) {
      return (await parts.accounts.create(wanted)).id
    },
    accountId: async name => (await accountNamed(parts, name)).id,
    resetPassword: wanted => resetPassword(parts, wanted),
    async registerClient(metadata) {
      const { client, secret } = await parts.clients.register(parseMetadata(metadata, parts.canFetchKeys))
      return describeClient(client, secret)
    },
    approveClient: (clientId, scope) => approve(parts, clientId, scope),
    clients: () => parts.clients.list(),
    allowsOrigin: origin => parts.clients.hasOrigin(origin),
  }
}
