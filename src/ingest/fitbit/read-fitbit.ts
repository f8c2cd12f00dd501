import { isDate } from '#fhir'
import { Coverage } from '../fit/coverage.ts'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { type CsvRow, readCsvRows } from '../source/csv-rows.ts'
import { type JsonRow, type Path, readJsonRows } from '../source/json-rows.ts'
import { isMap, JsonFields } from './json-fields.ts'
import { mapExercise, mapSleep } from './map-logs.ts'
import { type Fields, type FitbitContext, mapRow, rejected } from './map-row.ts'
import type { Recognised } from './recognise.ts'
import { FitbitSources } from './sources.ts'
import { type FileType, fitbitTables } from './tables.ts'

/** A file of Fitbit. */
export interface FitbitFile {
  readonly file: Recognised
  open(): AsyncIterable<Uint8Array>
}

/** Who the account says it is of, and in which zone. */
export interface Profile {
  readonly claims: PersonClaims
  readonly zone: string | undefined
}

/** The profiles that lie beside the data. @throws Problem as `readCsvRows` */
export async function profilesIn(files: readonly FitbitFile[], { limits }: ReadContext): Promise<readonly Profile[]> {
  const profiles: Profile[] = []
  for (const { open } of files.filter(({ file }) => file.kind === 'profile'))
    for await (const rows of readCsvRows(open(), limits))
      for (const row of rows) if (row !== undefined) profiles.push(profileOf(row))
  return profiles
}

const genders: ReadonlyMap<string, string> = new Map(Object.entries({ MALE: 'male', FEMALE: 'female' }))

function profileOf(row: CsvRow): Profile {
  const [text, given, family, born, sex] = ['full_name', 'first_name', 'last_name', 'date_of_birth', 'gender'].map(
    name => row.get(name),
  )
  const gender = genders.get(sex ?? '')
  const name = {
    ...(text === undefined ? {} : { text }),
    ...(given === undefined ? {} : { given: [given] }),
    ...(family === undefined ? {} : { family }),
  }
  const claims = claimsOf({
    ...(Object.keys(name).length === 0 ? {} : { name: [name] }),
    ...(born !== undefined && isDate(born) ? { birthDate: born } : {}),
    ...(gender === undefined ? {} : { gender }),
  })
  return { claims, zone: zoneOf(row.get('timezone')) }
}

function zoneOf(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined // a zone that this machine does not know
  }
}

/** A night with its stages has some kilobytes, an answer's list of zones some hundred bytes. Characters. */
const longestRow = 4 * 1024 ** 2

/**
 * What the files become: those with the zone in each time first. What they have told of an hour, others say again.
 *
 * @throws Problem as `readCsvRows`, `readJsonRows`
 */
export async function* readFitbit(
  files: readonly FitbitFile[],
  zone: string | undefined,
  read: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  const coverage = new Coverage()
  const shared = { ...read, sources: new FitbitSources(read), zone, coverage }
  for (const isFirst of [true, false]) {
    const context: FitbitContext = { ...shared, told: new Set() }
    for (const one of files.filter(({ file }) => isCsv(file) === isFirst)) yield* readFile(one, context, read)
    coverage.add(context.told)
  }
}

function isCsv(file: Recognised): boolean {
  return file.kind === 'rows' && file.type.form === 'csv'
}

async function* readFile(
  { file, open }: FitbitFile,
  context: FitbitContext,
  { limits }: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  if (file.kind === 'profile') return
  if (file.kind === 'rows' && file.type.form === 'csv') {
    for await (const rows of readCsvRows(open(), limits))
      yield told(
        rows.flatMap(row => ofCsv(row, file.type, context)),
        context,
      )
    return
  }
  const isRow = file.kind === 'answer' ? isRowOfAnswer : isRowOfList
  for await (const rows of readJsonRows(open(), limits, isRow, longestRow))
    yield told(
      rows.flatMap(row => ofJson(row, file, context)),
      context,
    )
}

function told(outcomes: Outcome[], { sources }: FitbitContext): Outcome[] {
  return [...sources.take(), ...outcomes]
}

function ofCsv(row: CsvRow | undefined, type: FileType, context: FitbitContext): Outcome[] {
  if (row === undefined) return [rejected(type.measure.name, 'structure-unknown', type.measure.name)]
  const fields: Fields = { get: field => row.get(field), names: [...row.keys()] }
  return mapRow(type, fields, context)
}

/** The elements of the list that the file is. */
function isRowOfList(path: Path): boolean {
  return path.length === 1 && typeof path[0] === 'number'
}

/** The elements of the lists of an answer. */
function isRowOfAnswer([list, at, ...more]: Path): boolean {
  return typeof list === 'string' && typeof at === 'number' && more.length === 0
}

function ofJson({ path, value }: JsonRow, file: Recognised, context: FitbitContext): Outcome[] {
  const list = file.kind === 'answer' ? String(path[0]) : undefined
  const kind = list === 'sleep' ? 'sleep' : file.kind
  const type = file.kind === 'rows' ? file.type : fitbitTables().lists.get(list ?? '')
  const name = rowName(kind === 'rows' ? type?.measure.name : (list ?? kind))
  if (!isMap(value)) return [rejected(name, 'structure-unknown', name)]
  if (kind === 'sleep') return mapSleep(value, context)
  if (kind === 'exercise') return mapExercise(value, context)
  return type === undefined ? [{ kind: 'unmapped', row: name }] : mapRow(type, new JsonFields(value), context)
}
