import { Problem } from '#kernel'
import { type GuardedFetch, openGuardedFetch } from '#web'
import { openGithub } from './provider-github.ts'
import { openOpenid } from './provider-openid.ts'
import type { Identity, Protocol, ProtocolOptions, ProviderSettings, Tied } from './provider-protocol.ts'

/** A provider, as the endpoints use it. */
export interface Provider extends Pick<ProviderSettings, 'n' | 'kind' | 'issuer' | 'label'> {
  readonly redirectUri: string
  /**
   * @param isAnew  whether people are to say who they are although they are known there
   * @throws Problem `busy` · `smart.provider-unreachable`; `unauthenticated` · `smart.provider-refused`
   */
  begin(tied: Tied, isAnew: boolean): Promise<URL>
  /**
   * Who came back from there. The answer is checked by what it is tied to, and by its issuer (RFC 9207).
   *
   * @throws Problem `busy` · `smart.provider-unreachable`; `unauthenticated` · `smart.provider-refused`
   */
  finish(query: URLSearchParams, tied: Tied): Promise<Identity>
}

/** A provider cannot be asked at the moment. */
export class Unreachable extends Error {}

const protocols: Readonly<Record<ProviderSettings['kind'], (options: ProtocolOptions) => Protocol>> = {
  openid: openOpenid,
  github: openGithub,
}

/** The errors of https://www.rfc-editor.org/rfc/rfc6749 and https://openid.net/specs/openid-connect-core-1_0.html#AuthError */
const told: ReadonlySet<unknown> = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
])

/** Why it went wrong, for whoever keeps the server. Nothing but names that are known beforehand: what a provider says may be the person's. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { error: said, code } = error as Error & { readonly error?: unknown; readonly code?: unknown }
  if (typeof said === 'string') return told.has(said) ? said : 'another error'
  if (typeof code === 'string' && !(error instanceof Unreachable)) return code
  return error.cause === undefined ? error.name : reasonOf(error.cause)
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && (error instanceof Unreachable || isUnreachable(error.cause))
}

function toProblem(error: unknown): Problem {
  if (isUnreachable(error))
    return new Problem(
      'busy',
      'smart.provider-unreachable',
      'The provider does not answer at the moment. Please try again later, or log in with your password.',
      { detail: reasonOf(error), cause: error },
    )
  return new Problem('unauthenticated', 'smart.provider-refused', 'The provider did not log you in here.', {
    detail: reasonOf(error),
    cause: error,
  })
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw toProblem(error)
  }
}

/** What cannot be had is told apart from what is wrong; a fault of the provider's own is the first. */
function tellingApart(fetch: GuardedFetch): GuardedFetch {
  return async (url, init) => {
    let response: Response
    try {
      response = await fetch(url, init)
    } catch (cause) {
      throw new Unreachable('no answer', { cause })
    }
    if (response.status >= 500) throw new Unreachable(`status ${response.status}`)
    return response
  }
}

const openNetwork = openGuardedFetch([])

/**
 * What a provider says of itself leads into the inner networks that were named to itself alone: one outside of them, or a neighbour, would
 * have this server ask there in its place.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#SecurityConsiderations
 */
function stayingAt(issuer: string, fetch: GuardedFetch): GuardedFetch {
  const { origin } = new URL(issuer)
  return (url, init) => (URL.parse(url)?.origin === origin ? fetch(url, init) : openNetwork(url, init))
}

/** @param pathOf  where a provider sends people back to, below the base URL */
export function openProvider(
  options: ProtocolOptions & { readonly baseUrl: string; readonly pathOf: (n: number) => string },
): Provider {
  const { settings, clock } = options
  const { n, kind, label } = settings
  // Whether a slash stands at its end changes nothing about who is meant.
  const issuer = settings.issuer.replace(/\/+$/, '')
  const fetch = tellingApart(stayingAt(issuer, options.fetch))
  const protocol = protocols[kind]({ settings, clock, fetch })
  const redirectUri = `${options.baseUrl}${options.pathOf(n)}`
  return {
    n,
    kind,
    issuer,
    label,
    redirectUri,
    begin: (tied, isAnew) => translated(protocol.addressOf(redirectUri, tied, isAnew)),
    async finish(query, tied) {
      const subject = await translated(protocol.subjectOf(new URL(`${redirectUri}?${query}`), tied))
      return { kind, issuer, subject }
    },
  }
}
