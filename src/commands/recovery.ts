import { rename } from 'node:fs/promises'
import type { Config } from '#config'
import { isProblem, Problem, silentLog, systemClock } from '#kernel'
import { openVault, recoveryRoot } from '#vault'
import { ordinaryRoot } from '../compose.ts'
import { ask } from './ask.ts'
import { configure } from './configure.ts'
import { checkHouse, houseFiles, keysAbsent } from './folders.ts'
import { openKeystore } from './open-stores.ts'
import { output } from './output.ts'
import { withGround } from './with-house.ts'

/** Makes a code that opens the house when its root is lost. It stands alone on the last line of standard output. */
export async function newRecovery(): Promise<void> {
  const config = configure()
  await withGround(
    async ({ vault }) => {
      const code = await vault.recovery.make()
      output.say('Write this down and keep it away from this machine: it opens everything, and is not shown again.')
      output.result(code)
      if (process.stdin.isTTY) await tryCode(vault, await ask('Type it back from the paper:'))
      else output.say('Try it from the paper: kinhold recovery try')
    },
    { config, root: ordinaryRoot(config) },
  )
}

/** Tries a code that was made; when it fits, it replaces any earlier one. Exit status 1 when it does not. */
export async function tryRecovery(): Promise<void> {
  const config = configure()
  await checkHouse(config)
  const code = config.recoveryCode ?? (await ask('Recovery code:'))
  await withGround(({ vault }) => tryCode(vault, code), { config, root: ordinaryRoot(config) })
}

async function tryCode({ recovery }: { recovery: { check(code: string): Promise<boolean> } }, code: string) {
  if (!(await recovery.check(code)))
    throw new Problem('unauthenticated', 'command.recovery-refused', 'This code does not open this house.')
  output.say('It opens the house. Any earlier code is void.')
}

/** The ways in which a root fails that a recovery code mends. */
const lost: readonly string[] = [
  'vault.key-file-missing',
  'vault.key-file-malformed',
  'vault.root-refused',
  'vault.root-missing',
]

/**
 * Opens a house that has lost its root with the code on paper, and gives it a new root: a key file, or the passphrase that
 * the configuration names.
 */
export async function recover(): Promise<void> {
  const config = configure()
  await checkHouse(config)
  const code = config.recoveryCode ?? (await ask('Recovery code:'))
  const root = recoveryRoot(code)
  await withGround(
    async ({ vault, record }) => {
      await checkLost(config)
      if (config.passphrase === undefined) await setAside(houseFiles(config).root)
      await vault.rotateRoot(ordinaryRoot(config))
      record.audit({ action: 'recover', outcome: 'success' })
    },
    { config, root },
  )
  output.say(
    config.passphrase === undefined
      ? `The house has a new key file: ${houseFiles(config).root}. Put it where the old one was safe.`
      : 'The house opens with KINHOLD_PASSPHRASE now.',
  )
  output.say('The recovery code stays good; if others saw it, make a new one: kinhold recovery new')
}

/** @throws Problem `conflict` · `command.root-not-lost` */
async function checkLost(config: Config): Promise<void> {
  const opened = await openKeystore(config, { make: false, alone: false, log: silentLog })
  if (opened === undefined) throw keysAbsent(config)
  const { keys } = opened
  try {
    const vault = await openVault({ keys, root: ordinaryRoot(config), clock: systemClock, mayCreate: false })
    vault.close()
  } catch (error) {
    if (isProblem(error) && lost.includes(error.code)) return
    throw error
  } finally {
    await keys.close()
  }
  throw new Problem(
    'conflict',
    'command.root-not-lost',
    'The house opens with the root it has: there is nothing to recover. To change it: kinhold rotate root',
  )
}

/** A key file that does not open this house may open another one. */
async function setAside(path: string): Promise<void> {
  const aside = `${path}.lost-${new Date().toISOString().replaceAll(':', '-')}`
  try {
    await rename(path, aside)
    output.say(`The key file that did not open this house is now ${aside}.`)
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ENOENT') throw error
  }
}
