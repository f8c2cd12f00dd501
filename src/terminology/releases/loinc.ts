import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import type { Draft } from '../imported/writing.ts'
import { isLoincWellFormed } from '../loinc.ts'
import { textOf } from './lines.ts'
import { fileLike, malformed, type ReadingHooks, type ReleaseFile, type ReleaseReader, versionFrom } from './release.ts'

type Row = Readonly<Record<string, string>>

/** Columns that R4 names as properties of LOINC: https://hl7.org/fhir/R4/loinc.html */
const properties = {
  COMPONENT: 'string',
  PROPERTY: 'string',
  TIME_ASPCT: 'string',
  SYSTEM: 'string',
  SCALE_TYP: 'string',
  METHOD_TYP: 'string',
  CLASS: 'string',
  STATUS: 'string',
  CLASSTYPE: 'string',
  ORDER_OBS: 'string',
  EXAMPLE_UCUM_UNITS: 'string',
  VersionLastChanged: 'string',
} as const

const retired: ReadonlySet<string> = new Set(['DEPRECATED', 'DISCOURAGED'])

const patterns = {
  terms: /(?:^|\/)Loinc\.csv$/i,
  hierarchy: /(?:^|\/)ComponentHierarchyBySystem\.csv$/i,
  answers: /(?:^|\/)AnswerList\.csv$/i,
  parts: /(?:^|\/)Part\.csv$/i,
} as const

/**
 * LOINC as it is given out: its table, and beside it parts, answers and the hierarchy by components.
 *
 * @see https://loinc.org/kb/loinc-table-structure/
 */
export const loinc: ReleaseReader = {
  name: 'LOINC',
  find(files) {
    const found = Object.values(patterns).map(pattern => fileLike(files, pattern))
    return found[0] === undefined ? undefined : found.filter(file => file !== undefined)
  },
  async read(files, draft, hooks) {
    const { terms, parts, answers, hierarchy } = Object.fromEntries(
      Object.entries(patterns).map(([name, pattern]) => [name, fileLike(files, pattern)]),
    ) as Record<keyof typeof patterns, ReleaseFile | undefined>
    const newest = await readTerms(terms as ReleaseFile, draft, hooks)
    if (parts !== undefined) await readParts(parts, draft, hooks)
    if (answers !== undefined) await readAnswers(answers, draft, hooks)
    if (hierarchy !== undefined) await readHierarchy(hierarchy, draft, hooks)
    const version = versionFrom(hooks, versionIn(terms as ReleaseFile) ?? newest)
    return { url: 'http://loinc.org', version, name: 'LOINC', properties, isCaseSensitive: false }
  },
}

/** @throws Problem `invalid` · `terminology.release-malformed` */
async function* rowsOf(
  file: ReleaseFile,
  columns: readonly string[],
  hooks: ReadingHooks,
): AsyncGenerator<Row, void, void> {
  const parser = parse({ columns: true, bom: true })
  // Rows are taken as fast as they are wanted; what goes wrong on either side ends both, and is told where they are taken.
  const feeding = pipeline(textOf(file, hooks), parser).catch(() => undefined)
  let isChecked = false
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      if (!isChecked && columns.some(column => row[column] === undefined)) throw malformed(file, 'a column is missing')
      isChecked = true
      yield row
    }
  } catch (error) {
    throw String(Reflect.get(Object(error), 'code')).startsWith('CSV_') ? malformed(file, 'it is no CSV') : error
  } finally {
    await feeding
  }
}

/** @returns the version in which something was changed last */
async function readTerms(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<string | undefined> {
  let newest: string | undefined
  for await (const row of rowsOf(file, ['LOINC_NUM', 'LONG_COMMON_NAME', 'STATUS'], hooks)) {
    const { LOINC_NUM: code = '', LONG_COMMON_NAME: display, STATUS = '', VersionLastChanged: changed = '' } = row
    if (!isLoincWellFormed(code)) throw malformed(file, 'a row has no LOINC number')
    draft.concept({ code, display, isInactive: retired.has(STATUS), ...definitionIn(row) })
    for (const name of Object.keys(properties)) if (row[name]) draft.property(code, name, row[name])
    for (const name of ['SHORTNAME', 'CONSUMER_NAME', 'DisplayName'])
      if (row[name]) draft.name(code, { value: row[name], language: 'en', use: name })
    if (isLater(changed, newest)) newest = changed
  }
  return newest
}

function definitionIn({ DefinitionDescription: definition }: Row) {
  return definition ? { definition } : {}
}

/** `Loinc_2.80/LoincTable/Loinc.csv` */
function versionIn({ path }: ReleaseFile): string | undefined {
  return /Loinc_(\d+\.\d+)/i.exec(path)?.[1]
}

/** LOINC counts in hundredths. */
function isLater(version: string, than: string | undefined): boolean {
  return /^\d+\.\d+$/.test(version) && (than === undefined || Number(version) > Number(than))
}

async function readParts(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<void> {
  for await (const row of rowsOf(file, ['PartNumber', 'PartName'], hooks)) {
    const { PartNumber: code = '', PartDisplayName, PartName, Status = '' } = row
    draft.concept({ code, display: PartDisplayName || PartName, isInactive: retired.has(Status) })
  }
}

async function readAnswers(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<void> {
  for await (const row of rowsOf(file, ['AnswerListId', 'AnswerStringId', 'DisplayText'], hooks)) {
    const { AnswerListId: list = '', AnswerListName, AnswerStringId: answer = '', DisplayText } = row
    if (list !== '') draft.concept({ code: list, display: AnswerListName })
    if (answer !== '') draft.concept({ code: answer, display: DisplayText })
  }
}

async function readHierarchy(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<void> {
  for await (const row of rowsOf(file, ['CODE', 'IMMEDIATE_PARENT'], hooks)) {
    const { CODE: code = '', IMMEDIATE_PARENT: parent = '', CODE_TEXT: display } = row
    draft.concept({ code, display })
    if (parent !== '') draft.link(code, parent)
  }
}
