import { ownText } from '#kernel'

/** How a column keeps its values: as numbers of dictionary entries, as two numbers, or as two numbers and a unit. */
export type Storage = 'text' | 'range' | 'quantity'

export type SourceKind =
  | 'token'
  | 'string'
  | 'reference'
  | 'uri'
  | 'date'
  | 'number'
  | 'quantity'
  | 'position'
  | 'words'

/** One place in a resource from which one or more search parameters take values; a column per resource type. */
export interface Source {
  /** The same for the same place, whatever release made it: `token:code`, `quantity:valueQuantity`. */
  readonly key: string
  readonly index: number
  readonly kind: SourceKind
  readonly storage: Storage
  /** Values of the same element of a repeating backbone (`component`) share a group, for composites. */
  readonly grouped: boolean
  /** Its texts are canonical URLs, by which a resource names another wherever that lies. */
  readonly canonical: boolean
}

const noTexts: string[] = []
const noNumbers: number[] = []

/** Most lists hold one value, and a list that begins empty takes room for seventeen with its first. */
function grown<T>(list: T[], value: T): T[] {
  if (list.length === 0) return [value]
  list.push(value)
  return list
}

/** The values of one source in one resource. */
export class Cell {
  readonly source: Source
  #texts = noTexts
  #lows = noNumbers
  #highs = noNumbers
  #groups = noNumbers
  #letters = 0

  constructor(source: Source) {
    this.source = source
  }

  get texts(): readonly string[] {
    return this.#texts
  }

  get lows(): readonly number[] {
    return this.#lows
  }

  get highs(): readonly number[] {
    return this.#highs
  }

  get groups(): readonly number[] {
    return this.#groups
  }

  /** Letters of all texts. */
  get letters(): number {
    return this.#letters
  }

  get count(): number {
    return this.source.storage === 'range' ? this.#lows.length : this.#texts.length
  }

  /** @param text  is kept for as long as the index, so it must not keep the resource that it was cut from */
  pushText(text: string, group: number): void {
    this.#letters += text.length
    this.#texts = grown(this.#texts, ownText(text))
    if (this.source.grouped) this.#groups = grown(this.#groups, group)
  }

  pushRange(low: number, high: number, group: number): void {
    this.#lows = grown(this.#lows, low)
    this.#highs = grown(this.#highs, high)
    if (this.source.grouped) this.#groups = grown(this.#groups, group)
  }

  pushQuantity(low: number, high: number, unit: string, group: number): void {
    this.#lows = grown(this.#lows, low)
    this.#highs = grown(this.#highs, high)
    this.pushText(unit, group)
  }
}
