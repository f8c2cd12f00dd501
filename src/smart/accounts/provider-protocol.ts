import type { Clock } from '#kernel'
import type { GuardedFetch } from '#web'

/** Whose identities people may log in by. */
export interface ProviderSettings {
  /** Which one it is, also in the address to which it sends people back. */
  readonly n: number
  /** `openid`: OpenID Connect; `github`: OAuth alone, and an address that tells who somebody is. */
  readonly kind: 'openid' | 'github'
  readonly issuer: string
  readonly clientId: string
  /** How this server shows the provider who it is: by a secret, or by a private key, as PEM or JWK. */
  readonly proof: { readonly secret: string } | { readonly key: string }
  /** What people call it. */
  readonly label: string
}

/** Who somebody is at a provider: by issuer and subject, which is never given to another one; a mail address is. */
export interface Identity {
  readonly kind: ProviderSettings['kind']
  readonly issuer: string
  readonly subject: string
}

/** What ties the answer of a provider to the question. */
export interface Tied {
  readonly state: string
  readonly nonce: string
  /** Of RFC 7636. */
  readonly verifier: string
}

/**
 * What one kind of provider can be asked. Whatever it answers otherwise than it should is an error of any kind, and what cannot be had
 * is `Unreachable` or has it as a cause.
 */
export interface Protocol {
  /** Where people are sent to log in; `isAnew`: also those who are known there, for they may be somebody else. */
  addressOf(redirectUri: string, tied: Tied, isAnew: boolean): Promise<URL>
  /** Who came back with this address. */
  subjectOf(returned: URL, tied: Tied): Promise<string>
}

/** What a protocol is made with. */
export interface ProtocolOptions {
  readonly settings: ProviderSettings
  readonly fetch: GuardedFetch
  readonly clock: Clock
}
