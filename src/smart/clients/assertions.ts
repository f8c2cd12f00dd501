import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { parseJson } from '#fhir'
import { type Clock, isProblem } from '#kernel'
import type { Documents } from '#vault'
import { oauthProblem } from '../oauth-problem.ts'
import type { Client, Clients } from './clients.ts'
import type { KeySetFetcher } from './key-set-fetcher.ts'

/** The one `client_assertion_type` there is. RFC 7523 §2.2 */
export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What SMART names; nothing else is even tried, so a key cannot be used under another algorithm. */
export const assertionAlgorithms = ['RS384', 'ES384'] as const

const maxAssertionLength = 8 * 1024
/** No padding, no white space, nothing that decoders pass over: one JWT has one spelling. RFC 7515 §2 */
const compactForm = /^[\w-]+\.[\w-]+\.[\w-]+$/
const maxLifeSeconds = 300
const maxJtiLength = 256
const clockToleranceSeconds = 5
const collection = 'smart.assertions'
/** Headers that carry or point to keys; only registered keys count, so a JWT that brings its own is refused. */
const foreignKeyHeaders = ['jwk', 'x5u', 'x5c', 'b64', 'crit'] as const

/** Verifies the JWT with which a client shows who it is; resolves to that client. */
export type AssertionVerifier = (assertion: string, claimedId: string | undefined) => Promise<Client>

const refusal = () => oauthProblem('invalid_client', 'The client assertion was not accepted.')

function parsePart(part: string): Readonly<Record<string, unknown>> {
  // parseJson refuses repeated names, of which JSON.parse would silently take the last.
  const value = parseJson(Buffer.from(part, 'base64url'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal()
  return value as Readonly<Record<string, unknown>>
}

function readUnverified(assertion: string) {
  if (assertion.length > maxAssertionLength || !compactForm.test(assertion)) throw refusal()
  const [header = '', payload = ''] = assertion.split('.')
  try {
    return { header: parsePart(header), payload: parsePart(payload) }
  } catch (error) {
    throw isProblem(error) ? refusal() : error
  }
}

/** `aud` is this server's token URL, or its issuer as RFC 7523bis asks; one value, so that nobody else can take it. */
function checkClaims(payload: JWTPayload, client: Client, audiences: readonly string[], nowSeconds: number): void {
  const { iss, sub, aud, exp, jti } = payload
  const sound =
    iss === client.id &&
    sub === client.id &&
    typeof aud === 'string' &&
    audiences.includes(aud) &&
    typeof exp === 'number' &&
    exp <= nowSeconds + maxLifeSeconds + clockToleranceSeconds &&
    typeof jti === 'string' &&
    jti !== '' &&
    jti.length <= maxJtiLength
  if (!sound) throw refusal()
}

export function openAssertionVerifier(options: {
  clients: Clients
  documents: Documents
  clock: Clock
  audiences: readonly string[]
  fetchKeySet?: KeySetFetcher | undefined
}): AssertionVerifier {
  const { clients, documents, clock, audiences, fetchKeySet } = options

  async function verifyWith(keys: JSONWebKeySet | undefined, assertion: string): Promise<JWTPayload | undefined> {
    if (keys === undefined) return undefined
    // jose picks the key by kid and kty and fails when there is none or more than one.
    const verified = await jwtVerify(assertion, createLocalJWKSet(keys), {
      algorithms: [...assertionAlgorithms],
      currentDate: new Date(clock.nowMs()),
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'jti'],
    }).catch(() => undefined)
    return verified?.payload
  }

  async function verifySignature(client: Client, assertion: string): Promise<JWTPayload | undefined> {
    if (client.jwks !== undefined) return verifyWith(client.jwks, assertion)
    if (client.jwksUri === undefined || fetchKeySet === undefined) return undefined
    const payload = await verifyWith(await fetchKeySet(client.jwksUri), assertion)
    return payload ?? verifyWith(await fetchKeySet(client.jwksUri, true), assertion)
  }

  async function loadClient(assertion: string, claimedId: string | undefined): Promise<Client> {
    const { header, payload } = readUnverified(assertion)
    const { typ, kid, jku } = header
    if (foreignKeyHeaders.some(name => name in header) || typeof kid !== 'string') throw refusal()
    if (typ !== undefined && typ !== 'JWT') throw refusal()
    const id = payload.iss
    const client = typeof id === 'string' ? await clients.get(id) : undefined
    if (client === undefined || client.authMethod !== 'private_key_jwt') throw refusal()
    if (claimedId !== undefined && claimedId !== client.id) throw refusal()
    if (jku !== undefined && jku !== client.jwksUri) throw refusal()
    return client
  }

  async function spendJti(client: Client, payload: JWTPayload): Promise<void> {
    const expiresAtMs = ((payload.exp ?? 0) + clockToleranceSeconds + 1) * 1000
    const name = JSON.stringify([client.id, payload.jti])
    if (!(await documents.put(collection, name, {}, { ifRevision: 0, expiresAtMs }))) throw refusal()
  }

  return async (assertion, claimedId) => {
    const client = await loadClient(assertion, claimedId)
    const payload = await verifySignature(client, assertion)
    if (payload === undefined) throw refusal()
    checkClaims(payload, client, audiences, Math.floor(clock.nowMs() / 1000))
    await spendJti(client, payload)
    return client
  }
}
