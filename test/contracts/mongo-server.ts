/**
 * A MongoDB to test on: the one that KINHOLD_TEST_MONGODB_URI names, else one that is started for this file – `mongod` where it is
 * installed, else the stand-in that `.ci/run` puts into `.venv-mongo`. Each test gets databases of its own. Files share none that was
 * started for them: while the stand-in works on one statement of a transaction, it lets nobody else write.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import mongoose from 'mongoose'
import { freePort } from '../free-port.ts'

const standIn = fileURLToPath(new URL('../../.venv-mongo/bin/secantusd-py', import.meta.url))
const given = process.env.KINHOLD_TEST_MONGODB_URI || undefined

function ownKind(): 'mongod' | 'stand-in' | undefined {
  if (spawnSync('mongod', ['--version']).status === 0) return 'mongod'
  return existsSync(standIn) ? 'stand-in' : undefined
}

/** What a test can start for itself, and kill. */
const own = ownKind()

/** Whether a server can be started here. */
export const canStartMongo = own !== undefined

/** Whether there is a MongoDB to test on. */
export const hasMongo = given !== undefined || canStartMongo

/** Where there is no MongoDB, or none that may be killed, these tests say so on standard error; with KINHOLD_TEST_MONGODB=required they fail. */
export function whereMongoIs(tests: () => void, isThere: boolean = hasMongo): void {
  if (isThere) tests()
  else
    it('is not tried: there is no MongoDB here', () => {
      expect(process.env.KINHOLD_TEST_MONGODB).not.toBe('required')
      process.stderr.write(
        `\n!!! NOT TRIED ON MONGODB: ${expect.getState().testPath}\n!!! put mongod on the PATH, name a replica set in ` +
          'KINHOLD_TEST_MONGODB_URI, or run .ci/run once\n\n',
      )
    })
}

/** A server of a test's own, which it may kill and start again on the same data. */
export interface MongoServer {
  /** The address of a database of this name. */
  uri(name: string): string
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** How a server is started that is not what it should be. */
interface Starting {
  readonly standalone?: boolean
}

const longestStartMs = 60_000

/** Starts a server in a new folder. */
export async function startMongo({ standalone = false }: Starting = {}): Promise<MongoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'kinhold-mongo-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  const start = async () => {
    const [command, ...args] = commandFor(folder, port, standalone)
    child = spawn(command, args, { stdio: 'ignore' })
    await untilPrimary(`mongodb://127.0.0.1:${port}/?directConnection=true`, standalone)
  }
  await start()
  return {
    uri: name => `mongodb://127.0.0.1:${port}/${name}`,
    kill: () => end('SIGKILL'),
    start,
    stop: async () => {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function commandFor(folder: string, port: number, standalone: boolean): [string, ...string[]] {
  const place = ['--port', String(port)]
  if (own === 'mongod') {
    const set = standalone ? [] : ['--replSet', 'rs0']
    return ['mongod', ...place, '--dbpath', folder, '--bind_ip', '127.0.0.1', ...set]
  }
  // Without the last it loses what it has acknowledged when it is killed.
  const how = [...(standalone ? ['--standalone'] : []), '--enable-test-commands', '--sync-on-commit']
  return [standIn, ...place, '--host', '127.0.0.1', '--storage-path', folder, ...how]
}

/** Waits until writes are taken; a new mongod is made a replica set of one. */
async function untilPrimary(uri: string, standalone: boolean): Promise<void> {
  const deadlineMs = performance.now() + longestStartMs
  for (;;) {
    const connection = mongoose.createConnection()
    try {
      await connection.openUri(uri, { serverSelectionTimeoutMS: 500 })
      const admin = connection.getClient().db('admin')
      const hello = await admin.command({ hello: 1 })
      if (hello.isWritablePrimary === true && (standalone || hello.setName !== undefined)) return
      if (hello.setName === undefined) await admin.command({ replSetInitiate: {} })
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
    } finally {
      await connection.close()
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The server of this file, started when it is first asked for. */
let shared: Promise<MongoServer> | undefined

function serverGiven(uri: string): MongoServer {
  const parts = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(uri)
  const nothing = async () => undefined
  return { uri: name => `${parts?.[1]}/${name}${parts?.[2] ?? ''}`, kill: nothing, start: nothing, stop: nothing }
}

function sharedServer(): Promise<MongoServer> {
  shared ??= given === undefined ? startMongo() : Promise.resolve(serverGiven(given))
  return shared
}

/** Ends the server of this file, if it was ever asked for. */
export async function stopSharedMongo(): Promise<void> {
  const ended = shared
  shared = undefined
  await (await ended)?.stop()
}

/** The address of a database that nobody has, and how to be rid of it. */
export async function newMongoDatabase(): Promise<{ readonly uri: string; remove(): Promise<void> }> {
  const name = `kinhold-test-${randomBytes(6).toString('hex')}`
  const uri = (await sharedServer()).uri(name)
  const remove = async () => {
    // What was started for tests goes as a whole; to remove a part of it waits for what killed processes have left open.
    if (given === undefined) return
    const connection = await mongoose.createConnection(uri).asPromise()
    await connection.dropDatabase()
    await connection.close()
  }
  return { uri, remove }
}
