import { argon2, type KeyObject, randomFillSync } from 'node:crypto'
import { promisify } from 'node:util'
import { Problem } from '#kernel'
import { takeKey } from '../derive.ts'
import { type RootParams, type RootProvider, unwrapUnderSecret, wrapUnderSecret } from './root-provider.ts'

const kind = 'passphrase'
const algorithm = 'argon2id'
const leastCharacters = 8
const argon2Async = promisify(argon2)

/** What stretching one passphrase costs. */
export interface Argon2Cost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id */
const floor: Argon2Cost = { memoryKiB: 19 * 1024, passes: 2, parallelism: 1 }
const usual: Argon2Cost = { memoryKiB: 64 * 1024, passes: 3, parallelism: 1 }
/** More than anybody would choose; a keystore that asks for it means to exhaust the machine. */
const ceiling: Argon2Cost = { memoryKiB: 4 * 1024 * 1024, passes: 64, parallelism: 64 }
const costNames = ['memoryKiB', 'passes', 'parallelism'] as const

/** Further inputs of Argon2 that RFC 9106 knows; the house uses none, its vectors do. */
export interface Argon2Extras {
  readonly secret?: Uint8Array
  readonly associatedData?: Uint8Array
}

/**
 * Argon2id, 32 bytes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9106
 */
export async function stretch(
  message: Uint8Array,
  salt: Uint8Array,
  cost: Argon2Cost,
  extras: Argon2Extras = {},
): Promise<Buffer> {
  const { memoryKiB: memory, passes, parallelism } = cost
  return argon2Async(algorithm, { message, nonce: salt, memory, passes, parallelism, tagLength: 32, ...extras })
}

/**
 * The root is a passphrase, stretched by Argon2id (64 MiB, 3 passes). Nothing of it is kept, so no restart without it.
 *
 * Costs that were stored are never trusted below OWASP's floor (19 MiB, 2 passes), so that who can write the keystore
 * cannot make guessing cheap.
 *
 * @throws Problem `invalid` · `vault.passphrase-too-short`; `fault` · `vault.kdf-too-weak`, `vault.kdf-too-costly`
 */
export function passphraseRoot(passphrase: string): RootProvider {
  const normal = passphrase.normalize('NFKC')
  if ([...normal].length < leastCharacters)
    throw new Problem(
      'invalid',
      'vault.passphrase-too-short',
      `A passphrase has at least ${leastCharacters} characters.`,
    )
  return {
    kind,
    async wrap(key, context) {
      const salt = randomFillSync(Buffer.alloc(16))
      const secret = await toSecret(normal, salt, usual)
      const params = { kdf: algorithm, salt: salt.toString('hex'), ...usual }
      return { wrapped: wrapUnderSecret(secret, kind, key, context), params }
    },
    async unwrap(wrapped, params, context) {
      const secret = await toSecret(normal, Buffer.from(String(params.salt), 'hex'), checkCost(params))
      return unwrapUnderSecret(secret, kind, wrapped, context)
    },
  }
}

async function toSecret(passphrase: string, salt: Uint8Array, cost: Argon2Cost): Promise<KeyObject> {
  const message = Buffer.from(passphrase, 'utf8')
  try {
    return takeKey(await stretch(message, salt, cost))
  } finally {
    message.fill(0)
  }
}

function checkCost(params: RootParams): Argon2Cost {
  if (params.kdf !== algorithm || String(params.salt).length < 32) throw tooWeak()
  for (const name of costNames) {
    const value = params[name]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < floor[name]) throw tooWeak()
    if (value > ceiling[name])
      throw new Problem('fault', 'vault.kdf-too-costly', 'The keystore asks for more work per passphrase than is sane.')
  }
  return { memoryKiB: Number(params.memoryKiB), passes: Number(params.passes), parallelism: Number(params.parallelism) }
}

const tooWeak = (): Problem =>
  new Problem('fault', 'vault.kdf-too-weak', 'The keystore asks for a passphrase to be stretched less than is safe.')
