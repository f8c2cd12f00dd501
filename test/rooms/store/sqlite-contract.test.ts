import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteKeys, openSqliteStore } from '#store'
import { keysContract } from '../../contracts/keys.contract.ts'
import { storeContract } from '../../contracts/store.contract.ts'
import type { Opening } from '../../contracts/store-fixtures.ts'

function inNewDirectory<T extends { close(): Promise<void> }>(open: (path: string) => Promise<T>): Opening<T> {
  return async () => {
    const directory = await mkdtemp(join(tmpdir(), 'store-'))
    const subject = await open(join(directory, 'data.db'))
    const dispose = async () => {
      await subject.close()
      await rm(directory, { recursive: true })
    }
    return { subject, dispose }
  }
}

storeContract(
  'sqlite',
  inNewDirectory(path => openSqliteStore({ path })),
)

keysContract(
  'sqlite',
  inNewDirectory(path => openSqliteKeys({ path })),
)
