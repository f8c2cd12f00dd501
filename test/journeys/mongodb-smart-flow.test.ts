/** The same journey as `smart-flow.test.ts`, in a house on MongoDB. */
import { hasMongo, stopSharedMongo, whereMongoIs } from '../contracts/mongo-server.ts'

process.env.KINHOLD_TEST_STORE = 'mongodb'
if (hasMongo) await import('./smart-flow.test.ts')
else whereMongoIs(() => undefined)

afterAll(stopSharedMongo)
