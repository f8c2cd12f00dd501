import type { KeyObject } from 'node:crypto'
import { lengthPrefixed, Problem } from '#kernel'
import { deriveKey } from '../derive.ts'
import { unwrapKey, wrapKey } from '../kwp.ts'

/** What unwrapping needs beside the root's secret: salts and costs, never a key. */
export type RootParams = Readonly<Record<string, string | number>>

/**
 * Whatever protects the instance key: a key file, a passphrase, a recovery code, a key service.
 *
 * `context` names what is wrapped (instance, kind, epoch); unwrapping with another context must fail.
 * Both sides wipe raw keys when done: the caller the `key` it lends, and the key that `unwrap` gives it.
 */
export interface RootProvider {
  /** Short name, part of the keystore row's kind: `file`, `passphrase`, `recovery`. */
  readonly kind: string
  /** True for a public key: what it wraps could come from anybody, and must be vouched for by other means. */
  readonly anyoneCanWrap?: true
  wrap(key: Uint8Array, context: Uint8Array): Promise<{ wrapped: Uint8Array; params: Record<string, string | number> }>
  /** @throws Problem `unauthenticated` · `vault.root-refused` when this root did not wrap these bytes so. */
  unwrap(wrapped: Uint8Array, params: RootParams, context: Uint8Array): Promise<Uint8Array>
}

const noSalt = new Uint8Array(0)

const wrappingKey = (secret: KeyObject, kind: string, context: Uint8Array): KeyObject =>
  deriveKey(secret, noSalt, lengthPrefixed(['kinhold/root', kind, context]))

/** Wraps under a secret that is already hard to guess, bound to the context. */
export function wrapUnderSecret(secret: KeyObject, kind: string, key: Uint8Array, context: Uint8Array): Buffer {
  return wrapKey(wrappingKey(secret, kind, context), key)
}

/** @throws Problem `unauthenticated` · `vault.root-refused` */
export function unwrapUnderSecret(
  secret: KeyObject,
  kind: string,
  wrapped: Uint8Array,
  context: Uint8Array,
): Uint8Array {
  const key = unwrapKey(wrappingKey(secret, kind, context), wrapped)
  if (key !== undefined) return key
  throw new Problem('unauthenticated', 'vault.root-refused', `This ${kind} does not open the keystore.`)
}
