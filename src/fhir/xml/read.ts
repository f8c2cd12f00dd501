import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes'
import { inSlices, isProblem, Problem, type Steps, spend } from '#kernel'
import {
  type ElementDefinition,
  isPrimitiveType,
  isResourceType,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '../definitions.ts'
import { deepestJson, longestNumber, numberOf } from '../json.ts'
import type { Resource } from '../resource.ts'
import { textPieces } from '../utf8.ts'
import { Bounds, xmlBounds } from './bounds.ts'
import { fhirNamespace, isAttribute, xhtmlNamespace } from './names.ts'
import { Unprefixed } from './unprefixed.ts'
import { Window } from './window.ts'

interface Tree {
  [name: string]: unknown
}

/** An element that is open, by what may stand in it. */
type Frame = { readonly path: string; readonly depth: number } & (
  | { readonly kind: 'tree'; readonly tree: Tree; readonly shape: Shape; readonly isResource: boolean }
  /** Has one resource in it, which goes to `put`. */
  | { readonly kind: 'resource'; put(resource: Tree): void; isTaken: boolean }
  /** Of a primitive only extensions are elements. */
  | { readonly kind: 'primitive'; readonly beside: Tree; readonly hasValue: boolean; close(): void }
  | {
      readonly kind: 'xhtml'
      readonly from: number
      readonly unprefixed: Unprefixed | undefined
      put(text: string): void
    }
)

const shortBytes = 64 * 1024
const charactersAtATime = 16 * 1024
const attributesOfOthers: ReadonlySet<string> = new Set([
  'http://www.w3.org/2000/xmlns/',
  'http://www.w3.org/2001/XMLSchema-instance',
])

/**
 * Reads a resource from XML that somebody sent, without losing anything that JSON could say. Its elements are charged as `parsed` as they
 * are made, as many as JSON would have values: a narrative is one. Long ones are read in slices. Comments and processing instructions
 * are no content.
 *
 * @param bytes  UTF-8
 * @throws Problem `invalid` · `xml.malformed`, `xml.not-utf8`, `xml.doctype`, `xml.too-deep`, `xml.too-many-attributes`,
 *   `xml.namespace`, `xml.element-unknown`, `xml.element-twice`, `xml.element-empty`, `xml.attribute-unknown`, `xml.text-unexpected`,
 *   `xml.not-a-resource`; `too-costly` · `budget.parsed-exceeded`
 * @see https://hl7.org/fhir/R4/xml.html
 */
export async function parseSentXml(bytes: Uint8Array): Promise<Resource> {
  const isLong = bytes.length > shortBytes
  if (isLong) spend('parsed', await inSlices(mostReferences(bytes)))
  return inSlices(new XmlReader(isLong ? count => spend('parsed', count) : () => undefined).read(bytes))
}

const [tag, reference] = ['<', '&'].map(mark => mark.charCodeAt(0))

/** How many references a text or the attributes of an element have at most: the parser keeps a piece for each, and joins them in one go. */
function* mostReferences(bytes: Uint8Array): Steps<number> {
  let [most, count] = [0, 0]
  for (let from = 0; from < bytes.length; from += 512 * 1024) {
    for (const byte of bytes.subarray(from, from + 512 * 1024))
      if (byte === tag) count = 0
      else if (byte === reference && ++count > most) most = count
    yield
  }
  return most
}

const notUtf8 = (cause: unknown) => new Problem('invalid', 'xml.not-utf8', 'The text is not UTF-8.', { cause })
const byteOrderMark = '\ufeff'

class XmlReader {
  readonly #text = new Window()
  readonly #parser = new SaxesParser({ xmlns: true, position: true })
  readonly #bounds = new Bounds(this.#parser, bound => {
    throw exceeded[bound]()
  })
  readonly #charge: (values: number) => void
  /** Values that are made and not charged yet. */
  #made = 0
  readonly #open: Frame[] = []
  #root: Tree | undefined
  /** Elements that are open within a narrative. */
  #within = 0

  constructor(charge: (values: number) => void) {
    this.#charge = charge
  }

  *read(bytes: Uint8Array): Steps<Resource> {
    this.#listen()
    let isFirst = true
    for (const piece of textPieces(bytes, notUtf8)) {
      yield* this.#take(isFirst && piece.startsWith(byteOrderMark) ? piece.slice(1) : piece)
      isFirst = false
    }
    this.#feed(null)
    if (this.#root === undefined) throw notAResource()
    return this.#root as Resource
  }

  *#take(piece: string): Steps<void> {
    const frame = this.#open.at(-1)
    // What was cut out of a narrative already is not asked for again.
    this.#text.add(piece, frame?.kind === 'xhtml' ? (frame.unprefixed?.taken ?? frame.from) : undefined)
    for (let from = 0; from < piece.length; from += charactersAtATime) {
      this.#feed(piece.slice(from, from + charactersAtATime))
      this.#charge(this.#made)
      this.#made = 0
      yield
    }
  }

  #feed(chunk: string | null): void {
    try {
      this.#parser.write(chunk ?? '')
      if (chunk === null) this.#parser.close()
    } catch (error) {
      throw isProblem(error) ? error : this.#malformed(error)
    }
  }

  #listen(): void {
    const parser = this.#parser
    parser.on('error', error => {
      throw this.#malformed(error)
    })
    parser.on('doctype', () => {
      throw new Problem('invalid', 'xml.doctype', 'A document type and entities of one are not taken.')
    })
    parser.on('xmldecl', ({ encoding }) => {
      if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding))
        throw new Problem('invalid', 'xml.not-utf8', 'The text says that it is not UTF-8.')
    })
    parser.on('opentag', tag => this.#opened(tag))
    parser.on('closetag', tag => this.#closed(tag))
    for (const kind of ['text', 'cdata'] as const) parser.on(kind, text => this.#checkText(text))
  }

  // The library's message may quote what was sent.
  #malformed(cause: unknown): Problem {
    const { line, column } = this.#parser
    return new Problem('invalid', 'xml.malformed', `The text is no well-formed XML: line ${line}, column ${column}.`, {
      cause,
    })
  }

  #checkText(text: string): void {
    const frame = this.#open.at(-1)
    if (frame?.kind === 'xhtml' || /^\s*$/.test(text)) return
    throw new Problem('invalid', 'xml.text-unexpected', 'There is text between elements; values are attributes.', {
      ...(frame === undefined ? {} : { expression: frame.path }),
    })
  }

  #opened(tag: SaxesTagNS): void {
    const frame = this.#open.at(-1)
    if (frame?.kind === 'xhtml') {
      this.#openedWithin(tag, frame)
      return
    }
    this.#made += Math.max(1, Object.keys(tag.attributes).length)
    if (frame === undefined) this.#openResource(tag, 1, resource => this.#setRoot(resource))
    else if (frame.kind === 'tree') this.#openElement(tag, frame)
    else if (frame.kind === 'primitive') this.#openExtension(tag, frame)
    else this.#openWithin(tag, frame)
  }

  /** Of a narrative nothing is made but where prefixes are left out. */
  #openedWithin(tag: SaxesTagNS, { unprefixed, path }: Extract<Frame, { kind: 'xhtml' }>): void {
    this.#within++
    if (unprefixed === undefined) return
    this.#made++
    if (unprefixed.open(tag, this.#parser.position) === false) throw namespaceWrong(path)
  }

  #setRoot(resource: Tree): void {
    this.#root = resource
  }

  #openWithin(tag: SaxesTagNS, frame: Extract<Frame, { kind: 'resource' }>): void {
    if (frame.isTaken) throw twice(frame.path)
    frame.isTaken = true
    this.#openResource(tag, frame.depth + 1, resource => frame.put(resource))
  }

  #openResource(tag: SaxesTagNS, depth: number, put: (resource: Tree) => void): void {
    const { local } = tag
    const above = this.#open.at(-1)?.path
    if (tag.uri !== fhirNamespace) throw namespaceWrong(above ?? '')
    if (!isResourceType(local)) throw notAResource(above)
    const tree: Tree = { resourceType: local }
    const path = above === undefined ? local : `${above}.ofType(${local})`
    this.#checkAttributes(tag, path, [])
    this.#push({ kind: 'tree', tree, shape: shapeOf(local), isResource: true, path, depth })
    put(tree)
  }

  #openElement(tag: SaxesTagNS, frame: Extract<Frame, { kind: 'tree' }>): void {
    const { tree, shape, isResource } = frame
    const path = `${frame.path}.${/^\w{1,64}$/.test(tag.local) ? tag.local : '(malformed name)'}`
    const element = isAttribute(shape.type, tag.local, isResource) ? undefined : shape.elements.get(tag.local)
    if (element === undefined) throw unknownElement(path)
    if (tag.uri !== (element.type === 'xhtml' ? xhtmlNamespace : fhirNamespace)) throw namespaceWrong(path)
    const depth = frame.depth + (element.isList ? 2 : 1)
    const slot = new Slot(tree, element, path)
    if (element.type === 'xhtml') this.#openNarrative(tag, slot, depth)
    else if (element.type === 'Resource') this.#openContainer(tag, slot, depth)
    else if (isPrimitiveType(element.type)) this.#openPrimitive(tag, slot, depth)
    else this.#openTree(tag, slot, shapeOfElement(shape, element) ?? shapeOf('Element'), depth)
  }

  #openTree(tag: SaxesTagNS, slot: Slot, shape: Shape, depth: number): void {
    const tree: Tree = {}
    const own = shape.type === 'Extension' && shape.path === '' ? ['id', 'url'] : ['id']
    this.#checkAttributes(tag, slot.path, own)
    for (const name of own) {
      const value = attributeOf(tag, name)
      if (value !== undefined) tree[name] = value
    }
    slot.put(tree)
    this.#push({ kind: 'tree', tree, shape, isResource: false, path: slot.path, depth })
  }

  #openContainer(tag: SaxesTagNS, slot: Slot, depth: number): void {
    this.#checkAttributes(tag, slot.path, [])
    this.#push({ kind: 'resource', path: slot.path, depth: depth - 1, isTaken: false, put: tree => slot.put(tree) })
  }

  #openPrimitive(tag: SaxesTagNS, slot: Slot, depth: number): void {
    this.#checkAttributes(tag, slot.path, ['id', 'value'])
    const value = attributeOf(tag, 'value')
    const id = attributeOf(tag, 'id')
    const beside: Tree = id === undefined ? {} : { id }
    const close = () => slot.putPrimitive(value, beside)
    this.#push({ kind: 'primitive', path: slot.path, depth, beside, hasValue: value !== undefined, close })
  }

  #openExtension(tag: SaxesTagNS, frame: Extract<Frame, { kind: 'primitive' }>): void {
    const { beside, path, depth } = frame
    this.#openElement(tag, { kind: 'tree', tree: beside, shape: shapeOf('Element'), isResource: false, path, depth })
  }

  /** A narrative is kept as it was written, from where its tag begins to where its end tag ends; only prefixes are no part of JSON's. */
  #openNarrative(tag: SaxesTagNS, slot: Slot, depth: number): void {
    this.#within = 1
    const { position } = this.#parser
    const from = this.#text.tagBefore(position)
    const isPlain = tag.prefix === '' && tag.attributes.xmlns !== undefined
    const unprefixed = isPlain ? undefined : new Unprefixed(this.#text, from)
    if (unprefixed?.open(tag, position) === false) throw namespaceWrong(slot.path)
    this.#push({ kind: 'xhtml', path: slot.path, depth, from, unprefixed, put: text => slot.put(text) })
  }

  #closed(tag: SaxesTagNS): void {
    this.#bounds.closed()
    const frame = this.#open.at(-1)
    if (frame?.kind === 'xhtml') {
      this.#closedWithin(tag, frame)
      return
    }
    this.#open.pop()
    if (frame?.kind === 'primitive') this.#closePrimitive(frame)
    else if (frame?.kind === 'resource' && !frame.isTaken) throw emptyElement(frame.path)
  }

  #closedWithin(tag: SaxesTagNS, { from, unprefixed, put }: Extract<Frame, { kind: 'xhtml' }>): void {
    unprefixed?.close(tag, this.#parser.position)
    if (--this.#within > 0) return
    this.#open.pop()
    put(unprefixed?.toString() ?? this.#text.slice(from, this.#parser.position))
  }

  #closePrimitive({ beside, hasValue, path, close }: Extract<Frame, { kind: 'primitive' }>): void {
    if (!hasValue && Object.keys(beside).length === 0) throw emptyElement(path)
    close()
  }

  #push(frame: Frame): void {
    if (frame.depth > deepestJson) throw tooDeep(`JSON of ${deepestJson} levels`)
    this.#open.push(frame)
  }

  #checkAttributes({ attributes }: SaxesTagNS, path: string, known: readonly string[]): void {
    for (const { uri, local } of Object.values(attributes)) {
      if (attributesOfOthers.has(uri) || (uri === '' && known.includes(local))) continue
      throw new Problem('invalid', 'xml.attribute-unknown', 'The element has an attribute that it cannot have.', {
        expression: path,
      })
    }
  }
}

/** Where an element's content goes: into a list, or to the one place there is. */
class Slot {
  readonly path: string
  readonly #tree: Tree
  readonly #element: ElementDefinition

  constructor(tree: Tree, element: ElementDefinition, path: string) {
    this.#tree = tree
    this.#element = element
    const { name, isList } = element
    this.path = isList ? `${path}[${this.#length()}]` : path
    if (!isList && (name in tree || `_${name}` in tree)) throw twice(path)
  }

  put(value: unknown): void {
    const { name, isList } = this.#element
    if (!isList) this.#tree[name] = value
    else this.#listOf(name).push(value)
  }

  putPrimitive(text: string | undefined, beside: Tree): void {
    const { name, isList, type } = this.#element
    const hasBeside = Object.keys(beside).length > 0
    const value = text === undefined ? undefined : jsonOf(text, type)
    if (!isList) {
      if (value !== undefined) this.#tree[name] = value
      if (hasBeside) this.#tree[`_${name}`] = beside
    } else this.#putItem(value, hasBeside ? beside : undefined)
  }

  /** Values and what lies beside them are two lists of which each has null where only the other has something. */
  #putItem(value: unknown, beside: Tree | undefined): void {
    const { name } = this.#element
    const at = this.#length()
    for (const [list, item] of [
      [name, value],
      [`_${name}`, beside],
    ] as const) {
      if (item === undefined && !(list in this.#tree)) continue
      const items = this.#listOf(list)
      while (items.length < at) items.push(null)
      items.push(item ?? null)
    }
  }

  #length(): number {
    const { name } = this.#element
    return Math.max(...[name, `_${name}`].map(each => (this.#tree[each] as unknown[] | undefined)?.length ?? 0))
  }

  #listOf(name: string): unknown[] {
    this.#tree[name] ??= []
    return this.#tree[name] as unknown[]
  }
}

const numeric: ReadonlySet<string> = new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt'])

/** As JSON has it; a text that is none of its type stays a text, which validation refuses by its element. */
function jsonOf(text: string, type: string): unknown {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  // One that is too long is told as no number by whoever validates it.
  return numeric.has(type) && text.length <= longestNumber ? (numberOf(text) ?? text) : text
}

function attributeOf({ attributes }: SaxesTagNS, name: string): string | undefined {
  const attribute: SaxesAttributeNS | undefined = Object.hasOwn(attributes, name) ? attributes[name] : undefined
  return attribute?.value
}

function tooDeep(than: string): Problem {
  return new Problem('invalid', 'xml.too-deep', `The XML is nested deeper than ${than}.`)
}

/** What there is to say of more than can be looked at. */
const exceeded: Readonly<Record<'deepest' | 'mostAttributes', () => Problem>> = {
  deepest: () => tooDeep(`${xmlBounds.deepest} elements`),
  mostAttributes: () => {
    const text = `An element of the XML has more than ${xmlBounds.mostAttributes} attributes.`
    return new Problem('invalid', 'xml.too-many-attributes', text)
  },
}

function notAResource(expression?: string): Problem {
  return new Problem('invalid', 'xml.not-a-resource', 'The XML is no resource of FHIR R4.', {
    ...(expression === undefined ? {} : { expression }),
  })
}

function namespaceWrong(path: string): Problem {
  const text = `An element lies in ${fhirNamespace}, a narrative in ${xhtmlNamespace}.`
  return new Problem('invalid', 'xml.namespace', text, path === '' ? {} : { expression: path })
}

function unknownElement(expression: string): Problem {
  return new Problem('invalid', 'xml.element-unknown', 'There is no such element.', { expression })
}

function twice(expression: string): Problem {
  return new Problem('invalid', 'xml.element-twice', 'The element can stand there once only.', { expression })
}

function emptyElement(expression: string): Problem {
  return new Problem('invalid', 'xml.element-empty', 'The element has neither a value nor children.', { expression })
}
