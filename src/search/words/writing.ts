import { betweenWords } from './stems.ts'

/** How a text is written, which may be read piece by piece: the same words are found as if it were read at once. */
export interface Writing {
  /** What a reader sees of a piece. */
  shown(piece: string): string
  /** Where the piece ends that begins at `from`: after as many characters as are read in one go, or some more. */
  pieceEnd(text: string, from: number, most: number): number
}

const lowSurrogate = /^[\udc00-\udfff]/

/** The first place from one on that fits; what has none for so long is no text of words, and is parted anywhere. */
export function placeIn(text: string, from: number, most: number, fits: RegExp): number {
  if (from >= text.length) return text.length
  const start = lowSurrogate.test(text.slice(from, from + 1)) ? from + 1 : from
  const at = text.slice(start, start + most).search(fits)
  return at < 0 ? Math.min(start + most, text.length) : start + at
}

const between = betweenWords()

/** Nothing but what it says. */
export const plainText: Writing = {
  shown: piece => piece,
  pieceEnd: (text, from, most) => placeIn(text, from + most, most, between),
}
