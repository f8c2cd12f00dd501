import { parseLocalDate } from './local-dates.ts'

/** An electrocardiogram of a watch, as its file tells it. */
export interface Electrocardiogram {
  /** As the export writes dates. */
  readonly recorded: string
  readonly classification: string
  readonly symptoms: string
  readonly software: string
  readonly device: string
  readonly lead: string
  readonly hertz: number
  /** Microvolts, separated by spaces: `SampledData.data`. */
  readonly samples: string
}

const dateLike = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}$/
const sampleLine = /^-?\d+(?:[.,]\d+)?$/

/**
 * Reads the CSV of an electrocardiogram: lines of a label and a value, an empty line, one number per line. Labels, units and the
 * decimal comma are the phone's language's, so values are known by their order after the date. Undefined when it is no such file.
 */
export function parseElectrocardiogram(text: string): Electrocardiogram | undefined {
  const lines = text.split(/\r?\n/).map(line => line.trim())
  const from = lines.findIndex(line => sampleLine.test(line.replaceAll('"', '')))
  if (from < 4) return undefined
  const values = valuesIn(lines.slice(0, from))
  const date = values.findIndex(value => dateLike.test(value))
  if (date < 0) return undefined
  const [recorded = '', classification = '', symptoms = '', software = '', device = '', rate = '', lead = ''] =
    values.slice(date)
  const hertz = Number(/^\d+(?:[.,]\d+)?/.exec(rate)?.[0].replace(',', '.'))
  const samples = lines
    .slice(from)
    .map(line => line.replaceAll('"', ''))
    .filter(line => line !== '')
  if (!(hertz > 0) || !samples.every(line => sampleLine.test(line))) return undefined
  const data = samples.map(line => line.replace(',', '.')).join(' ')
  return { recorded, classification, symptoms, software, device, lead, hertz, samples: data }
}

function valuesIn(lines: readonly string[]): readonly string[] {
  return lines.filter(line => line.includes(',')).map(textAfterLabel)
}

/**
 * Whose electrocardiogram it is, as elements of a Patient: the two values before the date are the name and the day of birth.
 * Undefined when the file is none, or names nobody.
 *
 * @param head  the file's beginning; the samples may be cut off
 */
export function ownerOf(head: string) {
  const values = valuesIn(head.split(/\r?\n/).map(line => line.trim()))
  const date = values.findIndex(value => dateLike.test(value))
  const [text = '', born = ''] = date === 2 ? values : []
  const birthDate = parseLocalDate(born)
  if (text === '' && birthDate === undefined) return undefined
  return { ...(text === '' ? {} : { name: [{ text }] }), ...(birthDate === undefined ? {} : { birthDate }) }
}

/** `Device,"Watch6,7"` → `Watch6,7` */
function textAfterLabel(line: string): string {
  const value = line.slice(line.indexOf(',') + 1).trim()
  return /^".*"$/.test(value) ? value.slice(1, -1).replaceAll('""', '"') : value
}
