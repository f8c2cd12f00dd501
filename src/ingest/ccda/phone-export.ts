import { inSlices, type Steps } from '#kernel'
import { BloodPressureDesk, isBloodPressure } from '../apple/blood-pressure.ts'
import { type AppleContext, nothingBeside } from '../apple/context.ts'
import type { AppleElement } from '../apple/element.ts'
import { mapRecord } from '../apple/map-record.ts'
import { documentId } from '../apple/read-files.ts'
import { Sources } from '../apple/sources.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { type CdaElement, textOf } from './element.ts'
import { personOf } from './header.ts'
import type { Looked } from './look-through.ts'
import { mapEntry } from './map-entry.ts'
import { readDocument, type Told } from './read-document.ts'
import type { DocumentFacts } from './scene.ts'

/**
 * `export_cda.xml` of Apple Health: measurements in an organizer of the document itself, each of which says in its text which record of
 * `export.xml` it is. It is read as that record, so that it is the same measurement in whichever of the two files it comes.
 *
 * @throws Problem as `readDocument`
 */
export async function* exportOutcomes(
  { file, header }: Looked,
  facts: DocumentFacts,
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  yield personOf(header, facts)
  const records = new PhoneRecords(context)
  for await (const some of readDocument(file.open(), context.limits))
    for (const told of some) yield await inSlices(outcomesOf(told, records, facts))
  yield records.flush()
}

function* outcomesOf(told: Told, records: PhoneRecords, facts: DocumentFacts): Steps<readonly Outcome[]> {
  if (told.kind !== 'entry') return []
  const { element, section } = told
  if (element.name === 'entry' && isShell(element)) return []
  const record = recordOf(element.find('observation'))
  return record === undefined ? yield* mapEntry(element, section, facts) : records.take(record)
}

/** What is left of an organizer when its components were told. */
function isShell(entry: CdaElement): boolean {
  const organizer = entry.find('organizer')
  return organizer !== undefined && organizer.all('component').length === 0
}

/** The record of the export that an observation names in its text. */
function recordOf(observation: CdaElement | undefined): AppleElement | undefined {
  const text = observation?.find('text')
  const said = (name: string) => textOf(text?.find(name))
  const type = said('type')
  if (observation === undefined || !/^HK\w{1,100}$/.test(type)) return undefined
  const time = observation.find('effectiveTime')
  const [start, end] = ['low', 'high'].map(name => appleDate(time?.find(name) ?? time))
  const attributes = {
    type,
    sourceName: said('sourceName'),
    sourceVersion: said('sourceVersion'),
    device: said('device'),
    unit: said('unit') || (observation.find('value')?.attribute('unit') ?? ''),
    value: said('value') || (observation.find('value')?.attribute('value') ?? ''),
    startDate: start,
    endDate: end ?? start,
  }
  const entries = Object.entries(attributes).filter(([, value]) => value !== undefined && value !== '')
  const metadata = metadataOf(text)
  return {
    name: 'Record',
    attributes: Object.fromEntries(entries) as Record<string, string>,
    ...(metadata.size === 0 ? {} : { metadata }),
  }
}

function metadataOf(text: CdaElement | undefined): Map<string, string> {
  const entries = text?.all('metadataEntry') ?? []
  return new Map(entries.slice(0, 200).map(one => [textOf(one.find('key')), textOf(one.find('value'))]))
}

/** `20140919143017-0700` as the export writes it. */
function appleDate(time: CdaElement | undefined): string | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})([+-]\d{4})$/.exec(time?.attribute('value') ?? '')
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second, offset] = parts
  return `${year}-${month}-${day} ${hour}:${minute}:${second} ${offset}`
}

class PhoneRecords {
  readonly #context: AppleContext
  readonly #desk: BloodPressureDesk

  constructor(context: ReadContext) {
    const sources = new Sources(context)
    this.#context = { ...context, sources, ...nothingBeside, documentId: name => documentId(name, context) }
    this.#desk = new BloodPressureDesk(this.#context)
  }

  take(record: AppleElement): Outcome[] {
    const isHeld = isBloodPressure(record.attributes.type)
    return this.#told(isHeld ? this.#desk.hold(record) : mapRecord(record, this.#context))
  }

  flush(): Outcome[] {
    return this.#told(this.#desk.flush())
  }

  /** Devices come before what refers to them. */
  #told(outcomes: readonly Outcome[]): Outcome[] {
    return [...this.#context.sources.take(), ...outcomes]
  }
}
