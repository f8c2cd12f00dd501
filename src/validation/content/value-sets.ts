import { containedIn } from '#fhir'
import { builtInCodeSystem, builtInValueSet } from '#terminology'
import { isNode, type Node } from '../walk.ts'
import { type Check, isAbsolute, listOf, type Tell } from './check.ts'

/**
 * What a value set includes is named by the address of a code system; filters ask for what that has.
 *
 * @see https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose.include.system
 */
export const checkInclude: Check = ({ node, at, around: { container } }, tell) => {
  const { system, filter } = node
  if (typeof system !== 'string') return
  // R4's own example names a code system that it contains.
  const isContained = system.startsWith('#') && containedIn(container, system.slice(1)) !== undefined
  if (!isAbsolute(system) && !isContained) tell('systemRelative', `${at}/system`)
  else if (builtInCodeSystem(system) === undefined && builtInValueSet(system) !== undefined)
    tell('systemIsValueSet', `${at}/system`)
  for (const [index, each] of listOf(filter).entries())
    if (isNode(each)) checkFilter(each, `${at}/filter/${index}`, tell)
}

/** Properties that are true or false wherever they are. @see https://hl7.org/fhir/R4/codesystem-concept-properties.html */
const booleans: ReadonlySet<unknown> = new Set(['inactive', 'notSelectable'])

function checkFilter({ property, op, value }: Node, at: string, tell: Tell): void {
  const isBoolean = op === 'exists' || (op === '=' && booleans.has(property))
  if (isBoolean && value !== 'true' && value !== 'false') tell('filterBoolean', `${at}/value`)
  if (op === 'regex' && typeof value === 'string' && !isPattern(value)) tell('filterPattern', `${at}/value`)
}

function isPattern(value: string): boolean {
  try {
    return new RegExp(value) !== undefined
  } catch {
    return false
  }
}
