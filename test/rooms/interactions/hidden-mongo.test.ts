/** What is hidden within one's own reach, of a house that is kept in MongoDB: https://hl7.org/fhir/R4/security.html */
import { openMongoStore } from '#store'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { hiddenWithinReach } from './hidden.ts'

whereMongoIs(() => {
  let remove: () => Promise<void>
  afterAll(async () => {
    await remove()
    await stopSharedMongo()
  })

  describe('a house in MongoDB', () =>
    hiddenWithinReach(async () => {
      const database = await newMongoDatabase()
      remove = database.remove
      return openMongoStore({ uri: database.uri })
    }))
})
