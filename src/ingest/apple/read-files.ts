import { isProblem } from '#kernel'
import { categoryOf, systems } from '../codes.ts'
import { importFhir } from '../fhir/import-fhir.ts'
import type { FhirFile } from '../fhir/read-resources.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import type { Part } from '../source/archive.ts'
import { decoded } from '../source/text.ts'
import { frozen } from '../tables.ts'
import { parseAppleDate } from './dates.ts'
import { type Electrocardiogram, parseElectrocardiogram } from './electrocardiogram.ts'

/** A route, and an electrocardiogram, are some hundred kilobytes. */
const maxFile = 16 * 1024 ** 2

/** The files beside the export that are read, by base name; of several of one name the others have a number. */
export function readableFiles(parts: readonly Part[], context: ReadContext): ReadonlyMap<string, Part> {
  const canKeepRoutes = context.canWrite('DocumentReference') && context.canWrite('Binary')
  const readable = parts.filter(({ extension, sizeBytes }) => {
    if (extension === 'gpx') return canKeepRoutes && sizeBytes <= maxFile
    return (extension === 'csv' && sizeBytes <= maxFile) || extension === 'json'
  })
  const files = new Map<string, Part>()
  for (const part of readable)
    files.set(files.has(part.baseName) ? `${part.baseName} ${files.size}` : part.baseName, part)
  return files
}

/** What the files beside the export become: routes, electrocardiograms and the records of clinics. */
export async function* readFiles(
  files: ReadonlyMap<string, Part>,
  context: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  for (const [name, part] of files) {
    if (part.extension === 'gpx') yield await readRoute(name, part, context)
    if (part.extension === 'csv') yield await readElectrocardiogram(part, context)
  }
  yield* readClinicalRecords(
    [...files.values()].filter(({ extension }) => extension === 'json'),
    context,
  )
}

/** Id of the document that a file of the archive becomes. */
export function documentId(name: string, { fingerprint }: Pick<ReadContext, 'fingerprint'>): string {
  return fingerprint('apple', 'file', name)
}

const routeType = frozen({
  coding: [{ system: systems.healthKit, code: 'HKWorkoutRoute' }],
  text: 'Route of a workout',
})

async function readRoute(name: string, part: Part, context: ReadContext): Promise<Outcome[]> {
  const chunks: Buffer[] = []
  for await (const chunk of part.open()) chunks.push(chunk)
  const data = Buffer.concat(chunks)
  const [id, bytes] = [documentId(name, context), context.fingerprint('apple', 'bytes', name)]
  const contentType = 'application/gpx+xml'
  const meta = { source: context.source }
  const { subject } = context
  const attachment = { contentType, url: `Binary/${bytes}`, size: data.length, title: name.slice(0, 200) }
  const binary = {
    resourceType: 'Binary',
    id: bytes,
    meta,
    contentType,
    securityContext: subject,
    data: data.toString('base64'),
  }
  const document = {
    resourceType: 'DocumentReference',
    id,
    meta,
    status: 'current',
    type: routeType,
    subject,
    content: [{ attachment }],
  }
  return [
    { kind: 'mapped', row: 'file.gpx', rows: 0, mode: 'create', resource: binary },
    { kind: 'mapped', row: 'file.gpx', mode: 'create', resource: document },
  ]
}

const ecgCode = frozen({
  coding: [
    { system: 'urn:iso:std:iso:11073:10101', code: '131328' },
    { system: systems.healthKit, code: 'HKElectrocardiogram' },
  ],
  text: 'Electrocardiogram',
})
const leadCode = { system: 'urn:iso:std:iso:11073:10101', code: '131329' }
const procedure = frozen(categoryOf('procedure'))

async function readElectrocardiogram(part: Part, context: ReadContext): Promise<Outcome[]> {
  let text = ''
  for await (const piece of decoded(part.open(), () => {})) text += piece
  const ecg = parseElectrocardiogram(text)
  if (ecg === undefined) return [{ kind: 'unmapped', row: 'file.csv' }]
  const at = parseAppleDate(ecg.recorded)
  if (at === undefined) return [{ kind: 'rejected', row: 'electrocardiogram', reason: 'date-malformed' }]
  return [{ kind: 'mapped', row: 'electrocardiogram', mode: 'create', resource: ecgResource(ecg, at, context) }]
}

/** An electrocardiogram as an Observation, whichever file has it. */
export function ecgResource(
  ecg: Electrocardiogram,
  at: { readonly ms: number; readonly text: string },
  context: Pick<ReadContext, 'fingerprint' | 'source' | 'subject'>,
) {
  const component: object[] = [leadOf(ecg), ...wordsOf(ecg)]
  return {
    resourceType: 'Observation',
    id: context.fingerprint('apple', 'electrocardiogram', String(at.ms), ecg.samples.slice(0, 2000)),
    meta: { source: context.source },
    status: 'final',
    category: procedure,
    code: ecgCode,
    subject: context.subject,
    effectiveDateTime: at.text,
    ...(ecg.classification === '' ? {} : { valueString: ecg.classification }),
    ...(ecg.device === '' ? {} : { device: { display: ecg.device } }),
    component,
  }
}

function leadOf({ lead, hertz, samples }: Electrocardiogram) {
  const origin = { value: 0, unit: 'uV', system: systems.ucum, code: 'uV' }
  return {
    code: { coding: [leadCode], text: lead === '' ? 'Lead I' : lead },
    valueSampledData: { origin, period: Number((1000 / hertz).toPrecision(10)), dimensions: 1, data: samples },
  }
}

function wordsOf({ symptoms, software }: Electrocardiogram) {
  const said = [
    ['Symptoms', symptoms],
    ['Software version', software],
  ] as const
  return said.flatMap(([text, valueString]) => (valueString === '' ? [] : [{ code: { text }, valueString }]))
}

/** Each is one resource of a clinic in its own file; they know each other by what they are called there. */
async function* readClinicalRecords(
  parts: readonly Part[],
  context: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  const known: Part[] = []
  for (const part of parts) {
    const head = (await part.head(4096)).toString('utf8')
    if (/"resourceType"\s*:/.test(head)) known.push(part)
    else yield [{ kind: 'unmapped', row: rowName(`file.${part.extension}`) }]
  }
  if (known.length > 0) yield* importRecords(known, context)
}

/**
 * Together, so that they find each other; if that cannot be, each by itself. Clinics give the person their own ids, so records of
 * two clinics look like those of two people; the phone that they were sent to is one person's.
 */
async function* importRecords(parts: readonly Part[], context: ReadContext): AsyncGenerator<Outcome[], void, void> {
  const together = await attempt(parts, context)
  if (together !== undefined) return yield* together
  for (const part of parts) {
    const alone = await attempt([part], context)
    if (alone === undefined) yield [{ kind: 'rejected', row: 'ClinicalRecord', reason: 'structure-unknown' }]
    else yield* alone
  }
}

function fileOf(part: Part): FhirFile {
  return { form: 'bundle', open: () => part.open() }
}

/** What files become; undefined when they cannot be read, or not together. */
async function attempt(parts: readonly Part[], context: ReadContext): Promise<AsyncGenerator<Outcome[]> | undefined> {
  try {
    return await importFhir(parts.map(fileOf), context)
  } catch (error) {
    if (isProblem(error, 'invalid') || isProblem(error, 'unprocessable')) return undefined
    throw error
  }
}
