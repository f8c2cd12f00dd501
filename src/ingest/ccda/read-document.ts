import { SaxesParser } from 'saxes'
import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { decoded } from '../source/text.ts'
import { CdaElement } from './element.ts'

/** A section with what stands in it before its entries; its entries come by themselves. */
export interface Section {
  readonly element: CdaElement
  /** The section within which it stands. */
  readonly parent: Section | undefined
  entries: number
  /** Elements of its narrative by their ID. */
  readonly narrative: ReadonlyMap<string, CdaElement>
}

/** The part of a narrative that has an ID, in a section or in one around it. */
export function narrativeOf(section: Section | undefined, id: string): CdaElement | undefined {
  for (let one = section; one !== undefined; one = one.parent) {
    const found = one.narrative.get(id)
    if (found !== undefined) return found
  }
  return undefined
}

/** What a document is told as, in its order. */
export type Told =
  | { readonly kind: 'header'; readonly element: CdaElement }
  | { readonly kind: 'entry'; readonly element: CdaElement; readonly section: Section | undefined }
  /** A section is over. */
  | { readonly kind: 'section'; readonly section: Section }
  | { readonly kind: 'body'; readonly element: CdaElement }
  | { readonly kind: 'doubtful' }

/** What is held: characters and elements. */
interface Weight {
  readonly length: number
  readonly elements: number
}

/** Elements nest some twenty deep, narratives of lists in tables a little more. */
const mostDeep = 100
/** Of one entry, with the header and the narratives of the sections around it. */
const mostElements = 100_000

/**
 * A CDA document as it streams by. Holds one entry, the narrative of the sections around it, and nothing else.
 *
 * @throws Problem `invalid` · `ingest.xml-malformed`, `ingest.xml-entity`, `ingest.truncated`; `too-large` · `ingest.token-too-long`,
 *   `ingest.too-deep`
 */
export async function* readDocument(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<readonly Told[], void, void> {
  let isDoubtful = false
  const reader = new DocumentReader(limits)
  const texts = decoded(chunks, () => {
    isDoubtful = true
  })
  for await (const text of texts) {
    reader.write(text)
    const told = reader.take()
    if (isDoubtful) yield [{ kind: 'doubtful' }]
    isDoubtful = false
    if (told.length > 0) yield told
  }
  reader.close()
  yield reader.take()
}

class DocumentReader {
  readonly #limits: IngestLimits
  readonly #parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false })
  readonly #open: CdaElement[] = []
  /** What was held before each of the open elements. */
  readonly #before: Weight[] = []
  readonly #sections: Section[] = []
  #told: Told[] = []
  #ended = false
  #sinceEvent = 0
  #held: Weight = { length: 0, elements: 0 }

  constructor(limits: IngestLimits) {
    this.#limits = limits
    this.#parser.on('error', ({ message }) => this.#fault(message))
    this.#parser.on('doctype', text => checkDoctype(text))
    this.#parser.on('opentag', ({ name, attributes }) => this.#opened(name, attributes))
    this.#parser.on('closetag', () => this.#closed())
    this.#parser.on('text', text => this.#text(text))
    this.#parser.on('cdata', text => this.#text(text))
  }

  take(): readonly Told[] {
    const told = this.#told
    this.#told = []
    return told
  }

  write(text: string): void {
    this.#sinceEvent += text.length
    this.#parser.write(text)
    if (this.#sinceEvent > this.#limits.maxLine) throw tooLong(this.#limits.maxLine)
  }

  close(): void {
    if (!this.#ended)
      throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
    this.#parser.close()
  }

  #fault(message: string): void {
    // What was cut off is told as that, and not by what the parser makes of it.
    if (/unclosed tag|unexpected end/.test(message)) return
    if (/undefined entity/.test(message)) throw entity()
    throw new Problem('invalid', 'ingest.xml-malformed', 'The XML is not well-formed.')
  }

  #opened(qualified: string, given: Readonly<Record<string, string>>): void {
    this.#sinceEvent = 0
    if (this.#open.length >= mostDeep)
      throw new Problem(
        'too-large',
        'ingest.too-deep',
        `The elements of the file are nested deeper than ${mostDeep} levels.`,
      )
    const element = new CdaElement(localName(qualified), localAttributes(given))
    // Whom a document within something else is about would be looked for in the wrong place.
    if (this.#open.length === 0 && element.name !== 'ClinicalDocument')
      throw new Problem('invalid', 'ingest.xml-malformed', 'The first element of the file is no ClinicalDocument.')
    this.#before.push(this.#held)
    this.#hold(
      Object.values(given).reduce((sum, { length }) => sum + length, 0),
      1,
    )
    this.#open.at(-1)?.content.push(element)
    this.#open.push(element)
    if (element.name === 'section') this.#openSection(element)
    const id = element.attribute('ID')
    if (id !== undefined) (this.#sections.at(-1)?.narrative as Map<string, CdaElement> | undefined)?.set(id, element)
  }

  #hold(length: number, elements: number): void {
    this.#held = { length: this.#held.length + length, elements: this.#held.elements + elements }
    if (this.#held.length > this.#limits.maxLine) throw tooLong(this.#limits.maxLine)
    if (this.#held.elements > mostElements)
      throw new Problem('too-large', 'ingest.token-too-long', `One entry has more than ${mostElements} elements.`)
  }

  #openSection(element: CdaElement): void {
    const parent = this.#sections.at(-1)
    this.#sections.push({ element, parent, entries: 0, narrative: new Map() })
  }

  #text(text: string): void {
    this.#sinceEvent = 0
    if (!/\S/.test(text)) return
    this.#hold(text.length, 0)
    this.#open.at(-1)?.content.push(text)
  }

  #closed(): void {
    this.#sinceEvent = 0
    const element = this.#open.pop()
    const before = this.#before.pop()
    const parent = this.#open.at(-1)
    if (element === undefined) return
    if (parent === undefined) this.#ended = true
    const told = parent && this.#toldOf(element, parent)
    if (parent === undefined || told === undefined) return
    this.#told.push(told)
    // What was told is not held any more, but for the header; it was the last that its parent got.
    parent.content.pop()
    if (told.kind !== 'header') this.#held = before ?? this.#held
  }

  #toldOf(element: CdaElement, parent: CdaElement): Told | undefined {
    const isEntry = element.name === 'entry' && (parent.name === 'section' || this.#open.length === 1)
    if (isEntry || (element.name === 'component' && isWithinOrganizerOfExport(this.#open)))
      return this.#entryOf(element)
    if (element.name === 'section') {
      const section = this.#sections.pop()
      return section && { kind: 'section', section }
    }
    if (element.name === 'nonXMLBody') return { kind: 'body', element }
    if (this.#open.length === 1 && element.name !== 'component') return { kind: 'header', element }
    return undefined
  }

  #entryOf(element: CdaElement): Told {
    const section = this.#sections.at(-1)
    if (section !== undefined) section.entries += 1
    return { kind: 'entry', element, section }
  }
}

/** The export of a phone has all measurements in one organizer, in an entry of the document itself: each is told as an entry. */
function isWithinOrganizerOfExport([root, entry, organizer, more]: readonly CdaElement[]): boolean {
  return root !== undefined && more === undefined && entry?.name === 'entry' && organizer?.name === 'organizer'
}

function localName(qualified: string): string {
  return qualified.slice(qualified.indexOf(':') + 1)
}

function localAttributes(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const local: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (name.endsWith(':type')) local['xsi:type'] = localName(value.trim())
    else local[name.startsWith('xmlns') ? name : localName(name)] = value
  }
  return local
}

function checkDoctype(text: string): void {
  if (/<!ENTITY/i.test(text) || /%[\w.-]+;/.test(text) || /^\s*\S+\s+(?:SYSTEM|PUBLIC)\b/i.test(text)) throw entity()
}

function entity(): Problem {
  return new Problem('invalid', 'ingest.xml-entity', 'The XML declares or refers to entities, which is not accepted.')
}

function tooLong(most: number): Problem {
  return new Problem('too-large', 'ingest.token-too-long', `One element of the file is longer than ${most} characters.`)
}
