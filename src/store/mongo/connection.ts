import mongoose, { type Connection } from 'mongoose'
import { Problem } from '#kernel'
import { toProblem } from './failures.ts'
import { durable } from './transactions.ts'

/** For how long a call waits for a server that takes writes: an election takes a few seconds. */
const selectionMs = 5_000
const shortestMs = 250
/** An answer takes longer only when the server hangs, or the way to it. */
const silenceMs = 30_000

/** A connection, and whether a server that takes writes is known at this moment. */
export interface Connected {
  readonly connection: Connection
  isReady(): boolean
}

/** The database that an address names, if it names one; what else it holds is the driver's business. */
export function databaseNameOf(uri: string): string | undefined {
  const name = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]*)/.exec(uri)?.[1]
  return name === undefined || name === '' ? undefined : decodeURIComponent(name)
}

/**
 * Connects and waits until there is a server that takes writes. What an address holds – a password above all – is in no text.
 *
 * @throws Problem `busy` · `store.unreachable`; `invalid` · `store.address-refused`
 */
export async function connect(uri: string, name: string, waitMs: number): Promise<Connected> {
  const connection = mongoose.createConnection()
  const state = { isReady: false }
  try {
    await connection.openUri(uri, {
      dbName: name,
      serverSelectionTimeoutMS: Math.min(selectionMs, Math.max(waitMs, shortestMs)),
      socketTimeoutMS: silenceMs,
      writeConcern: durable,
      readConcern: { level: 'majority' },
      readPreference: 'primary',
      retryWrites: true,
      retryReads: true,
      promoteBuffers: true,
      ignoreUndefined: false,
      autoIndex: false,
      autoCreate: false,
      bufferCommands: false,
    })
    const client = connection.getClient()
    state.isReady = true
    client.on('topologyDescriptionChanged', ({ newDescription: { servers } }) => {
      state.isReady = [...servers.values()].some(({ type }) => writable.has(type))
    })
    return { connection, isReady: () => state.isReady }
  } catch (error) {
    await connection.close().catch(() => connection.destroy())
    throw refusalFor(error)
  }
}

const writable: ReadonlySet<string> = new Set(['RSPrimary', 'Mongos', 'LoadBalancer', 'Standalone'])

/** The driver quotes the address in what it says of it. */
function refusalFor(error: unknown): Problem {
  const { name = '', code } = error instanceof Error ? (error as Error & { code?: unknown }) : {}
  if (/ParseError|InvalidArgument|TypeError/.test(name))
    return new Problem('invalid', 'store.address-refused', 'The address of the database cannot be read.', {
      detail: name,
    })
  if (code === 18 || code === 13)
    return new Problem('invalid', 'store.address-refused', 'The database refuses the user or the password.', {
      detail: `mongodb code ${code}`,
    })
  const { kind, code: known, text, retryAfterSeconds } = toProblem(error)
  return new Problem(kind, known, text, { detail: name, ...(retryAfterSeconds && { retryAfterSeconds }) })
}
