import { mongo } from 'mongoose'
import type { Changes, CompartmentId } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { isUnreachable } from './failures.ts'
import { marksName, type Present, type Question } from './present.ts'
import type { HeadRow } from './rows.ts'

/** Head moves only: a claim that it did not move, and what is sealed anew, write a head's row and leave `n`. */
const moves = {
  'ns.coll': 'heads',
  $or: [
    { operationType: { $in: ['insert', 'delete', 'replace'] } },
    { 'updateDescription.updatedFields.n': { $exists: true } },
  ],
}

/** Own marks, and what is watched. */
function watched(opening: Buffer, ...rows: readonly mongo.Document[]): mongo.Document {
  return { $match: { $or: [{ 'ns.coll': marksName, 'documentKey._id': opening }, ...rows] } }
}

/** Where nothing has come so soon it is asked how far the log was looked through. */
const waitMs = 1
const eventsAtOnce = 1_000

/** While nothing moves a mark stays the same for so long; then it follows the log, whose older end is cut off by and by. */
const markKeptMs = 60_000

type Token = mongo.ResumeToken

/** Where one has come to: in the log of changes, and – while one begins – among the heads. */
interface Place {
  readonly token: Token
  readonly after?: CompartmentId
}

/** A stream of a database's changes from a token on, one of which can be looked at before it is taken. */
class Stream {
  readonly #stream: mongo.ChangeStream
  #peeked: mongo.ChangeStreamDocument | undefined
  #at: Token
  /** The last own mark that was come upon. */
  #mark = 0

  constructor(database: mongo.Db, pipeline: mongo.Document[], token?: Token) {
    this.#at = token
    const from = token === undefined ? {} : { resumeAfter: token }
    this.#stream = database.watch(pipeline, { ...from, maxAwaitTimeMS: waitMs, batchSize: eventsAtOnce })
  }

  /** Behind what was taken last, or – when there is nothing more – behind all that the server has looked through. */
  get at(): Token {
    return this.#at
  }

  /** The next change, which stays the next until it is taken; undefined when the server tells of none at the moment. */
  async peek(): Promise<mongo.ChangeStreamDocument | undefined> {
    while (this.#peeked === undefined) {
      const next = await this.#stream.tryNext()
      this.#at = next === null ? this.#stream.resumeToken : this.#at
      if (next === null) return undefined
      this.#hear(next)
    }
    return this.#peeked
  }

  #hear(next: mongo.ChangeStreamDocument): void {
    const mark = markOf(next)
    if (mark === undefined) this.#peeked = next
    else [this.#at, this.#mark] = [next._id, mark]
  }

  /** The same, but undefined only when everything that was acknowledged before the question has been told. */
  async peekUntil(question: Question): Promise<mongo.ChangeStreamDocument | undefined> {
    while (this.#peeked !== undefined || !question.isBehind(this.#mark)) {
      const next = await this.peek()
      if (next !== undefined) return next
      if (await question.isAnswered({ token: this.#at, mark: this.#mark })) return undefined
    }
    return undefined
  }

  take(): void {
    this.#at = this.#peeked?._id
    this.#peeked = undefined
  }

  close(): Promise<void> {
    return this.#stream.close()
  }
}

/** Parts of a store whose changes are told. */
export interface FeedParts {
  readonly database: mongo.Db
  readonly heads: mongo.Collection<HeadRow>
  readonly opening: Buffer
  readonly present: Present
  /** Which database this is: marks of others say nothing here. */
  readonly house: string
  readonly headsOf: (compartments: readonly CompartmentId[]) => Promise<ReadonlyMap<CompartmentId, number>>
}

/**
 * What moved since a mark. The server's own log of changes tells it, in the order in which transactions were committed, so none is passed
 * by – as a counter of ours would pass by what was counted before it and committed after. One stream stays open: who asks again with the
 * mark of a moment ago asks for what came since, and no more.
 */
export class Feed {
  readonly #parts: FeedParts
  #stream: Stream | undefined
  #streamMark = ''
  #markedMs = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: FeedParts) {
    this.#parts = parts
  }

  /** One question after the other: they share the stream. */
  changesSince(mark: string | undefined, limit: number): Promise<Changes> {
    const answer = this.#last.then(() => this.#parts.present.ask(question => this.#answer(mark, limit, question)))
    this.#last = answer.catch(() => this.#drop())
    return answer
  }

  async #answer(mark: string | undefined, limit: number, question: Question): Promise<Changes> {
    const place = mark === undefined ? undefined : this.#read(mark)
    const stream = place && (await this.#resumed(mark ?? '', place.token))
    if (place === undefined || stream === undefined) return this.#begin(limit)
    if (place.after !== undefined) return this.#page(stream, place, limit)
    return this.#follow({ stream, mark: mark ?? '', limit, question })
  }

  /** The stream from here on; undefined when the server's log does not reach back so far, or never knew the token. */
  async #resumed(mark: string, token: Token): Promise<Stream | undefined> {
    if (this.#stream !== undefined && mark === this.#streamMark) return this.#stream
    await this.#drop()
    const stream = this.#open(token)
    try {
      await stream.peek()
    } catch (error) {
      await stream.close()
      if (isUnreachable(error)) throw error
      return undefined
    }
    this.#stream = stream
    return stream
  }

  #open(token?: Token): Stream {
    return new Stream(this.#parts.database, [watched(this.#parts.opening, moves)], token)
  }

  /** The place in the log comes first, then the heads: what moves in between is told twice rather than never. */
  async #begin(limit: number): Promise<Changes> {
    await this.#drop()
    const stream = this.#open()
    this.#stream = stream
    while ((await stream.peek()) !== undefined) stream.take()
    return { ...(await this.#page(stream, { token: stream.at }, limit)), anew: true }
  }

  /** While one begins the place in the log stays where it was. */
  async #page(stream: Stream, { token, after }: Place, limit: number): Promise<Changes> {
    const behind = after === undefined ? {} : { _id: { $gt: idBytes(after) } }
    const page = this.#parts.heads
      .find({ n: { $gt: 0 }, ...behind }, { projection: { n: 1 } })
      .sort({ _id: 1 })
      .limit(limit)
    const moved = new Map((await page.toArray()).map(({ _id, n }) => [toHex(_id), n]))
    const last = [...moved.keys()].at(-1)
    if (moved.size === limit && last !== undefined) return this.#told(moved, { token, after: last }, true)
    if ((await stream.peek()) === undefined) return this.#told(moved, { token: stream.at }, false)
    return this.#told(moved, { token }, true)
  }

  async #follow({ stream, mark, limit, question }: Following): Promise<Changes> {
    const names = new Set<CompartmentId>()
    let next = await stream.peekUntil(question)
    for (; next !== undefined; next = await stream.peekUntil(question)) {
      const name = compartmentOf(next)
      if (name !== undefined && names.size === limit && !names.has(name)) break
      if (name !== undefined) names.add(name)
      stream.take()
    }
    if (names.size === 0 && performance.now() - this.#markedMs < markKeptMs)
      return { mark, moved: nobody, more: false, anew: false }
    return this.#told(await this.#parts.headsOf([...names]), { token: stream.at }, next !== undefined)
  }

  #told(moved: ReadonlyMap<CompartmentId, number>, place: Place, more: boolean): Changes {
    const mark = this.#write(place)
    this.#streamMark = mark
    this.#markedMs = performance.now()
    return { mark, moved, more, anew: false }
  }

  #write({ token, after }: Place): string {
    const bytes = mongo.BSON.serialize({ house: this.#parts.house, token, ...(after === undefined ? {} : { after }) })
    return Buffer.from(bytes).toString('base64url')
  }

  /** Undefined for what this database did not give. */
  #read(mark: string): Place | undefined {
    try {
      const { house, token, after } = mongo.BSON.deserialize(Buffer.from(mark, 'base64url'))
      return house === this.#parts.house && token !== undefined ? { token, ...(after && { after }) } : undefined
    } catch {
      return undefined
    }
  }

  async #drop(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    this.#streamMark = ''
    await stream?.close()
  }

  async close(): Promise<void> {
    await this.#last
    await this.#drop()
  }
}

interface Following {
  readonly stream: Stream
  readonly mark: string
  readonly limit: number
  readonly question: Question
}

const nobody: ReadonlyMap<CompartmentId, number> = new Map()

/** Undefined for what is not a mark. */
function markOf(change: mongo.ChangeStreamDocument): number | undefined {
  if (!('ns' in change && 'coll' in change.ns && change.ns.coll === marksName)) return undefined
  return 'fullDocument' in change ? Number(change.fullDocument?.q) : 0
}

function compartmentOf(change: mongo.ChangeStreamDocument): CompartmentId | undefined {
  return 'documentKey' in change ? toHex(bytesOf(change.documentKey._id)) : undefined
}

/** In what a stream tells bytes are not always made a Buffer. */
function bytesOf(value: unknown): Uint8Array {
  return value instanceof mongo.Binary ? value.value() : (value as Buffer)
}

/** Of a change only where it was and in which transaction, not what was written; of a mark which it is. */
const whereabouts = {
  $project: { operationType: 1, ns: 1, documentKey: 1, lsid: 1, txnNumber: 1, 'fullDocument.q': 1 },
}

/** What somebody else may have written to. */
export interface OthersParts {
  readonly database: mongo.Db
  readonly opening: Buffer
  readonly present: Present
  /** All that hold what nobody else may change unseen, without `commits`. */
  readonly collections: readonly string[]
}

/**
 * Tells by a number whether anybody but this opening has written anything: another process, or somebody with a client of the database.
 * Own transactions begin with a row in `commits`, by which the rest of them is known.
 */
export class OthersWatch {
  readonly #parts: OthersParts
  readonly #pipeline: mongo.Document[]
  #stream: Stream | undefined
  /** The own transaction that was told of last. */
  #own: string | undefined
  #mark = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: OthersParts) {
    const beginnings = { 'ns.coll': 'commits', operationType: 'insert' }
    this.#parts = parts
    this.#pipeline = [watched(parts.opening, beginnings, { 'ns.coll': { $in: parts.collections } }), whereabouts]
  }

  mark(): Promise<number> {
    const answer = this.#last.then(() => this.#parts.present.ask(question => this.#look(question)))
    this.#last = answer.catch(() => this.#drop())
    return answer
  }

  async #look(question: Question): Promise<number> {
    if (this.#stream === undefined) {
      // What was written while nobody looked may have been anybody's.
      this.#stream = new Stream(this.#parts.database, this.#pipeline)
      this.#mark++
    }
    const stream = this.#stream
    for (let next = await stream.peekUntil(question); next !== undefined; next = await stream.peekUntil(question)) {
      if (!this.#isOwn(next)) this.#mark++
      stream.take()
    }
    return this.#mark
  }

  #isOwn(change: mongo.ChangeStreamDocument): boolean {
    const transaction = transactionOf(change)
    if ('documentKey' in change && change.ns.coll === 'commits')
      this.#own = this.#isFromHere(change.documentKey._id) ? transaction : undefined
    return transaction !== undefined && transaction === this.#own
  }

  #isFromHere(id: unknown): boolean {
    return this.#parts.opening.equals(bytesOf(id).subarray(0, this.#parts.opening.length))
  }

  async #drop(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    await stream?.close()
  }

  async close(): Promise<void> {
    await this.#last
    await this.#drop()
  }
}

/** Undefined for what was written in none. */
function transactionOf({
  lsid,
  txnNumber,
}: Pick<mongo.ChangeStreamDocument, '_id'> & InTransaction): string | undefined {
  return lsid === undefined ? undefined : `${toHex(bytesOf(lsid.id))} ${txnNumber}`
}

interface InTransaction {
  readonly lsid?: { readonly id: unknown }
  readonly txnNumber?: unknown
}
