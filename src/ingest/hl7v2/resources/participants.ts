import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, type Segment, value } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentsOf } from '../structure.ts'
import { join } from '../telling.ts'

/** ROL and PRT behind a PV1: who takes part in the visit. */
export function visitParticipants(scene: Scene, visit: Group, pv1: Segment): Elements {
  return combined(...rolesOf(visit).map(segment => joinedAs(scene, segment, pv1, 'Encounter')))
}

/** ROL and PRT behind a PID whose role is the family doctor's: Patient.generalPractitioner. */
export function familyDoctors(scene: Scene, patient: Group, pid: Segment): Elements {
  const doctors = rolesOf(patient).filter(segment => isFamilyDoctor(segment))
  return combined(...doctors.map(segment => joinedAs(scene, segment, pid, 'Patient')))
}

/** PRT-4 of who interprets a result. */
const interpreters = new Set(['PI', 'AI', 'PRI', 'ARI'])

/** PRT behind an OBR: who interpreted the results, who else took part. */
export function reportParticipants(scene: Scene, group: Group, obr: Segment): Elements {
  const parts = segmentsOf(group, 'PRT').map(prt => {
    const { performer, ...others } = joinedAs(scene, prt, obr, 'Performer')
    if (performer === undefined) return others
    return { ...others, [interpreters.has(value(prt, 4)) ? 'resultsInterpreter' : 'performer']: performer }
  })
  return combined(...parts)
}

/** PRT behind a procedure: who did it. */
export function performersOf(scene: Scene, group: Group, owner: Segment): Elements {
  const parts = segmentsOf(group, 'PRT').map(prt => joinedAs(scene, prt, owner, 'Performer'))
  const { performer, ...others } = combined(...parts) as { performer?: readonly unknown[] }
  return performer === undefined ? {} : { performer: performer.map(actor => ({ actor })), ...others }
}

/** PRT behind a specimen: who collected it. */
export function collectorsOf(scene: Scene, group: Group, spm: Segment): Elements {
  const parts = segmentsOf(group, 'PRT').map(prt => {
    if (value(prt, 4) === 'SC') scene.ledger.keep(prt, 4)
    return joinedAs(scene, prt, spm, 'Specimen')
  })
  return combined(...parts)
}

/** The other roles behind a PID, and the case manager of IN3-21 → CareTeam */
export function mapCareTeam(scene: Scene, patient: Group): void {
  const roles = rolesOf(patient).filter(segment => !isFamilyDoctor(segment))
  const managers = groupsOf(patient, 'INSURANCE').flatMap(insurance => segmentsOf(insurance, 'IN3'))
  const segments = [...roles, ...managers.filter(in3 => value(in3, 21) !== '')]
  const [first] = segments
  if (first === undefined) return
  const elements = combined(...segments.map(segment => applied(scene, segment, 'CareTeam')))
  if (elements.participant === undefined) return
  for (const segment of segments) join(scene, segment, first)
  const team = { status: 'active', ...elements, subject: scene.context.subject }
  emit(scene, first, 'CareTeam', [scene.context.patient, value(scene.message.msh, 4)], team)
}

function rolesOf(group: Group): readonly Segment[] {
  const segments = [...segmentsOf(group, 'ROL'), ...segmentsOf(group, 'PRT')]
  return segments.filter(segment => !/^DE?$/.test(value(segment, 2)))
}

/** ROL-3 or PRT-4: the primary care provider. */
function isFamilyDoctor(segment: Segment): boolean {
  const role = value(segment, segment.name === 'ROL' ? 3 : 4)
  return role === 'PP' && field(segment, segment.name === 'ROL' ? 4 : 5).length > 0
}

function joinedAs(scene: Scene, segment: Segment, owner: Segment, resource: string): Elements {
  join(scene, segment, owner)
  scene.ledger.keep(segment, 2)
  return applied(scene, segment, resource)
}
