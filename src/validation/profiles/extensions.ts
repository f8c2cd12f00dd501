import type { ErrorObject } from 'ajv'
import type { Met } from '../content/check.ts'
import { extensionsAt, isAllowedAt } from '../content/extensions.ts'
import { faultAt } from '../faults.ts'
import { foundBy, isAmongFound, predicateOf } from '../library.ts'
import type { Node } from '../walk.ts'
import type { Item } from './items.ts'
import type { Judge } from './judge.ts'
import type { Profile, Profiles } from './profiles.ts'

/**
 * Extensions whose definitions are kept: each stands where its definition lets it, and holds what that says.
 *
 * @see https://hl7.org/fhir/R4/defining-extensions.html#context
 */
export function extensionFaults(met: Met, profiles: Profiles, judge: Judge): readonly ErrorObject[] {
  return (['extension', 'modifierExtension'] as const).flatMap(name =>
    extensionsAt(met.node, name).flatMap(({ extension, index }) => {
      const { url } = extension
      const profile = typeof url === 'string' ? profiles.find(url) : undefined
      if (profile?.type !== 'Extension') return []
      const at = `${met.at}/${name}/${index}`
      return [...placeFaults(profile, name, met, at), ...judge.faultsOf(itemOf(extension, at, met), profile)]
    }),
  )
}

function itemOf(value: unknown, at: string, { around }: Met): Item {
  return {
    value,
    twin: undefined,
    type: 'Extension',
    element: undefined,
    within: undefined,
    at,
    around,
    outside: around,
  }
}

function placeFaults({ definition, rules }: Profile, name: string, met: Met, at: string): readonly ErrorObject[] {
  const { context = [], contextInvariant = [] } = definition
  const isAllowed = context.length === 0 || context.some(each => allows(each, met))
  const isModifying = name === 'modifierExtension'
  const isKept = contextInvariant.every(expression =>
    isSo(expression, met.node, met.around.resource, met.around.container),
  )
  return [
    ...(isAllowed && isKept ? [] : [faultAt('extensionContext', `${at}/url`)]),
    ...((rules.isModifier ?? isModifying) === isModifying ? [] : [faultAt('extensionModifier', `${at}/url`)]),
  ]
}

/** What guides of later versions call all definitions. @see https://hl7.org/fhir/R4/metadataresource.html */
const laterNames: ReadonlySet<string> = new Set(['CanonicalResource', 'MetadataResource'])

interface Context {
  readonly type?: string
  readonly expression?: string
}

function allows({ type, expression = '' }: Context, met: Met): boolean {
  if (type === 'extension') return met.node.url === expression
  if (type === 'element' && laterNames.has(expression))
    return ['url', 'status'].every(each => met.shape.elements.has(each))
  if (type === 'element') return isAllowedAt({ context: [pathOf(expression)] }, met) || isProfileAlone(expression)
  // What is no object has only its twin to be found by.
  return met.shape.type === 'Element' || isAmongFound(foundBy(expression, met.around.resource), met.node) !== false
}

/** `http://example.org/profile#Patient.identifier:one` is an element of a profile, and of the type that this constrains. */
function pathOf(elementId: string): string {
  return elementId.slice(elementId.indexOf('#') + 1).replace(/:[^.]*/g, '')
}

function isProfileAlone(expression: string): boolean {
  return expression.includes('/') && !expression.includes('#')
}

function isSo(expression: string, node: Node, resource: object, container: object): boolean {
  return predicateOf(expression, undefined)(node, resource, container) !== false
}
