import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import mongoose from 'mongoose'
import { stopSharedMongo, whereMongoIs } from '../contracts/mongo-server.ts'
import { openClient } from './server/client.ts'
import { commandIn, type Home, lastLine, mainFile, newFolderHome, run } from './server/home.ts'
import { newMongoHome } from './server/mongo-home.ts'
import { startServer } from './server/start-server.ts'
import { within } from './server/waiting.ts'

const [patients, each] = [6, 60]

const observation = (patient: number) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'pulse' },
  subject: { reference: `urn:uuid:${patient}` },
})

/** A house in which patients were written to, and one was erased. */
async function lived(home: Home): Promise<void> {
  const server = await startServer(home)
  const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
  for (let at = 0; at < patients; at++) {
    const post = (resource: { readonly resourceType: string }, fullUrl?: string) => ({
      ...(fullUrl === undefined ? {} : { fullUrl }),
      resource,
      request: { method: 'POST', url: resource.resourceType },
    })
    const entry = [
      post({ resourceType: 'Patient' }, `urn:uuid:${at}`),
      ...Array.from({ length: each }, () => post(observation(at))),
    ]
    const answer = await client.send({
      method: 'POST',
      path: '/fhir',
      body: { resourceType: 'Bundle', type: 'transaction', entry },
    })
    expect(answer.status).toBe(200)
  }
  client.close()
  expect(await server.stop()).toBe(0)
  const gone = await lastLine(home, 'patient', 'create', '--given', 'Anna')
  expect((await run(home, 'erase', '--patient', gone, '--yes')).status).toBe(0)
}

/** Moves, and is killed as soon as it has come so far, if that is not the end already. */
async function moveUntil(
  home: Home,
  from: string,
  to: string,
  hasCome: () => boolean | Promise<boolean>,
): Promise<void> {
  const [command, ...words] = commandIn(home, mainFile, 'migrate', '--from', from, '--to', to)
  const child = spawn(command, words, { env: home.env, cwd: home.folder, stdio: 'ignore' })
  const ended = once(child, 'exit')
  while (child.exitCode === null && child.signalCode === null && !(await hasCome())) await new Promise(setImmediate)
  child.kill('SIGKILL')
  await within('the end of what was killed', ended)
}

/** Whether a collection of a database holds anything. */
async function holding(
  uri: string | undefined,
  collection: string,
): Promise<{ (): Promise<boolean>; close(): Promise<void> }> {
  const connection = await mongoose.createConnection(uri ?? '').asPromise()
  const look = async () => (await connection.collection(collection).findOne()) !== null
  return Object.assign(look, { close: () => connection.close() })
}

/** Bytes of all files below a folder whose name says that they are a log of SQLite. */
function logBytes(folder: string): number {
  const names = readdirSync(folder).filter(name => name.endsWith('-wal'))
  return names.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}

whereMongoIs(() => {
  describe('a move between SQLite and MongoDB that is killed, and begun again', () => {
    afterAll(() => stopSharedMongo())

    it('ends with the same on both sides, wherever it was killed, there and back', async () => {
      const [lite, mongo, back] = [
        await newFolderHome('cut'),
        await newMongoHome('cut-moved'),
        await newFolderHome('cut-back'),
      ]
      await lived(lite)
      const { KINHOLD_STORE, KINHOLD_KEYSTORE } = mongo.env
      const to = { ...lite, env: { ...lite.env, KINHOLD_STORE, KINHOLD_KEYSTORE } }
      for (const [uri, collection] of [
        [KINHOLD_STORE, 'heads'],
        [KINHOLD_STORE, 'documents'],
        [KINHOLD_KEYSTORE, 'notes'],
      ] as const) {
        const hasCome = await holding(uri, collection)
        await moveUntil(to, 'sqlite', 'mongodb', hasCome)
        await hasCome.close()
      }
      const there = await lastLine(to, 'migrate', '--from', 'sqlite', '--to', 'mongodb')
      const toBack = { ...to, env: { ...to.env, KINHOLD_DATA: back.data, KINHOLD_KEYS: back.keys } }
      for (const folder of [back.data, back.keys]) mkdirSync(folder, { mode: 0o700 })
      for (const [folder, bytes] of [
        [back.data, 100_000],
        [back.keys, 4_096],
      ] as const)
        await moveUntil(toBack, 'mongodb', 'sqlite', () => logBytes(folder) > bytes)
      expect([
        await lastLine(toBack, 'migrate', '--from', 'mongodb', '--to', 'sqlite'),
        await lastLine(to, 'verify'),
      ]).toEqual([there, ''])
      // The root stays where it was; whoever moves takes it along.
      copyFileSync(join(lite.keys, 'root.key'), join(back.keys, 'root.key'))
      const home = { ...lite, env: { ...lite.env, KINHOLD_DATA: back.data, KINHOLD_KEYS: back.keys } }
      expect(await lastLine(home, 'verify')).toBe('')
      for (const each of [lite, mongo, back]) await each.remove()
    }, 600_000)
  })
})
