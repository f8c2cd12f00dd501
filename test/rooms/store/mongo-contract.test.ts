import mongoose from 'mongoose'
import { openMongoKeys, openMongoStore } from '#store'
import { keysContract } from '../../contracts/keys.contract.ts'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { storeContract } from '../../contracts/store.contract.ts'
import { codeOf, type Opening } from '../../contracts/store-fixtures.ts'

interface Opened<T> {
  readonly subject: T
  /** Takes everything out of it that tests have put in. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** What an opening itself needs of its database. */
const kept: readonly string[] = ['house', 'openings']

async function openNew<T extends { close(): Promise<void> }>(open: (uri: string) => Promise<T>): Promise<Opened<T>> {
  const { uri, remove } = await newMongoDatabase()
  const subject = await open(uri)
  const connection = await mongoose.createConnection(uri).asPromise()
  const collections = await connection.getClient().db(connection.name).collections()
  const filled = collections.filter(({ collectionName }) => !kept.includes(collectionName))
  return {
    subject,
    empty: async () => void (await Promise.all(filled.map(collection => collection.deleteMany({})))),
    close: async () => {
      await subject.close()
      await connection.close()
      await remove()
    },
  }
}

/** All that are open. */
const all = new Set<Opened<unknown>>()

/** An opening takes some thirty trips, so what one test leaves open and empty the next one takes. */
function emptied<T extends { close(): Promise<void> }>(
  open: (uri: string) => Promise<T>,
  ask: (subject: T) => Promise<unknown>,
): Opening<T> {
  const idle: Opened<T>[] = []
  return async () => {
    const opened = idle.pop() ?? (await openNew(open))
    all.add(opened)
    const dispose = async () => {
      if ((await codeOf(ask(opened.subject))) === 'store.closed') {
        all.delete(opened)
        return opened.close()
      }
      await opened.empty()
      idle.push(opened)
    }
    return { subject: opened.subject, dispose }
  }
}

whereMongoIs(() => {
  storeContract(
    'mongodb',
    emptied(
      uri => openMongoStore({ uri }),
      store => store.heads([]),
    ),
    // Two steps of a removal. The stand-in takes some ms for each row.
    { many: 600 },
  )

  keysContract(
    'mongodb',
    emptied(
      uri => openMongoKeys({ uri }),
      keys => keys.all(),
    ),
  )
})

afterAll(async () => {
  for (const opened of all) await opened.close()
  await stopSharedMongo()
})
