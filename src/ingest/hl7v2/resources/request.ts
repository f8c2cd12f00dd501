import type { Namesakes } from '../../outcome.ts'
import { applied, appliedTogether } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import type { Segment } from '../message.ts'
import { type Elements, inEncounter, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { join } from '../telling.ts'
import { notesOf } from './notes.ts'
import { ofNumber } from './numbered.ts'
import { ordererOf } from './participants.ts'
import { mapOrderEvent } from './provenance.ts'

/** The segments of an order, and what it is known by. */
export interface Ordered {
  readonly orc: Segment | undefined
  readonly obr: Segment | undefined
  readonly key: string
}

/**
 * ORC, OBR and TQ1 → ServiceRequest.
 *
 * @param more        what is said of an order of which there is no report; without it, an order is known when somebody numbered it
 * @param supporting  references to what was known when it was ordered
 */
export function mapRequest(
  scene: Scene,
  group: Group,
  { orc, obr, key }: Ordered,
  { more, supporting = [] }: { readonly more?: Elements; readonly supporting?: readonly string[] } = {},
): string | undefined {
  const segment = orc ?? obr
  if (segment === undefined) return undefined
  const ordered = combined(
    // Since HL7 v2.5 TQ1 says when; what ORC-7 and OBR-27 say of it is of old.
    timing(scene, group, segment),
    appliedTogether(scene, [orc, obr], 'ServiceRequest'),
    // Notes behind an OBR are the report's.
    obr === undefined || more !== undefined ? notesOf(scene, group, segment) : {},
  )
  const isNamed = ordered.requester !== undefined || (ordered.identifier === undefined && more === undefined)
  const elements = isNamed ? ordered : combined(ordered, ordererOf(scene, group, segment))
  if (more !== undefined) join(scene, obr, segment)
  else if (obr !== undefined) join(scene, orc, obr)
  if (elements.identifier === undefined && more === undefined) return undefined
  const said = {
    status: 'unknown',
    intent: 'order',
    ...atOneTime(withOneBound(elements)),
    ...more,
    ...(supporting.length === 0 ? {} : { supportingInfo: supporting.map(reference => ({ reference })) }),
    subject: scene.context.subject,
    ...inEncounter(scene),
  }
  const named = orc !== undefined && obr === undefined ? { namesakes: ofNumberAlone(orc) } : {}
  const request = emit(scene, segment, 'ServiceRequest', [key], said, { updates: [orc, obr], ...named })
  if (orc !== undefined && request !== undefined) mapOrderEvent(scene, orc, request)
  return request
}

/** An ORC alone does not say what was ordered: it is about what has its number. */
function ofNumberAlone(orc: Segment): Namesakes {
  const text = 'ORC-2: several orders have the number, and OBR does not say which is meant; none of them was changed.'
  return ofNumber({ isChange: true, parts: [], mayDiffer: 0, several: { text, location: `ORC^${orc.nth}^2` } })
}

/** TQ1 behind an order. */
function timing(scene: Scene, group: Group, owner: Segment): Elements {
  return combined(...timingsOf(scene, group, owner).map(tq1 => applied(scene, tq1, 'ServiceRequest')))
}

/** The TQ1 of a group, which are counted with what they stand behind. */
export function timingsOf(scene: Scene, group: Group, owner: Segment): readonly Segment[] {
  const segments = groupsOf(group, 'TIMING').flatMap(one => segmentOf(one, 'TQ1') ?? [])
  for (const tq1 of segments) join(scene, tq1, owner)
  return segments
}

/** How long and from when to when are forms of one element: what was said first stays, and the other is named. */
function withOneBound(elements: Elements): Elements {
  const { occurrenceTiming } = elements as { occurrenceTiming?: { readonly repeat?: Elements } }
  const said = Object.entries(occurrenceTiming?.repeat ?? {})
  const [first] = said.filter(([name]) => name.startsWith('bounds'))
  if (first === undefined) return elements
  const repeat = Object.fromEntries(said.filter(([name]) => !name.startsWith('bounds') || name === first[0]))
  return { ...elements, occurrenceTiming: { ...occurrenceTiming, repeat } }
}

/** A time alone and a Timing are forms of one element; the time is then when the Timing has an event. */
function atOneTime(elements: Elements): Elements {
  const { occurrenceDateTime, ...others } = elements
  const { occurrenceTiming } = others as { occurrenceTiming?: Elements }
  if (occurrenceDateTime === undefined || occurrenceTiming === undefined) return elements
  return { ...others, occurrenceTiming: { event: [occurrenceDateTime], ...occurrenceTiming } }
}
