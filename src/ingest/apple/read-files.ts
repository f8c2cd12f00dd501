import { attached, bytesWithin, keepsFiles } from '../attached.ts'
import { categoryOf, systems } from '../codes.ts'
import { importClinic } from '../fhir/clinic-records.ts'
import type { FhirFile } from '../fhir/read-resources.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import type { Part } from '../source/archive.ts'
import { decoded } from '../source/text.ts'
import { frozen } from '../tables.ts'
import { rejectedRecord } from './clinic-patients.ts'
import { parseAppleDate } from './dates.ts'
import { type Electrocardiogram, parseElectrocardiogram } from './electrocardiogram.ts'

/** A route, and an electrocardiogram, are some hundred kilobytes. */
const maxFile = 16 * 1024 ** 2

/** The files beside the export that are read, by base name; of several of one name the others have a number. */
export function readableFiles(parts: readonly Part[], context: ReadContext): ReadonlyMap<string, Part> {
  const canKeepRoutes = keepsFiles(context)
  const readable = parts.filter(({ extension, sizeBytes }) => {
    if (extension === 'gpx') return canKeepRoutes && sizeBytes <= maxFile
    return (extension === 'csv' && sizeBytes <= maxFile) || extension === 'json'
  })
  const files = new Map<string, Part>()
  for (const part of readable)
    files.set(files.has(part.baseName) ? `${part.baseName} ${files.size}` : part.baseName, part)
  return files
}

/**
 * What the files beside the export become: routes, electrocardiograms and the records of clinics.
 *
 * @param servers  by name of a file, the server from which the record of a clinic in it comes, as far as the export says
 */
export async function* readFiles(
  files: ReadonlyMap<string, Part>,
  servers: ReadonlyMap<string, string>,
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  for (const [name, part] of files) {
    if (part.extension === 'gpx') yield await readRoute(name, part, context)
    if (part.extension === 'csv') yield await readElectrocardiogram(part, context)
  }
  const records = [...files].filter(([, { extension }]) => extension === 'json')
  yield* readClinicalRecords(
    records.map(([name, part]) => ({ part, server: servers.get(name) })),
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
  const data = await bytesWithin(part.open(), maxFile)
  if (data === undefined) return [{ kind: 'unmapped', row: 'file.gpx' }]
  const ids = { document: documentId(name, context), bytes: context.fingerprint('apple', 'bytes', name) }
  return attached({ data, name, contentType: 'application/gpx+xml', type: routeType, ids }, 'file.gpx', context)
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

interface ClinicalRecord {
  readonly part: Part
  readonly server: string | undefined
}

/**
 * Each is one resource of a clinic in its own file; those of a clinic know each other by what they are called there. Clinics give the
 * person, and what they know of them, their own ids; the phone that they were sent to is one person's.
 */
async function* readClinicalRecords(
  records: readonly ClinicalRecord[],
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  const known: ClinicalRecord[] = []
  for (const record of records) {
    const head = (await record.part.head(4096)).toString('utf8')
    if (/"resourceType"\s*:/.test(head)) known.push(record)
    else yield [{ kind: 'unmapped', row: rowName(`file.${record.part.extension}`) }]
  }
  for (const ofClinic of Map.groupBy(known, ({ server }) => server).values()) {
    const files = ofClinic.map(fileOf)
    yield* importClinic({ together: files, alone: () => files }, context, problem =>
      rejectedRecord('ClinicalRecord', problem),
    )
  }
}

function fileOf({ part, server }: ClinicalRecord): FhirFile {
  return { form: 'bundle', open: () => part.open(), server }
}
