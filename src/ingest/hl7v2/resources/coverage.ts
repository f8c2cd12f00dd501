import { applied, appliedInTurn, turnsOf } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { type Field, field, isEmpty, part, type Repetition, type Segment, value } from '../message.ts'
import type { Elements, Mapper, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { join, reject } from '../telling.ts'
import { mapNotes } from './notes.ts'

/** IN1 and IN2 → Coverage */
export const mapCoverage: Mapper = (scene, group) => {
  const [in1, in2] = [segmentOf(group, 'IN1'), segmentOf(group, 'IN2')]
  if (in1 === undefined) return
  const elements = combined(applied(scene, in1, 'Coverage'), applied(scene, in2, 'Coverage'))
  if (in2 !== undefined) join(scene, in2, in1)
  if (elements.payor === undefined) {
    reject(scene, in1, 'IN1-4')
    return mapNotes(scene, group, in1)
  }
  const key = [value(in1, 3), value(in1, 4), value(in1, 36), value(in1, 2)]
  const coverage = emit(scene, in1, 'Coverage', key, {
    status: 'active',
    ...insured(scene, in1, elements),
    beneficiary: scene.context.subject,
  })
  return mapNotes(scene, group, in1, coverage)
}

const own = new Set(['SEL', 'SELF', '18', '01', 'S'])

/** Fields of IN1 about the insured, and those of PID that say the same of the patient. */
const insuredFields = [
  [16, 5],
  [18, 7],
  [19, 11],
  [43, 8],
] as const

/** The subscriber is the patient, or a person who is contained. Of the patient PID is the one to say more. */
function insured(scene: Scene, in1: Segment, elements: Elements): Elements {
  if (!own.has(value(in1, 17).toUpperCase())) return elements
  const pid = segmentOf(scene.patient, 'PID')
  const repeated = insuredFields.filter(([of, by]) => isSaidBy(field(in1, of), field(pid, by)))
  scene.ledger.keep(in1, ...repeated.map(([of]) => of))
  return { ...elements, subscriber: scene.context.subject }
}

/** Whether each component of a field stands at its place in a repetition of another. */
function isSaidBy(given: Field, by: Field): boolean {
  return given.every(one =>
    by.some(other => one.every((_, at) => part(one, at + 1) === '' || saysAt(one, other, at + 1))),
  )
}

function saysAt(one: Repetition, other: Repetition, component: number): boolean {
  return printed(one, component) === printed(other, component)
}

function printed(of: Repetition, component: number): string {
  return (of[component - 1] ?? []).join('&').toUpperCase()
}

const unknownPayor = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
}

/** PV1-20 → a Coverage for each class, whose payer the sender does not name */
export function mapFinancialClass(scene: Scene, patient: Group): void {
  const pv1 = segmentOf(groupsOf(patient, 'VISIT')[0], 'PV1')
  if (pv1 === undefined || isEmpty(field(pv1, 20))) return
  for (const turn of turnsOf(pv1, [20])) {
    const elements = appliedInTurn(scene, pv1, 'Coverage', turn)
    if (elements.type === undefined) continue
    emit(scene, pv1, 'Coverage', ['PV1-20', part(field(pv1, 20)[turn.get(20) ?? 0], 1), value(pv1, 19)], {
      status: 'active',
      ...elements,
      beneficiary: scene.context.subject,
      payor: [unknownPayor],
    })
  }
}
