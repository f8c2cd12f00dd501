import type { Keeper } from '#record'
import type { Parts } from '../parts.ts'
import type { Deletion } from './deletions.ts'

/**
 * What becomes of somebody whom an account keeps, once that is deleted. `stays`: `keeper` keeps them in their own right too, or the account
 * does so by invitation; `given`: a guardian does so from then on; `erased`: nobody is left who could decide; `open`: it was not said.
 */
export type Fate =
  | { readonly kind: 'erased' | 'open' }
  | { readonly kind: 'stays'; readonly keeper?: string }
  | { readonly kind: 'given'; readonly to: string; readonly among: readonly string[] }

type FateParts = Pick<Parts, 'record' | 'accounts' | 'guardians' | 'deletions'>

/** What was said about those whom the account keeps, and when that counts; without a day later than all that wait already. */
export type Said = Pick<Deletion, 'erases' | 'heirs'> & { readonly dueAtMs?: number; readonly isBegun?: boolean }

/**
 * Whether somebody who keeps a patient too goes on doing so once an account is deleted. Of two who both wait it is the one who is due
 * later, who then has to say what becomes of the patient: neither may rely on the other.
 */
async function outlasts(
  other: string,
  account: string,
  { dueAtMs = Number.POSITIVE_INFINITY, isBegun = false }: Said,
  { accounts, deletions }: FateParts,
): Promise<boolean> {
  if ((await accounts.get(other)) === undefined) return false
  const waiting = await deletions.get(other)
  if (waiting === undefined || waiting.isBegun === true || isBegun) return waiting?.isBegun !== true
  return waiting.dueAtMs === dueAtMs ? other > account : waiting.dueAtMs > dueAtMs
}

/** Whether somebody can be given a patient: an account that waits to be deleted takes nobody in. */
async function takesIn(account: string, { accounts, deletions }: FateParts): Promise<boolean> {
  return (await accounts.get(account)) !== undefined && (await deletions.get(account)) === undefined
}

/**
 * Whether somebody may come to keep a patient in their own right: a guardian without a last day, and whoever kept in their own right
 * who was merged into the patient, of whom nothing is left but with them.
 */
function decides({ keeping: { role, untilMs }, ofFormer }: Keeper): boolean {
  return untilMs === undefined && (role === 'guardian' || (role === 'owner' && ofFormer !== undefined))
}

/** Those of them in order: whoever has kept the patient for longest first. */
async function heirsOf(patient: string, guardians: readonly string[], parts: FateParts): Promise<readonly string[]> {
  const listed = (await parts.guardians.of(patient)).map(({ account }) => account)
  return [...listed.filter(each => guardians.includes(each)), ...guardians.filter(each => !listed.includes(each))]
}

/** What becomes of a patient whom an account keeps, as things stand now and by what was said. */
export async function fateOf(patient: string, account: string, said: Said, parts: FateParts): Promise<Fate> {
  if ((await parts.record.keepingOf(account, patient))?.role !== 'owner') return { kind: 'stays' }
  const guardians = new Set<string>()
  for (const keeper of await parts.record.keepersOf(patient)) {
    const { account: other, keeping, ofFormer } = keeper
    if (other === account) continue
    if (keeping.role === 'owner' && ofFormer === undefined && (await outlasts(other, account, said, parts)))
      return { kind: 'stays', keeper: other }
    if (decides(keeper) && (await takesIn(other, parts))) guardians.add(other)
  }
  const among = await heirsOf(patient, [...guardians], parts)
  const meant = said.heirs[patient]
  const to = meant !== undefined && among.includes(meant) ? meant : among[0]
  if (to !== undefined) return { kind: 'given', to, among }
  return { kind: said.erases.includes(patient) ? 'erased' : 'open' }
}

/** Whom an account keeps, but those who were merged into another one: what becomes of that one becomes of them. */
export async function fatedOf(account: string, { record }: Pick<FateParts, 'record'>): Promise<readonly string[]> {
  const fated: string[] = []
  for (const patient of await record.patientsOf(account)) if (!(await record.isReplaced(patient))) fated.push(patient)
  return fated
}

/** What becomes of each of them. */
export async function fatesOf(account: string, said: Said, parts: FateParts): Promise<ReadonlyMap<string, Fate>> {
  const fates = new Map<string, Fate>()
  for (const patient of await fatedOf(account, parts)) fates.set(patient, await fateOf(patient, account, said, parts))
  return fates
}
