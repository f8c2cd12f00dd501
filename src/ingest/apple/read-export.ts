import { SaxesParser } from 'saxes'
import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import { BloodPressureDesk, isBloodPressure } from './blood-pressure.ts'
import type { AppleElement } from './element.ts'
import { mapFood } from './food.ts'
import { mapMe } from './map-me.ts'
import { mapRecord } from './map-record.ts'
import { mapWorkout } from './map-workout.ts'
import { skipProlog } from './prolog.ts'

type Mapper = (element: AppleElement, context: MapContext, desk: BloodPressureDesk) => Outcome | Outcome[]

/** What each element directly below HealthData becomes; an element that is not here is unmapped, by name. */
const mappers: Readonly<Record<string, Mapper>> = {
  Record: (element, context, desk) =>
    isBloodPressure(element.attributes.type) ? desk.hold(element) : mapRecord(element, context),
  Correlation: mapCorrelation,
  Workout: mapWorkout,
  Me: mapMe,
  ExportDate: () => [],
}

function mapCorrelation(element: AppleElement, context: MapContext, desk: BloodPressureDesk): Outcome[] {
  const type = element.attributes.type
  if (type === 'HKCorrelationTypeIdentifierBloodPressure') return desk.correlate(element)
  if (type === 'HKCorrelationTypeIdentifierFood') return mapFood(element, context)
  return [{ kind: 'unmapped', row: rowName(type) }]
}

/** Characters that XML 1.0 forbids and that real exports contain, \x0b above all. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const illegal = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const illegalAll = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g

/** A document with more faults than this is not an export with blemishes, it is something else. */
const maxFaults = 1000

/**
 * Reads an Apple Health export as it streams by. Yields the outcomes of each chunk; holds one element at a time, and
 * the blood pressures that wait for their other half.
 *
 * @throws Problem `invalid` · `ingest.xml-malformed`, `ingest.xml-entity`, `ingest.truncated`;
 *   `too-large` · `ingest.token-too-long`, `ingest.too-deep`
 */
export async function* readAppleExport(
  chunks: AsyncIterable<Uint8Array>,
  context: MapContext,
  limits: IngestLimits,
): AsyncGenerator<Outcome[], void, void> {
  const reader = new ExportReader(context, limits)
  const decoder = new TextDecoder('utf-8')
  for await (const chunk of chunks) {
    reader.write(decoder.decode(chunk, { stream: true }))
    const outcomes = reader.take()
    if (outcomes.length > 0) yield outcomes
  }
  reader.close(decoder.decode())
  yield reader.take()
}

class ExportReader {
  readonly #context: MapContext
  readonly #limits: IngestLimits
  readonly #desk: BloodPressureDesk
  readonly #parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false })
  readonly #fromRoot = skipProlog()
  #open: AppleElement[] = []
  #outcomes: Outcome[] = []
  #sinceEvent = 0
  #faults = 0
  #ended = false

  constructor(context: MapContext, limits: IngestLimits) {
    this.#context = context
    this.#limits = limits
    this.#desk = new BloodPressureDesk(context)
    this.#parser.on('opentag', tag => this.#opened(tag.name, tag.attributes))
    this.#parser.on('closetag', () => this.#closed())
    this.#parser.on('error', () => this.#fault())
  }

  take(): Outcome[] {
    const outcomes = this.#outcomes
    this.#outcomes = []
    return outcomes
  }

  write(text: string): void {
    const rest = this.#fromRoot(text)
    if (rest === '' || this.#ended) return
    this.#sinceEvent += rest.length
    this.#parser.write(illegal.test(rest) ? rest.replace(illegalAll, ' ') : rest)
    if (this.#sinceEvent > this.#limits.maxToken)
      throw new Problem('too-large', 'ingest.token-too-long', 'One element of the file is longer than is accepted.')
  }

  close(text: string): void {
    this.write(text)
    // @NOTE what follows the root element is not looked at, so its end is the end of the document.
    if (!this.#ended)
      throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
    this.#outcomes.push(...this.#desk.flush())
  }

  #opened(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#sinceEvent = 0
    if (this.#ended) return
    if (this.#open.length >= this.#limits.maxDepth)
      throw new Problem('too-large', 'ingest.too-deep', 'The elements of the file are nested deeper than is accepted.')
    const element: AppleElement = { name, attributes }
    const parent = this.#open.at(-1)
    if (name === 'MetadataEntry') addMetadata(parent, attributes)
    else if (parent !== undefined && this.#open.length > 1) addChild(parent, element)
    this.#open.push(element)
  }

  #closed(): void {
    this.#sinceEvent = 0
    if (this.#ended) return
    const element = this.#open.pop()
    if (this.#open.length === 0) this.#ended = true
    else if (this.#open.length === 1 && element !== undefined) this.#finish(element)
  }

  #finish(element: AppleElement): void {
    const mapper = Object.hasOwn(mappers, element.name) ? mappers[element.name] : undefined
    if (mapper === undefined) {
      this.#outcomes.push({ kind: 'unmapped', row: rowName(element.name) })
      return
    }
    const outcome = mapper(element, this.#context, this.#desk)
    if (Array.isArray(outcome)) this.#outcomes.push(...outcome)
    else this.#outcomes.push(outcome)
  }

  /** Blemishes of real exports (a repeated attribute, a name with a space) are passed over and counted. */
  #fault(): void {
    if (this.#ended) return
    this.#faults += 1
    if (this.#faults === 1) this.#outcomes.push({ kind: 'warning', text: blemished })
    if (this.#faults > maxFaults)
      throw new Problem('invalid', 'ingest.xml-malformed', 'The XML has too many faults to be read as an export.')
  }
}

const blemished = 'The XML is not well-formed in places; those places were passed over.'

function addMetadata(parent: AppleElement | undefined, attributes: Readonly<Record<string, string>>): void {
  const { key, value } = attributes
  if (parent === undefined || key === undefined || value === undefined) return
  parent.metadata ??= new Map()
  if (parent.metadata.size < 100) parent.metadata.set(key, value)
}

/** Members of a correlation or statistics of a workout; a workout with a million events keeps its first thousand. */
function addChild(parent: AppleElement, element: AppleElement): void {
  parent.children ??= []
  if (parent.children.length < 1000) parent.children.push(element)
}
