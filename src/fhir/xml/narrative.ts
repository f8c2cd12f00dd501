import { SaxesParser } from 'saxes'
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

/**
 * A narrative's `div` as it can stand in XML: itself, with the names that only HTML knows as numbers, and with its namespace; undefined
 * when it is no well-formed `div`.
 */
export function narrativeXml(div: string): string | undefined {
  const text = div.trim().replace(/&([A-Za-z]\w*);/g, (whole, name: string) => {
    const code = entities.get(name)
    return code === undefined ? whole : `&#${code};`
  })
  if (!/^<div[\s/>]/.test(text)) return undefined
  const namespace = rootNamespace(text)
  if (namespace === '') return text.replace('<div', `<div xmlns="${xhtmlNamespace}"`)
  return namespace === xhtmlNamespace ? text : undefined
}

/** Undefined unless it is one whole element without a document type. */
function rootNamespace(text: string): string | undefined {
  let namespace: string | undefined
  let isSound = true
  const parser = new SaxesParser({ xmlns: true })
  parser.on('error', () => {
    isSound = false
  })
  parser.on('opentag', ({ uri }) => {
    namespace ??= uri
  })
  parser.write(text).close()
  return isSound ? namespace : undefined
}
