import { type Actor, parseScope } from '#access'
import { type Clock, newResourceId, Problem } from '#kernel'
import type { Tokens } from './token/tokens.ts'

/** What a token made on the host may do, and for how long. */
export interface MintOptions {
  /** Resource scopes separated by blanks; `system/*.cruds` gives everything. */
  readonly scope: string
  /** Patient id that `patient/` scopes reach. */
  readonly patient?: string
  /** The account in whose name the token acts: `user/` scopes reach the patients that it keeps. */
  readonly account?: string
  readonly ttlMs: number
}

const refusals = {
  malformed: ['smart.mint-scope-malformed', 'One of the scopes is not a SMART resource scope.'],
  patient: ['smart.mint-patient-missing', 'patient/ scopes need a patient, and a patient needs patient/ scopes.'],
  user: ['smart.mint-scope-of-user', 'user/ scopes need an account, and an account needs user/ scopes.'],
  ttl: ['smart.mint-ttl-invalid', 'The time to live must be between one second and ten years.'],
} as const

/** Whoever runs commands on the host. */
export const host: Actor = { kind: 'administrator', id: 'host', display: 'Administrator of the host' }

const maxTtlMs = 10 * 365 * 24 * 60 * 60_000

function refuse(reason: keyof typeof refusals): never {
  const [code, text] = refusals[reason]
  throw new Problem('invalid', code, text)
}

/**
 * An access token made by whoever administers the host. Strict where the web is lenient: a mistyped scope is an error.
 *
 * @throws Problem `invalid` · `smart.mint-scope-malformed`, `smart.mint-patient-missing`, `smart.mint-scope-of-user`, `smart.mint-ttl-invalid`
 */
export async function mint(
  { scope, patient, account, ttlMs }: MintOptions,
  { tokens, clock }: { tokens: Tokens; clock: Clock },
): Promise<string> {
  const scopes = scope.split(' ').filter(text => text !== '')
  const terms = scopes.map(text => parseScope(text) ?? refuse('malformed'))
  if (terms.length === 0) refuse('malformed')
  if (terms.some(term => term.level === 'user') !== (account !== undefined)) refuse('user')
  if (terms.some(term => term.level === 'patient') !== (patient !== undefined)) refuse('patient')
  if (!(ttlMs >= 1000 && ttlMs <= maxTtlMs)) refuse('ttl')
  const issuedAtMs = clock.nowMs()
  return tokens.issue({
    kind: 'access',
    family: newResourceId(),
    actor: account === undefined ? host : { kind: 'account', id: account },
    scope: scopes.join(' '),
    issuedAtMs,
    expiresAtMs: issuedAtMs + ttlMs,
    ...(patient === undefined ? {} : { patient }),
    ...(account === undefined ? {} : { account }),
  })
}
