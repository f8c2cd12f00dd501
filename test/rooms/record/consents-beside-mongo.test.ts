/** Consents of a house that two processes serve, kept in MongoDB. */
import { openMongoKeys, openMongoStore } from '#store'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { consentsInTwoProcesses } from './consents-beside.ts'
import { openTestRecord } from './family.ts'

whereMongoIs(() => {
  afterAll(stopSharedMongo)

  consentsInTwoProcesses(async () => {
    const [data, keyData] = [await newMongoDatabase(), await newMongoDatabase()]
    const [store, otherStore] = [await openMongoStore({ uri: data.uri }), await openMongoStore({ uri: data.uri })]
    const keys = await openMongoKeys({ uri: keyData.uri })
    const house = await openTestRecord(store, keys)
    const other = await house.beside({ store: otherStore })
    const close = async () => {
      await Promise.all([house.record.close(), other.close()])
      await Promise.all([store.close(), otherStore.close(), keys.close()])
      await data.remove()
      await keyData.remove()
    }
    return { one: house.record, other, close }
  }, 4)
})
