import { fitTables } from './tables.ts'

/** What the head of a file of `All Data` says. */
export interface RecognisedStream {
  /** Undefined when the head of the file does not tell. */
  readonly dataSource: string | undefined
  readonly empty: boolean
}

const named = /"(?:Data Source|dataSourceId)"\s*:\s*"((?:[^"\\]|\\.){1,1000})"/
const points = /"(?:Data Points|point)"\s*:\s*\[\s*(\]|\{)/

/**
 * Recognises a stream by what is inside, since Takeout cuts file names and translates those of folders; keys may stand in any
 * order. Undefined when it is no Fit file.
 */
export function recogniseFit(head: string): RecognisedStream | undefined {
  const text = head.replace(/^\uFEFF/, '')
  if (!/^\s*[{[]/.test(text) || /"resourceType"\s*:/.test(text)) return undefined
  const name = named.exec(text)?.[1]
  const list = points.exec(text)
  // A list of points alone says what it is by what a point has; a session of All Sessions has none.
  if (name === undefined && (list === null || !/"(?:start|end)Time(?:Nanos|Millis)"\s*:/.test(text))) return undefined
  const dataSource = name === undefined ? undefined : unescaped(name)
  const isOnly = /^\s*\{/.test(text) && !/"(?:bucket|dataset)"\s*:/.test(text)
  return { dataSource, empty: isOnly && list?.[1] === ']' }
}

function unescaped(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Whether a file is a session of `All Sessions`: what somebody did, from when until when. */
export function isFitSession(head: string): boolean {
  return /^\uFEFF?\s*\{/.test(head) && /"fitnessActivity"\s*:/.test(head) && /"(?:startTime|duration)"\s*:/.test(head)
}

/** What a table of daily metrics has a row for. */
export type RowsOf = 'days' | 'quarters'

/** Whether a file is a table of daily metrics, by its headings. */
export function recogniseDaily(head: string): RowsOf | undefined {
  const [line = ''] = head.replace(/^\uFEFF/, '').split(/\r?\n/, 1)
  const headings = line.split(',').map(heading => heading.trim().replace(/^"|"$/g, ''))
  if (!headings.some(heading => fitTables().columns.has(heading))) return undefined
  if (headings.includes('Date')) return 'days'
  return headings.includes('Start time') && headings.includes('End time') ? 'quarters' : undefined
}
