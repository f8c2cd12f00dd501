import { SaxesParser } from 'saxes'

/** What txt-1 and txt-2 ask of a narrative's XHTML. */
interface Narrative {
  /** Well-formed, of elements and attributes that R4 allows (txt-1). */
  readonly isAllowed: boolean
  /** Has text or an image (txt-2). */
  readonly isFilled: boolean
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

// From the XPath of txt-1 in R4, which is wider than HL7's library.
const elements = words(
  'a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var',
)
const attributes = words(
  'abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class colspan compact coords dir frame headers height href hreflang hspace id idref lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace width',
)
// XML's own, which HL7's publisher writes into each narrative and the public validators accept.
const ofXml = words('xmlns xml:lang xml:space')

const xhtml = 'http://www.w3.org/1999/xhtml'

let last: { readonly div: string; readonly narrative: Narrative } | undefined

/** The two are asked one after the other; what a narrative says stays no longer than that. @see https://hl7.org/fhir/R4/narrative.html#rules */
export function narrativeOf(div: string): Narrative {
  if (last?.div === div) return last.narrative
  const narrative = read(div)
  last = { div, narrative }
  queueMicrotask(forget)
  return narrative
}

function forget(): void {
  last = undefined
}

function read(div: string): Narrative {
  let isAllowed = true
  let isFilled = false
  let depth = 0
  const paragraphs: number[] = []
  const parser = new SaxesParser({ xmlns: false, position: false })
  const refuse = () => {
    isAllowed = false
  }
  parser.on('error', stop)
  parser.on('doctype', refuse)
  parser.on('opentag', ({ name, attributes: given }) => {
    isAllowed &&= elements.has(name) && Object.keys(given).every(each => attributes.has(each) || ofXml.has(each))
    if (depth === 0 || given.xmlns !== undefined) isAllowed &&= given.xmlns === xhtml
    if (name === 'p') {
      isAllowed &&= paragraphs.length === 0
      paragraphs.push(depth)
    }
    depth++
    isFilled ||= name === 'img' && 'src' in given
  })
  parser.on('closetag', () => {
    depth--
    if (paragraphs.at(-1) === depth) paragraphs.pop()
  })
  parser.on('text', text => {
    isFilled ||= text.trim() !== ''
  })
  try {
    parser.write(div.trim()).close()
    return { isAllowed, isFilled }
  } catch {
    return notWellFormed
  }
}

/** What is broken is not read on: the parser would tell each fault, and takes its time for that. */
function stop(fault: Error): never {
  throw fault
}

/** Whether it holds anything is not asked then. */
const notWellFormed: Narrative = { isAllowed: false, isFilled: true }
