import { type Fact, isResourceType, searchParameterFact } from '#fhir'
import { isNode } from '../walk.ts'
import { type Check, listOf } from './check.ts'

function factOf(canonical: unknown): Fact | undefined {
  return typeof canonical === 'string' ? searchParameterFact(canonical.replace(/\|.*$/, '')) : undefined
}

/** A parameter that is derived from one of R4's is of its type, and of its base types or some of them. @see https://hl7.org/fhir/R4/searchparameter.html */
export const checkSearchParameter: Check = ({ node: { derivedFrom, type, base, component, expression }, at }, tell) => {
  if (type === 'composite' && listOf(component).length < 2) tell('compositeParts', `${at}/component`)
  if (typeof expression === 'string' && !isAbout(expression, listOf(base))) tell('parameterBase', `${at}/expression`)
  const origin = factOf(derivedFrom)
  if (origin === undefined) return
  if (type !== origin.type) tell('derivedParameter', `${at}/type`)
  if (listOf(base).some(each => !isWithin(each, origin.base))) tell('derivedParameter', `${at}/base`)
}

/** The type of resource that a path begins with; R4's own example asks for the extension of another type than its base. */
const head = /^\s*([A-Z][A-Za-z]+)\.(?!extension\()/

/** Whether each path of an expression begins at one of the base types, as far as it says where. */
function isAbout(expression: string, bases: readonly unknown[]): boolean {
  if (bases.includes('Resource') || bases.includes('DomainResource')) return true
  // Cut behind each place where a path may begin: to look for all of them at once takes a time that grows with its square.
  return expression.split(/(?<=[|(])/).every(part => {
    const [, type = ''] = head.exec(part) ?? []
    return !isResourceType(type) || bases.includes(type)
  })
}

function isWithin(type: unknown, bases: readonly string[]): boolean {
  return bases.some(base => base === type || base === 'Resource' || base === 'DomainResource')
}

/** R4's own examples take one of these for another. */
const ofTexts: ReadonlySet<unknown> = new Set(['token', 'string', 'uri', 'reference'])

/**
 * A capability statement calls the parameters of R4 what they are.
 *
 * @see https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.searchParam.definition
 */
export const checkCapabilities: Check = ({ node: { searchParam }, at }, tell) => {
  for (const [index, each] of listOf(searchParam).entries()) {
    const definition = isNode(each) ? factOf(each.definition) : undefined
    if (isNode(each) && definition !== undefined && !isAlike(each.type, definition.type))
      tell('parameterType', `${at}/searchParam/${index}/type`)
  }
}

function isAlike(type: unknown, defined: string): boolean {
  return type === defined || (ofTexts.has(type) && ofTexts.has(defined))
}
