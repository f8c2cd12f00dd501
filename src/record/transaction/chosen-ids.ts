import { type Grant, type Level, permits } from '#access'
import { Problem } from '#kernel'
import type { Reach } from '../reading/reach.ts'

/**
 * A client may name a new resource only where that cannot tell it whether somebody else already uses the name: under
 * `system/` scopes, and under `user/` scopes with what no other account's ids begin with.
 *
 * @throws Problem `not-allowed` · `record.client-id-refused`
 */
export function checkChosenId(grant: Grant, reach: Reach, type: string, id: string): void {
  const { account } = grant
  if (choosesFreely(grant, type)) return
  if (account === undefined || !permitsAt(grant, 'user', type)) throw clientIdRefused()
  const prefix = reach.idPrefixOf(account)
  if (!id.startsWith(prefix)) throw clientIdForeign(prefix)
}

/** Whether a client may use any name that nobody uses: it sees all that are in use. */
export function choosesFreely(grant: Grant, type: string): boolean {
  return permitsAt(grant, 'system', type)
}

function permitsAt(grant: Grant, level: Level, type: string): boolean {
  return permits({ ...grant, terms: grant.terms.filter(term => term.level === level) }, 'u', type)
}

/** Says the same of every id that does not begin so, taken or not. */
const clientIdForeign = (prefix: string) =>
  new Problem(
    'not-allowed',
    'record.client-id-refused',
    `With the scopes of an account the ids that you choose begin with ${prefix}; or create it with POST.`,
    { expression: 'id' },
  )
const clientIdRefused = () =>
  new Problem(
    'not-allowed',
    'record.client-id-refused',
    'With the scopes of one patient the server chooses the id: create it with POST.',
  )
