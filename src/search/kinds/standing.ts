/** Up to so many letters, and so many pairs of letters that might be compared, what the engine does is linear, or takes less than a millisecond. */
const shortLetters = 128
const fewPairs = 1024 * 1024

/**
 * Whether one text stands in another, at a place that is accepted. It takes as long as both are, whatever they say: what the engine
 * does compares long texts that repeat themselves again and again, a megabyte with a hundred kilobytes for half a minute.
 *
 * @param accepts  asked of one place after the other until it says yes; any place will do unless told
 */
export function standsIn(text: string, sought: string, accepts: (at: number) => boolean = anywhere): boolean {
  const spare = text.length - sought.length
  if (spare < 0) return false
  if (sought.length > shortLetters && spare * sought.length > fewPairs) return standsInLong(text, sought, accepts)
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + 1)) {
    if (accepts(at)) return true
    if (at >= spare) return false
  }
  return false
}

const anywhere = (): boolean => true

/** Knuth, Morris, Pratt: no letter of the text is looked at again. */
function standsInLong(text: string, sought: string, accepts: (at: number) => boolean): boolean {
  const borders = bordersOf(sought)
  let same = 0
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at)
    while (same > 0 && sought.charCodeAt(same) !== letter) same = borders[same - 1] as number
    if (sought.charCodeAt(same) === letter) same++
    if (same < sought.length) continue
    if (accepts(at - same + 1)) return true
    same = borders[same - 1] as number
  }
  return false
}

/** Of each beginning of a text how much of it is its end as well, itself apart. */
function bordersOf(text: string): Uint32Array {
  const borders = new Uint32Array(text.length)
  let same = 0
  for (let at = 1; at < text.length; at++) {
    const letter = text.charCodeAt(at)
    while (same > 0 && text.charCodeAt(same) !== letter) same = borders[same - 1] as number
    if (text.charCodeAt(same) === letter) same++
    borders[at] = same
  }
  return borders
}
