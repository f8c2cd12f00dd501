/** The ceiling: one Express route that answers a constant of the size of an Observation. */
import express from 'express'
import { heartRate } from './data.ts'

const body = Buffer.from(JSON.stringify({ ...heartRate('p', 0), id: 'x'.repeat(36) }))
const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.get('/fhir/:type/:id', (_, response) => {
  response.set('content-type', 'application/fhir+json; charset=utf-8').send(body)
})
app.listen(Number(process.argv[2]), '127.0.0.1')
