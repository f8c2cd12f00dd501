import type { Resource } from '#fhir'
import { type Field, field, isEmpty, isNull, parsePlace, type Segment } from '../message.ts'
import { type Removal, removalsOf, removeFrom } from './removals.ts'

type Node = { readonly [element: string]: unknown }

/** What a segment's `""` take away, and the places of those that nothing can be told from. */
export interface Nulls {
  readonly remove: (resource: Resource) => Resource
  /** The fields that take something away: `PID-11`. */
  readonly places: readonly string[]
  readonly ignored: readonly string[]
}

/** The nulls of segments that give one resource. Identifiers stay: they find it. */
export function nullsOf(segments: readonly (Segment | undefined)[], resource: string): Nulls {
  const found = segments.flatMap(segment => (segment === undefined ? [] : nullsIn(segment, resource)))
  const removals = found.flatMap(({ removal }) => removal ?? [])
  return {
    remove: before => removals.reduce<Resource>(removeFrom, before),
    places: found.flatMap(({ place, removal }) => (removal === undefined ? [] : [place])),
    ignored: found.flatMap(({ place, removal }) => (removal === undefined ? [place] : [])),
  }
}

function nullsIn(segment: Segment, resource: string): { place: string; removal: readonly Removal[] | undefined }[] {
  return segment.fields.flatMap((given, number) => {
    const place = `${segment.name}-${number}`
    if (given === undefined) return []
    if (!isNull(field(segment, number)))
      return nullRepetitions(place, given).map(one => ({ place: one, removal: undefined }))
    return [{ place, removal: removalsOf(segment.name, resource).get(place) }]
  })
}

/** The fields of segments that say something, `""` too: `PID-11`. */
export function placesIn(segments: readonly (Segment | undefined)[]): readonly string[] {
  return segments.flatMap(segment =>
    (segment?.fields ?? []).flatMap((given, number) =>
      given === undefined || (isEmpty(given) && !isNull(given)) ? [] : [`${segment?.name}-${number}`],
    ),
  )
}

/** What is said of a resource without what these fields say; places that are no fields of it say nothing. */
export function withoutFields<T extends Node>(said: T, resource: string, places: readonly string[]): T {
  return places.reduce<T>(
    (next, place) => (removalsOf(parsePlace(place).segment, resource).get(place) ?? []).reduce<T>(removeFrom, next),
    said,
  )
}

/** A null among other repetitions does not say which of those that are known it means: `PID-13[1]`. */
export function nullRepetitions(place: string, given: Field): readonly string[] {
  return given.flatMap((repetition, at) => (given.length > 1 && isNull([repetition]) ? [`${place}[${at + 1}]`] : []))
}
