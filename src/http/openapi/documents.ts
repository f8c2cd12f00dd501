import { encodeJsonInSteps } from '#fhir'
import { inSlices, withBudget } from '#kernel'
import { chosenTypes, type Described, openApi } from './document.ts'
import type { TypeCapability } from './statement.ts'

/** Of the documents of all types and of the common ones there is one each; of other choices so many bytes are kept. */
const keptBytes = 8 * 1024 ** 2
/** What each document takes whatever it tells, in types. */
const typesOfFrame = 10

/** What of a document is the same whatever choice of types it tells. */
export type Frame = Omit<Described, 'types' | 'only'>

/** The choice of a document: all types, or these. */
interface Choice {
  readonly name: string
  readonly only?: ReadonlySet<string>
  readonly types: readonly TypeCapability[]
}

/**
 * The documents that strangers ask for. A choice of types is known by the types that are in it, however it is written; one document is
 * made at a time, and which were asked for last are kept.
 */
export class Documents {
  readonly #frame: Frame
  readonly #lookUp: () => Promise<readonly TypeCapability[]>
  #types: Promise<readonly TypeCapability[]> | undefined
  readonly #pinned = new Map<string, Promise<Buffer>>()
  /** Those asked for longest ago come first. */
  readonly #kept = new Map<string, Buffer>()
  readonly #making = new Map<string, Promise<Buffer>>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(frame: Frame, lookUp: () => Promise<readonly TypeCapability[]>) {
    this.#frame = frame
    this.#lookUp = lookUp
  }

  /**
   * @param text    the names of types separated by commas, or `common`; null for all
   * @param charge  told what it costs, in types, where it is to be made; what it throws is the outcome
   * @returns JSON
   */
  async of(text: string | null, charge: (cost: number) => void): Promise<Buffer> {
    const choice = await this.#choiceOf(text)
    const { name } = choice
    if (text === null || text === 'common') return this.#remembered(choice)
    const kept = this.#kept.get(name)
    if (kept !== undefined) {
      this.#keep(name, kept)
      return kept
    }
    const known = this.#pinned.get(name) ?? this.#making.get(name)
    if (known !== undefined) return known
    charge(typesOfFrame + (choice.only?.size ?? 0))
    const document = this.#make(choice)
    this.#making.set(name, document)
    try {
      const bytes = await document
      this.#keep(name, bytes)
      return bytes
    } finally {
      this.#making.delete(name)
    }
  }

  #remembered(choice: Choice): Promise<Buffer> {
    const { name } = choice
    const document = this.#pinned.get(name) ?? this.#make(choice)
    this.#pinned.set(name, document)
    document.catch(() => this.#pinned.delete(name))
    return document
  }

  async #choiceOf(text: string | null): Promise<Choice> {
    const types = await this.#typesOf()
    if (text === null) return { name: 'all', types }
    const chosen = chosenTypes(text)
    const only = types.map(({ type }) => type).filter(type => chosen.has(type))
    return { name: `only ${only}`, only: new Set(only), types }
  }

  /** Whoever asks first asks for all: neither a budget nor a fault of theirs may stay with it. */
  #typesOf(): Promise<readonly TypeCapability[]> {
    this.#types ??= withBudget('unbounded', this.#lookUp)
    this.#types.catch(() => {
      this.#types = undefined
    })
    return this.#types
  }

  /** After those that are being made: side by side they would take as many turns at once, and as much memory. */
  #make({ types, only }: Choice): Promise<Buffer> {
    const described = { ...this.#frame, types, ...(only === undefined ? {} : { only }) }
    const make = () =>
      withBudget('unbounded', async () => inSlices(encodeJsonInSteps(await inSlices(openApi(described)))))
    const made = this.#turn.then(make)
    this.#turn = made.catch(() => undefined)
    return made
  }

  /** As the one that was asked for last. */
  #keep(name: string, bytes: Buffer): void {
    this.#kept.delete(name)
    this.#kept.set(name, bytes)
    let size = [...this.#kept.values()].reduce((sum, { length }) => sum + length, 0)
    for (const [oldest, { length }] of this.#kept) {
      if (size <= keptBytes) return
      this.#kept.delete(oldest)
      size -= length
    }
  }
}
