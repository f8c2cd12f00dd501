import type { MongoKeys } from './keys.ts'
import type { MongoOptions } from './open-database.ts'
import type { MongoStore, MongoStoreOptions } from './store.ts'

/** Opens the store in a MongoDB. The driver takes as long to load as all the rest, so only who uses it loads it. @throws as `openDatabase` */
export async function openMongoStore(options: MongoStoreOptions): Promise<MongoStore> {
  return (await import('./store.ts')).openMongoStore(options)
}

/** Opens the keystore in a MongoDB database of its own. @throws as `openDatabase` */
export async function openMongoKeys(options: MongoOptions): Promise<MongoKeys> {
  return (await import('./keys.ts')).openMongoKeys(options)
}
