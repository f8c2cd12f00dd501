/** A part of so many bytes: from the one at `from` to the one before `until`. */
export interface Range {
  readonly from: number
  readonly until: number
}

const oneRange = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})$/i

/**
 * The part that a Range header asks for; undefined where it asks for none that is known here – another unit, several parts, or a text
 * that is no range – and the whole is answered; `beyond` where nothing of it is there.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function rangeOf(header: string | undefined, size: number): Range | 'beyond' | undefined {
  const [, first = '', last = ''] = oneRange.exec(header?.trim() ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (first === '') return lastBytes(Number(last), size)
  const from = Number(first)
  const until = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < from) return undefined
  return from >= size ? 'beyond' : { from, until }
}

function lastBytes(count: number, size: number): Range | 'beyond' {
  return count === 0 || size === 0 ? 'beyond' : { from: Math.max(0, size - count), until: size }
}
