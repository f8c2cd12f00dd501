import { type Resource, shapeOf } from '#fhir'
import type { Steps } from '#kernel'
import { editsOf, withEdits } from '#record'
import { otherForms } from '../choices.ts'
import { withContained } from '../contained.ts'
import { saysTheSameInSteps } from '../same.ts'
import { type OfOthers, withOthers } from './of-others.ts'

/** Elements that say something of each other: whoever changes one of them has the word on all. */
const together: Readonly<Record<string, readonly string[]>> = {
  AllergyIntolerance: ['clinicalStatus', 'verificationStatus'],
  Condition: ['clinicalStatus', 'verificationStatus', 'abatementDateTime'],
  DiagnosticReport: ['status', 'conclusion', 'conclusionCode', 'presentedForm'],
  Encounter: ['status', 'period'],
  Observation: ['status', 'valueQuantity', 'dataAbsentReason', 'component', 'interpretation', 'referenceRange'],
  Patient: ['active', 'deceasedBoolean'],
}

/**
 * The elements of what stands that were changed by hand since something was said, or at that moment, with all forms of a choice. What
 * does not say when it was said is newer than nothing.
 *
 * @param saidMs  Unix milliseconds
 */
export function changedSince(stood: Resource, saidMs: number | undefined): ReadonlySet<string> {
  const changed = [...editsOf(stood)].filter(([, atMs]) => saidMs === undefined || atMs >= saidMs)
  const shape = shapeOf(stood.resourceType)
  const formsOf = (name: string) => [name, `_${name}`, ...otherForms(shape, name)]
  const names = new Set(changed.flatMap(([name]) => formsOf(name)))
  const group = (together[stood.resourceType] ?? []).flatMap(formsOf)
  return group.some(name => names.has(name)) ? names.union(new Set(group)) : names
}

/** What is to stand, the elements that stay as they were changed by hand, and those that do not: what was said since stands. */
export interface Kept {
  readonly resource: Resource
  readonly kept: readonly string[]
  readonly replaced: readonly string[]
}

/**
 * What an import makes of a resource, without what was changed by hand since that was said, and with what others have added to its
 * lists. Whom it has been told stays told.
 */
export function* keptByHand(
  told: Resource,
  stood: Resource,
  saidMs: number | undefined,
  others: OfOthers,
): Steps<Kept> {
  const edits = editsOf(stood)
  const wanted = yield* withOthers(told, stood, others)
  // Of most of what comes again nothing was changed.
  if (edits.size === 0) return { resource: wanted, kept: [], replaced: [] }
  const changed = changedSince(stood, saidMs)
  const next: Resource = { ...wanted }
  for (const name of changed) {
    if (stood[name] === undefined) delete next[name]
    else next[name] = stood[name]
  }
  const noted = withEdits(next, edits)
  const kept = yield* differing(changed, wanted, next)
  const isKept = (name: string) => others.added.has(name) && !others.changed.has(name)
  const replaced = yield* differing(
    edits.keys().filter(name => !isKept(name)),
    stood,
    next,
  )
  return { resource: kept.length === 0 ? noted : withContained(noted, stood, wanted), kept, replaced }
}

/** The elements that do not say the same in both. */
function* differing(names: Iterable<string>, one: Resource, other: Resource): Steps<readonly string[]> {
  const differ: string[] = []
  for (const name of names) if (!(yield* saysTheSameInSteps(only(one, name), only(other, name)))) differ.push(name)
  return differ
}

function only(resource: Resource, name: string): Resource {
  return { resourceType: resource.resourceType, [name]: resource[name] }
}
