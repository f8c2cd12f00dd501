import { createHash } from 'node:crypto'
import { beyondPatient, type Grant, homeInReach } from '#access'
import type { Record } from '#record'

/** Why something was refused. Names places and never values. */
export interface Refusal {
  /** Of a Problem, or of a rejected row. */
  readonly code: string
  readonly text: string
  readonly expression?: readonly string[]
}

/** What was refused and is kept, without what it says. */
export interface Letter {
  readonly id: string
  /** For whom it is kept: who sent it acts for the house, an account, or one patient. */
  readonly keeper: string
  readonly refusal: Refusal
  /** Unix milliseconds; the last time is later where the same came again. */
  readonly refusedAtMs: number
  readonly lastAtMs: number
  readonly times: number
  /** MSH-9 and MSH-3, MSH-4, as they were sent; empty for what is no message. */
  readonly type: string
  readonly sender: string
  readonly sizeBytes: number
  /** Ids of those whom it is about, as far as it is known. */
  readonly patients: readonly string[]
  /** For whom the file was imported in which it came; absent for what came as a message. */
  readonly patient?: string
}

/** What letters need of a house. */
export interface LetterDeps {
  readonly record: Record
  readonly clock: { nowMs(): number }
  /** Figures of `limits.ts`. */
  readonly limits: { readonly maxMessage: number; readonly maxLetters: number; readonly maxLetterBytes: number }
}

const [house, account, one] = ['house', 'account ', 'patient ']

/** For whom is kept what a grant sends; undefined for a grant that acts for nobody. */
export function keeperOf(grant: Grant): string | undefined {
  const home = homeInReach(grant)
  if (home === 'all') return house
  if (home !== undefined) return account + home
  return grant.patient === undefined ? undefined : one + grant.patient
}

/** The patient for whom alone it is kept. */
export function onlyPatient(keeper: string): string | undefined {
  return keeper.startsWith(one) ? keeper.slice(one.length) : undefined
}

/** The account for which it is kept. */
export function accountOf(keeper: string): string | undefined {
  return keeper.startsWith(account) ? keeper.slice(account.length) : undefined
}

/**
 * The name of a letter: the same content of the same keeper is one.
 *
 * @param digest  of the content, hex
 */
export function letterId(keeper: string, digest: string, patient = ''): string {
  return createHash('sha256').update(`${keeper}\n${digest}\n${patient}`).digest('hex').slice(0, 32)
}

/**
 * A grant as it would be for who sent a letter: what is sent again by somebody who sees more goes to nobody whom its sender could not have meant.
 */
export async function asKeeper(grant: Grant, keeper: string, record: Record): Promise<Grant> {
  const [home, patient] = [accountOf(keeper), onlyPatient(keeper)]
  if (home !== undefined && home === homeInReach(grant)) return beyondPatient(grant)
  const wider = grant.terms.filter(({ level }) => level !== 'patient')
  if (patient !== undefined)
    return { ...grant, patient, patients: [], terms: wider.map(term => ({ ...term, level: 'patient' })) }
  if (home === undefined) return grant
  // As the account's roles are, and not those of whoever sends it again.
  const { within: _, ...whole } = grant
  return {
    ...whole,
    account: home,
    ...(await record.keptBy(home)),
    terms: wider.map(term => ({ ...term, level: 'user' })),
  }
}
