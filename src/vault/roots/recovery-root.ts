import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { FlattenedEncrypt, type FlattenedJWE, flattenedDecrypt } from 'jose'
import { Problem } from '#kernel'
import { hkdf, takeKey } from '../derive.ts'
import { newCode, parseCode } from './recovery-code.ts'
import type { RootProvider } from './root-provider.ts'

const kind = 'recovery'
const protectedHeader = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM' } as const
/** What a private X25519 key begins with: https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const pkcs8Head = Buffer.from('302e020100300506032b656e04220420', 'hex')
const noSalt = new Uint8Array(0)

/**
 * The root is a code on paper, for the day when the other root is lost. Its 160 random bits need no stretching; they
 * make an X25519 key pair, so that a later epoch of the instance key can be wrapped for the paper without the paper.
 *
 * @throws Problem `invalid` · `vault.recovery-code-malformed`
 */
export function recoveryRoot(code: string): RootProvider {
  const privateKey = keyPairOf(parseCode(code))
  const seal = recoverySeal(publicPartOf(privateKey))
  return { ...seal, unwrap: (wrapped, _params, context) => open(privateKey, wrapped, context) }
}

/** The half of a recovery root that can wrap and not unwrap. `publicKey` is a public X25519 key in base64url. */
export function recoverySeal(publicKey: string): Pick<RootProvider, 'kind' | 'wrap' | 'anyoneCanWrap'> {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: publicKey }, format: 'jwk' })
  return {
    kind,
    anyoneCanWrap: true,
    async wrap(raw, context) {
      const jwe = new FlattenedEncrypt(raw).setProtectedHeader(protectedHeader).setAdditionalAuthenticatedData(context)
      return { wrapped: Buffer.from(JSON.stringify(await jwe.encrypt(key))), params: { publicKey } }
    },
  }
}

/** A new recovery code to print: 160 random bits in Crockford's base32 with a checksum, eight groups of five. */
export function newRecoveryCode(): string {
  return newCode()
}

function keyPairOf(secret: Buffer): KeyObject {
  const seed = hkdf(takeKey(secret), noSalt, Buffer.from('kinhold/root recovery x25519'), 32)
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' })
}

function publicPartOf(privateKey: KeyObject): string {
  return String(createPublicKey(privateKey).export({ format: 'jwk' }).x)
}

async function open(privateKey: KeyObject, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
  try {
    const jwe = JSON.parse(Buffer.from(wrapped).toString('utf8')) as FlattenedJWE
    // What it is bound to is what we expect, not what stands beside it.
    const bound = { ...jwe, aad: Buffer.from(context).toString('base64url') }
    const allowed = {
      keyManagementAlgorithms: [protectedHeader.alg],
      contentEncryptionAlgorithms: [protectedHeader.enc],
    }
    return (await flattenedDecrypt(bound, privateKey, allowed)).plaintext
  } catch {
    // One failure, whatever was wrong with it.
    throw new Problem('unauthenticated', 'vault.root-refused', `This ${kind} code does not open the keystore.`)
  }
}
