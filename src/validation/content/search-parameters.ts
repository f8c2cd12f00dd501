import { type Fact, searchParameterFact } from '#fhir'
import { isNode } from '../walk.ts'
import { type Check, listOf } from './check.ts'

function factOf(canonical: unknown): Fact | undefined {
  return typeof canonical === 'string' ? searchParameterFact(canonical.replace(/\|.*$/, '')) : undefined
}

/** A parameter that is derived from one of R4's is of its type, and of its base types or some of them. @see https://hl7.org/fhir/R4/searchparameter.html */
export const checkSearchParameter: Check = ({ node: { derivedFrom, type, base }, at }, tell) => {
  const origin = factOf(derivedFrom)
  if (origin === undefined) return
  if (type !== origin.type) tell('derivedParameter', `${at}/type`)
  if (listOf(base).some(each => !isWithin(each, origin.base))) tell('derivedParameter', `${at}/base`)
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
