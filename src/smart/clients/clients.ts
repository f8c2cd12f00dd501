import type { JSONWebKeySet } from 'jose'
import { type Clock, equalSecrets, newResourceId, newSecret } from '#kernel'
import type { Documents, Vault } from '#vault'
import { openOrigins } from './origins.ts'
import { isRegistered } from './redirect-uris.ts'
import { openUnused } from './unused.ts'

/** How a client shows at the token endpoint who it is, in the words of RFC 7591. */
export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
/** What a client may present at the token endpoint, in the words of RFC 7591. */
export type GrantType = 'authorization_code' | 'refresh_token' | 'client_credentials'

/** What an app said about itself. Nothing of it was verified. */
export interface ClientMetadata {
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly authMethod: AuthMethod
  readonly grantTypes: readonly GrantType[]
  /** Resource scopes it will ask for at most; without it, whatever people consent to. */
  readonly scope?: string
  readonly jwks?: JSONWebKeySet
  readonly jwksUri?: string
  readonly clientUri?: string
  readonly logoUri?: string
  readonly policyUri?: string
  readonly tosUri?: string
  readonly contacts?: readonly string[]
  readonly softwareId?: string
  readonly softwareVersion?: string
}

/** A registered app. */
export interface Client extends ClientMetadata {
  readonly id: string
  readonly createdAtMs: number
  /** Keyed hash of the secret, hex. */
  readonly secretMac?: string
  /** `system/` scopes that the administrator of the host has allowed it; without them it gets no token by itself. */
  readonly approvedScope?: string
  /** Addresses that somebody has let it bring them back to; only there people are sent without being asked. */
  readonly consentedUris?: readonly string[]
  /** Made by this server for its own API page; nobody registered it. */
  readonly isOwn?: true
}

export interface Clients {
  /** `secret` is told once and not kept. What nobody lets in is forgotten after 30 days, or earlier for newer ones. */
  register(metadata: ClientMetadata): Promise<{ readonly client: Client; readonly secret?: string }>
  get(id: string): Promise<Client | undefined>
  list(): Promise<readonly Client[]>
  /** Allows a client `system/` scopes, and keeps it from now on; false when there is no such client. */
  approve(id: string, scope: string): Promise<boolean>
  /** A person let the client in, to be brought back to this address: both are known from now on. False when it is gone. */
  consent(id: string, redirectUri: string): Promise<boolean>
  /** Forgets a client and the origins that only it came from; false when there is no such client. */
  end(id: string): Promise<boolean>
  isSecret(client: Client, secret: string): boolean
  /** Whether some client's pages come from this origin. */
  hasOrigin(origin: string): Promise<boolean>
}

const collection = 'smart.clients'
/** How long a registration waits for somebody who lets the app in. */
const unusedLifeMs = 30 * 24 * 60 * 60_000
const mostTries = 20

function hasSecret({ authMethod }: ClientMetadata): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post'
}

/** The web origins a client's code runs on, as far as its metadata tell; an app with a scheme of its own runs on none. */
export function originsOf(client: ClientMetadata): readonly string[] {
  const urls = [...client.redirectUris, ...(client.clientUri === undefined ? [] : [client.clientUri])]
  return [...new Set(urls.map(url => new URL(url).origin))].filter(origin => origin !== 'null')
}

/** The client of this server's own API page: it can do nothing but what a person lets it, as all others. */
export function docsClient(baseUrl: string): Client {
  return {
    id: 'kinhold-api-page',
    name: 'API page of this server',
    redirectUris: [`${baseUrl}/docs/oauth2-redirect.html`],
    authMethod: 'none',
    grantTypes: ['authorization_code', 'refresh_token'],
    createdAtMs: 0,
    isOwn: true,
  }
}

/**
 * Whether a person may be sent to the app without having been asked: somebody has let it in, to come back to this address.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.11.2
 */
export function isTrusted(client: Client, redirectUri: string): boolean {
  return client.isOwn === true || isRegistered(redirectUri, client.consentedUris ?? [])
}

/** @param own  clients that are there without registration; they are not listed and cannot be ended */
export function openClients(options: {
  documents: Documents
  vault: Vault
  clock: Clock
  own: readonly Client[]
}): Clients {
  const { documents, vault, clock, own } = options
  const [origins, unused] = [openOrigins(documents), openUnused(documents)]
  const macOf = (secret: string) => vault.mac('smart.client-secret', Buffer.from(secret)).toString('hex')

  async function get(id: string): Promise<Client | undefined> {
    return own.find(client => client.id === id) ?? (await documents.get<Client>(collection, id))?.value
  }

  async function list(): Promise<readonly Client[]> {
    return (await documents.list<Client>(collection)).map(({ value }) => value)
  }

  async function end(id: string): Promise<boolean> {
    const client = await documents.take<Client>(collection, id)
    if (client === undefined) return false
    await unused.forget(id)
    const others = new Set((await list()).flatMap(originsOf))
    await origins.forget(originsOf(client).filter(origin => !others.has(origin)))
    return true
  }

  /** Changes a client, which is in use from now on and stays. */
  async function use(id: string, change: (client: Client) => Client): Promise<boolean> {
    for (let tries = 0; tries < mostTries; tries++) {
      const found = await documents.get<Client>(collection, id)
      if (found === undefined) return false
      if (!(await documents.put(collection, id, change(found.value), { ifRevision: found.revision }))) continue
      await unused.forget(id)
      await origins.keep(originsOf(found.value))
      return true
    }
    return false
  }

  return {
    async register(metadata) {
      // At another revision somebody has let it in meanwhile.
      for (const id of await unused.makeRoom()) await documents.delete(collection, id, { ifRevision: 1 })
      const secret = hasSecret(metadata) ? newSecret() : undefined
      const createdAtMs = clock.nowMs()
      const expiresAtMs = createdAtMs + unusedLifeMs
      const client: Client = {
        ...metadata,
        id: newResourceId(),
        createdAtMs,
        ...(secret === undefined ? {} : { secretMac: macOf(secret) }),
      }
      await documents.put(collection, client.id, client, { ifRevision: 0, expiresAtMs })
      await unused.note(client.id, { createdAtMs, expiresAtMs })
      await origins.keep(originsOf(client), expiresAtMs)
      return { client, ...(secret === undefined ? {} : { secret }) }
    },

    get,

    list,

    approve: (id, scope) => use(id, client => ({ ...client, approvedScope: scope })),

    async consent(id, redirectUri) {
      const client = await get(id)
      if (client !== undefined && isTrusted(client, redirectUri)) return true
      return use(id, current => ({ ...current, consentedUris: [...(current.consentedUris ?? []), redirectUri] }))
    },

    end,

    isSecret(client, secret) {
      return client.secretMac !== undefined && equalSecrets(client.secretMac, macOf(secret))
    },

    hasOrigin: origin => origins.has(origin),
  }
}
