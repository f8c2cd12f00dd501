import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, isEmpty, type Segment, value } from '../message.ts'
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

/** ROL-3 or PRT-4 of who ordered and of who collected the specimen: these are of the order and of the specimen. */
const orderer = 'OP'
const collector = 'SC'
const ofOthers = new Set([orderer, collector])

/**
 * ROL and PRT behind ORC or OBR: who ordered. `requester` where there is one.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-message-oml-o21-to-bundle.html
 */
export function ordererOf(scene: Scene, order: Group, owner: Segment): Elements {
  const { performer, ...others } = oneOf(scene, order, orderer, owner)
  return performer === undefined ? {} : { requester: performer, ...others }
}

/** ROL and PRT behind ORC or OBR: who collected the specimens. `collection` where there is one. */
export function orderCollector(scene: Scene, order: Group, owner: Segment): Elements {
  const { performer, ...others } = oneOf(scene, order, collector, owner)
  return performer === undefined ? {} : { collection: { collector: performer }, ...others }
}

/** Whether an order says who collected. */
export function saysCollector(order: Group): boolean {
  return rolesOf(order).some(segment => roleOf(segment) === collector)
}

/** The first of a role; there is room for one. */
function oneOf(scene: Scene, group: Group, role: string, owner: Segment): Elements {
  const segment = rolesOf(group).find(one => roleOf(one) === role)
  if (segment === undefined) return {}
  join(scene, segment, owner)
  scene.ledger.keep(segment, 2)
  const { performer, ...others } = applied(scene, segment, 'Performer') as { performer?: readonly unknown[] }
  return { performer: performer?.[0], ...others }
}

/** ROL and PRT behind an OBR: who interpreted the results, who else took part. */
export function reportParticipants(scene: Scene, group: Group, obr: Segment): Elements {
  const roles = rolesOf(group).filter(segment => !ofOthers.has(roleOf(segment)))
  const parts = roles.map(segment => {
    const { performer, ...others } = joinedAs(scene, segment, obr, 'Performer')
    if (performer === undefined) return others
    return { ...others, [interpreters.has(roleOf(segment)) ? 'resultsInterpreter' : 'performer']: performer }
  })
  return combined(...parts)
}

/** ROL and PRT behind what was done: who did it. */
export function performersOf(scene: Scene, group: Group, owner: Segment): Elements {
  const parts = rolesOf(group).map(segment => joinedAs(scene, segment, owner, 'Performer'))
  const { performer, ...others } = combined(...parts) as { performer?: readonly unknown[] }
  return performer === undefined ? {} : { performer: performer.map(actor => ({ actor })), ...others }
}

/** Fields of PRT that name somebody: a person, a kind of person, an organization. */
const somebody = [5, 6, 8]

/** PRT behind an OBX: who took part, where, with which device. */
export function observers(scene: Scene, group: Group, obx: Segment): Elements {
  const parts = segmentsOf(group, 'PRT')
    .filter(prt => !isTakenOut(prt))
    .flatMap(prt => {
      const around = joinedAs(scene, prt, obx, 'Observation')
      const isSomebody = somebody.some(number => !isEmpty(field(prt, number)))
      return isSomebody ? [around, joinedAs(scene, prt, obx, 'Performer')] : [around]
    })
  return combined(...parts)
}

/** PRT behind a specimen: who collected it. */
export function collectorsOf(scene: Scene, group: Group, spm: Segment): Elements {
  const parts = segmentsOf(group, 'PRT').map(prt => {
    if (value(prt, 4) === 'SC') scene.ledger.keep(prt, 4)
    return joinedAs(scene, prt, spm, 'Specimen')
  })
  return combined(...parts)
}

/** The other roles behind a PID, those behind an insurance, and the case manager of IN3-21 → CareTeam */
export function mapCareTeam(scene: Scene, patient: Group): void {
  const insurances = groupsOf(patient, 'INSURANCE')
  const roles = rolesOf(patient).filter(segment => !isFamilyDoctor(segment))
  const managers = insurances.flatMap(insurance => segmentsOf(insurance, 'IN3'))
  const segments = [
    ...roles,
    ...insurances.flatMap(insurance => rolesOf(insurance)),
    ...managers.filter(in3 => value(in3, 21) !== ''),
  ]
  emitTeam(scene, segments, [scene.context.patient, value(scene.message.msh, 4)], {})
}

/**
 * ROL and PRT behind a problem and its goals → CareTeam for the problem
 *
 * @see HL7 v2.5.1, 12.3.3: the persons in role for the problem, for which the guide has no map
 */
export function mapProblemTeam(scene: Scene, problem: Group, key: readonly string[], condition?: string): void {
  const segments = [problem, ...groupsOf(problem, 'GOAL')].flatMap(group => rolesOf(group))
  const about = condition === undefined ? {} : { reasonReference: [{ reference: condition }] }
  emitTeam(scene, segments, [scene.context.patient, ...key], about)
}

function emitTeam(scene: Scene, segments: readonly Segment[], key: readonly string[], about: Elements): void {
  const [first] = segments
  if (first === undefined) return
  const elements = combined(...segments.map(segment => appliedEach(scene, segment, 'CareTeam')))
  if (elements.participant === undefined) return
  for (const segment of segments) {
    join(scene, segment, first)
    scene.ledger.keep(segment, ...(actionOf[segment.name] ?? []))
  }
  emit(scene, first, 'CareTeam', key, { status: 'active', ...elements, ...about, subject: scene.context.subject })
}

/** What is said of what becomes of a segment: taken here, for what is deleted is left out. */
const actionOf: Readonly<Record<string, readonly number[]>> = { ROL: [2], PRT: [2] }

function rolesOf(group: Group): readonly Segment[] {
  const segments = [...segmentsOf(group, 'ROL'), ...segmentsOf(group, 'PRT')]
  return segments.filter(segment => !isTakenOut(segment))
}

/** ROL-2, PRT-2: whoever is deleted takes part no more, and the segment is named (tables 0287 and 0323). */
function isTakenOut(segment: Segment): boolean {
  return /^DE?$/.test(value(segment, 2))
}

/** ROL-3 or PRT-4: the primary care provider. */
function isFamilyDoctor(segment: Segment): boolean {
  return roleOf(segment) === 'PP' && field(segment, segment.name === 'ROL' ? 4 : 5).length > 0
}

/** ROL-3 or PRT-4: as what somebody takes part. */
function roleOf(segment: Segment): string {
  return value(segment, segment.name === 'ROL' ? 3 : 4)
}

function joinedAs(scene: Scene, segment: Segment, owner: Segment, resource: string): Elements {
  join(scene, segment, owner)
  scene.ledger.keep(segment, 2)
  return appliedEach(scene, segment, resource)
}

/** The fields whose repetitions are somebody of their own, in the role of the segment. */
const people: Readonly<Record<string, readonly number[]>> = { ROL: [4], PRT: [5, 8] }

function appliedEach(scene: Scene, segment: Segment, resource: string): Elements {
  return applied(scene, segment, resource, [], people[segment.name])
}
