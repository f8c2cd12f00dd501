import { mongo } from 'mongoose'
import type { Changes, CompartmentId } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { isUnreachable } from './failures.ts'
import type { HeadRow } from './rows.ts'

/** Head moves only: a claim that it did not move, and what is sealed anew, write a head's row and leave `n`. */
const moves = [
  {
    $match: {
      $or: [
        { operationType: { $in: ['insert', 'delete', 'replace'] } },
        { 'updateDescription.updatedFields.n': { $exists: true } },
      ],
    },
  },
]

/** Only as long as the server needs to look whether there is something. */
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

/** A collection or a database. */
interface Watchable {
  watch(pipeline: mongo.Document[], options: mongo.ChangeStreamOptions): mongo.ChangeStream
}

/** A stream of changes from a token on, one of which can be looked at before it is taken. */
class Stream {
  readonly #stream: mongo.ChangeStream
  #peeked: mongo.ChangeStreamDocument | undefined
  #at: Token

  constructor(rows: Watchable, pipeline: mongo.Document[], token?: Token) {
    this.#at = token
    const from = token === undefined ? {} : { resumeAfter: token }
    this.#stream = rows.watch(pipeline, { ...from, maxAwaitTimeMS: waitMs, batchSize: eventsAtOnce })
  }

  /** Behind what was taken last, or – when there is nothing more – behind all that the server has looked through. */
  get at(): Token {
    return this.#at
  }

  /** The next change, which stays the next until it is taken; undefined when all that was acknowledged has been seen. */
  async peek(): Promise<mongo.ChangeStreamDocument | undefined> {
    this.#peeked ??= (await this.#stream.tryNext()) ?? undefined
    if (this.#peeked === undefined) this.#at = this.#stream.resumeToken
    return this.#peeked
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
  readonly heads: mongo.Collection<HeadRow>
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
    const answer = this.#last.then(() => this.#answer(mark, limit))
    this.#last = answer.catch(() => this.#drop())
    return answer
  }

  async #answer(mark: string | undefined, limit: number): Promise<Changes> {
    const place = mark === undefined ? undefined : this.#read(mark)
    const stream = place && (await this.#resumed(mark ?? '', place.token))
    if (place === undefined || stream === undefined) return this.#begin(limit)
    return place.after === undefined ? this.#follow(stream, mark ?? '', limit) : this.#page(stream, place, limit)
  }

  /** The stream from here on; undefined when the server's log does not reach back so far, or never knew the token. */
  async #resumed(mark: string, token: Token): Promise<Stream | undefined> {
    if (this.#stream !== undefined && mark === this.#streamMark) return this.#stream
    await this.#drop()
    const stream = new Stream(this.#parts.heads, moves, token)
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

  /** The place in the log comes first, then the heads: what moves in between is told twice rather than never. */
  async #begin(limit: number): Promise<Changes> {
    await this.#drop()
    const stream = new Stream(this.#parts.heads, moves)
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

  async #follow(stream: Stream, mark: string, limit: number): Promise<Changes> {
    const names = new Set<CompartmentId>()
    let next = await stream.peek()
    for (; next !== undefined; next = await stream.peek()) {
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

const nobody: ReadonlyMap<CompartmentId, number> = new Map()

function compartmentOf(change: mongo.ChangeStreamDocument): CompartmentId | undefined {
  return 'documentKey' in change ? toHex(bytesOf(change.documentKey._id)) : undefined
}

/** In what a stream tells bytes are not always made a Buffer. */
function bytesOf(value: unknown): Uint8Array {
  return value instanceof mongo.Binary ? value.value() : (value as Buffer)
}

/** Of a change only where it was and in which transaction, not what was written. */
const whereabouts = { $project: { operationType: 1, ns: 1, documentKey: 1, lsid: 1, txnNumber: 1 } }

/**
 * Tells by a number whether anybody but this opening has written anything: another process, or somebody with a client of the database.
 * Own transactions begin with a row in `commits`, by which the rest of them is known.
 */
export class OthersWatch {
  readonly #database: mongo.Db
  readonly #watched: mongo.Document[]
  readonly #opening: Buffer
  #stream: Stream | undefined
  /** The own transaction that was told of last. */
  #own: string | undefined
  #mark = 0
  #last: Promise<unknown> = Promise.resolve()

  /** @param collections  all that hold what nobody else may change unseen, without `commits` */
  constructor(database: mongo.Db, collections: readonly string[], opening: Buffer) {
    const beginnings = { 'ns.coll': 'commits', operationType: 'insert' }
    this.#database = database
    this.#watched = [{ $match: { $or: [beginnings, { 'ns.coll': { $in: collections } }] } }, whereabouts]
    this.#opening = opening
  }

  mark(): Promise<number> {
    const answer = this.#last.then(() => this.#look())
    this.#last = answer.catch(() => this.#drop())
    return answer
  }

  async #look(): Promise<number> {
    if (this.#stream === undefined) {
      // What was written while nobody looked may have been anybody's.
      this.#stream = new Stream(this.#database, this.#watched)
      this.#mark++
    }
    for (let next = await this.#stream.peek(); next !== undefined; next = await this.#stream.peek()) {
      if (!this.#isOwn(next)) this.#mark++
      this.#stream.take()
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
    return this.#opening.equals(bytesOf(id).subarray(0, this.#opening.length))
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
