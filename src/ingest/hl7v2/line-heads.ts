import { isKnownSegment } from './structure.ts'

/** The segment that is open, as far as it has come. */
export interface OpenSegment {
  readonly name: string
  /** How many fields it has so far. */
  readonly fields: number
}

/** HL7 v2.5.1, 2.5.2: three, of capitals and digits. */
const standard = /^[A-Z][A-Z0-9]{2}$/
/** What senders write instead: two letters, four, lines below; of their own segments in any letters. */
const odd = /^(?:[A-Z][A-Z0-9_]{1,3}|[Zz][A-Za-z0-9_]{1,3})$/
const lowerCase = /^[A-Za-z][A-Za-z0-9]{2}$/

/**
 * A line as a segment, blanks behind its name taken away; undefined for the rest of a field that had a line break inside. What only
 * looks like a segment is one under its own odd name, so that it is named and not taken for a part of the one before.
 *
 * @param separator  of the fields of its message
 */
export function segmentOfLine(line: string, separator: string, open: OpenSegment): string | undefined {
  const end = line.slice(0, longestHead).indexOf(separator)
  if (end < 0) return standard.test(line) ? line : undefined
  const name = line.slice(0, end).trimEnd()
  if (!standard.test(name) && !odd.test(name) && !(lowerCase.test(name) && isKnownSegment(name.toUpperCase())))
    return undefined
  return isEndOfText(line, separator, open, name) ? undefined : `${name}${line.slice(end)}`
}

/** More than any name that is looked for, with some blanks. */
const longestHead = 12

/** Whether a line is the last word of a text and the fields behind it: `OK||||||F` of OBX-5, `OK|RE` of NTE-3. */
function isEndOfText(line: string, separator: string, open: OpenSegment, name: string): boolean {
  if (isKnownSegment(name) || /^Z/i.test(name)) return false
  const fields = line.split(separator, mostFields)
  if (open.name === 'OBX') return open.fields === 5 && /^[A-Z]$/.test(fields[11 - 5] ?? '')
  return open.name === 'NTE' && open.fields === 3 && fields.length <= 2
}

const mostFields = 8
