import { takeKey } from '../derive.ts'
import { newCode, parseCode } from './recovery-code.ts'
import { type RootProvider, unwrapUnderSecret, wrapUnderSecret } from './root-provider.ts'

const kind = 'recovery'

/**
 * The root is a code on paper, for the day when the other root is lost. Its 160 random bits need no stretching.
 *
 * @throws Problem `invalid` · `vault.recovery-code-malformed`
 */
export function recoveryRoot(code: string): RootProvider {
  const secret = takeKey(parseCode(code))
  return {
    kind,
    wrap: async (key, context) => ({ wrapped: wrapUnderSecret(secret, kind, key, context), params: {} }),
    unwrap: async (wrapped, _params, context) => unwrapUnderSecret(secret, kind, wrapped, context),
  }
}

/** A new recovery code to print: 160 random bits in Crockford's base32 with a checksum, eight groups of five. */
export function newRecoveryCode(): string {
  return newCode()
}
