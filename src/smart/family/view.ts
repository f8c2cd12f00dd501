import { mapFew } from '#kernel'
import type { Account } from '../accounts/accounts.ts'
import { loadPeople, type Person } from '../consent/people.ts'
import type { OpenInvitation } from './invitations.ts'
import { type KeepingParts, owns } from './keeping.ts'

/** Somebody who keeps a patient by invitation, as those who share keeping them know them. */
export interface Guardian {
  readonly account: string
  readonly name: string
  readonly sinceMs: number
}

/** A person with whoever else keeps them. */
export interface KeptPerson extends Person {
  /** Who was invited; of a person whom the account keeps in its own right. */
  readonly guardians: readonly Guardian[]
  /** Who invited this account; absent where it keeps the person in its own right. */
  readonly invitedBy?: string
}

export interface Family {
  readonly people: readonly KeptPerson[]
  readonly invitations: readonly (OpenInvitation & { readonly name: string })[]
}

const atOnce = 16
const nobody = 'Somebody'

/** Whom an account keeps, together with whom, and whom it has invited. */
export async function loadFamily(account: Account, parts: KeepingParts): Promise<Family> {
  const known = await loadPeople(account, parts)
  const people = await mapFew(known, atOnce, person => withKeepers(person, account, parts))
  const names = new Map(people.map(({ id, name }) => [id, name]))
  const open = await parts.invitations.of(account.id)
  const invitations = open.flatMap(each => {
    const name = names.get(each.patient)
    return name === undefined ? [] : [{ ...each, name }]
  })
  return { people, invitations }
}

async function withKeepers(person: Person, account: Account, parts: KeepingParts): Promise<KeptPerson> {
  const nameOf = async (id: string | undefined) =>
    id === undefined ? nobody : ((await parts.accounts.get(id))?.name ?? nobody)
  if (!(await owns(account, person.id, parts))) {
    const own = await parts.guardians.get(person.id, account.id)
    return { ...person, guardians: [], invitedBy: await nameOf(own?.from) }
  }
  const invited = await mapFew(await parts.guardians.of(person.id), atOnce, async each => {
    const guardian = await parts.accounts.get(each.account)
    // To whom the administrator has given the person since keeps them in their own right.
    const isMore = guardian !== undefined && (await owns(guardian, person.id, parts))
    return isMore ? [] : [{ account: each.account, name: guardian?.name ?? nobody, sinceMs: each.sinceMs }]
  })
  return { ...person, guardians: invited.flat() }
}
