import type { Documents } from '#vault'
import type { Run } from './found.ts'

/** A file of an export: where its lines lie, in so many pieces. */
export interface ListedFile {
  readonly kind: 'output' | 'deleted'
  readonly type: string
  readonly pieces: number
}

const collection = 'bulk-lists'

/** Places in one piece: at most some 200 kB, where each lies in another compartment. */
export const placesOfPiece = 4_000

type Piece = readonly Run[] | readonly string[]

/** What the files of exports are made of: places in ledgers, and names of what was deleted. No content. */
export class Lists {
  readonly #documents: Documents

  constructor(documents: Documents) {
    this.#documents = documents
  }

  async put(id: string, at: readonly [file: number, piece: number], piece: Piece, expiresAtMs: number): Promise<void> {
    await this.#documents.put(collection, nameOf(id, at), piece, { expiresAtMs })
  }

  /** The pieces of a file in their order; undefined for one that is gone. */
  async *pieces<P extends Piece>(id: string, file: number, pieces: number): AsyncGenerator<P | undefined> {
    for (let piece = 0; piece < pieces; piece++)
      yield (await this.#documents.get<P>(collection, nameOf(id, [file, piece])))?.value
  }

  async drop(id: string, files: readonly Pick<ListedFile, 'pieces'>[]): Promise<void> {
    for (const [file, { pieces }] of files.entries())
      for (let piece = 0; piece < pieces; piece++) await this.#documents.delete(collection, nameOf(id, [file, piece]))
  }
}

function nameOf(id: string, [file, piece]: readonly [file: number, piece: number]): string {
  return `${id}/${file}/${piece}`
}
