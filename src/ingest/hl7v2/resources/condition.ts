import { combined } from '../drafts.ts'
import { field, isEmpty, part, type Segment, value } from '../message.ts'
import {
  applied,
  type Elements,
  emit,
  idOf,
  inEncounter,
  type Mapper,
  reject,
  type Scene,
  say,
  visitNumber,
} from '../scene.ts'
import { groupsOf } from '../structure.ts'
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
  const [dg1] = group.segments
  if (dg1 === undefined) return
  const elements = withMethod(scene, dg1, applied(scene, dg1, 'Condition'))
  if (elements.code === undefined) return reject(scene, dg1, 'DG1-3')
  const [key, ...others] = keysOf(scene, dg1)
  const deleted = value(dg1, 21) === 'D'
  // Table 0206
  if (/^[ADU]$/.test(value(dg1, 21))) scene.ledger.keep(dg1, 21)
  emit(scene, dg1, 'Condition', key ?? [], {
    ...combined(elements, notesOf(scene, group)),
    ...(deleted ? { verificationStatus: enteredInError } : {}),
    category: diagnosis,
    subject: scene.context.subject,
    ...inEncounter(scene),
  })
  if (deleted) for (const other of others) takeBack(scene, dg1, other)
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
    change: ({ clinicalStatus, ...current }) => ({ ...current, verificationStatus: enteredInError }),
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
