import type { JSONWebKeySet } from 'jose'
import { type Clock, equalSecrets, newResourceId, newSecret } from '#kernel'
import type { Documents, Vault } from '#vault'

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
  /** Made by this server for its own API page; nobody registered it. */
  readonly isOwn?: true
}

export interface Clients {
  /** `secret` is told once and not kept. */
  register(metadata: ClientMetadata): Promise<{ readonly client: Client; readonly secret?: string }>
  get(id: string): Promise<Client | undefined>
  list(): Promise<readonly Client[]>
  /** Allows a client `system/` scopes; false when there is no such client. */
  approve(id: string, scope: string): Promise<boolean>
  /** Forgets a client and the origins that only it came from; false when there is no such client. */
  end(id: string): Promise<boolean>
  isSecret(client: Client, secret: string): boolean
  /** Whether some client's pages come from this origin. */
  hasOrigin(origin: string): Promise<boolean>
}

const collection = 'smart.clients'
const originCollection = 'smart.origins'

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

/** @param own  clients that are there without registration; they are not listed and cannot be ended */
export function openClients(options: {
  documents: Documents
  vault: Vault
  clock: Clock
  own: readonly Client[]
}): Clients {
  const { documents, vault, clock, own } = options
  const macOf = (secret: string) => vault.mac('smart.client-secret', Buffer.from(secret)).toString('hex')

  async function list(): Promise<readonly Client[]> {
    return (await documents.list<Client>(collection)).map(({ value }) => value)
  }

  return {
    async register(metadata) {
      const secret = hasSecret(metadata) ? newSecret() : undefined
      const client: Client = {
        ...metadata,
        id: newResourceId(),
        createdAtMs: clock.nowMs(),
        ...(secret === undefined ? {} : { secretMac: macOf(secret) }),
      }
      await documents.put(collection, client.id, client, { ifRevision: 0 })
      for (const origin of originsOf(client)) await documents.put(originCollection, origin, { origin })
      return { client, ...(secret === undefined ? {} : { secret }) }
    },

    async get(id) {
      return own.find(client => client.id === id) ?? (await documents.get<Client>(collection, id))?.value
    },

    list,

    async approve(id, scope) {
      const found = await documents.get<Client>(collection, id)
      if (found === undefined) return false
      return documents.put(collection, id, { ...found.value, approvedScope: scope }, { ifRevision: found.revision })
    },

    async end(id) {
      const client = await documents.take<Client>(collection, id)
      if (client === undefined) return false
      const others = new Set((await list()).flatMap(originsOf))
      for (const origin of originsOf(client)) if (!others.has(origin)) await documents.delete(originCollection, origin)
      return true
    },

    isSecret(client, secret) {
      return client.secretMac !== undefined && equalSecrets(client.secretMac, macOf(secret))
    },

    async hasOrigin(origin) {
      return (await documents.get(originCollection, origin)) !== undefined
    },
  }
}
