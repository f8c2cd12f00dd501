/** How a column keeps its values: as numbers of dictionary entries, as two numbers, or as two numbers and a unit. */
export type Storage = 'text' | 'range' | 'quantity'

export type SourceKind = 'token' | 'string' | 'reference' | 'uri' | 'date' | 'number' | 'quantity'

/** One place in a resource from which one or more search parameters take values; a column per resource type. */
export interface Source {
  /** The same for the same place, whatever release made it: `token:code`, `quantity:valueQuantity`. */
  readonly key: string
  readonly index: number
  readonly kind: SourceKind
  readonly storage: Storage
  /** Values of the same element of a repeating backbone (`component`) share a group, for composites. */
  readonly grouped: boolean
}

/** The values of one source in one resource. */
export class Cell {
  readonly source: Source
  readonly texts: string[] = []
  readonly lows: number[] = []
  readonly highs: number[] = []
  readonly groups: number[] = []

  constructor(source: Source) {
    this.source = source
  }

  get count(): number {
    return this.source.storage === 'range' ? this.lows.length : this.texts.length
  }

  pushText(text: string, group: number): void {
    this.texts.push(text)
    if (this.source.grouped) this.groups.push(group)
  }

  pushRange(low: number, high: number, group: number): void {
    this.lows.push(low)
    this.highs.push(high)
    if (this.source.grouped) this.groups.push(group)
  }

  pushQuantity(low: number, high: number, unit: string, group: number): void {
    this.lows.push(low)
    this.highs.push(high)
    this.pushText(unit, group)
  }
}
