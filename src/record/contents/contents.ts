import { type Clock, giveWay, isProblem, type Log, newHashing, newResourceId, Problem } from '#kernel'
import type { Holder } from '#search'
import type { CompartmentId, Store } from '#store'
import type { DocumentDraft, Documents } from '#vault'
import type { Ledger } from '../ledger/ledger.ts'
import type { Content, Stored } from '../types.ts'
import { bytesOf, partBytes, partName } from './parts.ts'
import { Pieces } from './pieces.ts'

/** What is not committed after so long never will be. */
const abandonedAfterMs = 12 * 60 * 60_000
/** Whoever sends for longer is too slow. */
const longestMs = 6 * 60 * 60_000

/** One for each content that no version names yet: the commit that makes one name it removes it. */
const collection = 'contents'

interface Waiting {
  readonly compartment: CompartmentId
  /** Unix milliseconds. */
  readonly atMs: number
  /** It is being dropped, and cannot be committed any more. */
  readonly isDropped?: true
}

/** Bytes that came, and where they lie: nobody sees them until a version names them. */
export interface Received {
  readonly sizeBytes: number
  /** In base64. */
  readonly sha256: string
  /** Under what name, by compartment. */
  readonly places: Map<CompartmentId, string>
  readonly from: Holder
}

/** What a version's content is taken from: what came with the request, or a version that stands. */
export type ContentSource = Received | (Pick<Stored, 'holder'> & { readonly content: Content })

/**
 * The contents of large Binaries: parts of 4 MiB, each sealed as an attachment of the compartment in which the version lies that names
 * them. Beside each content that no version names yet lies a document; the commit of the version removes it, and what keeps its
 * document is swept. Of the two exactly one happens.
 */
export class Contents {
  readonly #store: Store
  readonly #documents: Documents
  readonly #clock: Clock
  readonly #log: Log
  readonly #ledger: (holder: Holder) => Promise<Ledger>

  constructor(rooms: {
    readonly store: Store
    readonly documents: Documents
    readonly clock: Clock
    readonly log: Log
    ledger(holder: Holder): Promise<Ledger>
  }) {
    this.#store = rooms.store
    this.#documents = rooms.documents
    this.#clock = rooms.clock
    this.#log = rooms.log
    this.#ledger = rooms.ledger
  }

  /** Keeps what arrives, sealed with the keys of a compartment. @throws Problem whatever the source throws; `timeout` · `record.content-too-slow` */
  async receive(holder: Holder, source: AsyncIterable<Uint8Array>, mostMs = longestMs): Promise<Received> {
    const hash = newHashing()
    const untilMs = performance.now() + mostMs
    let sizeBytes = 0
    async function* counted(): AsyncGenerator<Uint8Array, void, void> {
      for await (const piece of source) {
        if (performance.now() > untilMs)
          throw new Problem('timeout', 'record.content-too-slow', 'The body did not arrive in time.')
        sizeBytes += piece.length
        hash.update(piece)
        yield piece
      }
    }
    const name = await this.#put(holder, counted())
    return { sizeBytes, sha256: hash.end(), places: new Map([[holder.compartment, name]]), from: holder }
  }

  /** The content as a version in this compartment names it; it is copied there where it lies elsewhere. */
  async within(holder: Holder, source: ContentSource): Promise<Content> {
    const { compartment } = holder
    if (!('places' in source)) {
      if (source.holder.compartment === compartment) return source.content
      return { ...source.content, name: await this.#copy(source.content, source.holder, holder) }
    }
    const { sizeBytes, sha256, places, from } = source
    const known = places.get(compartment)
    if (known !== undefined) return { name: known, sizeBytes, sha256 }
    const name = await this.#copy({ name: places.get(from.compartment) ?? '', sizeBytes, sha256 }, from, holder)
    places.set(compartment, name)
    return { name, sizeBytes, sha256 }
  }

  #copy(content: Content, from: Holder, to: Holder): Promise<string> {
    return this.#put(to, this.read(from, content))
  }

  /** Bytes of a content from one place to before another. @throws Problem as `bytesOf` */
  read(holder: Holder, content: Content, from?: number, until?: number): AsyncGenerator<Buffer, void, void> {
    return bytesOf(content, async name => (await this.#ledger(holder)).blob(name), from, until)
  }

  /** What a commit must hold so that this content is named from then on, and swept no more. */
  claim({ name }: Content): DocumentDraft {
    return this.#documents.remove(collection, name, { ifRevision: 1 })
  }

  /** Drops what came and was not committed. Whether it was is told by its document, whatever became of the commit. */
  async discard(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      try {
        await this.#drop(name)
      } catch (error) {
        if (!isProblem(error)) throw error
        this.#log.warn('a content that nobody names could not be removed; it is swept later', {
          room: 'record',
          code: error.code,
        })
      }
    }
  }

  /** Drops what was left by processes that died. */
  async sweep(nowMs: number): Promise<void> {
    const waiting = await this.#documents.list<Waiting>(collection, { onBroken: () => undefined })
    const left = waiting.filter(({ value }) => value.isDropped === true || value.atMs <= nowMs - abandonedAfterMs)
    await this.discard(left.map(({ name }) => name))
  }

  async #put(holder: Holder, source: AsyncIterable<Uint8Array>): Promise<string> {
    const name = newResourceId()
    const { compartment } = holder
    const waiting: Waiting = { compartment, atMs: this.#clock.nowMs() }
    const pieces = new Pieces(source)
    try {
      await this.#documents.put(collection, name, waiting, { ifRevision: 0 })
      for (let part = 0; await pieces.hasMore(); part++) {
        const ledger = await this.#ledger(holder)
        await ledger.putBlob(partName(name, part), pieces.take(partBytes))
      }
      return name
    } catch (error) {
      await this.discard([name])
      throw error
    } finally {
      await pieces.end()
    }
  }

  async #drop(name: string): Promise<void> {
    const found = await this.#documents.get<Waiting>(collection, name)
    if (found === undefined) return
    const { value, revision } = found
    const dropping = { ...value, isDropped: true } as const
    if (!(await this.#documents.put(collection, name, dropping, { ifRevision: revision }))) return
    for (const blob of await this.#store.blobNames(value.compartment)) {
      if (!blob.startsWith(`${name}.`)) continue
      await this.#store.dropBlob(value.compartment, blob)
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    await this.#documents.delete(collection, name, { ifRevision: revision + 1 })
  }
}
