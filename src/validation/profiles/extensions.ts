import type { ErrorObject } from 'ajv'
import type { Met } from '../content/check.ts'
import { extensionsAt, isAllowedAt } from '../content/extensions.ts'
import { faultAt } from '../faults.ts'
import { foundBy, isAmongFound, placesFoundBy, predicateOf } from '../library.ts'
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
  if (type === 'extension') return urlAround(met) === expression
  if (type === 'element' && laterNames.has(expression))
    return ['url', 'status'].every(each => met.shape.elements.has(each))
  if (type === 'element') return isAllowedAt({ context: [pathOf(expression)] }, met) || isProfileAlone(expression)
  const { resource } = met.around
  if (met.shape.type === 'Element') return isAmongPlaces(placesFoundBy(expression, resource), met)
  return isAmongFound(foundBy(expression, resource), met.node) !== false
}

/** The extension that another one stands in, or on its value. */
function urlAround({ node, within, at, around }: Met): unknown {
  if (within?.type !== 'Extension' || node.url !== undefined) return node.url
  const steps = ownPlace(at).split('/').slice(1, -1)
  const outer = steps.reduce<unknown>((found, step) => (isStep(found) ? found[step] : undefined), around.resource)
  return isStep(outer) ? outer.url : undefined
}

function isStep(value: unknown): value is { readonly [step: string]: unknown } {
  return typeof value === 'object' && value !== null
}

/** A place within the resource that it is in. */
function ownPlace(at: string): string {
  return at.replace(/^.*\/(?:contained\/\d+|resource)(?=\/|$)/, '')
}

/** What is no object has only its place to be found by; within a choice its name is another one. */
function isAmongPlaces(places: ReadonlySet<string> | undefined, { at, element, around }: Met): boolean {
  const own = ownPlace(at)
  if (places === undefined || /\/value[A-Z][^/]*\//.test(own)) return true
  const place = `${around.resource.resourceType}${own.replace(/\/(\d+)/g, '[$1]').replace(/\/_?/g, '.')}`
  const choice = element?.path.endsWith('[x]') ? element.path.slice(element.path.lastIndexOf('.') + 1, -3) : undefined
  return places.has(choice === undefined ? place : `${place.slice(0, place.lastIndexOf('.') + 1)}${choice}`)
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
