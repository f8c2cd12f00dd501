import type { Actor, Grant, Verb } from '#access'
import { toInstant } from '#fhir'
import { isProblem } from '#kernel'
import { jsonResponse, type WebRequest, type WebResponse } from '#web'
import { approveClient, type ClientSummary, endClient, listClients } from '../clients/administration.ts'
import { readForm, single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'
import { bearerGrant, bearerOf } from './bearer.ts'

type ClientsParts = Pick<Parts, 'authenticate' | 'clients' | 'permissions' | 'tokens' | 'record'>

const everyVerb: readonly Verb[] = ['c', 'r', 'u', 'd', 's']

/** Made on the host, for everything: a client that was approved for everything must not approve others. */
function isAdministrator({ actor, terms }: Grant): boolean {
  const reachesAll = terms.some(
    ({ level, type, verbs, params }) =>
      level === 'system' && type === '*' && params.length === 0 && everyVerb.every(verb => verbs.has(verb)),
  )
  return actor.kind === 'administrator' && reachesAll
}

/** @throws Problem `unauthenticated` · `smart.invalid-token`; `forbidden` · `smart.insufficient-scope` */
async function checkAdministrator(request: WebRequest, parts: ClientsParts): Promise<Actor> {
  const bearer = bearerOf(request)
  if (bearer === undefined) throw oauthProblem('invalid_token', 'This needs an access token of the administrator.')
  const grant = await bearerGrant(bearer, parts)
  if (isAdministrator(grant)) return grant.actor
  throw oauthProblem('insufficient_scope', 'This needs a token that was minted on the host with system/*.cruds.')
}

function describe({ id, createdAtMs, ...summary }: ClientSummary): object {
  return {
    client_id: id,
    client_name: summary.name,
    registered_at: toInstant(createdAtMs),
    token_endpoint_auth_method: summary.authMethod,
    grant_types: summary.grantTypes,
    redirect_uris: summary.redirectUris,
    backend: summary.isBackend,
    wanted_scope: summary.wantedScope,
    approved_scope: summary.approvedScope,
    permissions: summary.permissions,
  }
}

/** GET `/auth/clients`: the registered apps, for the administrator. */
export async function showClients(request: WebRequest, parts: ClientsParts): Promise<WebResponse> {
  await checkAdministrator(request, parts)
  return jsonResponse(200, { clients: (await listClients(parts)).map(describe) })
}

/** What only these endpoints can meet, as OAuth says it. */
async function sayingInvalid<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'invalid')) throw oauthProblem('invalid_request', error.text)
    throw error
  }
}

function neededClient(form: URLSearchParams): string {
  const id = single(form, 'client_id')
  if (id === undefined) throw oauthProblem('invalid_request', 'The parameter client_id is missing.')
  return id
}

/** POST `/auth/clients/approve`: lets a client with its own key act without a person. */
export async function postApproval(request: WebRequest, parts: ClientsParts): Promise<WebResponse> {
  const actor = await checkAdministrator(request, parts)
  const form = await readForm(request)
  const id = neededClient(form)
  const scope = await sayingInvalid(approveClient({ id, scope: single(form, 'scope'), actor }, parts))
  return jsonResponse(200, { client_id: id, approved_scope: scope })
}

/** POST `/auth/clients/end`: ends a client with all that it holds. */
export async function postEnd(request: WebRequest, parts: ClientsParts): Promise<WebResponse> {
  const actor = await checkAdministrator(request, parts)
  const id = neededClient(await readForm(request))
  await sayingInvalid(endClient({ id, actor }, parts))
  return jsonResponse(200, { client_id: id, ended: true })
}
