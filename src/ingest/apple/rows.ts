import { SaxesParser } from 'saxes'
import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { rowName } from '../outcome.ts'
import { unreadAttributes } from './attributes.ts'
import type { AppleElement } from './element.ts'

const rootEnd = /^<\/HealthData\s*>/

/** What a reader of rows tells. */
export interface RowEvents {
  /** An element directly below HealthData, whole. */
  row(element: AppleElement): void
  /** One that could not be read; its element's name, or its type where that could be made out. */
  broken(name: string | undefined): void
  /** A blemish that was mended or passed over and cost nothing. */
  blemish(): void
  /** Something has a value and is nobody's: text, attributes of the root. */
  unread?(place: string): void
  /** Something stands behind the end of the root element, which is not read. */
  trailing?(): void
}

/** Where a new piece begins: the start of a row, or the end of the document. */
const pieceStart =
  /<(?:(?:Record|Correlation|Workout|ActivitySummary|ClinicalRecord|Audiogram|VisionPrescription|Me|ExportDate)[\s/>]|\/HealthData)/g
const longestStart = 24

/** Characters that XML 1.0 forbids and that real exports contain, \x0b above all. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const illegal = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const illegalAll = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g
/** An ampersand that begins none of the references XML knows by itself: somebody forgot to write `&amp;`. */
const strayAmpersand = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-fA-F]{1,6});)/g
const numericReference = /&#(?:x([\da-fA-F]{1,6})|(\d{1,7}));/g
/** What opens nothing: `<` before what can be no name, `<!` that is no comment. */
const strayBracket = /<(?![A-Za-z_/?]|!--|!\[CDATA\[)/g

/** Faults of the document that change nothing in what its attributes say; real exports have both. */
const harmless = /^(?:duplicate attribute|attribute without value|malformed comment)/

/**
 * Splits an export into its rows. The text is handed to the parser in pieces that begin where a row begins, so that a fault ends
 * with its row: the parser is started afresh at the next piece.
 */
export class RowReader {
  readonly #limits: IngestLimits
  readonly #events: RowEvents
  #parser: SaxesParser<{ xmlns: false; position: false }>
  /** Text that may belong to a piece that has not ended, and how far it was searched for the next. */
  #rest = ''
  #searched = 1
  #open: AppleElement[] = []
  #failed = false
  #closing: AppleElement | undefined
  /** Whether the text so far ends between two rows. */
  #clean = true
  /** With which the row that is being read began. */
  #rowText = ''
  #rowsOfPiece = 0
  #sinceEvent = 0
  /** Whether the end of the root element was seen. */
  ended = false

  constructor(limits: IngestLimits, events: RowEvents) {
    this.#limits = limits
    this.#events = events
    this.#parser = this.#newParser()
  }

  /** @throws Problem `too-large` · `ingest.token-too-long`, `ingest.too-deep` */
  write(text: string): void {
    if (this.ended) this.#trail(text)
    else this.#write(text)
  }

  #write(text: string): void {
    this.#rest += text
    let from = 0
    pieceStart.lastIndex = this.#searched
    for (let found = pieceStart.exec(this.#rest); found !== null; found = pieceStart.exec(this.#rest)) {
      this.#take(this.#rest.slice(from, found.index))
      from = found.index
      if (this.ended) break
    }
    if (this.ended) this.#trail(this.#rest.slice(from))
    else this.#keep(this.#rest.slice(from))
  }

  close(): void {
    if (this.ended) return
    const rest = this.#rest
    const tail = /<\/\w*\s*$/.exec(rest)
    this.#take(tail === null ? rest : rest.slice(0, tail.index))
    if (this.ended || tail === null) return
    // The file ends within an end tag: if no row is open, it is the root's, and every row is there.
    this.ended = this.#clean
    if (this.ended) this.#events.blemish()
  }

  #keep(rest: string): void {
    this.#rest = rest
    // A start that the end of the text cuts in two is found with the next one.
    this.#searched = Math.max(1, rest.length - longestStart)
    if (rest.length <= this.#limits.maxToken) return
    const cut = rest.lastIndexOf('<')
    this.#take(cut > 0 ? rest.slice(0, cut) : rest)
    this.#rest = cut > 0 ? rest.slice(cut) : ''
    this.#searched = 1
  }

  #trail(text: string): void {
    if (text.replace(/<\?[\s\S]*?\?>/g, '').trim() !== '') this.#events.trailing?.()
  }

  /** A piece that cannot be read after a row that had not ended is read by itself: the fault may be that row's. */
  #take(piece: string): void {
    const wasClean = this.#clean
    if (!this.#feed(piece) && !wasClean && !this.ended) this.#feed(piece)
  }

  /** @returns whether the piece could be read */
  #feed(piece: string): boolean {
    const wasClean = this.#clean
    if (wasClean) this.#rowText = piece
    this.#failed = false
    this.#rowsOfPiece = 0
    this.#sinceEvent += piece.length
    const end = rootEnd.exec(piece)?.[0]
    if (end !== undefined && this.#open.length <= 1) this.#trail(piece.slice(end.length))
    this.#parser.write(end ?? this.#mended(piece))
    this.#settle()
    if (this.#sinceEvent > this.#limits.maxToken)
      throw tooLarge(
        'ingest.token-too-long',
        `One element of the file is longer than ${this.#limits.maxToken} characters.`,
      )
    if (this.#failed) this.#recover()
    else this.#clean = this.#isBetweenRows(piece)
    return !this.#failed
  }

  /** A row that has begun and of which the parser says nothing is one whose start tag has not ended. */
  #isBetweenRows(piece: string): boolean {
    if (this.#open.length > 1) return false
    return this.#rowsOfPiece > 0 || !piece.startsWith('<') || piece.startsWith('<HealthData') || this.ended
  }

  #recover(): void {
    const lost = this.#open[1]
    // @NOTE a fault after a whole row, such as the end tag of a row that was given up before, costs nothing more.
    if (lost === undefined && this.#rowsOfPiece > 0) this.#events.blemish()
    else this.#events.broken(lost?.attributes.type ?? nameIn(this.#rowText) ?? lost?.name)
    // What a correlation holds are rows that stand loose in the file as well.
    if (lost?.name === 'Correlation') for (const child of lost.children ?? []) this.#events.row(child)
    this.#open = []
    this.#closing = undefined
    this.#clean = true
    this.#parser = this.#newParser()
    const failed = this.#failed
    this.#failed = false
    this.#parser.write('<HealthData>')
    this.#failed = failed
  }

  #mended(piece: string): string {
    const legal = illegal.test(piece) ? piece.replace(illegalAll, ' ') : piece
    const closed = legal.replace(strayBracket, '&lt;').replace(strayAmpersand, '&amp;')
    const text = closed.includes('&#') ? closed.replace(numericReference, blankIllegal) : closed
    if (text !== piece) this.#events.blemish()
    return text
  }

  #newParser(): SaxesParser<{ xmlns: false; position: false }> {
    const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false })
    const isListening = () => !this.#failed && !this.ended && parser === this.#parser
    parser.on('opentag', tag => isListening() && this.#opened(tag.name, tag.attributes))
    parser.on('closetag', () => isListening() && this.#closed())
    parser.on('text', text => isListening() && this.#text(text))
    parser.on('error', ({ message }) => isListening() && this.#fault(message))
    return parser
  }

  #fault(message: string): void {
    if (harmless.test(message)) this.#events.blemish()
    else this.#failed = true
    if (this.#failed) this.#closing = undefined
  }

  #text(text: string): void {
    if (!/\S/.test(text)) return
    this.#settle()
    const element = this.#open.at(-1)
    if (element === undefined) return
    const place = `${rowName(element.name)}.text`
    if (this.#open.length === 1) this.#events.unread?.(place)
    else noteUnread(this.#holder(element), place)
  }

  /** Who is kept of an element: of metadata the text is, with what they are said of. */
  #holder(element: AppleElement): AppleElement {
    return (element.name === 'MetadataEntry' && this.#open.at(-2)) || element
  }

  #opened(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#settle()
    this.#sinceEvent = 0
    if (this.#open.length >= this.#limits.maxDepth)
      throw tooLarge(
        'ingest.too-deep',
        `The elements of the file are nested deeper than ${this.#limits.maxDepth} levels.`,
      )
    const element: AppleElement = { name, attributes }
    const parent = this.#open.at(-1)
    if (parent === undefined) unreadAttributes(element, place => this.#events.unread?.(place))
    if (parent !== undefined && this.#open.length > 1) {
      this.#failed = !mayHold(parent, name)
      if (this.#failed) return
      if (this.#holder(parent) === parent) adopt(parent, element)
      else noteUnread(this.#holder(parent), rowName(`${parent.name}.${name}`))
    }
    this.#open.push(element)
  }

  /** @NOTE the parser says that an element is closed before it says that the end tag was another one's. */
  #closed(): void {
    this.#settle()
    this.#sinceEvent = 0
    this.#closing = this.#open.at(-1)
  }

  /** Believes the last end tag, to which nothing was objected. */
  #settle(): void {
    const element = this.#closing
    if (element === undefined) return
    this.#closing = undefined
    this.#open.pop()
    if (this.#open.length === 0) this.ended = true
    else if (this.#open.length === 1) {
      this.#rowsOfPiece += 1
      this.#events.row(element)
    }
  }
}

function tooLarge(code: 'ingest.token-too-long' | 'ingest.too-deep', text: string): Problem {
  return new Problem('too-large', code, text)
}

/** The type of the row that a piece of text begins with, or its element. */
function nameIn(piece: string): string | undefined {
  const [, element, type] = /^\s*<(\w+)(?:[^>]*?\s(?:type|workoutActivityType)="(HK\w+)")?/.exec(piece) ?? []
  return type ?? element
}

function blankIllegal(reference: string, hex: string | undefined, decimal: string | undefined): string {
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  return code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || illegal.test(String.fromCodePoint(code))
    ? ' '
    : reference
}

const rowNames: ReadonlySet<string> = new Set([
  'Record',
  'Correlation',
  'Workout',
  'ActivitySummary',
  'ClinicalRecord',
  'Audiogram',
  'VisionPrescription',
])
/** A correlation holds two records or some dozen nutrients; one with more was not closed. */
const maxCorrelated = 1000

/** Rows stand within no other but a correlation; one that does is a sign that the other was not closed. */
function mayHold(parent: AppleElement, name: string): boolean {
  if (!rowNames.has(name)) return true
  return parent.name === 'Correlation' && name === 'Record' && (parent.children?.length ?? 0) < maxCorrelated
}

/** Children that are held; of more than these the names are counted and told in the report. */
const maxChildren = 20_000

function noteUnread(element: AppleElement, place: string): void {
  element.unread ??= new Set()
  element.unread.add(place)
}

function adopt(parent: AppleElement, element: AppleElement): void {
  const { key, value } = element.attributes
  if (element.name === 'MetadataEntry' && key !== undefined && value !== undefined) {
    parent.metadata ??= new Map()
    if (parent.metadata.size < 200 || parent.metadata.has(key)) {
      if (parent.metadata.has(key) && parent.metadata.get(key) !== value) noteUnread(parent, 'MetadataEntry.repeated')
      unreadAttributes(element, place => noteUnread(parent, place))
      parent.metadata.set(key, value)
      return
    }
  } else {
    parent.children ??= []
    if (parent.children.length < maxChildren) {
      parent.children.push(element)
      return
    }
  }
  parent.beyond ??= new Map()
  parent.beyond.set(element.name, (parent.beyond.get(element.name) ?? 0) + 1)
}
