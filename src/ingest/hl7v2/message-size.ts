import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { delimitersOf, usualDelimiters } from './delimiters.ts'

/** What of one message is read. A part is whatever a separator begins: field, repetition, component, subcomponent. */
const most = {
  segments: 10_000,
  /** Of those that are not many by their nature. */
  segmentsOfName: 200,
  parts: 500_000,
  fieldsOfSegment: 400,
  partsOfSegment: 2_000,
  repetitionsOfField: 200,
  /** Lines of one text and samples of one wave are many. */
  partsOfLongField: 50_000,
  /** Each has two of them. */
  escapesOfSegment: 250_000,
} as const

/** What a message of results is made of. */
const manyByNature = new Set(['OBX', 'OBR', 'ORC', 'NTE', 'SPM', 'TQ1'])

/** OBX-2 of what is one text or one array, however many parts it has. */
const longTypes = new Set(['', 'ST', 'TX', 'FT', 'NA', 'MA'])

/** Counts what a message is made of, segment by segment, before anything is made of it. */
export class MessageSize {
  readonly #limits: IngestLimits
  readonly #field: string
  readonly #repetition: number
  readonly #escape: number
  readonly #separators: ReadonlySet<number>
  readonly #names = new Map<string, number>()
  #segments = 0
  #parts = 0
  #characters = 0

  /** @param msh  its first segment, which says what separates its parts */
  constructor(msh: string, limits: IngestLimits) {
    const named = delimitersOf(msh) ?? usualDelimiters
    const { field, repetition, component, subcomponent } = named
    this.#limits = limits
    this.#field = field
    this.#repetition = repetition.charCodeAt(0)
    this.#escape = named.escape.charCodeAt(0)
    this.#separators = new Set([field, repetition, component, subcomponent].map(one => one.charCodeAt(0)))
  }

  /** What was counted so far: segments, and whatever a separator begins. */
  get values(): number {
    return this.#segments + this.#parts
  }

  /** @returns Problem `too-large` · `ingest.hl7-too-many-parts`, `ingest.token-too-long` when it is more than is read */
  add(segment: string): Problem | undefined {
    const name = segment.slice(0, 3)
    const counted = this.#count(segment)
    const ofName = (this.#names.get(name) ?? 0) + 1
    this.#names.set(name, ofName)
    this.#segments += 1
    this.#parts += counted.parts + counted.long
    this.#characters += segment.length
    if (this.#characters > this.#limits.maxMessage)
      return new Problem('too-large', 'ingest.token-too-long', 'The message is longer than is accepted.')
    const found: readonly Figure[] = [
      ['segments', this.#segments, most.segments],
      ['segments of one name', manyByNature.has(name) ? 0 : ofName, most.segmentsOfName],
      ['fields, repetitions and components', this.#parts, most.parts],
      ['fields in one segment', counted.fields, most.fieldsOfSegment],
      ['parts in one segment', counted.parts, most.partsOfSegment],
      ['repetitions in one field', name === 'OBX' ? 0 : counted.repetitions, most.repetitionsOfField],
      ['parts in one value', counted.long, most.partsOfLongField],
      ['escapes in one segment', counted.escapes / 2, most.escapesOfSegment],
    ]
    return tooMany(found.find(([, count, limit]) => count > limit))
  }

  #count(segment: string) {
    const longField = this.#longFieldOf(segment)
    const fieldCode = this.#field.charCodeAt(0)
    const counted = { fields: 0, parts: 0, long: 0, escapes: 0, repetitions: 0 }
    let repetitions = 0
    for (let at = 3; at < segment.length; at++) {
      const code = segment.charCodeAt(at)
      if (code === this.#escape) counted.escapes += 1
      if (!this.#separators.has(code)) continue
      if (code === fieldCode) counted.fields += 1
      const isLong = counted.fields === longField
      if (isLong) counted.long += 1
      else counted.parts += 1
      repetitions = code === this.#repetition && !isLong ? repetitions + 1 : code === fieldCode ? 0 : repetitions
      if (repetitions > counted.repetitions) counted.repetitions = repetitions
    }
    return counted
  }

  /** OBX-5 of a text or an array, NTE-3; 0 for none. */
  #longFieldOf(segment: string): number {
    const name = segment.slice(0, 3)
    if (name === 'NTE') return 3
    const isLong = name === 'OBX' && longTypes.has(segment.slice(0, 80).split(this.#field, 3)[2]?.toUpperCase() ?? '')
    return isLong ? 5 : 0
  }
}

type Figure = readonly [what: string, count: number, limit: number]

function tooMany(figure: Figure | undefined): Problem | undefined {
  if (figure === undefined) return undefined
  const [what, , limit] = figure
  const text = `The message has more ${what} than are read: at most ${limit.toLocaleString('en')}.`
  return new Problem('too-large', 'ingest.hl7-too-many-parts', text)
}
