import { type Config, keystoreBeside, type StoreChoice } from '#config'
import { type Log, Problem } from '#kernel'
import type { KeyStore, Store } from '#store'
import { openStores } from '../open-stores.ts'

/** One side of a move: a store and its keystore, which nobody else has open. */
export interface Side {
  readonly store: Store
  readonly keys: KeyStore
  close(): Promise<void>
}

/**
 * What `--from` and `--to` name: `sqlite` is the folders, `mongodb` the database that KINHOLD_STORE names, and an address is itself.
 *
 * @throws Problem `invalid` · `command.migrate-unclear`
 */
export function sideOf(config: Config, text: string): Config {
  const store = choiceOf(config, text)
  return { ...config, store, keystore: store === config.store ? config.keystore : keystoreBeside(store) }
}

function choiceOf(config: Config, text: string): StoreChoice {
  if (text === config.store.kind) return config.store
  if (text === 'sqlite') return { kind: 'sqlite' }
  if (/^mongodb(\+srv)?:\/\/[^/?]/.test(text)) return { kind: 'mongodb', uri: text }
  throw new Problem(
    'invalid',
    'command.migrate-unclear',
    '--from and --to take sqlite, mongodb (what KINHOLD_STORE names) or the address of a MongoDB.',
  )
}

/** Opens a side alone. */
export async function openSide(
  config: Config,
  { make, log }: { readonly make: boolean; readonly log: Log },
): Promise<Side> {
  const { store, keys, space } = await openStores(config, { make, alone: true, log, bare: true })
  const close = async () => {
    space.close()
    await store.close()
    await keys.close()
  }
  return { store, keys, close }
}
