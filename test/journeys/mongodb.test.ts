import type { Bundle, OperationOutcome } from '@medplum/fhirtypes'
import mongoose from 'mongoose'
import {
  canStartMongo,
  type MongoServer,
  startMongo,
  stopSharedMongo,
  whereMongoIs,
} from '../contracts/mongo-server.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newFolderHome, run } from './server/home.ts'
import { newMongoHome } from './server/mongo-home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

const canary = 'Zwetschgenkuchen'

const weight = (patient: string, kilograms: number) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }], text: canary },
  subject: { reference: `Patient/${patient}` },
  valueQuantity: { value: kilograms, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
})

const post = (client: Client, patient: string, kilograms: number) =>
  client.send({ method: 'POST', path: '/fhir/Observation', body: weight(patient, kilograms) })

async function totalOf(client: Client, query: string): Promise<number | undefined> {
  return (await client.send({ path: `/fhir/${query}&_summary=count` })).json<Bundle>().total
}

/** Everything that two databases hold, as bytes. */
async function bytesOf(...uris: readonly (string | undefined)[]): Promise<Buffer> {
  const rows: Uint8Array[] = []
  for (const uri of uris) {
    const connection = await mongoose.createConnection(uri ?? '').asPromise()
    for (const collection of await connection.getClient().db(connection.name).collections())
      for await (const row of collection.find({}, { raw: true })) rows.push(row as object as Uint8Array)
    await connection.close()
  }
  return Buffer.concat(rows)
}

/** The compartments of patients of whom there is a key. */
async function patientKeys(home: Home): Promise<Set<string>> {
  const connection = await mongoose.createConnection(home.env.KINHOLD_KEYSTORE ?? '').asPromise()
  const rows = await connection.collection('keys').find({ k: 'patient' }).toArray()
  await connection.close()
  return new Set(rows.map(({ o }) => String(o)))
}

/** A transaction that was begun and not ended, as somebody who was killed leaves it for a minute. @returns what ends it */
async function takeInHand(home: Home, compartments: ReadonlySet<string>): Promise<() => Promise<void>> {
  const connection = await mongoose.createConnection(home.env.KINHOLD_STORE ?? '').asPromise()
  const session = await connection.startSession()
  session.startTransaction()
  for (const compartment of compartments) {
    const filter = { _id: Buffer.from(compartment, 'hex') as never }
    const { matchedCount } = await connection
      .collection('heads')
      .updateOne(filter, { $set: { w: Buffer.alloc(16) } }, { session })
    expect(matchedCount).toBe(1)
  }
  return async () => {
    await session.abortTransaction()
    await connection.close()
  }
}

whereMongoIs(() => {
  describe('a house on MongoDB', () => {
    let home: Home
    let server: RunningServer
    let client: Client
    let anna: string
    let ben: string

    beforeAll(async () => {
      home = await newMongoHome('mongodb')
      server = await startServer(home)
      const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
      client = openClient(server.url, token)
      anna = await lastLine(home, 'patient', 'create', '--given', 'Anna', '--family', canary)
      ben = await lastLine(home, 'patient', 'create', '--given', 'Ben')
    })
    afterAll(async () => {
      client.close()
      expect(await server.stop()).toBe(0)
      await home.remove()
    })

    it('is written, read, searched and remembered', async () => {
      const created = await post(client, anna, 61)
      expect(created.status).toBe(201)
      const [, path = ''] = /(\/fhir\/Observation\/[^/]+)\/_history/.exec(String(created.headers.location)) ?? []
      const observation = (await client.send({ path })).json<object>()
      const changed = await client.send({
        method: 'PUT',
        path,
        headers: { 'if-match': 'W/"1"' },
        body: { ...observation, status: 'amended' },
      })
      expect(changed.status).toBe(200)
      expect(
        (await client.send({ method: 'PUT', path, headers: { 'if-match': 'W/"1"' }, body: observation })).status,
      ).toBe(412)
      expect((await client.send({ path: `${path}/_history` })).json<Bundle>().entry).toHaveLength(2)
      expect(await totalOf(client, `Observation?patient=${anna}`)).toBe(1)
      expect(await totalOf(client, `Observation?patient=${ben}`)).toBe(0)
      expect(await totalOf(client, `Patient?family=${canary}`)).toBe(1)
    })

    it('makes one of many that are created at once under one condition, in two processes', async () => {
      const other = await startServer(home)
      const clients = [client, openClient(other.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))]
      const headers = { 'if-none-exist': `patient=${ben}&code=29463-7` }
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, at) =>
          (clients[at % 2] ?? client).send({
            method: 'POST',
            path: '/fhir/Observation',
            headers,
            body: weight(ben, 80),
          }),
        ),
      )
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
      expect(await totalOf(client, `Observation?patient=${ben}`)).toBe(1)
      clients[1]?.close()
      expect(await other.stop()).toBe(0)
    })

    it('takes a transaction wholly or not at all', async () => {
      const entry = (resource: object) => ({ resource, request: { method: 'POST', url: 'Observation' } })
      const bundle = (...entries: object[]) => ({ resourceType: 'Bundle', type: 'transaction', entry: entries })
      const send = (body: object) => client.send({ method: 'POST', path: '/fhir', body })
      const before = await totalOf(client, 'Observation?status=final')
      expect((await send(bundle(entry(weight(anna, 62)), entry(weight('nobody', 1))))).status).toBeGreaterThanOrEqual(
        400,
      )
      expect(await totalOf(client, 'Observation?status=final')).toBe(before)
      expect((await send(bundle(entry(weight(anna, 62)), entry(weight(ben, 81))))).status).toBe(200)
      expect(await totalOf(client, 'Observation?status=final')).toBe(Number(before) + 2)
    })

    it('goes on after it was killed, with all that was acknowledged', async () => {
      const before = await totalOf(client, `Observation?patient=${ben}`)
      const posting = Array.from({ length: 12 }, (_, at) => post(client, ben, 63 + at).catch(() => undefined))
      await Promise.race(posting)
      await server.kill()
      const acknowledged = (await Promise.all(posting)).filter(answer => answer?.status === 201).length
      client.close()
      server = await startServer(home)
      client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
      expect(await totalOf(client, `Observation?patient=${ben}`)).toBeGreaterThanOrEqual(Number(before) + acknowledged)
      expect(await lastLine(home, 'verify')).toBe('')
    })

    it('shows nobody who takes the databases a word of what is in it', async () => {
      const bytes = await bytesOf(home.env.KINHOLD_STORE, home.env.KINHOLD_KEYSTORE)
      expect(bytes.length).toBeGreaterThan(10_000)
      for (const word of [canary, 'Observation', 'Patient', '29463-7', anna]) expect(bytes.includes(word)).toBe(false)
    })

    it('erases also whom somebody has in hand who was cut off: what is left goes when it can', async () => {
      const before = await patientKeys(home)
      const cleo = await lastLine(home, 'patient', 'create', '--given', 'Cleo')
      const letGo = await takeInHand(home, (await patientKeys(home)).difference(before))
      const erase = () => run(home, 'erase', '--patient', cleo, '--yes')
      const owed = await erase()
      expect([owed.status, owed.stderr]).toEqual([0, expect.stringContaining('cannot be removed at the moment')])
      expect(owed.stdout).toMatch(/^[0-9a-f]{32}\t.+Z\n$/)
      expect([await patientKeys(home), (await client.send({ path: `/fhir/Patient/${cleo}` })).status]).toEqual([
        before,
        410,
      ])
      await letGo()
      const whole = await erase()
      expect([whole.status, whole.stderr]).toEqual([0, expect.stringContaining('nothing of it is left')])
      expect((await erase()).stderr).toContain('command.patient-absent')
      expect(await lastLine(home, 'verify')).toBe('')
    })

    it('erases a patient, beside the server', async () => {
      const before = await totalOf(client, `Observation?patient=${ben}`)
      expect(await run(home, 'erase', '--patient', anna, '--yes')).toMatchObject({ status: 0 })
      expect((await client.send({ path: `/fhir/Patient/${anna}` })).status).toBe(410)
      expect(await totalOf(client, `Observation?patient=${ben}`)).toBe(before)
      expect(await lastLine(home, 'verify')).toBe('')
    })
  })

  describe('a house that moves – kinhold migrate', () => {
    it('is the same on both sides, there and back, and opens with the same root', async () => {
      const [lite, mongo, back] = [
        await newFolderHome('lite'),
        await newMongoHome('moved'),
        await newFolderHome('back'),
      ]
      await (await startServer(lite)).stop()
      const kept = await lastLine(lite, 'patient', 'create', '--given', 'Ben')
      const gone = await lastLine(lite, 'patient', 'create', '--given', 'Anna')
      expect((await run(lite, 'erase', '--patient', gone, '--yes')).status).toBe(0)
      const to = {
        ...lite,
        env: { ...lite.env, KINHOLD_STORE: mongo.env.KINHOLD_STORE, KINHOLD_KEYSTORE: mongo.env.KINHOLD_KEYSTORE },
      }
      const there = await lastLine(to, 'migrate', '--from', 'sqlite', '--to', 'mongodb')
      const again = await lastLine(to, 'migrate', '--from', 'sqlite', '--to', 'mongodb')
      const home = { ...to, env: { ...to.env, KINHOLD_DATA: back.data } }
      const backed = { ...home, env: { ...home.env, KINHOLD_KEYS: lite.keys } }
      expect([again, there]).toEqual([there, expect.stringMatching(/^[0-9a-f]{64}$/)])
      expect(await lastLine(to, 'verify')).toBe('')
      expect(await lastLine(to, 'patient', 'list')).toBe(kept)
      await lastLine(to, 'patient', 'create', '--given', 'Cleo')
      // What is written there since then is not what is here any more.
      const refused = await run(to, 'migrate', '--from', 'sqlite', '--to', 'mongodb')
      expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('command.migrate-foreign')])
      const toBack = { ...backed, env: { ...backed.env, KINHOLD_KEYS: back.keys } }
      expect((await run(toBack, 'migrate', '--from', 'mongodb', '--to', 'sqlite')).status).toBe(0)
      for (const each of [lite, mongo, back]) await each.remove()
    })
  })
})

whereMongoIs(() => {
  describe('a house whose MongoDB is away', () => {
    let mongo: MongoServer
    let home: Home
    let server: RunningServer
    let client: Client

    beforeAll(async () => {
      mongo = await startMongo()
      home = await newMongoHome('outage', { server: mongo })
      server = await startServer(home)
      client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
    })
    afterAll(async () => {
      client.close()
      expect(await server.stop()).toBe(0)
      await home.remove()
      await mongo.stop()
    })

    const isReady = async () => (await client.send({ path: '/readyz' })).status === 200

    it('says so, refuses writes for the moment, and goes on without a new start', async () => {
      const patient = await lastLine(home, 'patient', 'create', '--given', 'Anna')
      expect((await post(client, patient, 61)).status).toBe(201)
      await mongo.kill()
      await until(async () => !(await isReady()))
      expect((await client.send({ path: '/healthz' })).status).toBe(200)
      const refused = await post(client, patient, 62)
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)])
      expect(refused.json<OperationOutcome>().issue?.[0]?.details?.coding?.[0]?.code).toBe('store.unreachable')
      await mongo.start()
      await until(isReady)
      await until(async () => (await post(client, patient, 63)).status === 201)
      expect(await totalOf(client, `Observation?patient=${patient}`)).toBeGreaterThanOrEqual(2)
      expect(await lastLine(home, 'verify')).toBe('')
    })
  })
}, canStartMongo)

afterAll(stopSharedMongo)
