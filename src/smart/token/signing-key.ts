import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import { newResourceId } from '#kernel'
import type { Documents } from '#vault'

export interface SigningKey {
  /** The public half, as `jwks_uri` shows it. */
  publicKeys(): Promise<{ readonly keys: readonly JWK[] }>
  /** A compact JWS, RS256: what OpenID requires every party to understand. */
  sign(claims: JWTPayload): Promise<string>
}

const collection = 'smart.keys'
const name = 'id-token'

interface KeyDocument {
  readonly kid: string
  readonly privateKey: JWK
}

/** The key that signs id_tokens: made when first needed, kept sealed, the same for all processes on one store. */
export function openSigningKey(documents: Documents): SigningKey {
  let loading: Promise<KeyDocument> | undefined

  async function make(): Promise<KeyDocument> {
    const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true })
    return { kid: newResourceId(), privateKey: await exportJWK(privateKey) }
  }

  async function load(): Promise<KeyDocument> {
    const kept = await documents.get<KeyDocument>(collection, name)
    if (kept !== undefined) return kept.value
    const made = await make()
    return (await documents.put(collection, name, made, { ifRevision: 0 })) ? made : load()
  }

  function key(): Promise<KeyDocument> {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
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
