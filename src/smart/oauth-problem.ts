import { Problem, type ProblemKind } from '#kernel'

interface WireError {
  readonly code: string
  readonly kind: ProblemKind
  readonly status: number
}

/**
 * The errors that OAuth names, each with our own code, its kind, and the status at the token endpoint.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2 and section 4.1.2.1
 * @see https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2 and RFC 6750 §3.1
 * @see https://openid.net/specs/openid-connect-core-1_0.html#AuthError
 */
const wireErrors = {
  invalid_request: { code: 'smart.invalid-request', kind: 'invalid', status: 400 },
  invalid_client: { code: 'smart.invalid-client', kind: 'unauthenticated', status: 401 },
  invalid_grant: { code: 'smart.invalid-grant', kind: 'invalid', status: 400 },
  invalid_scope: { code: 'smart.invalid-scope', kind: 'invalid', status: 400 },
  insufficient_scope: { code: 'smart.insufficient-scope', kind: 'forbidden', status: 403 },
  invalid_token: { code: 'smart.invalid-token', kind: 'unauthenticated', status: 401 },
  unauthorized_client: { code: 'smart.unauthorized-client', kind: 'forbidden', status: 400 },
  unsupported_grant_type: { code: 'smart.unsupported-grant-type', kind: 'unsupported', status: 400 },
  unsupported_response_type: { code: 'smart.unsupported-response-type', kind: 'unsupported', status: 400 },
  request_not_supported: { code: 'smart.request-not-supported', kind: 'unsupported', status: 400 },
  access_denied: { code: 'smart.access-denied', kind: 'forbidden', status: 403 },
  login_required: { code: 'smart.login-required', kind: 'unauthenticated', status: 400 },
  consent_required: { code: 'smart.consent-required', kind: 'forbidden', status: 400 },
  invalid_redirect_uri: { code: 'smart.invalid-redirect-uri', kind: 'invalid', status: 400 },
  invalid_client_metadata: { code: 'smart.invalid-client-metadata', kind: 'invalid', status: 400 },
} as const satisfies Readonly<Record<string, WireError>>

export type WireErrorName = keyof typeof wireErrors

const names = new Map(Object.entries(wireErrors).map(([name, row]) => [row.code as string, name as WireErrorName]))

/** The Problem behind an OAuth error; `text` becomes `error_description` and must be a constant. */
export function oauthProblem(name: WireErrorName, text: string): Problem {
  const { kind, code } = wireErrors[name]
  return new Problem(kind, code, text)
}

/** How a Problem goes over the wire, or undefined when OAuth has no name for it. */
export function toWireError(problem: Problem): { readonly error: WireErrorName; readonly status: number } | undefined {
  const error = names.get(problem.code)
  return error === undefined ? undefined : { error, status: wireErrors[error].status }
}
