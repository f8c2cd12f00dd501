import type { Steps } from '#kernel'
import type { Column } from '../columns/column.ts'
import { packId } from '../columns/ids.ts'
import { hashBytes } from '../columns/packed-texts.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { planOf } from '../extraction/plan.ts'
import type { IndexRow } from '../extraction/row.ts'
import { soughtTokenKeys, tokenKeys } from '../kinds/token.ts'
import type { PopulationIndex } from '../population-index.ts'
import type { Criterion } from '../query/types.ts'

// @NOTE differs per process, so that nobody can choose values that collide; results never depend on it.
const seed = (Math.random() * 0x1_0000_0000) >>> 0

/** Rows, or entries, that are taken in in one go. */
const atATime = 2_048
/** Bits for each trace, and of them so many are set: one in some four hundred that are not there seems to be. */
const bitsOfOne = 16
const bitsSet = 4

function hashOf(bytes: Uint8Array, of: number): number {
  return hashBytes(bytes, 0, bytes.length, of)
}

const typeSeeds = new Map<string, number>()

function seedOf(type: string): number {
  const known = typeSeeds.get(type)
  if (known !== undefined) return known
  const made = hashOf(Buffer.from(type, 'utf8'), seed)
  typeSeeds.set(type, made)
  return made
}

/** What an id leaves. */
export function idTrace(type: string, id: string): number {
  return hashOf(packId(id), seedOf(type))
}

function keyTrace(key: string): number {
  return hashOf(Buffer.from(key, 'utf8'), seed)
}

function identifierSources(type: string): readonly number[] {
  const plan = planOf(type)
  const uses = plan.uses.get('identifier') ?? []
  return uses.map(({ index }) => index).filter(index => plan.sources[index]?.kind === 'token')
}

/** What must have left one of these where a resource is that fulfils criteria; undefined where they do not say so exactly what is sought. */
export function tracesSought(type: string, criteria: readonly Criterion[]): readonly number[] | undefined {
  for (const criterion of criteria) {
    if (criterion.kind !== 'value' || criterion.modifier !== undefined || criterion.parameter !== 'token') continue
    const tokens = criterion.operands.filter(operand => operand.kind === 'token')
    if (criterion.name === '_id') return tokens.map(({ code = '' }) => idTrace(type, code))
    const keys = criterion.name === 'identifier' ? soughtTokenKeys(tokens) : undefined
    if (keys !== undefined) return keys.map(keyTrace)
  }
  return undefined
}

/**
 * What is known of rows that are not in memory: of which types they are, and by hash which ids and identifiers are among them, in
 * two bytes each. It may say of something that it is there which is not, never the other way round.
 */
export class Traces {
  readonly types = new Set<string>()
  /** Of resources within others. */
  readonly contained = new Set<string>()
  #bits: Uint32Array
  #room: number
  #held = 0

  private constructor(room: number) {
    this.#room = room
    this.#bits = new Uint32Array(Math.max(4, Math.ceil((room * bitsOfOne) / 32)))
  }

  /** Of all that is in an index. */
  static *of(index: PopulationIndex): Steps<Traces> {
    let room = 0
    for (const table of index.tables.values()) room += table.count + identifiersIn(table)
    const traces = new Traces(room)
    yield* traces.take(index)
    return traces
  }

  get sizeBytes(): number {
    return this.#bits.byteLength
  }

  /** Whether so much was added that it says too little: then it is to be made anew. */
  get isWorn(): boolean {
    return this.#held > 2 * this.#room + 1_024
  }

  add({ type, id, cells, contained = [] }: IndexRow): void {
    this.types.add(type)
    this.#set(idTrace(type, id))
    const sources = new Set(identifierSources(type))
    for (const { source, texts } of cells) if (sources.has(source.index)) for (const text of texts) this.#setKeys(text)
    for (const each of contained) this.contained.add(each.type)
  }

  /** Whether something may be there that has left one of these. */
  mayHold(traces: readonly number[]): boolean {
    return traces.some(trace => this.#has(trace))
  }

  /** Adds what is in another index. */
  *take(index: PopulationIndex): Steps<void> {
    for (const [type, table] of index.tables) yield* this.#take(type, table)
    for (const type of index.containedTypes) this.contained.add(type)
  }

  *#take(type: string, table: TypeTable): Steps<void> {
    this.types.add(type)
    const own = seedOf(type)
    for (let row = 0; row < table.count; row++) {
      this.#set(hashOf(table.ids.bytes(row), own))
      if (row % atATime === atATime - 1) yield
    }
    for (const { dictionary } of identifierColumns(table))
      for (let number = 1; number <= (dictionary?.count ?? 0); number++) {
        this.#setKeys(dictionary?.text(number) ?? '')
        if (number % atATime === 0) yield
      }
    yield
  }

  #setKeys(entry: string): void {
    for (const key of tokenKeys(entry)) this.#set(keyTrace(key))
  }

  #set(trace: number): void {
    this.#held++
    for (let bit = trace, n = 0; n < bitsSet; n++, bit = nextBit(bit)) {
      const at = bit % (this.#bits.length * 32)
      this.#bits[at >>> 5] = (this.#bits[at >>> 5] as number) | (1 << (at & 31))
    }
  }

  #has(trace: number): boolean {
    for (let bit = trace, n = 0; n < bitsSet; n++, bit = nextBit(bit)) {
      const at = bit % (this.#bits.length * 32)
      if ((((this.#bits[at >>> 5] as number) >>> (at & 31)) & 1) === 0) return false
    }
    return true
  }
}

function nextBit(bit: number): number {
  let next = Math.imul(bit ^ (bit >>> 16), 0x45d9f3b)
  next = Math.imul(next ^ (next >>> 15), 0x2c1b3c6d)
  return (next ^ (next >>> 13)) >>> 0
}

function identifierColumns(table: TypeTable): readonly Column[] {
  return identifierSources(table.plan.type).flatMap(index => table.columns[index] ?? [])
}

function identifiersIn(table: TypeTable): number {
  return identifierColumns(table).reduce((sum, { dictionary }) => sum + (dictionary?.count ?? 0), 0)
}
