import type { Config } from '#config'
import { Problem } from '#kernel'
import { type InstanceRotation, nextFileRoot, passphraseRoot, rotateInstance, type Vault } from '#vault'
import { checkKept, ordinaryRoot } from '../compose.ts'
import { askEach } from './ask.ts'
import { configure } from './configure.ts'
import { checkHouse, houseFiles } from './folders.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGround } from './with-house.ts'

interface RootOptions {
  readonly to?: 'file' | 'passphrase'
}

/** A new root. Servers that run hold the instance key already; they need the new root when they start again. */
export async function rotateRoot({ to }: RootOptions): Promise<void> {
  const config = configure()
  await checkHouse(config)
  await changeRoot(config, to ?? kindOf(config))
}

/** A new epoch of the instance key: what held the old one opens nothing that is sealed from now on. */
export async function rotateInstanceKey(): Promise<void> {
  await renewInstance(configure())
}

/** A new key for one patient. The old one is destroyed when nothing is left that it has sealed. */
export async function rotatePatient({ patient }: { patient: string }): Promise<void> {
  await renewPatients(configure(), patient)
}

/** Everything anew, the root last: whoever is cut off can still begin again with the root they have. */
export async function rotateAll({ to }: RootOptions): Promise<void> {
  const config = configure()
  await renewInstance(config)
  await renewPatients(config)
  await changeRoot(config, to ?? kindOf(config))
}

function kindOf({ passphrase }: Config): 'file' | 'passphrase' {
  return passphrase === undefined ? 'file' : 'passphrase'
}

async function changeRoot(config: Config, to: 'file' | 'passphrase'): Promise<void> {
  const next = to === 'passphrase' ? await newPassphrase(config) : undefined
  await withGround(
    async ({ vault, record }) => {
      if (next === undefined) await changeFile(vault, houseFiles(config).root)
      else await vault.rotateRoot(passphraseRoot(next))
      record.audit({ action: 'rotate', outcome: 'success', detail: 'root' })
    },
    { config },
  )
  if (next !== undefined)
    output.say('The house opens with the new passphrase; set KINHOLD_PASSPHRASE to it before the next start.')
  output.say('The recovery code stays good. Older backups of the keystore open with the root they had.')
}

async function changeFile(vault: Vault, path: string): Promise<void> {
  const { root, settle } = nextFileRoot(path)
  await vault.rotateRoot(root)
  const old = await settle()
  output.say(`The house opens with a new key file: ${path}`)
  if (old !== undefined) output.say(`The old one opens older backups of the keystore and nothing else: ${old}`)
}

/** @throws Problem `invalid` · `command.passphrases-differ`, and as `ask` */
async function newPassphrase({ newPassphrase: given }: Config): Promise<string> {
  if (given !== undefined) return given
  const [typed = '', again] = await askEach([
    'New passphrase (or set KINHOLD_NEW_PASSPHRASE_FILE):',
    'The new passphrase once more:',
  ])
  if (typed === again) return typed
  throw new Problem(
    'invalid',
    'command.passphrases-differ',
    'The two passphrases are not the same; nothing was changed.',
  )
}

async function renewInstance(config: Config): Promise<void> {
  const { epoch, keys, documents } = await withGround(
    async ({ keys, store, record }) => {
      record.audit({ action: 'rotate', outcome: 'success', detail: 'instance key' })
      await record.flush()
      const replaceDocument: InstanceRotation['replaceDocument'] = (before, after) =>
        record.replaceDocument(before, after)
      return rotateInstance({ keys, store, root: ordinaryRoot(config), replaceDocument })
    },
    { config, alone: true },
  )
  output.say(`The instance key has epoch ${epoch}: ${keys} keys and ${documents} documents moved to it.`)
}

async function renewPatients(config: Config, patient?: string): Promise<void> {
  const entries = await withGround(
    ({ record }) =>
      naming(patient ?? '', /^command\.patient-absent$/, async () => {
        if (patient !== undefined) await checkKept(record, patient)
        record.audit({ action: 'rotate', outcome: 'success', ...(patient === undefined ? {} : { patient }) })
        await record.flush()
        return record.renewKeys(patient)
      }),
    { config, alone: true },
  )
  output.say(
    `${entries} entries are sealed anew, and the old keys are destroyed. Make new backups of data and keystore:`,
  )
  output.say('older backups of the data open only with a keystore from the same time.')
}
