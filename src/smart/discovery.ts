import { composeTerm, granularChoices, type Verb } from '#access'
import { assertionAlgorithms } from './clients/assertions.ts'
import { paths } from './parts.ts'

const readAndSearch: ReadonlySet<Verb> = new Set(['r', 's'])

/** Only what works here; each is shown by a test. https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#capabilities */
const capabilities = [
  'launch-standalone',
  'authorize-post',
  'client-public',
  'client-confidential-symmetric',
  'client-confidential-asymmetric',
  'sso-openid-connect',
  'context-standalone-patient',
  'permission-offline',
  'permission-patient',
  'permission-user',
  'permission-v1',
  'permission-v2',
] as const

const granularScopes = Object.entries(granularChoices).flatMap(([type, choices]) =>
  choices.map(({ name, value }) => composeTerm('patient', type, readAndSearch, [{ name, value }]).text),
)

const scopesSupported = [
  'openid',
  'fhirUser',
  'launch/patient',
  'offline_access',
  'patient/*.cruds',
  'patient/*.rs',
  'user/*.cruds',
  'user/*.rs',
  'system/*.cruds',
  'system/*.rs',
  ...granularScopes,
] as const

/** What SMART's, OAuth's and OpenID's documents have in common. */
function endpoints(baseUrl: string) {
  return {
    issuer: baseUrl,
    jwks_uri: `${baseUrl}${paths.keys}`,
    authorization_endpoint: `${baseUrl}${paths.authorize}`,
    token_endpoint: `${baseUrl}${paths.token}`,
    introspection_endpoint: `${baseUrl}${paths.introspect}`,
    revocation_endpoint: `${baseUrl}${paths.revoke}`,
    registration_endpoint: `${baseUrl}${paths.register}`,
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: [...assertionAlgorithms],
    authorization_response_iss_parameter_supported: true,
    scopes_supported: [...scopesSupported],
  }
}

/** The content of `[fhir]/.well-known/smart-configuration`. */
export function smartConfiguration(baseUrl: string): object {
  return { ...endpoints(baseUrl), management_endpoint: `${baseUrl}${paths.account}`, capabilities: [...capabilities] }
}

/**
 * The content of `/.well-known/openid-configuration`, which serves as RFC 8414 metadata as well.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
 */
export function openidConfiguration(baseUrl: string): object {
  return {
    ...endpoints(baseUrl),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'fhirUser'],
    prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  }
}
