import { type FileType, fitbitTables } from './tables.ts'

/** What a file of a Takeout, or an answer of the Web API, is read as. */
export type Recognised =
  | { readonly kind: 'rows'; readonly type: FileType }
  | { readonly kind: 'sleep' | 'exercise' | 'profile' | 'answer' }

/** The name of a file without its date, its number and its extension: `Daily SpO2 - 2024-01-02-2024-01-31.csv` is `daily spo2`. */
function stemOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.\w+$/, '')
    .replace(/[-_ ]*\d{4}[-_]\d{2}.*$/, '')
    .replace(/[-_ ]*\d+$/, '')
    .trim()
}

const answer = /^\uFEFF?\s*\{\s*"(?:activities-(?:steps|heart)|sleep|br|hrv|tempSkin)"\s*:\s*\[/
const dated = /^\uFEFF?\s*\[\s*\{\s*"dateTime"\s*:\s*"\d{2}\/\d{2}\/\d{2}/
const logged = /^\uFEFF?\s*\[\s*\{\s*"logId"\s*:/

/**
 * What a file of Fitbit is, by what is in it, and by its name where files of several kinds look the same: other than folders, files
 * are called the same in every language. Undefined when it is none.
 *
 * @param head  its first characters
 */
export function recogniseFitbit(name: string, head: string): Recognised | undefined {
  const { files } = fitbitTables()
  const stem = stemOf(name)
  if (answer.test(head)) return { kind: 'answer' }
  if (logged.test(head)) {
    if (/"dateOfSleep"\s*:/.test(head)) return { kind: 'sleep' }
    if (/"activityName"\s*:/.test(head)) return { kind: 'exercise' }
    return /"bmi"\s*:/.test(head) ? rows(files.get('json weight')) : undefined
  }
  if (dated.test(head)) return rows(/"bpm"\s*:/.test(head) ? files.get('json heart_rate') : files.get(`json ${stem}`))
  const [header = ''] = head.replace(/^\uFEFF/, '').split(/\r?\n/)
  const columns = header.split(',').map(column => column.trim().replace(/^"|"$/g, ''))
  if (columns.includes('full_name') && columns.includes('timezone')) return { kind: 'profile' }
  const type = files.get(`csv ${stem}`)
  const isThat = type !== undefined && columns.includes(type.time) && columns.includes(type.measure.value?.name ?? '')
  return isThat ? { kind: 'rows', type } : undefined
}

function rows(type: FileType | undefined): Recognised | undefined {
  return type && { kind: 'rows', type }
}
