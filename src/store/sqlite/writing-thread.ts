/** Runs in a thread of its own (`long-commits.ts`), with a connection of its own. */
import { randomId16 } from '#kernel'
import type { CommitResult } from '../contract.ts'
import { checkCommit } from '../well-formed.ts'
import { type ApplyParts, applyAll } from './apply.ts'
import { Compartments } from './compartments.ts'
import { connect, fileAt, type OpenDatabase } from './database.ts'
import { Documents } from './documents.ts'
import { codesOf, type SqliteCodes } from './failures.ts'
import { Feed } from './feed.ts'
import { Ledger } from './ledger.ts'
import { type PackedCommits, unpack } from './packing.ts'

/** The file, and how long to wait for other processes. */
export interface Place {
  readonly path: string
  /** `fileAt` when the store was opened. */
  readonly file: string
  readonly waitMs: number
}

/** What was done, or what SQLite said: its errors lose their codes on the way from one thread to another. */
export type Outcome<T> = { readonly done: T } | { readonly failed: SqliteCodes }

interface Connection extends OpenDatabase, ApplyParts {}

// Marks of two connections say nothing of each other.
const thread = randomId16().toString('hex')
let opening: Promise<Connection> | undefined

async function open({ path, file, waitMs }: Place): Promise<Connection> {
  if (fileAt(path) !== file) throw new Error('Another file lies there now.')
  const opened = await connect(path, waitMs)
  const compartments = new Compartments(opened.database)
  const ledger = new Ledger(opened.database, compartments)
  return {
    ...opened,
    ledger,
    documents: new Documents(opened.database),
    feed: new Feed(opened.database, compartments),
  }
}

async function attempted<T>(place: Place, work: (connection: Connection) => T | Promise<T>): Promise<Outcome<T>> {
  try {
    opening ??= open(place)
    return { done: await work(await opening) }
  } catch (error) {
    return { failed: codesOf(error) }
  }
}

/** A text that is another one after any other connection has written to the file. */
export function mark(place: Place): Promise<Outcome<string>> {
  return attempted(place, ({ documents, transactions }) =>
    transactions.anew(turn => `${thread} ${documents.othersMark(turn)}`),
  )
}

/** Writes commits in one transaction, which is on the disk when the promise resolves. */
export function write({ packed, ...place }: Place & { readonly packed: PackedCommits }) {
  return attempted<readonly CommitResult[]>(place, connection => {
    const commits = unpack(packed).map(checkCommit)
    // What the other connection has written since is not known here.
    connection.ledger.forgetHeads()
    return connection.transactions.write(() => applyAll(connection, commits))
  })
}

/** Gives back the pages that were needed for a long transaction. */
export function shrink(place: Place): Promise<Outcome<void>> {
  return attempted(place, ({ database }) => database.exec('PRAGMA shrink_memory'))
}

export async function close(): Promise<void> {
  const opened = await opening?.catch(() => undefined)
  await opened?.transactions.close()
  opening = undefined
}
