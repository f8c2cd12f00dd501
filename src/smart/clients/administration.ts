import { type Actor, parseScope } from '#access'
import { mapFew, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { parseScopeRequest } from '../scopes.ts'
import type { Permissions } from '../token/permissions.ts'
import type { Tokens } from '../token/tokens.ts'
import type { AuthMethod, Client, Clients, GrantType } from './clients.ts'

/** A registered app as the administrator sees it; nothing in here lets anybody in. */
export interface ClientSummary {
  readonly id: string
  /** What the app calls itself; nobody has checked it. */
  readonly name: string
  readonly createdAtMs: number
  readonly authMethod: AuthMethod
  readonly grantTypes: readonly GrantType[]
  readonly redirectUris: readonly string[]
  /** Whether it wants to act without a person, and so needs the administrator's word. */
  readonly isBackend: boolean
  /** `system/` scopes that a backend client asks for, separated by blanks; empty for all others. */
  readonly wantedScope: string
  /** `system/` scopes that it was approved for; absent until it was. */
  readonly approvedScope?: string
  /** How many people have let it in. */
  readonly permissions: number
}

/** What the administrator's answers are made of. */
export interface Administration {
  readonly clients: Clients
  readonly permissions: Permissions
  readonly tokens: Tokens
  readonly record: Pick<PatientRecord, 'audit'>
}

function wantedScope(client: Client): string {
  const { terms } = parseScopeRequest(client.scope ?? '', ['system'])
  return terms.map(term => term.text).join(' ')
}

function summaryOf(client: Client, permissions: number): ClientSummary {
  const { id, name, createdAtMs, authMethod, grantTypes, redirectUris, approvedScope } = client
  const isBackend = grantTypes.includes('client_credentials')
  return {
    id,
    name,
    createdAtMs,
    authMethod,
    grantTypes,
    redirectUris,
    isBackend,
    wantedScope: isBackend ? wantedScope(client) : '',
    ...(approvedScope === undefined ? {} : { approvedScope }),
    permissions,
  }
}

/** Each opens the permissions of one app. */
const countedAtOnce = 8

/** The registered apps, oldest first. */
export async function listClients({ clients, permissions }: Administration): Promise<readonly ClientSummary[]> {
  const sorted = (await clients.list()).toSorted((a, b) => a.createdAtMs - b.createdAtMs)
  return mapFew(sorted, countedAtOnce, async client =>
    summaryOf(client, (await permissions.ofClient(client.id)).length),
  )
}

const absent = () => new Problem('not-found', 'smart.client-absent', 'There is no client with this id.')

function checkApproval(client: Client, scope: string): void {
  const texts = scope.split(' ').filter(text => text !== '')
  const terms = texts.map(parseScope)
  if (!client.grantTypes.includes('client_credentials') || terms.length === 0)
    throw new Problem('invalid', 'smart.approval-malformed', 'The client asked for nothing that could be approved.')
  if (!terms.every(term => term?.level === 'system'))
    throw new Problem('invalid', 'smart.approval-malformed', 'Only system/ scopes are approved by an administrator.')
}

/**
 * Lets a client with its own key act without a person. What it holds from an earlier approval ends.
 *
 * @param scope  `system/` scopes separated by blanks; without it what the client registered for
 * @returns      the approved scopes
 * @throws       Problem `invalid` · `smart.approval-malformed`; `not-found` · `smart.client-absent`
 */
export async function approveClient(
  { id, scope, actor }: { id: string; scope?: string | undefined; actor: Actor },
  { clients, tokens, record }: Administration,
): Promise<string> {
  const client = await clients.get(id)
  if (client === undefined) throw absent()
  const approved = scope ?? wantedScope(client)
  checkApproval(client, approved)
  if (!(await clients.approve(id, approved))) throw absent()
  await tokens.deleteOfClient(id)
  record.audit({ action: 'approve', outcome: 'success', actor: { ...actor, clientId: id } })
  return approved
}

/**
 * Forgets a client: what people allowed it, its tokens and its registration end at once.
 *
 * @throws Problem `not-found` · `smart.client-absent`
 */
export async function endClient(
  { id, actor }: { id: string; actor: Actor },
  { clients, permissions, tokens, record }: Administration,
): Promise<void> {
  // The client goes first: whoever issues tokens looks for it afterwards, so none can slip through in between.
  if (!(await clients.end(id))) throw absent()
  for (const permission of await permissions.ofClient(id)) await permissions.revoke(permission.id)
  await tokens.deleteOfClient(id)
  record.audit({ action: 'revoke', outcome: 'success', actor: { ...actor, clientId: id } })
}
