/** A home whose data and keys lie in databases of their own on a MongoDB. */
import { type MongoServer, newMongoDatabase } from '../../contracts/mongo-server.ts'
import { type Home, newFolderHome } from './home.ts'

interface MongoHomeOptions {
  /** A server of the test's own, in place of the one that the file shares. */
  readonly server?: MongoServer
  readonly logLevel?: string
}

export async function newMongoHome(name: string, { server, logLevel }: MongoHomeOptions = {}): Promise<Home> {
  const [home, store, keys] = [
    await newFolderHome(name, logLevel),
    await databaseOn(server, 'data'),
    await databaseOn(server, 'keys'),
  ]
  const env = { ...home.env, KINHOLD_STORE: store.uri, KINHOLD_KEYSTORE: keys.uri }
  const remove = async () => {
    await home.remove()
    await store.remove()
    await keys.remove()
  }
  return { ...home, env, remove }
}

/** On a server of the test's own nothing is left anyway. */
async function databaseOn(server: MongoServer | undefined, name: string) {
  return server === undefined ? newMongoDatabase() : { uri: server.uri(name), remove: async () => undefined }
}
