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
  const { terms, account } = grant
  const permitsAt = (level: Level) =>
    permits({ ...grant, terms: terms.filter(term => term.level === level) }, 'u', type)
  if (permitsAt('system')) return
  if (account === undefined || !permitsAt('user')) throw clientIdRefused()
  const prefix = reach.idPrefixOf(account)
  if (!id.startsWith(prefix)) throw clientIdForeign(prefix)
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
