import { type Grant, isNarrower, type Term } from '#access'
import type { Clock } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Clients } from '../clients/clients.ts'
import { parseScopeRequest } from '../scopes.ts'
import { asKept, toFixedGrant } from './grants.ts'
import { tokenOf } from './issue.ts'
import type { Permissions } from './permissions.ts'
import type { TokenDocument, Tokens } from './tokens.ts'

/** What tells whether a grant still stands. */
export interface Standings {
  readonly permissions: Permissions
  readonly tokens: Tokens
  readonly clients: Clients
  readonly record: Pick<PatientRecord, 'keptBy' | 'keepsPatient'>
  readonly clock: Clock
}

/** What a person, an administrator or the host allows to whoever has a grant, at this moment. */
type Allowed = Pick<TokenDocument, 'scope' | 'expiresAtMs'> & Partial<Pick<TokenDocument, 'actor'>>

/**
 * What a grant stands for now that was given earlier, beyond the life of its access token: as much of it as is still allowed by what it
 * came from – a person's permission, the approval of a client without one, a token of the host. For what goes on while nobody asks.
 *
 * @returns undefined when that has ended, or the patient in context is not theirs any more
 */
export async function standing(given: Grant, rooms: Standings): Promise<Grant | undefined> {
  const allowed = await allowedFor(given, rooms)
  if (allowed === undefined) return undefined
  const token: TokenDocument = { ...tokenAs(given), ...allowed }
  const fixed = toFixedGrant(token)
  const terms = given.terms.filter(term => isAllowed(term, fixed.grant.terms))
  if (terms.length === 0) return undefined
  const grant = { ...fixed.grant, terms }
  const { account, patient } = grant
  if (account !== undefined) return asKept({ ...fixed, grant }, await rooms.record.keptBy(account))
  // Who acts for nobody may have somebody in context who was erased since.
  return patient === undefined || (await rooms.record.keepsPatient(patient)) ? grant : undefined
}

function isAllowed(term: Term, allowed: readonly Term[]): boolean {
  return allowed.some(({ text }) => text === term.text) || isNarrower(term, allowed)
}

async function allowedFor(given: Grant, rooms: Standings): Promise<Allowed | undefined> {
  const permission = await rooms.permissions.get(given.id)
  if (permission !== undefined) {
    const stands = permission.active && permission.expiresAtMs > rooms.clock.nowMs()
    return stands ? { ...tokenOf(permission, 0), expiresAtMs: permission.expiresAtMs } : undefined
  }
  return given.actor.kind === 'client' ? ofClient(given, rooms) : ofHost(given, rooms)
}

/** Its tokens live five minutes; what the administrator approved stands. */
async function ofClient({ actor }: Grant, { clients }: Standings): Promise<Allowed | undefined> {
  const scope = actor.clientId === undefined ? undefined : (await clients.get(actor.clientId))?.approvedScope
  if (scope === undefined || parseScopeRequest(scope, ['system']).terms.length === 0) return undefined
  return { scope, expiresAtMs: Number.MAX_SAFE_INTEGER }
}

async function ofHost({ id }: Grant, { tokens, clock }: Standings): Promise<Allowed | undefined> {
  const own = (await tokens.ofFamily(id)).filter(token => token.kind === 'access' && token.expiresAtMs > clock.nowMs())
  return own[0] === undefined ? undefined : { scope: own[0].scope, expiresAtMs: own[0].expiresAtMs }
}

function tokenAs({ id, actor, patient, account, purpose }: Grant): Omit<TokenDocument, 'scope' | 'expiresAtMs'> {
  return {
    kind: 'access',
    family: id,
    actor,
    issuedAtMs: 0,
    ...(patient === undefined ? {} : { patient }),
    ...(account === undefined ? {} : { account }),
    ...(purpose === undefined ? {} : { purpose }),
  }
}
