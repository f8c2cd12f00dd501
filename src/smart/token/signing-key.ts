import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import { isProblem, type Log, newResourceId, type Problem } from '#kernel'
import type { Documents } from '#vault'

export interface SigningKey {
  /** The public half, as `jwks_uri` shows it. */
  publicKeys(): Promise<{ readonly keys: readonly JWK[] }>
  /** A compact JWS, RS256: what OpenID requires every party to understand. */
  sign(claims: JWTPayload): Promise<string>
}

const collection = 'smart.keys'
/** The first of these that can be opened, or is free, is the key's: what is damaged stays for whoever looks into it. */
const names = ['id-token', 'id-token.2', 'id-token.3', 'id-token.4'] as const

interface KeyDocument {
  readonly kid: string
  readonly privateKey: JWK
}

/**
 * The key that signs id_tokens: made when first needed, kept sealed, the same for all processes on one store. Where it is
 * damaged, another one takes its place: nobody loses but an id_token of the last minutes.
 */
export function openSigningKey(documents: Documents, log: Log): SigningKey {
  let making: Promise<KeyDocument> | undefined

  // Asked each time, because any process may have put a new one in the place of a damaged one.
  async function key(): Promise<KeyDocument> {
    let damage: unknown
    for (const name of names) {
      const kept = await opened(name)
      if ('key' in kept) return kept.key ?? newKey(name)
      damage = kept.damage
    }
    throw damage
  }

  async function opened(
    name: string,
  ): Promise<{ readonly key: KeyDocument | undefined } | { readonly damage: Problem }> {
    try {
      return { key: (await documents.recent<KeyDocument>(collection, name))?.value }
    } catch (error) {
      if (!isProblem(error, 'fault')) throw error
      return { damage: error }
    }
  }

  function newKey(name: string): Promise<KeyDocument> {
    if (name !== names[0])
      log.error('the key that signs id_tokens cannot be opened: another one takes its place', { room: 'smart' })
    making ??= made(name).finally(() => {
      making = undefined
    })
    return making
  }

  async function made(name: string): Promise<KeyDocument> {
    const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true })
    const document = { kid: newResourceId(), privateKey: await exportJWK(privateKey) }
    return (await documents.put(collection, name, document, { ifRevision: 0 })) ? document : key()
  }

  return {
    async publicKeys() {
      const { kid, privateKey } = await key()
      const { kty, n, e } = privateKey
      if (kty === undefined || n === undefined || e === undefined) return { keys: [] }
      return { keys: [{ kty, n, e, kid, alg: 'RS256', use: 'sig' }] }
    },

    async sign(claims) {
      const { kid, privateKey } = await key()
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
        .sign(await importJWK(privateKey, 'RS256'))
    },
  }
}
