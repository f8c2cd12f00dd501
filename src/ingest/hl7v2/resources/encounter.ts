import { type Resource, toInstant } from '#fhir'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { outdated, stands, withFieldTimes } from '../field-times.ts'
import { field, isEmpty, type Segment, value } from '../message.ts'
import { instantMs, isLate } from '../said-at.ts'
import { type Scene, visitAuthority, visitNumber } from '../scene.ts'
import { groupsOf, segmentOf } from '../structure.ts'
import { codeTable, lookUp } from '../tables.ts'
import { takenBackSince, withTakenBack } from '../taken-back.ts'
import { join, noteNulls } from '../telling.ts'
import { beginVisit, continueVisit, type VisitEvent } from '../visit-state.ts'
import { mapAccount } from './account.ts'
import { areByAction, diagnosesOf, takenBack, withAllDiagnoses, withoutDiagnoses } from './condition.ts'
import { nullsOf, placesIn, withoutFields } from './nulls.ts'
import { ownElements, ownOf } from './own-segments.ts'
import { visitParticipants } from './participants.ts'

/** PV1 and PV2 → Encounter; gives its reference. */
export function mapVisit(scene: Scene): string | undefined {
  const account = mapAccount(scene)
  const [visit] = groupsOf(scene.patient, 'VISIT')
  const pv1 = segmentOf(visit, 'PV1')
  if (visit === undefined || pv1 === undefined) return undefined
  const pv2 = segmentOf(visit, 'PV2')
  join(scene, pv2, pv1)
  const event = eventOf(scene, pv1)
  const said = combined(
    applied(scene, pv1, 'Encounter'),
    applied(scene, pv2, 'Encounter'),
    visitParticipants(scene, visit, pv1),
    diagnosesOf(scene),
    ownElements(scene, scene.patient, pv1, 'Encounter'),
  )
  const elements = {
    ...said,
    ...(account === undefined ? {} : { account: [{ reference: account }] }),
  }
  const segments = [pv1, pv2, ...ownOf(scene.patient, 'Encounter')]
  const { remove, places, ignored } = nullsOf(segments, 'Encounter')
  noteNulls(scene, segments, { places, ignored })
  const subject = scene.context.subject
  const gone = takenBack(scene)
  // A result says of a visit in passing what is known of it: its nulls take nothing away.
  const nulled = event.moves === 'mention' ? [] : places
  const taken = { what: [...nulled, ...gone], atMs: scene.saidAtMs }
  const valued = placesIn(segments)
  const diagnosed = areByAction(scene) ? withAllDiagnoses : (_: Resource, __: Resource, visit: Resource) => visit
  return emit(
    scene,
    pv1,
    'Encounter',
    keyOf(scene, pv1),
    { ...elements, subject },
    {
      first: resource => withTakenBack(beginVisit(resource, event), taken),
      over: (stored, anew) => {
        const told = withoutTakenBack(anew, takenBackSince(stored, anew))
        const old = event.moves === 'mention' ? [] : outdated(stored, scene.saidAtMs, valued)
        const before = withoutFields(stored, 'Encounter', old)
        const visit = diagnosed(stored, told, continueVisit(before, told, event, remove))
        const fills = event.moves === 'mention' || isLate(stored, anew)
        const now = fills ? valued.filter(place => old.includes(place) || !stands(stored, place)) : valued
        const timed = withFieldTimes(visit, { stood: stored, places: now, saidMs: scene.saidAtMs })
        return withTakenBack(withoutDiagnoses(timed, isLate(stored, anew) ? none : gone), { ...taken, stood: stored })
      },
      nulls: nulled,
      keptBy: visitAuthority(scene) ?? scene.sender,
      takesFrom: gone.size > 0 ? ['diagnosis'] : [],
    },
  )
}

const none: ReadonlySet<string> = new Set()

/** What a message that comes late says of a visit, without what was said to be null or deleted since. */
function withoutTakenBack(visit: Resource, what: readonly string[]): Resource {
  return withoutDiagnoses(withoutFields(visit, 'Encounter', what) as Resource, new Set(what))
}

/**
 * What a visit is known by: its number, else the day it began. Without either it is one visit of its kind and day; a
 * result that names no visit must not be taken for what an admission said.
 */
function keyOf(scene: Scene, pv1: Segment): readonly string[] {
  const known = visitNumber(scene) ?? value(pv1, 44)
  if (known !== '') return [known]
  const day = scene.saidAtMs === undefined ? value(scene.message.msh, 10) : toInstant(scene.saidAtMs).slice(0, 10)
  return [scene.row.moves === 'mention' ? 'mention' : 'visit', value(pv1, 2), day]
}

/** Which status the message gives the visit, and since when. */
function eventOf(scene: Scene, pv1: Segment): VisitEvent {
  const { moves, status } = scene.row
  const byClass = statusByClass(value(pv1, 2))
  const ends = moves !== 'undo' && moves !== 'mention' && !isEmpty(field(pv1, 45))
  if (ends) return { moves: 'end', status: 'finished', atMs: endedAt(scene, pv1), byClass: 'finished' }
  const planned = moves === 'begin' && byClass === 'planned'
  const atMs = timeOf(scene, pv1, planned || status === 'planned')
  return { moves, status: planned ? 'planned' : status, atMs, byClass: statusOf(scene, pv1, byClass) }
}

/** IG table PatientClass[EncounterStatus], which counts where PV1-45 is not valued. */
function statusByClass(patientClass: string): string {
  return lookUp(codeTable('PatientClass[EncounterStatus]')?.codes, patientClass)?.[0] ?? 'unknown'
}

function statusOf(scene: Scene, pv1: Segment, byClass: string): string {
  const { row } = scene
  if (!isEmpty(field(pv1, 45))) return 'finished'
  // Of a visit without a number nothing will say when it is over.
  if (row.moves === 'mention' && visitNumber(scene) === undefined) return 'unknown'
  return byClass === 'unknown' ? (row.status ?? 'unknown') : byClass
}

/** An event happened at EVN-6; an admission else at PV1-44, a discharge at PV1-45. What takes one back, when it was said. */
function timeOf(scene: Scene, pv1: Segment, planned: boolean): number | undefined {
  const { moves } = scene.row
  if (moves === 'undo') return scene.saidAtMs
  const begun = moves === 'begin' && !planned ? instantMs(value(pv1, 44), scene.zone) : undefined
  return occurredAt(scene) ?? begun ?? scene.saidAtMs
}

function endedAt(scene: Scene, pv1: Segment): number | undefined {
  if (scene.row.moves !== 'end') return scene.saidAtMs
  return occurredAt(scene) ?? instantMs(value(pv1, 45), scene.zone) ?? scene.saidAtMs
}

function occurredAt({ message, zone }: Scene): number | undefined {
  const evn = message.segments.find(({ name }) => name === 'EVN')
  return instantMs(value(evn, 6), zone)
}
