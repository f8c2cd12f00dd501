import { isProblem } from '#kernel'
import type { WrappedKey } from '#store'
import { instanceOwner, instanceRows, openEpochs, wrapInstance } from './instance.ts'
import type { Keystore } from './keystore/keystore.ts'
import type { KeyVersions } from './ring.ts'
import { newRecoveryCode, recoveryRoot } from './roots/recovery-root.ts'

/** Whether somebody has typed back the code that opens the house when its root is lost. */
export type RecoveryState = 'none' | 'untried' | 'tried'

/** The code on paper that opens the house when its root is lost. */
export interface Recovery {
  /**
   * Makes a code: eight groups of five, told once and not kept. It opens the house at once; an earlier code that was tried
   * stays good until this one is tried.
   */
  make(): Promise<string>
  /**
   * Whether this code opens the house. If so it counts as tried, and replaces every other. Case, blanks and hyphens do not
   * matter.
   *
   * @throws Problem `invalid` · `vault.recovery-code-malformed`
   */
  check(code: string): Promise<boolean>
  state(): Promise<RecoveryState>
}

/** Kinds of the keystore's rows: a code becomes the house's own when it was typed back. */
const tried = 'recovery'
const untried = 'recovery-untried'

/** @param checkOpen  throws when the vault was closed */
export function openRecovery(keys: Keystore, instance: KeyVersions, checkOpen: () => void): Recovery {
  async function put(kind: string, code: string): Promise<void> {
    checkOpen()
    const { rows, rowKind } = await wrapInstance(instance, recoveryRoot(code), kind)
    await keys.replace(instanceOwner, rowKind, rows)
  }

  /** Added before the other is removed: a crash in between leaves two codes that open, and never none. */
  async function promote(code: string): Promise<void> {
    await put(tried, code)
    await keys.replace(instanceOwner, `${instanceOwner}:${untried}`, [])
  }

  async function check(code: string): Promise<boolean> {
    checkOpen()
    const root = recoveryRoot(code)
    for (const kind of [untried, tried]) {
      if (!(await opens(await instanceRows(keys, kind), root))) continue
      await promote(code)
      return true
    }
    return false
  }

  return {
    async make() {
      const code = newRecoveryCode()
      await put(untried, code)
      return code
    },
    check,
    async state() {
      checkOpen()
      if ((await instanceRows(keys, tried)).length > 0) return 'tried'
      return (await instanceRows(keys, untried)).length > 0 ? 'untried' : 'none'
    },
  }
}

async function opens(rows: readonly WrappedKey[], root: ReturnType<typeof recoveryRoot>): Promise<boolean> {
  if (rows.length === 0) return false
  try {
    await openEpochs(rows, root)
    return true
  } catch (error) {
    if (isProblem(error, 'unauthenticated')) return false
    throw error
  }
}
