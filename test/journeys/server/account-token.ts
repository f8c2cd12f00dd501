import { loadConfig } from '#config'
import { openHouse } from '../../../src/compose.ts'
import { openTokens } from '../../../src/smart/token/tokens.ts'
import type { Home } from './home.ts'

/** A token of an account, as consent of its owner would give it; the server finds it among the sealed documents. */
export async function tokenOfAccount(home: Home, name: string): Promise<string> {
  const house = await openHouse(loadConfig(home.env, { cwd: home.folder }).config)
  const account = await house.smart.accountId(name)
  const nowMs = Date.now()
  const token = await openTokens({ documents: house.record.documents, vault: house.vault }).issue({
    kind: 'access',
    family: `test-${name}`,
    actor: { kind: 'account', id: account },
    scope: 'user/*.cruds',
    account,
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  })
  await house.close()
  return token
}
