/** Where a resource names its patient, compiled from the CompartmentDefinition and the search parameters it lists. */
import { readFileSync } from 'node:fs'
import { searchParameter } from '#search'

/** A way through the elements to References. */
export interface OwnerPath {
  readonly steps: readonly string[]
  /** The resource is *about* what this names: without a patient it belongs where that belongs. */
  readonly deciding: boolean
}

const compartment: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(
    JSON.parse(readFileSync(new URL('../../profiles/compartment-patient.json', import.meta.url), 'utf8')) as {
      [type: string]: readonly string[]
    },
  ),
)

/** The types that the CompartmentDefinition says can be a patient's. */
export const compartmentTypes: ReadonlySet<string> = new Set(compartment.keys())

/** Asked first, also for types outside the compartment that name a patient all the same (Device, Contract …). */
const firstNames = ['subject', 'patient', 'beneficiary', 'individual'] as const
const decidingElements: ReadonlySet<string> = new Set([...firstNames, 'for', 'candidate'])

/** Where the order of the search parameter's expression is not the order of weight. */
const ownOrder: ReadonlyMap<string, readonly string[]> = new Map([['AuditEvent', ['entity.what', 'agent.who']]])

/** Without a patient of its own, a resource of these types belongs where the first of these belongs. */
const followed: ReadonlyMap<string, readonly string[]> = new Map([
  ['AuditEvent', ['entity.what']],
  ['Binary', ['securityContext']],
  ['DeviceMetric', ['source', 'parent']],
  ['EnrollmentResponse', ['request']],
  ['Linkage', ['item.resource']],
  ['MessageHeader', ['focus']],
  ['PaymentNotice', ['request', 'response']],
  ['PaymentReconciliation', ['request', 'detail.request', 'detail.response']],
  ['Provenance', ['target']],
  ['Slot', ['schedule']],
  ['Task', ['focus', 'basedOn', 'encounter']],
  ['VerificationResult', ['target']],
])

const pathsByType = new Map<string, readonly OwnerPath[]>()
const followedByType = new Map<string, readonly OwnerPath[]>()

/** The paths that name owners, the weightiest first. */
export function ownerPaths(type: string): readonly OwnerPath[] {
  return cached(pathsByType, type, () => (ownOrder.get(type) ?? expressionPaths(type)).map(toPath))
}

/** The paths to what the resource belongs with when it names no patient. */
export function followedPaths(type: string): readonly OwnerPath[] {
  return cached(followedByType, type, () => (followed.get(type) ?? []).map(toPath))
}

/** Whether resources of the type can belong to a patient, so that what is about them belongs there too. */
export function isOwnable(type: string): boolean {
  return ownerPaths(type).length > 0 || followed.has(type)
}

function expressionPaths(type: string): readonly string[] {
  const listed = compartment.get(type) ?? []
  const names = [...firstNames.filter(name => listed.includes(name) || namesPatient(type, name)), ...listed]
  return [...new Set(names.flatMap(name => pathsOfParameter(type, name)))]
}

function namesPatient(type: string, name: string): boolean {
  const parameter = searchParameter(type, name)
  return parameter?.type === 'reference' && (parameter.target ?? []).includes('Patient')
}

/** Every parameter of the compartment is a plain path, perhaps with `.where(resolve() is Patient)`; a test holds that. */
function pathsOfParameter(type: string, name: string): readonly string[] {
  const paths: string[] = []
  for (const alternative of (searchParameter(type, name)?.expression ?? '').split('|')) {
    const match = /^\s*([A-Z]\w*)((?:\.[a-z]\w*)+?)(?:\.where\(resolve\(\) is \w+\))?\s*$/.exec(alternative)
    if (match !== null && match[1] === type && match[2] !== undefined) paths.push(match[2].slice(1))
  }
  return paths
}

function toPath(text: string): OwnerPath {
  const steps = text.split('.')
  return { steps, deciding: steps.length === 1 && decidingElements.has(steps[0] ?? '') }
}

function cached<T>(cache: Map<string, T>, key: string, make: () => T): T {
  let value = cache.get(key)
  if (value === undefined) {
    value = make()
    cache.set(key, value)
  }
  return value
}
