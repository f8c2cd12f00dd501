/** Where the answer to an authorize request goes, once client and redirect URI are known to belong together. */
export interface ReturnAddress {
  readonly clientId: string
  readonly redirectUri: string
  readonly state?: string
}

/** What a prompt parameter may ask for, with what it demands of the login. OpenID Connect Core §3.1.2.1 */
export type Prompt = 'none' | 'login' | 'consent' | 'select_account'

/** An authorize request that passed every check; it travels sealed through login and consent. */
export interface AuthorizationRequest extends ReturnAddress {
  readonly challenge: string
  /** The scopes that can be granted to this client, as text. */
  readonly scope: string
  readonly nonce?: string
  readonly prompt?: Prompt
  /** A login must be younger than this many seconds. */
  readonly maxAgeSeconds?: number
  readonly receivedAtMs: number
}
