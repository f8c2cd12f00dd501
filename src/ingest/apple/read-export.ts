import { Problem } from '#kernel'
import { serverOf } from '../fhir/clinic-records.ts'
import type { IngestLimits } from '../limits.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { decoded } from '../source/text.ts'
import { unreadOf } from './attributes.ts'
import { BloodPressureDesk, isBloodPressure } from './blood-pressure.ts'
import { CommentSieve } from './comments.ts'
import { type AppleContext, nothingBeside } from './context.ts'
import type { AppleElement } from './element.ts'
import type { ExportContext } from './export-context.ts'
import { mapFood } from './food.ts'
import { mapAudiogram } from './map-audiogram.ts'
import { mapMe } from './map-me.ts'
import { mapPrescription } from './map-prescription.ts'
import { mapRecord } from './map-record.ts'
import { mapSummary } from './map-summary.ts'
import { mapWorkout } from './map-workout.ts'
import { skipProlog } from './prolog.ts'
import { documentId } from './read-files.ts'
import { RowReader } from './rows.ts'
import { Sources } from './sources.ts'

type Mapper = (element: AppleElement, context: AppleContext, desk: BloodPressureDesk) => Outcome[]

/** What each element directly below HealthData becomes; an element that is not here is unmapped, by name. */
const mappers: Readonly<Record<string, Mapper>> = {
  Record: (element, context, desk) =>
    isBloodPressure(element.attributes.type) ? desk.hold(element) : mapRecord(element, context),
  Correlation: mapCorrelation,
  Workout: mapWorkout,
  ActivitySummary: mapSummary,
  Audiogram: mapAudiogram,
  VisionPrescription: mapPrescription,
  ClinicalRecord: mapClinicalRecord,
  Me: mapMe,
  ExportDate: () => [],
}

function mapCorrelation(element: AppleElement, context: AppleContext, desk: BloodPressureDesk): Outcome[] {
  const type = element.attributes.type
  if (type === 'HKCorrelationTypeIdentifierBloodPressure') return desk.correlate(element)
  if (type === 'HKCorrelationTypeIdentifierFood') return mapFood(element, context)
  // What it holds stands loose in the file as well.
  return [{ kind: 'unmapped', row: rowName(type) }]
}

/** It names a file of the archive; what that says is read where the file is, and is told as missing where it is not. */
function mapClinicalRecord({ attributes }: AppleElement, context: AppleContext): Outcome[] {
  const name = (attributes.resourceFilePath ?? '').split('/').at(-1) ?? ''
  if (!context.files.has(name)) return [{ kind: 'unmapped', row: 'ClinicalRecord' }]
  const server = serverOf(attributes.sourceURL)
  if (server !== undefined) context.comesFrom(name, server)
  return []
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
  context: ExportContext,
  limits: IngestLimits,
  beside = nothingBeside,
): AsyncGenerator<Outcome[], void, void> {
  const sources = new Sources(context)
  const reader = new ExportReader({
    ...context,
    limits,
    sources,
    ...beside,
    documentId: name => documentId(name, context),
  })
  for await (const text of decoded(chunks, () => reader.warn(doubtfulEncoding))) {
    reader.write(text)
    const outcomes = reader.take()
    if (outcomes.length > 0) yield outcomes
  }
  reader.close()
  yield reader.take()
}

class ExportReader {
  readonly #context: AppleContext
  readonly #desk: BloodPressureDesk
  readonly #sieve = new CommentSieve({
    blemish: () => this.#blemish(),
    cdata: () => this.#unread('HealthData.CDATA'),
  })
  readonly #fromRoot = skipProlog()
  readonly #rows: RowReader
  #outcomes: Outcome[] = []
  #read = 0
  #lost = 0
  #blemished = false
  readonly #unreadPlaces = new Set<string>()

  constructor(context: AppleContext) {
    this.#context = context
    this.#desk = new BloodPressureDesk(context)
    this.#rows = new RowReader(context.limits, {
      row: element => this.#finish(element),
      broken: name => this.#lose(name),
      blemish: () => this.#blemish(),
      unread: place => this.#unread(place),
      trailing: () => this.warn(trailing),
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
    const rest = this.#fromRoot(this.#sieve.take(text))
    if (rest !== '') this.#rows.write(rest)
  }

  close(): void {
    this.#rows.write(this.#fromRoot(this.#sieve.end()))
    this.#rows.close()
    // @NOTE what follows the root element is not looked at, so its end is the end of the document.
    if (!this.#rows.ended)
      throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
    const outcomes = this.#desk.flush()
    this.#add(this.#context.sources.take())
    this.#add(outcomes)
  }

  #finish(element: AppleElement): void {
    this.#read += 1
    const mapper = Object.hasOwn(mappers, element.name) ? mappers[element.name] : undefined
    if (mapper === undefined) {
      this.#outcomes.push({ kind: 'unmapped', row: rowName(element.name) })
      return
    }
    unreadOf(element, place => this.#unread(place))
    const outcomes = mapper(element, this.#context, this.#desk)
    this.#add(this.#context.sources.take())
    this.#add(outcomes)
  }

  /** Each place once: a file may have it in every row. */
  #unread(place: string): void {
    if (this.#unreadPlaces.has(place) || this.#unreadPlaces.size >= maxPlaces) return
    this.#unreadPlaces.add(place)
    this.#outcomes.push({ kind: 'unread', place, location: place })
  }

  /** One by one: a row may have more parts than a call may have arguments. */
  #add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) this.#outcomes.push(outcome)
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

/** More different places than this and a report tells the rest as further ones. */
const maxPlaces = 1000
const trailing = 'What stands behind the end of the export was not read.'
const blemished = 'The XML is not well-formed in places; those places were mended, or cost the element they stand in.'
const doubtfulEncoding = 'Some lines are not in the encoding of the file; they were read as windows-1252.'
