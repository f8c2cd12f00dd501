import { betweenWords, type Language, languageOf } from './stems.ts'
import { placeIn, type Writing } from './writing.ts'

/** Elements that stand within a line: https://hl7.org/fhir/R4/narrative.html#rules – at the edges of all others a sentence ends. */
const inlineTag = '<\\/?(?:a|abbr|acronym|b|big|cite|code|dfn|em|i|q|samp|small|span|strong|sub|sup|tt|var)[\\s/>]'
const inline = new RegExp(`^${inlineTag}`, 'i')
const tag = /<[^<>]*>/g
const entity = /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]{2,4}));/gi
const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Where a sentence ends: no phrase goes beyond it. */
export const sentenceEnd = '\u001e'

/** What a part of a narrative's XHTML shows. */
function shownText(xhtml: string): string {
  const text = xhtml.replace(tag, each => (inline.test(each) ? '' : sentenceEnd))
  return text.includes('&') ? text.replace(entity, characterOf) : text
}

function characterOf(_: string, hex?: string, decimal?: string, name = ''): string {
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  if (Number.isNaN(code)) return named[name.toLowerCase()] ?? ' '
  return code <= 0x10ffff ? String.fromCodePoint(code) : ' '
}

/** In what language a narrative is, where it or its resource says so. */
export function narrativeLanguage(div: string, ofResource: unknown): Language {
  const [, own] = /^\s*<div\b[^<>]*\slang=["']([A-Za-z-]+)["']/.exec(div.slice(0, headLength)) ?? []
  return languageOf(own ?? ofResource)
}

const headLength = 500

/** Words go on through tags within a line, and through entities. */
const between = new RegExp(`(?!${inlineTag})<|${betweenWords('<>&#;').source}`, 'u')

/** A piece that finds no end among tags within lines becomes so many times as long, and then ends behind one of them. */
const mostTimes = 4

/** No piece ends within a tag, whose names and addresses would be read as words. */
function pieceEnd(text: string, from: number, most: number): number {
  const latest = from + mostTimes * most
  let since = from
  let at = placeIn(text, from + most, most, between)
  while (isInTag(text.slice(since, at))) {
    since = text.indexOf('>', at) + 1
    if (since === 0) return text.length
    if (since > latest) return since
    at = placeIn(text, since, most, between)
  }
  return at
}

function isInTag(piece: string): boolean {
  return piece.lastIndexOf('<') > piece.lastIndexOf('>')
}

/** XHTML, as narratives are written in it. */
export const xhtml: Writing = { shown: shownText, pieceEnd }
