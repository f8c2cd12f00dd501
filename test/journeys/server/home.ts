/** Where one server lives: its folders, all below one temporary folder, and the environment that points to them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { within } from './waiting.ts'

export const mainFile = new URL('../../../src/main.ts', import.meta.url).pathname

/** Beside the modules, where nobody else writes. */
const compiled = new URL('../../../node_modules/.cache/kinhold-compiled', import.meta.url).pathname

export interface Home {
  readonly folder: string
  readonly data: string
  readonly keys: string
  /** What the server finds as its TMPDIR; nobody else writes there. */
  readonly temporary: string
  /** The origin of every link. The port is another one after each start, so it is not part of it. */
  readonly origin: string
  readonly env: NodeJS.ProcessEnv
  /** A command that puts what follows it where the folders are seen; undefined where everybody sees them. */
  readonly enter?: readonly string[]
  remove(): Promise<void>
}

/** A new home; on a MongoDB where KINHOLD_TEST_STORE is `mongodb`, by which any journey is taken there. */
export async function newHome(name: string, logLevel = 'error'): Promise<Home> {
  return process.env.KINHOLD_TEST_STORE === 'mongodb' ? newHomeOnMongo(name, logLevel) : newFolderHome(name, logLevel)
}

let onMongo = 0

/** The server that a journey had for its homes ends with the last of them, since the journey knows of none. */
async function newHomeOnMongo(name: string, logLevel: string): Promise<Home> {
  const [{ newMongoHome }, { stopSharedMongo }] = [
    await import('./mongo-home.ts'),
    await import('../../contracts/mongo-server.ts'),
  ]
  const home = await newMongoHome(name, { logLevel })
  onMongo++
  const remove = async () => {
    await home.remove()
    if (--onMongo === 0) await stopSharedMongo()
  }
  return { ...home, remove }
}

/** A home whose data and keys lie in folders. */
export async function newFolderHome(name: string, logLevel = 'error'): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), `kinhold-${name}-`))
  const [data, keys, temporary] = ['data', 'keys', 'tmp'].map(part => join(folder, part)) as [string, string, string]
  await mkdir(temporary)
  const origin = 'http://localhost:8080'
  const foreign = Object.entries(process.env).filter(([key]) => !key.startsWith('KINHOLD_'))
  const env = {
    ...Object.fromEntries(foreign),
    TMPDIR: temporary,
    // Commands are started by the hundred; what Node compiled once need not be compiled again.
    NODE_COMPILE_CACHE: compiled,
    KINHOLD_PORT: '0',
    KINHOLD_BASE_URL: origin,
    KINHOLD_DATA: data,
    KINHOLD_KEYS: keys,
    KINHOLD_LOG_LEVEL: logLevel,
    // Servers are started by the hundred; the folders of most of them are never full.
    KINHOLD_RESERVE: '1M',
    // Any journey is taken with several processes by this.
    KINHOLD_WORKERS: process.env.KINHOLD_TEST_WORKERS ?? '1',
  }
  return { folder, data, keys, temporary, origin, env, remove: () => rm(folder, { recursive: true }) }
}

/** What a command printed, and how it ended. */
export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Node with these arguments, as it is started in a home. */
export function commandIn({ enter = [] }: Home, ...args: string[]): [string, ...string[]] {
  return [...enter, process.execPath, ...args] as [string, ...string[]]
}

/** Runs `kinhold <arguments>` on a home, beside its server or without one. */
export async function run(home: Home, ...args: string[]): Promise<Ran> {
  const [command, ...words] = commandIn(home, mainFile, ...args)
  const child = spawn(command, words, {
    env: home.env,
    cwd: home.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const [stdout, stderr, [status]] = await within(`the end of kinhold ${args.join(' ')}`, ended)
  return { status: Number(status), stdout, stderr }
}

/** The last line that a command printed on standard output. @throws when the command failed */
export async function lastLine(home: Home, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(home, ...args)
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${stderr}`)
  return stdout.trimEnd().split('\n').at(-1) ?? ''
}
