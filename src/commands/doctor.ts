import { stat } from 'node:fs/promises'
import type { Config } from '#config'
import { isProblem } from '#kernel'
import type { RecoveryState } from '#vault'
import { openHouse } from '../compose.ts'
import { configure } from './configure.ts'
import { output } from './output.ts'

interface Check {
  readonly name: string
  /** What is wrong, or undefined. */
  run(config: Config): Promise<string | undefined>
  /** Worth knowing, and no fault. */
  readonly isAdvice?: true
}

/** The first that has everything that is used here, `Temporal` last. */
const oldestNode = 26

const checks: readonly Check[] = [
  { name: 'data folder is closed to others', run: config => closedToOthers(config.dataDirectory) },
  { name: 'keys folder is closed to others', run: config => closedToOthers(config.keysDirectory) },
  { name: 'keys lie apart from the data', run: keysApart },
  { name: 'store, keys and instance open', run: opens },
  { name: 'a recovery code was made and tried', run: recoverable, isAdvice: true },
]

/** Looks at everything that commonly goes wrong on a host; exit status 1 when something is. */
export async function doctor(): Promise<void> {
  const age = faultOfNode()
  tell('Node is new enough', age)
  // An older one cannot even read the configuration.
  if (age !== undefined) return
  const config = configure()
  for (const { name, run, isAdvice } of checks) tell(name, await run(config), isAdvice)
}

function tell(name: string, fault: string | undefined, isAdvice = false): void {
  const mark = isAdvice ? 'note' : 'FAIL'
  output.result(fault === undefined ? `ok    ${name}` : `${mark}  ${name}: ${fault}`)
  if (fault !== undefined && !isAdvice) process.exitCode = 1
}

function faultOfNode(): string | undefined {
  const { node } = process.versions
  if (Number(node.split('.')[0]) >= oldestNode) return undefined
  return `this is Node ${node}; start commands through npm, which brings the pinned one`
}

async function closedToOthers(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return 'it does not exist yet; start the server once'
  return (found.mode & 0o077) === 0 ? undefined : 'other users of this machine may read it (chmod 700)'
}

// A thief who takes the disk takes both. @see https://cheatsheetseries.owasp.org/cheatsheets/Cryptographic_Storage_Cheat_Sheet.html
async function keysApart(config: Config): Promise<string | undefined> {
  if (config.store.kind === 'mongodb')
    return config.keysBesideData ? 'one backup holds both; set KINHOLD_KEYSTORE to another MongoDB' : undefined
  if (config.passphrase !== undefined) return undefined
  const [data, keys] = await Promise.all(
    [config.dataDirectory, config.keysDirectory].map(path => stat(path).catch(() => undefined)),
  )
  if (data === undefined || keys === undefined) return 'the folders do not exist yet; start the server once'
  const advice = 'set KINHOLD_KEYS to a folder on another disk, or KINHOLD_PASSPHRASE'
  return data.dev === keys.dev ? `whoever takes the disk takes both; ${advice}` : undefined
}

async function opens(config: Config): Promise<string | undefined> {
  try {
    await (await openHouse(config)).close()
    return undefined
  } catch (error) {
    return isProblem(error) ? error.text : 'it cannot be opened'
  }
}

const adviceOf: Readonly<Record<RecoveryState, string | undefined>> = {
  none: 'if the root is lost, the data are; make one with kinhold recovery new',
  untried: 'nobody has typed it back from the paper; do so with kinhold recovery try',
  tried: undefined,
}

async function recoverable(config: Config): Promise<string | undefined> {
  try {
    const house = await openHouse(config)
    const state = await house.vault.recovery.state()
    await house.close()
    return adviceOf[state]
  } catch {
    return 'nobody can tell before the house opens'
  }
}
