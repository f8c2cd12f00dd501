import { type Clock, newResourceId } from '#kernel'
import type { Documents } from '#vault'
import { codeLifeMs } from './lifetimes.ts'
import type { Tokens } from './tokens.ts'

/**
 * What a person allowed one app at one time. Every token that comes of it belongs to this permission (in OAuth's words
 * a token family), and ends with it.
 */
export interface Permission {
  readonly id: string
  readonly account: string
  readonly accountName: string
  readonly clientId: string
  readonly clientName: string
  /** The granted scopes, as they are told to the app. */
  readonly scope: string
  /** Patient id in context. */
  readonly patient?: string
  /** The person's own resource, `Patient/…`, when the app may know it. */
  readonly fhirUser?: string
  readonly nonce?: string
  /** When the person last typed their password. */
  readonly authenticatedAtMs: number
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** Whether the app may renew its access while the person is away. */
  readonly offline: boolean
  /** False until the app has redeemed its code. */
  readonly active: boolean
}

export interface Permissions {
  /** Keeps a permission that lives a minute unless the app redeems its code. */
  propose(permission: Omit<Permission, 'id' | 'createdAtMs' | 'active'>): Promise<Permission>
  get(id: string): Promise<Permission | undefined>
  /** Makes a proposed permission last; false when it has been revoked in the meantime. */
  activate(id: string): Promise<boolean>
  /** What an account has allowed and has not ended, oldest first. */
  of(account: string): Promise<readonly Permission[]>
  /** Whatever people have allowed an app. */
  ofClient(clientId: string): Promise<readonly Permission[]>
  /** Whatever people have allowed apps about a patient in context. */
  ofPatient(patient: string): Promise<readonly Permission[]>
  /** Ends whatever an account has allowed, also what no app has redeemed yet. */
  revokeAllOf(account: string): Promise<void>
  /** Ends a permission and every token that came of it. */
  revoke(id: string): Promise<void>
}

const collection = 'smart.permissions'

export function openPermissions(options: { documents: Documents; clock: Clock; tokens: Tokens }): Permissions {
  const { documents, clock, tokens } = options

  async function get(id: string): Promise<Permission | undefined> {
    return (await documents.get<Permission>(collection, id))?.value
  }

  async function where(isMeant: (permission: Permission) => boolean): Promise<readonly Permission[]> {
    return (await documents.list<Permission>(collection)).map(({ value }) => value).filter(isMeant)
  }

  async function revoke(id: string): Promise<void> {
    // The permission goes first: whoever issues tokens looks for it afterwards, so none can slip through in between.
    await documents.delete(collection, id)
    await tokens.deleteFamily(id)
  }

  return {
    get,

    async propose(wanted) {
      const createdAtMs = clock.nowMs()
      const permission: Permission = { ...wanted, id: newResourceId(), createdAtMs, active: false }
      await documents.put(collection, permission.id, permission, {
        ifRevision: 0,
        group: permission.account,
        expiresAtMs: createdAtMs + 2 * codeLifeMs,
      })
      return permission
    },

    async activate(id) {
      const found = await documents.get<Permission>(collection, id)
      if (found === undefined) return false
      const { value, revision } = found
      return documents.put<Permission>(
        collection,
        id,
        { ...value, active: true },
        { ifRevision: revision, group: value.account, expiresAtMs: value.expiresAtMs },
      )
    },

    async of(account) {
      const found = await documents.list<Permission>(collection, { group: account })
      return found
        .map(({ value }) => value)
        .filter(permission => permission.active)
        .sort((a, b) => a.createdAtMs - b.createdAtMs)
    },

    ofClient: clientId => where(permission => permission.clientId === clientId),
    ofPatient: patient => where(permission => permission.patient === patient),

    revoke,

    async revokeAllOf(account) {
      for (const { name } of await documents.list(collection, { group: account })) await revoke(name)
    },
  }
}
