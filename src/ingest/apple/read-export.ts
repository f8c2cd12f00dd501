import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import { decoded } from '../source/text.ts'
import { BloodPressureDesk, isBloodPressure } from './blood-pressure.ts'
import type { AppleElement } from './element.ts'
import { mapFood } from './food.ts'
import { mapMe } from './map-me.ts'
import { mapRecord } from './map-record.ts'
import { mapWorkout } from './map-workout.ts'
import { skipProlog } from './prolog.ts'
import { RowReader } from './rows.ts'

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

/** A document with more rows lost than this, and more lost than read, is not an export with blemishes, it is something else. */
const maxLost = 1000

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
  for await (const text of decoded(chunks, () => reader.warn(doubtfulEncoding))) {
    reader.write(text)
    const outcomes = reader.take()
    if (outcomes.length > 0) yield outcomes
  }
  reader.close()
  yield reader.take()
}

class ExportReader {
  readonly #context: MapContext
  readonly #desk: BloodPressureDesk
  readonly #fromRoot = skipProlog()
  readonly #rows: RowReader
  #outcomes: Outcome[] = []
  #read = 0
  #lost = 0
  #blemished = false

  constructor(context: MapContext, limits: IngestLimits) {
    this.#context = context
    this.#desk = new BloodPressureDesk(context)
    this.#rows = new RowReader(limits, {
      row: element => this.#finish(element),
      broken: name => this.#lose(name),
      blemish: () => this.#blemish(),
    })
  }

  take(): Outcome[] {
    const outcomes = this.#outcomes
    this.#outcomes = []
    return outcomes
  }

  warn(text: string): void {
    this.#outcomes.push({ kind: 'warning', text })
  }

  write(text: string): void {
    const rest = this.#fromRoot(text)
    if (rest !== '') this.#rows.write(rest)
  }

  close(): void {
    this.#rows.close()
    // @NOTE what follows the root element is not looked at, so its end is the end of the document.
    if (!this.#rows.ended)
      throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
    this.#outcomes.push(...this.#desk.flush())
  }

  #finish(element: AppleElement): void {
    this.#read += 1
    const mapper = Object.hasOwn(mappers, element.name) ? mappers[element.name] : undefined
    if (mapper === undefined) {
      this.#outcomes.push({ kind: 'unmapped', row: rowName(element.name) })
      return
    }
    const outcome = mapper(element, this.#context, this.#desk)
    if (Array.isArray(outcome)) this.#outcomes.push(...outcome)
    else this.#outcomes.push(outcome)
  }

  #lose(name: string | undefined): void {
    this.#lost += 1
    this.#outcomes.push({ kind: 'rejected', row: rowName(name), reason: 'structure-unknown' })
    this.#blemish()
    if (this.#lost > maxLost && this.#lost > this.#read)
      throw new Problem(
        'invalid',
        'ingest.xml-malformed',
        `The XML has too many faults to be read as an export: more than ${maxLost} elements, and more than could be read.`,
      )
  }

  #blemish(): void {
    if (!this.#blemished) this.warn(blemished)
    this.#blemished = true
  }
}

const blemished = 'The XML is not well-formed in places; those places were mended, or cost the element they stand in.'
const doubtfulEncoding = 'Some lines are not in the encoding of the file; they were read as windows-1252.'
