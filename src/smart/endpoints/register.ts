import { parseJson } from '#fhir'
import { isProblem } from '#kernel'
import { isShared, jsonResponse, networkOf, type WebRequest, type WebResponse } from '#web'
import type { Client } from '../clients/clients.ts'
import { parseMetadata } from '../clients/parse-metadata.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'

type RegisterParts = Pick<Parts, 'clients' | 'throttle' | 'canFetchKeys' | 'record'>

const maxBytes = 64 * 1024

async function readFields(request: WebRequest): Promise<Readonly<Record<string, unknown>>> {
  const body = await request.body()
  if (body.length > maxBytes) throw oauthProblem('invalid_client_metadata', 'The metadata are too long.')
  try {
    const fields = parseJson(body)
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields))
      return fields as Readonly<Record<string, unknown>>
  } catch (error) {
    if (!isProblem(error)) throw error
  }
  throw oauthProblem('invalid_client_metadata', 'The body is not a JSON object.')
}

/** A client as RFC 7591 §3.2.1 tells it. */
export function describeClient(client: Client, secret?: string): Readonly<Record<string, unknown>> {
  const described = {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAtMs / 1000),
    client_secret: secret,
    client_secret_expires_at: secret === undefined ? undefined : 0,
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.grantTypes.includes('authorization_code') ? ['code'] : [],
    token_endpoint_auth_method: client.authMethod,
    scope: client.scope,
    jwks: client.jwks,
    jwks_uri: client.jwksUri,
    client_uri: client.clientUri,
    logo_uri: client.logoUri,
    policy_uri: client.policyUri,
    tos_uri: client.tosUri,
    contacts: client.contacts,
    software_id: client.softwareId,
    software_version: client.softwareVersion,
  }
  return Object.fromEntries(Object.entries(described).filter(([, value]) => value !== undefined))
}

/**
 * POST `/auth/register`: anybody may register an app; it can do nothing until a person, or for `system/` scopes the
 * administrator of the host, allows it something. Nothing named in the metadata is fetched.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7591
 */
export async function register(request: WebRequest, parts: RegisterParts): Promise<WebResponse> {
  const kind = isShared(request.remoteAddress) ? 'sharedRegistration' : 'registration'
  await parts.throttle.admit(kind, networkOf(request.remoteAddress))
  const metadata = parseMetadata(await readFields(request), parts.canFetchKeys)
  const { client, secret } = await parts.clients.register(metadata)
  const actor = { kind: 'client', id: client.id, display: client.name, clientId: client.id } as const
  parts.record.audit({ action: 'register', outcome: 'success', actor })
  return jsonResponse(201, describeClient(client, secret))
}
