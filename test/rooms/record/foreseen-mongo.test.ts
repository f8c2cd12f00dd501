/** What is seen of what is hidden in part by two processes on one house that is kept in MongoDB. */
import { openMongoStore } from '#store'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { foreseenInTwoProcesses } from './foreseen.ts'

whereMongoIs(() => {
  const removals: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const remove of removals) await remove()
    await stopSharedMongo()
  })

  foreseenInTwoProcesses(async () => {
    const { uri, remove } = await newMongoDatabase()
    removals.push(remove)
    return [await openMongoStore({ uri }), await openMongoStore({ uri })]
  })
})
