import { newResourceId } from '#kernel'
import { headerTime, standardText } from './acknowledge.ts'
import { delimitersOf, usualDelimiters } from './delimiters.ts'
import type { SplitFile } from './split.ts'

/**
 * The acknowledgements of a batch, in a batch: sender and receiver change places, and BHS-12 and FHS-12 name what is answered.
 *
 * @param acks  of the messages, in their order
 * @see HL7 v2.5.1, 2.10.3
 */
export function acknowledgeBatch(
  { messages, file, batches }: SplitFile,
  acks: readonly string[],
  nowMs: number,
): string {
  const byBatch = Map.groupBy(acks.keys(), at => messages[at]?.batch ?? 0)
  const answered = [...byBatch].map(([batch, places]) => {
    const of = places.map(at => acks[at] ?? '')
    return `${header('BHS', batches[batch], nowMs)}${of.join('')}BTS|${of.length}\r`
  })
  const whole = answered.join('')
  return file === undefined ? whole : `${header('FHS', file, nowMs)}${whole}FTS|${answered.length}\r`
}

/** BHS and FHS have the same fields: applications and facilities, time, name, control id, the control id that is answered. */
function header(name: 'BHS' | 'FHS', given: string | undefined, nowMs: number): string {
  const separator = given === undefined ? '|' : (delimitersOf(given)?.field ?? usualDelimiters.field)
  const fields = given?.split(separator) ?? []
  // Of a split header the separator itself is field 1.
  const field = (number: number) => standardText(fields[number - 1] ?? '', given)
  const control = newResourceId().replaceAll('-', '').slice(0, 20)
  const own = [field(5), field(6), field(3), field(4), headerTime(nowMs), '', '', '', control, field(11)]
  return `${[name, '^~\\&', ...own].join('|').replace(/\|+$/, '')}\r`
}
