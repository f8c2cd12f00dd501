import { mapFew } from '#kernel'
import type { Account } from '../accounts/accounts.ts'
import { loadPeople } from '../consent/people.ts'
import type { Parts } from '../parts.ts'
import { type Fate, fatesOf, type Said } from './fates.ts'

/** Somebody whom an account keeps, and what becomes of them when it is deleted. */
export interface FatedPerson {
  readonly id: string
  readonly name: string
  readonly kind: Fate['kind']
  /** Of whom is given: who would keep them, the one who is chosen first. */
  readonly heirs: readonly { readonly account: string; readonly name: string }[]
}

/** What a person is told before they delete their account. */
export interface DeletionView {
  readonly people: readonly FatedPerson[]
  /** Whether it is the only account of this server. */
  readonly isLast: boolean
  /** Whether it is the one that claimed this server. */
  readonly isOwner: boolean
  readonly waitMs: number
}

const atOnce = 16

type ViewParts = Pick<Parts, 'record' | 'clock' | 'accounts' | 'guardians' | 'deletions' | 'deletionWaitMs'>

/** As things stand now, by what was said. */
export async function loadDeletion(account: Account, said: Said, parts: ViewParts): Promise<DeletionView> {
  const fates = await fatesOf(account.id, said, parts)
  const people: FatedPerson[] = []
  for (const { id, name } of await loadPeople(account, parts)) {
    const fate = fates.get(id)
    // Who was merged into another one goes with that one.
    if (fate === undefined) continue
    const ids = fate.kind === 'given' ? [fate.to, ...fate.among.filter(each => each !== fate.to)] : []
    const heirs = await mapFew(ids, atOnce, async each => ({ account: each, name: await nameOf(each, parts) }))
    people.push({ id, name, kind: fate.kind, heirs })
  }
  const isLast = (await parts.accounts.list()).length === 1
  return { people, isLast, isOwner: account.isOwner === true, waitMs: parts.deletionWaitMs }
}

async function nameOf(account: string, { accounts }: ViewParts): Promise<string> {
  return (await accounts.get(account))?.name ?? 'Somebody'
}
