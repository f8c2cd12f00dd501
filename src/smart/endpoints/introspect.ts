import type { Grant } from '#access'
import { jsonResponse, type WebRequest, type WebResponse } from '#web'
import { readForm, single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'
import type { TokenDocument } from '../token/tokens.ts'
import { bearerGrant, bearerOf } from './bearer.ts'

type IntrospectParts = Pick<
  Parts,
  'authenticateClient' | 'authenticate' | 'tokens' | 'record' | 'clock' | 'baseUrl' | 'fhirBase'
>
type MaySee = (token: TokenDocument) => boolean

/** A bearer may ask about its own token and those of its client; one that may read everything, about any. R@283 */
function maySeeAs(grant: Grant): MaySee {
  const readsAll = grant.terms.some(term => term.level === 'system' && term.type === '*' && term.verbs.has('r'))
  const { clientId } = grant.actor
  return token => readsAll || token.family === grant.id || (clientId !== undefined && token.actor.clientId === clientId)
}

async function whatMayBeSeen(request: WebRequest, form: URLSearchParams, parts: IntrospectParts): Promise<MaySee> {
  const bearer = bearerOf(request)
  if (bearer !== undefined) return maySeeAs(await bearerGrant(bearer, parts))
  const client = await parts.authenticateClient(request, form)
  if (client === undefined || client.authMethod === 'none')
    throw oauthProblem('invalid_client', 'Only clients that authenticate, or bearers of a token, may ask.')
  return token => token.actor.clientId === client.id
}

/** Without the person in context a token opens nothing, and is none. */
async function isKept({ account, patient }: TokenDocument, { record }: IntrospectParts): Promise<boolean> {
  return account === undefined || patient === undefined || (await record.patientsOf(account)).includes(patient)
}

function describe(token: TokenDocument, { baseUrl, fhirBase }: IntrospectParts): Readonly<Record<string, unknown>> {
  const { actor, patient, scope } = token
  return {
    active: true,
    scope,
    client_id: actor.clientId ?? actor.id,
    token_type: 'Bearer',
    exp: Math.floor(token.expiresAtMs / 1000),
    iat: Math.floor(token.issuedAtMs / 1000),
    iss: baseUrl,
    aud: fhirBase,
    sub: actor.id,
    ...(patient === undefined ? {} : { patient }),
    ...(actor.fhirUser === undefined || !scope.split(' ').includes('fhirUser')
      ? {}
      : { fhirUser: `${fhirBase}/${actor.fhirUser}` }),
  }
}

/**
 * POST `/auth/introspect`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7662 and https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
 */
export async function introspect(request: WebRequest, parts: IntrospectParts): Promise<WebResponse> {
  const form = await readForm(request)
  const maySee = await whatMayBeSeen(request, form, parts)
  const text = single(form, 'token')
  if (text === undefined) throw oauthProblem('invalid_request', 'The parameter token is missing.')
  const found = await parts.tokens.find(text)
  const live = found !== undefined && found.value.spent !== true && found.value.expiresAtMs > parts.clock.nowMs()
  return jsonResponse(
    200,
    live && maySee(found.value) && (await isKept(found.value, parts))
      ? describe(found.value, parts)
      : { active: false },
  )
}
