import type { Resource } from '#fhir'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, isEmpty, part, type Segment, value } from '../message.ts'
import { isLate } from '../said-at.ts'
import { type Elements, idOf, inEncounter, type Mapper, type Scene, visitNumber } from '../scene.ts'
import { type Group, groupsOf } from '../structure.ts'
import { withTakenBack } from '../taken-back.ts'
import { locationOf, reject, say } from '../telling.ts'
import { addition, deletion, hasCode, unnumbered } from './action.ts'
import { withMethod } from './coding-method.ts'
import { notesOf } from './notes.ts'

const diagnosis = [
  {
    coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'encounter-diagnosis' }],
  },
]

const enteredInError = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code: 'entered-in-error' }],
}

/** DG1 → Condition; one that is taken back (DG1-21 D) was entered in error. */
export const mapCondition: Mapper = (scene, group) => {
  conditionOf(scene, group)
}

/** The same, for what refers to it: the order that it is the reason of. */
export function conditionOf(scene: Scene, group: Group): string | undefined {
  const [dg1] = group.segments
  if (dg1 === undefined) return undefined
  const elements = withMethod(scene, dg1, applied(scene, dg1, 'Condition'))
  if (elements.code === undefined) {
    reject(scene, dg1, 'DG1-3')
    return undefined
  }
  const [key, ...others] = keysOf(scene, dg1)
  const deleted = value(dg1, 21) === 'D'
  // Table 0206
  if (/^[ADU]$/.test(value(dg1, 21))) scene.ledger.keep(dg1, 21)
  const said = {
    ...combined(elements, notesOf(scene, group)),
    ...(deleted ? { verificationStatus: enteredInError } : {}),
    category: diagnosis,
    subject: scene.context.subject,
    ...inEncounter(scene),
  }
  const isNumbered = part(field(dg1, 20)[0], 1) !== ''
  const at = { place: 'DG1-21', location: locationOf(dg1, 'DG1-21') }
  const named = isNumbered ? {} : { namesakes: unnumbered(deleted, at) }
  const meeting = isByAction(dg1) ? { updates: [dg1], over: deleted ? deletion : addition, isDeletion: deleted } : {}
  const condition = emit(scene, dg1, 'Condition', key ?? [], said, { ...meeting, ...named })
  if (!deleted) return condition
  for (const other of others) takeBack(scene, dg1, other)
  if (scene.encounter === undefined || !isNumbered) for (const one of keysOf(scene, dg1)) takeFromVisit(scene, dg1, one)
  return condition
}

/** Whether a diagnosis is added, changed or deleted by itself; else all of them are sent anew: HL7 v2.5.1, 6.5.2 and 2.10.4. */
function isByAction(dg1: Segment): boolean {
  return !isEmpty(field(dg1, 20)) || !isEmpty(field(dg1, 21))
}

/** Whether a message says one by one which diagnoses it changes: those that it does not name stay. */
export function areByAction({ patient }: Scene): boolean {
  return groupsOf(patient, 'DIAGNOSIS').some(({ segments: [dg1] }) => dg1 !== undefined && isByAction(dg1))
}

/** A visit that the message does not name is found by what the diagnosis says of it. */
function takeFromVisit(scene: Scene, dg1: Segment, key: readonly string[]): void {
  const id = idOf(scene, 'Condition', key)
  const change = (visit: Resource, named = `Condition/${id}`) =>
    withTakenBack(withoutDiagnoses(visit, new Set([named])), { stood: visit, what: [named], atMs: scene.saidAtMs })
  say(scene, dg1, {
    kind: 'amend',
    row: 'DG1',
    rows: 0,
    type: 'Encounter',
    id: '',
    via: { type: 'Condition', id, follow },
    change,
  })
}

/** The visit of a diagnosis that was taken back, and not told again since. */
function follow(condition: Resource): string | undefined {
  const { encounter, verificationStatus } = condition as {
    encounter?: { reference?: string }
    verificationStatus?: unknown
  }
  const [, id] = /^Encounter\/(.+)$/.exec(encounter?.reference ?? '') ?? []
  return hasCode(verificationStatus, 'entered-in-error') ? id : undefined
}

interface Diagnosis {
  readonly condition?: { readonly reference?: string }
}

/** A visit with the diagnoses that a message names, and those that it does not. */
export function withAllDiagnoses(stored: Resource, anew: Resource, visit: Resource): Resource {
  const [before, now] = [stored, anew].map(({ diagnosis }) => (diagnosis ?? []) as readonly Diagnosis[])
  const [under = [], above = []] = isLate(stored, anew) ? [now, before] : [before, now]
  const known = new Map(under.map(one => [one.condition?.reference, one]))
  const named = new Set(above.map(({ condition }) => condition?.reference))
  const diagnosis = [
    ...under.filter(({ condition }) => !named.has(condition?.reference)),
    ...above.map(one => ({ ...known.get(one.condition?.reference), ...one })),
  ]
  return diagnosis.length === 0 ? visit : { ...visit, diagnosis }
}

/** A visit without the diagnoses that were entered in error. */
export function withoutDiagnoses(visit: Resource, gone: ReadonlySet<string>): Resource {
  const { diagnosis, ...rest } = visit
  if (gone.size === 0 || !Array.isArray(diagnosis)) return visit
  const kept = (diagnosis as readonly Diagnosis[]).filter(({ condition }) => !gone.has(condition?.reference ?? ''))
  return kept.length === 0 ? rest : { ...rest, diagnosis: kept }
}

/** DG1-20 where the sender numbers its diagnoses, else the visit, the code and the day. */
function keysOf(scene: Scene, dg1: Segment): readonly (readonly string[])[] {
  const [id] = field(dg1, 20)
  const byCode = [visitNumber(scene) ?? '', value(dg1, 3) || value(dg1, 4), value(dg1, 3, 3), value(dg1, 5)]
  return part(id, 1) === '' ? [byCode] : [['id', ...[1, 2, 3].map(component => part(id, component))], byCode]
}

/** The same diagnosis, if it was told before it had a number. */
function takeBack(scene: Scene, dg1: Segment, key: readonly string[]): void {
  const id = idOf(scene, 'Condition', key)
  say(scene, dg1, {
    kind: 'amend',
    row: 'DG1',
    rows: 0,
    type: 'Condition',
    id,
    change: current => deletion(current, { ...current, verificationStatus: enteredInError }),
  })
}

/** References to what the message takes back: a visit names it no more. */
export function takenBack(scene: Scene): ReadonlySet<string> {
  const segments = groupsOf(scene.patient, 'DIAGNOSIS').flatMap(({ segments: [dg1] }) => dg1 ?? [])
  const deleted = segments.filter(dg1 => value(dg1, 21) === 'D')
  return new Set(deleted.flatMap(dg1 => keysOf(scene, dg1).map(key => `Condition/${idOf(scene, 'Condition', key)}`)))
}

/** DG1 → Encounter.diagnosis: which conditions a visit was for, as what and in which order. */
export function diagnosesOf(scene: Scene): Elements {
  const segments = groupsOf(scene.patient, 'DIAGNOSIS').flatMap(({ segments: [dg1] }) => dg1 ?? [])
  // What was deleted or has no code is no diagnosis of the visit.
  const stated = segments.filter(dg1 => value(dg1, 21) !== 'D' && !(isEmpty(field(dg1, 3)) && isEmpty(field(dg1, 4))))
  if (stated.length === 0) return {}
  return { diagnosis: stated.map(dg1 => diagnosisOf(scene, dg1)) }
}

function diagnosisOf(scene: Scene, dg1: Segment): Elements {
  const condition = { reference: `Condition/${idOf(scene, 'Condition', keysOf(scene, dg1)[0] ?? [])}` }
  const { diagnosis: [given] = [] } = applied(scene, dg1, 'Encounter') as { diagnosis?: readonly Elements[] }
  return { condition, ...given }
}
