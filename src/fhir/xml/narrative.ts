import { SaxesParser } from 'saxes'
import type { Steps } from '#kernel'
import { slicesOf } from '../json-print.ts'
import { Bounds, xmlBounds } from './bounds.ts'
import { xhtmlNamespace } from './names.ts'

/** HTML's names of U+00A0 to U+00FF, in order. @see https://www.w3.org/TR/xhtml1/dtds.html#h-A2 */
const latin1 =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml'
const others: Readonly<Record<string, number>> = {
  ndash: 0x2013,
  mdash: 0x2014,
  lsquo: 0x2018,
  rsquo: 0x2019,
  ldquo: 0x201c,
  rdquo: 0x201d,
  bull: 0x2022,
  hellip: 0x2026,
  euro: 0x20ac,
  trade: 0x2122,
  larr: 0x2190,
  rarr: 0x2192,
  le: 0x2264,
  ge: 0x2265,
}
const entities: ReadonlyMap<string, number> = new Map([
  ...latin1.split(' ').map((name, at) => [name, 0xa0 + at] as const),
  ...Object.entries(others),
])

/** So much of a long one is looked at in one go. */
const lettersAtATime = 16 * 1024
/** No name of an entity that is known is as long. */
const longestEntity = 16

/**
 * A narrative's `div` as it can stand in XML: itself, with the names that only HTML knows as numbers, and with its namespace; undefined
 * when it is no well-formed `div`, or more than a reader of XML is ready for. The text comes in pieces.
 */
export function* narrativeXml(div: string): Steps<readonly string[] | undefined> {
  const text = div.trim()
  if (!/^<div[\s/>]/.test(text)) return undefined
  const root = new RootReader()
  const pieces: string[] = []
  let references = 0
  for (const piece of withoutNames(text)) {
    references += piece.split('&').length - 1
    if (references > xmlBounds.mostReferences || !root.write(piece)) return undefined
    pieces.push(piece)
    yield
  }
  const namespace = root.close()
  const [first = '', ...more] = pieces
  if (namespace === '') return [first.replace('<div', `<div xmlns="${xhtmlNamespace}"`), ...more]
  return namespace === xhtmlNamespace ? pieces : undefined
}

/** The text in slices, with numbers for names; none is cut in two. */
function* withoutNames(text: string): Generator<string, void, void> {
  let rest = ''
  for (const slice of slicesOf(text, lettersAtATime)) {
    const piece = rest + slice
    const cut = piece.lastIndexOf('&')
    const isWhole = cut < piece.length - longestEntity || piece.includes(';', cut)
    rest = isWhole ? '' : piece.slice(cut)
    yield numbered(isWhole ? piece : piece.slice(0, cut))
  }
  if (rest !== '') yield numbered(rest)
}

function numbered(text: string): string {
  return text.replace(/&([A-Za-z]\w*);/g, (whole, name: string) => {
    const code = entities.get(name)
    return code === undefined ? whole : `&#${code};`
  })
}

/** Which namespace the root has of what is one whole element without a document type. */
class RootReader {
  readonly #parser = new SaxesParser({ xmlns: true })
  readonly #bounds = new Bounds(this.#parser, stop)
  #namespace: string | undefined

  constructor() {
    this.#parser.on('error', stop)
    this.#parser.on('opentag', ({ uri }) => {
      this.#namespace ??= uri
    })
    this.#parser.on('closetag', () => this.#bounds.closed())
  }

  /** @returns whether it is sound so far */
  write(text: string): boolean {
    return isRead(() => this.#parser.write(text))
  }

  /** Undefined when it is not sound. */
  close(): string | undefined {
    return isRead(() => this.#parser.close()) ? this.#namespace : undefined
  }
}

class Unsound extends Error {}

/** What is not sound is not read on: the parser would tell each fault, and takes its time for that. */
function stop(): never {
  throw new Unsound()
}

function isRead(work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof Unsound) return false
    throw error
  }
}
