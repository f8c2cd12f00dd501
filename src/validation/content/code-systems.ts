import { isNode, type Node } from '../walk.ts'
import { type Check, listOf, type Tell } from './check.ts'

/** What HL7 calls properties that many code systems have, and their types. @see https://hl7.org/fhir/R4/codesystem-concept-properties.html */
const common: Readonly<Record<string, string>> = {
  inactive: 'boolean',
  deprecated: 'dateTime',
  deprecationDate: 'dateTime',
  notSelectable: 'boolean',
  parent: 'code',
  child: 'code',
}
const commonSpace = 'http://hl7.org/fhir/concept-properties#'

/**
 * A code system has the content that it says; a supplement says so; properties are declared once, and concepts have them with their types.
 *
 * @see https://hl7.org/fhir/R4/codesystem.html and https://hl7.org/fhir/R4/codesystem-definitions.html#CodeSystem.content
 */
export const checkCodeSystem: Check = ({ node, at }, tell) => {
  const { content, supplements, concept, count } = node
  if (content === 'not-present' && concept !== undefined) tell('contentPresent', `${at}/concept`)
  if ((supplements !== undefined) !== (content === 'supplement')) tell('supplement', `${at}/content`)
  if (content === 'complete' && typeof count === 'number' && concept !== undefined && count !== countOf(node))
    tell('conceptCount', `${at}/count`)
  const types = checkProperties(node, at, tell)
  if (types.size > 0) checkConcepts(node, types, at, tell)
}

function countOf({ concept }: Node): number {
  return listOf(concept)
    .filter(isNode)
    .reduce((sum, each) => sum + 1 + countOf(each), 0)
}

function checkProperties({ property, content }: Node, at: string, tell: Tell): ReadonlyMap<unknown, unknown> {
  const types = new Map<unknown, unknown>()
  const uris = new Set<unknown>()
  for (const [index, each] of listOf(property).entries()) {
    if (!isNode(each)) continue
    const place = `${at}/property/${index}`
    if (types.has(each.code) && content !== 'not-present') tell('propertyTwice', `${place}/code`)
    types.set(each.code, each.type)
    const known = commonName(each.uri)
    // R4's own SNOMED CT, which has no content, has one address for several, and one code twice.
    if (known !== '' && uris.has(known)) tell('propertyTwice', `${place}/uri`)
    uris.add(known)
    if (Object.hasOwn(common, known) && common[known] !== each.type) tell('propertyType', `${place}/type`)
  }
  return types
}

function commonName(uri: unknown): string {
  return typeof uri === 'string' && uri.startsWith(commonSpace) ? uri.slice(commonSpace.length) : ''
}

/** Types of properties, as the names of values have them. */
const valueNames: Readonly<Record<string, string>> = {
  code: 'valueCode',
  Coding: 'valueCoding',
  string: 'valueString',
  integer: 'valueInteger',
  boolean: 'valueBoolean',
  dateTime: 'valueDateTime',
  decimal: 'valueDecimal',
}

function checkConcepts({ concept }: Node, types: ReadonlyMap<unknown, unknown>, at: string, tell: Tell): void {
  for (const [index, each] of listOf(concept).entries()) {
    if (!isNode(each)) continue
    const place = `${at}/concept/${index}`
    for (const [number, property] of listOf(each.property).entries()) {
      if (!isNode(property)) continue
      const wanted = valueNames[String(types.get(property.code))]
      const given = Object.keys(property).find(name => name.startsWith('value'))
      if (wanted !== undefined && given !== undefined && given !== wanted)
        tell('propertyType', `${place}/property/${number}/${given}`)
      if (!types.has(property.code) && !Object.hasOwn(common, String(property.code)))
        tell('propertyUndeclared', `${place}/property/${number}/code`)
    }
    checkConcepts(each, types, place, tell)
  }
}
