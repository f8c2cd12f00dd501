import type { Listing, Outcome } from '../../outcome.ts'
import { isEmpty, isNull, type Segment } from '../message.ts'
import { type Scene, visitNumber } from '../scene.ts'
import { allSegments } from '../structure.ts'
import { locationOf, tell } from '../telling.ts'

/**
 * The segments that are sent as a whole list, in snapshot mode (HL7 v2.5.1, 2.10.4), with what each becomes. By the standard such a list
 * takes the place of the one before; but most senders leave out what they do not know, and an allergy that is missing is no statement of
 * safety. So what a list does not name stays in the record, and the sender is told.
 */
const wholeLists: readonly (readonly [segment: string, type: string])[] = [
  ['AL1', 'AllergyIntolerance'],
  ['NK1', 'RelatedPerson'],
  ['GT1', 'RelatedPerson'],
  ['IN1', 'Coverage'],
  ['DG1', 'Condition'],
  ['PR1', 'Procedure'],
]

/** Those of a visit; the others are the patient's. */
const ofVisit = new Set(['DG1', 'PR1'])
/** Numbers and action codes: a segment that has one says of itself alone what it changes (HL7 v2.5.1, 6.5.2 and 6.5.4). */
const byAction: Readonly<Record<string, readonly number[]>> = { DG1: [20, 21], PR1: [19, 20] }

type Mapped = Extract<Outcome, { kind: 'mapped' }>

/** Notes with the first of each list which resources it names. */
export function noteLists(scene: Scene): void {
  // The reasons of an order are no list of the visit's diagnoses.
  if (scene.row.asks === true) return
  const segments = allSegments(scene.patient)
  for (const [name, type] of wholeLists) {
    const of = segments.filter(segment => segment.name === name)
    const [first] = of
    if (first === undefined || of.some(segment => isByAction(segment))) continue
    for (const segment of of) if (isNothing(segment)) tellNothing(scene, segment)
    noteList(scene, first, type)
  }
}

function isByAction({ name, fields }: Segment): boolean {
  return (byAction[name] ?? []).some(number => !isEmpty(fields[number] ?? []))
}

/** "Delete all": a single segment with nothing but `""` (HL7 v2.5.1, 2.10.4). */
function isNothing({ fields }: Segment): boolean {
  const given = fields.slice(2).filter(field => field !== undefined && field.length > 0)
  return given.some(field => field !== undefined && isNull(field)) && given.every(field => isEmpty(field ?? []))
}

function tellNothing(scene: Scene, segment: Segment): void {
  tell(scene, segment, segment.name, `${segment.name} says that its list is empty; what was listed before stays.`)
}

function noteList(scene: Scene, first: Segment, type: string): void {
  const isOf = (one: Outcome): one is Mapped =>
    one.kind === 'mapped' && one.row === first.name && one.resource.resourceType === type
  const at = scene.outcomes.findIndex(isOf)
  const head = scene.outcomes[at]
  if (head?.kind !== 'mapped' || scene.saidAtMs === undefined) return
  const visit = ofVisit.has(first.name) ? [visitNumber(scene) ?? ''] : []
  const listing: Listing = {
    by: [scene.sender, first.name, ...visit],
    type,
    ids: scene.outcomes.filter(isOf).map(({ resource }) => resource.id),
    saidMs: scene.saidAtMs,
    said: count => ({
      text: `${first.name}: ${count} that were listed before are not listed any more, and stay.`,
      location: locationOf(first, first.name),
    }),
  }
  scene.outcomes[at] = { ...head, listing }
}
