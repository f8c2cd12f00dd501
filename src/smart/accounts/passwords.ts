import { argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { equalSecrets, Problem } from '#kernel'

/** What is kept of a password. */
export interface PasswordHash {
  readonly saltBase64: string
  readonly hashBase64: string
  readonly memoryKiB: number
  readonly passes: number
  readonly lanes: number
}

/** OWASP's floor for argon2id: 19 MiB, two passes, one lane. */
const cost = { memoryKiB: 19 * 1024, passes: 2, lanes: 1 } as const
const minLength = 12
const maxLength = 256
/** Each hash in flight holds 19 MiB and a core, so strangers must not start as many as they like. */
const maxParallel = 2
const maxWaiting = 32

const runArgon2 = promisify(argon2)
const waiting: (() => void)[] = []
let running = 0

async function takeTurn(): Promise<void> {
  if (running < maxParallel) {
    running += 1
    return
  }
  if (waiting.length >= maxWaiting)
    throw new Problem('busy', 'smart.busy', 'Too many people are logging in at this moment.', { retryAfterSeconds: 5 })
  await new Promise<void>(resolve => waiting.push(resolve))
}

function endTurn(): void {
  const next = waiting.shift()
  if (next === undefined) running -= 1
  else next()
}

async function derive(password: string, salt: Uint8Array, params: Omit<PasswordHash, 'saltBase64' | 'hashBase64'>) {
  await takeTurn()
  try {
    return await runArgon2('argon2id', {
      // NIST SP 800-63B: the same characters typed on another keyboard must give the same bytes.
      message: Buffer.from(password.normalize('NFKC'), 'utf8'),
      nonce: salt,
      parallelism: params.lanes,
      tagLength: 32,
      memory: params.memoryKiB,
      passes: params.passes,
    })
  } finally {
    endTurn()
  }
}

/**
 * Refuses a password that is too short to protect a record, or longer than is worth hashing.
 *
 * @throws Problem `unprocessable` · `smart.password-weak`
 */
export function checkPassword(password: string, accountName: string): void {
  const length = [...password.normalize('NFKC')].length
  const repeatsName = password.toLowerCase().replaceAll(accountName.toLowerCase(), '').length < minLength / 2
  const oneCharacter = new Set(password).size < 4
  if (length < minLength || length > maxLength || repeatsName || oneCharacter)
    throw new Problem(
      'unprocessable',
      'smart.password-weak',
      'A password has 12 to 256 characters, at least four different ones, and is more than the account name.',
    )
}

/** @throws Problem `busy` · `smart.busy` */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, cost)
  return { saltBase64: salt.toString('base64'), hashBase64: hash.toString('base64'), ...cost }
}

const nobody: PasswordHash = { saltBase64: 'AAAAAAAAAAAAAAAAAAAAAA==', hashBase64: '', ...cost }

/**
 * Whether the password is the one that was hashed. `undefined` (no such account) costs as much and is never true,
 * so that the time taken does not tell which accounts exist.
 *
 * @throws Problem `busy` · `smart.busy`
 */
export async function isPassword(password: string, kept: PasswordHash | undefined): Promise<boolean> {
  const against = kept ?? nobody
  const tooLong = password.length > maxLength * 4
  const hash = await derive(tooLong ? '' : password, Buffer.from(against.saltBase64, 'base64'), against)
  return equalSecrets(hash, Buffer.from(against.hashBase64, 'base64')) && kept !== undefined && !tooLong
}
