import type { Resource } from '#fhir'
import { withContained } from '../contained.ts'
import { overlaid } from '../overlay.ts'
import { mergedLists } from './lists.ts'
import { isLate, stampOf, withStamps } from './said-at.ts'
import type { Moves } from './tables.ts'

/** What a message says of the state of a visit. */
export interface VisitEvent {
  readonly moves: Moves
  /** Undefined when the event says nothing of it. */
  readonly status: string | undefined
  /** When the visit came into it, Unix milliseconds. */
  readonly atMs: number | undefined
  /** What PV1-2 says, for a visit of which nothing else is known. */
  readonly byClass: string
}

/** Elements that the sender wrote `""` for: they are taken away. */
export type Removal = (resource: Resource) => Resource

/** A visit that is not over has no end; with one it would contradict itself. */
const open = new Set(['planned', 'arrived', 'triaged', 'in-progress', 'onleave'])
const ranks: Readonly<Record<string, number>> = {
  planned: 1,
  arrived: 2,
  triaged: 2,
  onleave: 3,
  'in-progress': 3,
  finished: 4,
}

/** R4 wants a class of every visit; this one says nothing, and takes the place of none. */
const unknownClass = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

type Encounter = Resource & {
  readonly status?: string
  readonly period?: { readonly start?: string; readonly end?: string }
}

/** The visit as one message alone tells it. */
export function beginVisit(visit: Resource, event: VisitEvent): Resource {
  const known = event.status === undefined ? {} : since(visit, event)
  return settled({ ...withStamps(visit, known), status: event.status ?? event.byClass })
}

/**
 * What is known of a visit and what a message says of it, in any order of arrival. Of two messages the one that was said
 * later has the word; one that comes late only fills what is absent. The status goes by the time of the events.
 */
export function continueVisit(stored: Encounter, anew: Encounter, event: VisitEvent, remove: Removal): Resource {
  const late = event.moves === 'mention' || isLate(stored, anew)
  const laid = late
    ? { ...overlaid(anew, asSaid(stored)), ...mergedLists(stored, anew, false) }
    : remove({ ...overlaid(stored, asSaid(anew)), ...mergedLists(stored, anew, true) })
  const moved = moves(stored, anew, event)
  const status = (moved ? event.status : undefined) ?? statusKept(stored, anew, event)
  const stampable = { said: stampOf(late ? stored : anew, 'said') ?? stampOf(stored, 'said') }
  const at = moved
    ? since(anew, { ...event, atMs: event.atMs ?? stampOf(stored, 'status') })
    : { status: stampOf(stored, 'status'), begun: stampOf(stored, 'begun') }
  const { meta } = late ? stored : anew
  const whole = withContained(laid, stored, anew)
  return settled({ ...withStamps({ ...whole, ...(meta && { meta }) }, { ...stampable, ...at }), status })
}

/** Since when a visit is in the state that an event brought it into; a beginning that does not say when is known by when it was said. */
function since(visit: Encounter, { moves: how, atMs }: VisitEvent) {
  return { status: atMs, begun: how === 'begin' && visit.period?.start === undefined ? atMs : undefined }
}

/** Whether the event is what brought the visit into the state it is in now. */
function moves(stored: Encounter, anew: Encounter, { moves: how, status, atMs }: VisitEvent): boolean {
  if (status === undefined || how === 'none' || how === 'mention') return false
  const before = stampOf(stored, 'status')
  // What is over begins anew only with a PV1-44, so an end comes behind whatever beginning has none.
  if (before !== undefined && atMs !== undefined && atMs < before)
    return how === 'end' && stampOf(stored, 'begun') === before
  return how !== 'begin' || isForward(stored, anew, status)
}

/** A visit that is over begins again only when it has another beginning, after its end: recurring visits share a number. */
function isForward(stored: Encounter, anew: Encounter, status: string): boolean {
  const before = ranks[stored.status ?? ''] ?? 0
  if (stored.status !== 'finished') return (ranks[status] ?? 0) >= before
  const [end, start] = [stored.period?.end, anew.period?.start]
  return end !== undefined && start !== undefined && Date.parse(start) > Date.parse(end)
}

/** What says nothing of the state leaves it; but a planned visit whose class is P no more has begun. */
function statusKept(stored: Encounter, anew: Encounter, { byClass, moves: how }: VisitEvent): string {
  if (stored.status === undefined || stored.status === 'unknown') return byClass
  const begun = how === 'none' && stored.status === 'planned' && classOf(stored) === 'PRENC'
  return begun && !isLate(stored, anew) && classOf(anew) !== unknownClass.code ? byClass : stored.status
}

function classOf(visit: Encounter): string | undefined {
  return (visit.class as { code?: string } | undefined)?.code
}

/** A visit without the class that nobody said. */
function asSaid(visit: Encounter): Encounter {
  const { class: _, ...rest } = visit
  return classOf(visit) === unknownClass.code ? rest : visit
}

function settled(visit: Encounter): Resource {
  const whole = visit.class === undefined ? { ...visit, class: unknownClass } : visit
  if (visit.period?.end === undefined || !open.has(visit.status ?? '')) return whole
  const { end, ...period } = visit.period
  const { period: _, ...rest } = whole
  return Object.keys(period).length === 0 ? rest : { ...rest, period }
}
