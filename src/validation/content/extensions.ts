import { type ElementDefinition, type ExtensionFact, extensionFact, type Shape } from '#fhir'
import { isNode, type Node } from '../walk.ts'
import { isInSet } from './bindings.ts'
import { type Check, isAbsolute, type Met, type Tell } from './check.ts'
import { isOtherModifier } from './other-versions.ts'

/** Whether an object has extensions: nearly none has. */
export function isExtended({ extension, modifierExtension }: Node): boolean {
  return extension !== undefined || modifierExtension !== undefined
}

/**
 * Extensions: named by an absolute address, unless they are parts of another; those that R4 defines stand where they may and hold
 * what they may; one that modifies is one that may be.
 *
 * @see https://hl7.org/fhir/R4/extensibility.html and https://hl7.org/fhir/R4/defining-extensions.html#context
 */
export const checkExtensions: Check = (met, tell) => {
  for (const name of ['extension', 'modifierExtension'] as const)
    for (const [index, extension] of extensionsOf(met.node, name).entries())
      checkExtension(extension, name, met, `${met.at}/${name}/${index}`, tell)
}

/** The extensions of an object under one of their two names, each with its index. */
export function extensionsAt(
  node: Node,
  name: 'extension' | 'modifierExtension',
): readonly { readonly extension: Node; readonly index: number }[] {
  return extensionsOf(node, name).map((extension, index) => ({ extension, index }))
}

function extensionsOf(node: Node, name: string): readonly Node[] {
  const list = node[name]
  return Array.isArray(list) ? list.filter(isNode) : []
}

function checkExtension(extension: Node, name: string, met: Met, at: string, tell: Tell): void {
  const { url } = extension
  if (typeof url !== 'string') return
  const isPart = met.shape.type === 'Extension'
  if (!isAbsolute(url)) {
    if (!isPart) tell('extensionRelative', `${at}/url`)
    return
  }
  const fact = extensionFact(url)
  if (fact === undefined) {
    const isModifying = isOtherModifier(url)
    if (name === 'extension' && isModifying) tell('extensionModifier', `${at}/url`)
    if (name === 'modifierExtension' && !isModifying && !isForExamples(url)) tell('modifierUnknown', `${at}/url`)
    return
  }
  if ((name === 'modifierExtension') !== (fact.isModifier === true)) tell('extensionModifier', `${at}/url`)
  if (!usedElsewhere.test(url) && !isAllowedAt(fact, met)) tell('extensionContext', `${at}/url`)
  checkContent(fact, extension, at, tell)
}

/** HL7 itself has them on all kinds of definitions, or its guide for v2 on addresses, whatever their contexts say. */
const usedElsewhere =
  /\/(?:structuredefinition-[^/]*|capabilitystatement-expectation|iso21090-AD[^/]*|valueset-concept-[^/]*|cqf-[^/]*|translation)$/

/** Those of others have gone on since; R4's own example has other names for the parts of a few. */
const ofCore = /^http:\/\/hl7\.org\/fhir\/StructureDefinition\/(?!hla-genotyping-results-)/

function isOfCore({ url }: Node): boolean {
  return typeof url === 'string' && ofCore.test(url)
}

/** Set aside for examples by RFC 2606: whoever invents a modifier there means nobody to act on it. */
function isForExamples(url: string): boolean {
  const [, host = ''] = /^https?:\/\/([^/:]*)/.exec(url) ?? []
  return /(?:^|\.)example\.(?:org|com|net)$|\.example$/.test(host)
}

function checkContent({ types, parts, needed = [] }: ExtensionFact, extension: Node, at: string, tell: Tell): void {
  const value = heldBy(extension)
  if (parts !== undefined) {
    if (value !== undefined) tell('extensionParts', `${at}/${value.name}`)
    checkParts(parts, extension, at, tell)
    const given = extensionsOf(extension, 'extension').map(({ url }) => url)
    if (isOfCore(extension) && !needed.every(url => given.includes(url))) tell('extensionLacks', `${at}/extension`)
  } else if (value !== undefined && !isTypeOf(value.name, types ?? [])) tell('extensionType', `${at}/${value.name}`)
}

/** HL7's own guide for v2 gives some of its extensions codes that are in none of their sets, so this is no error. */
export const warnOfExtensions: Check = ({ node, at }, tell) => {
  for (const name of ['extension', 'modifierExtension'])
    for (const [index, extension] of extensionsOf(node, name).entries()) {
      const { valueSet } = extensionFact(String(extension.url)) ?? {}
      const held = heldBy(extension)
      if (valueSet !== undefined && held !== undefined && isInSet(valueSet, held.value) === 'out')
        tell('extensible', `${at}/${name}/${index}/${held.name}`)
    }
}

function checkParts(parts: Readonly<Record<string, readonly string[]>>, extension: Node, at: string, tell: Tell): void {
  for (const [index, part] of extensionsOf(extension, 'extension').entries()) {
    const value = heldBy(part)
    const types = typeof part.url === 'string' && Object.hasOwn(parts, part.url) ? parts[part.url] : undefined
    if (types === undefined && !isAbsolute(part.url) && isOfCore(extension))
      tell('extensionPart', `${at}/extension/${index}/url`)
    if (value !== undefined && types !== undefined && !isTypeOf(value.name, types))
      tell('extensionType', `${at}/extension/${index}/${value.name}`)
  }
}

function heldBy(extension: Node): { readonly name: string; readonly value: unknown } | undefined {
  const name = Object.keys(extension).find(each => each.startsWith('value'))
  return name === undefined ? undefined : { name, value: extension[name] }
}

/** No types at all: any. */
function isTypeOf(name: string, types: readonly string[]): boolean {
  return types.length === 0 || types.some(type => name === `value${type.charAt(0).toUpperCase()}${type.slice(1)}`)
}

/** Whether one of the contexts of an extension names where it stands. */
export function isAllowedAt({ context }: Pick<ExtensionFact, 'context'>, met: Met): boolean {
  if (context.length === 0) return true
  for (const name of namesOf(met)) if (context.includes(name)) return true
  return false
}

/** Kinds of a quantity and of a text may be extended as what they are kinds of. */
const kindOf: Readonly<Record<string, string>> = {
  Age: 'Quantity',
  Count: 'Quantity',
  Distance: 'Quantity',
  Duration: 'Quantity',
  MoneyQuantity: 'Quantity',
  SimpleQuantity: 'Quantity',
  code: 'string',
  id: 'string',
  markdown: 'string',
  canonical: 'uri',
  oid: 'uri',
  url: 'uri',
  uuid: 'uri',
  positiveInt: 'integer',
  unsignedInt: 'integer',
}

/** Data types that are BackboneElements in R4. @see https://hl7.org/fhir/R4/backboneelement.html */
const backbones: ReadonlySet<string> = new Set(['BackboneElement', 'Dosage', 'ElementDefinition', 'Timing'])

/** All that a context can call an element: by its path in a type or in the resource, by its type, and by what that is a kind of. */
function* namesOf({ shape, element, within, at, around }: Met): Generator<string> {
  const resource = String(around.resource.resourceType)
  if (element !== undefined && within !== undefined) yield* pathsOf(within, element)
  yield pathIn(resource, at)
  if (isResource(shape)) yield* [shape.type, 'DomainResource', 'Resource']
  else {
    const type = shape.type === 'Element' && element !== undefined ? element.type : shape.type
    yield* [type, kindOf[type] ?? type, 'Element']
    if (backbones.has(shape.path === '' ? type : (element?.type ?? ''))) yield 'BackboneElement'
    if (shape.path !== '') yield `${shape.type}.${shape.path}`
    if (within !== undefined && isResource(within) && element !== undefined)
      for (const parent of ['DomainResource', 'Resource']) yield `${parent}.${element.path}`
  }
}

function* pathsOf({ type }: Shape, { path, name }: ElementDefinition): Generator<string> {
  yield `${type}.${path}`
  yield `${type}.${path.replace(/\[x\]$/, '')}`
  yield `${type}.${path.slice(0, path.lastIndexOf('.') + 1)}${name}`
}

function isResource({ path, elements }: Shape): boolean {
  return path === '' && elements.has('implicitRules')
}

/** `/entry/3/resource/name/0/_family` is `Patient.name.family`. */
function pathIn(resource: string, at: string): string {
  const own = at.replace(/^.*\/(?:contained\/\d+|resource)(?=\/|$)/, '')
  return `${resource}${own.replace(/\/\d+/g, '').replace(/\/_?/g, '.')}`
}
