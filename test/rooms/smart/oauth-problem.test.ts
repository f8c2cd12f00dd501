import { Problem } from '#kernel'
import { oauthProblem, toWireError, type WireErrorName } from '../../../src/smart/oauth-problem.ts'

describe('RFC 6749 §5.2 – https://www.rfc-editor.org/rfc/rfc6749#section-5.2', () => {
  it.each<[WireErrorName, string, number]>([
    ['invalid_request', 'smart.invalid-request', 400],
    ['invalid_client', 'smart.invalid-client', 401],
    ['invalid_grant', 'smart.invalid-grant', 400],
    ['invalid_scope', 'smart.invalid-scope', 400],
    ['insufficient_scope', 'smart.insufficient-scope', 403],
    ['invalid_token', 'smart.invalid-token', 401],
    ['unauthorized_client', 'smart.unauthorized-client', 400],
    ['unsupported_grant_type', 'smart.unsupported-grant-type', 400],
    ['unsupported_response_type', 'smart.unsupported-response-type', 400],
    ['request_not_supported', 'smart.request-not-supported', 400],
    ['access_denied', 'smart.access-denied', 403],
    ['login_required', 'smart.login-required', 400],
    ['consent_required', 'smart.consent-required', 400],
    ['invalid_redirect_uri', 'smart.invalid-redirect-uri', 400],
    ['invalid_client_metadata', 'smart.invalid-client-metadata', 400],
  ])('%s is our %s and goes over the wire as it', (name, code, status) => {
    const problem = oauthProblem(name, 'A text.')
    expect(problem.code).toBe(code)
    expect(toWireError(problem)).toEqual({ error: name, status })
  })

  it('has no wire name for what OAuth does not know', () => {
    expect(toWireError(new Problem('fault', 'store.failed', 'A text.'))).toBeUndefined()
  })
})
