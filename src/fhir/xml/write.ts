import { Problem, type Steps } from '#kernel'
import { Decimal } from '../decimal.ts'
import {
  type ElementDefinition,
  isPrimitiveType,
  isResourceType,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '../definitions.ts'
import { Printing, type PrintLook, slicesOf } from '../json-print.ts'
import type { Resource } from '../resource.ts'
import { fhirNamespace, isAttribute } from './names.ts'
import { narrativeXml } from './narrative.ts'

type Tree = { readonly [name: string]: unknown }

/** So many letters of a value are looked at in one go. */
const lettersAtATime = 128 * 1024

const head = '<?xml version="1.0" encoding="UTF-8"?>'

/**
 * The XML of a resource, in UTF-8, with everything that its JSON says: elements in the order of their definitions, numbers digit by
 * digit, ids and extensions of primitives, narratives as they are. Made bit by bit.
 *
 * @throws Problem `not-acceptable` · `xml.unprintable` for what XML cannot say: a control character, a narrative that is no XHTML
 * @see https://hl7.org/fhir/R4/xml.html
 */
export function* encodeXmlInSteps(resource: Resource, look: PrintLook = {}): Steps<Buffer> {
  const printer = new XmlPrinter(look)
  yield* printer.document(resource)
  return yield* printer.end()
}

class XmlPrinter {
  readonly #isPretty: boolean
  readonly #printing: Printing

  constructor(look: PrintLook) {
    this.#isPretty = look.isPretty === true
    this.#printing = new Printing(look)
    this.#printing.push(head)
  }

  end(): Steps<Buffer> {
    if (this.#isPretty) this.#printing.push('\n')
    return this.#printing.end()
  }

  *document(resource: Tree): Steps<void> {
    yield* this.#resource(resource, 0, { xmlns: fhirNamespace })
  }

  *#resource(resource: Tree, level: number, attributes: Tree = {}): Steps<void> {
    const { resourceType } = resource
    if (typeof resourceType !== 'string' || !isResourceType(resourceType)) throw unprintable('resourceType')
    const place: Place = { shape: shapeOf(resourceType), isResource: true, path: resourceType, level }
    yield* this.#tree(resourceType, attributes, resource, place)
  }

  /** @param attributes  that stand behind those of the tree itself */
  *#tree(name: string, attributes: Tree, tree: Tree, place: Place): Steps<void> {
    if (this.#printing.isFull()) yield* this.#pause()
    const elements = elementsOf(tree, place)
    const own = elements.filter(({ name: each }) => isAttribute(place.shape.type, each, place.isResource))
    const children = elements.filter(each => !own.includes(each))
    this.#line(place.level, `<${name}`)
    for (const { name: each } of own) yield* this.#attribute(each, tree[each], place.path)
    for (const each in attributes) yield* this.#attribute(each, attributes[each], place.path)
    this.#printing.push(children.length === 0 ? '/>' : '>')
    for (const child of children) yield* this.#element(tree, child, place)
    if (children.length > 0) this.#line(place.level, `</${name}>`)
  }

  *#pause(): Steps<void> {
    this.#printing.endPiece()
    yield
  }

  *#attribute(name: string, value: unknown, path: string): Steps<void> {
    if (isTree(value) && !(value instanceof Decimal)) throw unprintable(path)
    this.#printing.push(` ${name}="`)
    for (const slice of slicesOf(value instanceof Decimal ? value.text : String(value), lettersAtATime)) {
      if (isForbidden(slice)) throw unprintable(path)
      this.#printing.push(escaped(slice))
      if (slice.length >= lettersAtATime) yield* this.#pause()
    }
    this.#printing.push('"')
  }

  *#element(tree: Tree, element: ElementDefinition, place: Place): Steps<void> {
    const { name, isList } = element
    const within = { ...place, path: `${place.path}.${name}`, level: place.level + 1 }
    const [values, besides] = [tree[name], tree[`_${name}`]].map(each => (isList ? listOf(each) : [each]))
    const length = Math.max(values?.length ?? 0, besides?.length ?? 0)
    for (let at = 0; at < length; at++) yield* this.#item(element, values?.[at], besides?.[at], within)
  }

  *#item(element: ElementDefinition, value: unknown, beside: unknown, place: Place): Steps<void> {
    const { name, type } = element
    if (type === 'xhtml') yield* this.#narrative(value, place)
    else if (isPrimitiveType(type)) yield* this.#primitive(name, value, beside, place)
    else if (!isTree(value)) throw unprintable(place.path)
    else if (type === 'Resource') yield* this.#container(name, value, place)
    else {
      const shape = shapeOfElement(place.shape, element) ?? shapeOf('Element')
      yield* this.#tree(name, {}, value, { ...place, shape, isResource: false })
    }
  }

  *#container(name: string, resource: Tree, { level }: Place): Steps<void> {
    this.#line(level, `<${name}>`)
    yield* this.#resource(resource, level + 1)
    this.#line(level, `</${name}>`)
  }

  *#primitive(name: string, value: unknown, beside: unknown, place: Place): Steps<void> {
    const given: Tree = value === null || value === undefined ? {} : { value }
    const tree = isTree(beside) ? beside : {}
    yield* this.#tree(name, given, tree, { ...place, shape: shapeOf('Element'), isResource: false })
  }

  *#narrative(value: unknown, { path, level }: Place): Steps<void> {
    const pieces = typeof value === 'string' ? yield* narrativeXml(value) : undefined
    if (pieces === undefined) throw unprintable(path)
    this.#line(level, '')
    for (const piece of pieces) {
      if (isForbidden(piece)) throw unprintable(path)
      this.#printing.push(piece)
      if (this.#printing.isFull()) yield* this.#pause()
    }
  }

  #line(level: number, text: string): void {
    this.#printing.push(this.#isPretty ? `\n${'  '.repeat(level)}${text}` : text)
  }
}

interface Place {
  readonly shape: Shape
  readonly isResource: boolean
  readonly path: string
  readonly level: number
}

const orders = new WeakMap<Shape, ReadonlyMap<string, number>>()

/** Where each element stands in its definition. */
function orderOf(shape: Shape): ReadonlyMap<string, number> {
  const known = orders.get(shape)
  if (known !== undefined) return known
  const order = new Map([...shape.elements.keys()].map((name, at) => [name, at]))
  orders.set(shape, order)
  return order
}

/** The definitions of what a tree has, in their order. @throws Problem `not-acceptable` · `xml.unprintable` */
function elementsOf(tree: Tree, { shape, isResource, path }: Place): readonly ElementDefinition[] {
  const names = new Set<string>()
  for (const name in tree)
    if (tree[name] !== undefined && !(isResource && name === 'resourceType'))
      names.add(name.startsWith('_') ? name.slice(1) : name)
  const order = orderOf(shape)
  return [...names]
    .map(name => shape.elements.get(name) ?? refuse(`${path}.${name}`))
    .sort((one, other) => (order.get(one.name) ?? 0) - (order.get(other.name) ?? 0))
}

function refuse(path: string): never {
  throw unprintable(path)
}

/** The sign that the others begin with is the first. White space too, which a reader of attributes would take for spaces. */
const references: readonly (readonly [char: string, reference: string])[] = [
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
]

/** One sign after the other: a function for each place that is found would take a text of a megabyte fifty times as long. */
function escaped(text: string): string {
  if (!/[&<>"\t\n\r]/.test(text)) return text
  return references.reduce((so, [char, reference]) => so.replaceAll(char, reference), text)
}

/** @see https://www.w3.org/TR/xml/#charsets */
function isForbidden(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unprintable(expression: string): Problem {
  return new Problem('not-acceptable', 'xml.unprintable', 'This cannot be told in XML; ask for it in JSON.', {
    expression,
  })
}
