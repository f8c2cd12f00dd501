import type { Steps } from '../../turns.ts'
import { value } from '../message.ts'
import type { Elements, Mapper, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { mapCharge } from './charge-item.ts'
import { conditionOf, mapCondition } from './condition.ts'
import { aboutSpecimen, listed, mapReport, mapResults, orderKey } from './diagnostic-report.ts'
import { mapAdministration } from './immunization.ts'
import { mapDispense, mapPrescription } from './medication.ts'
import { mapRequest } from './request.ts'
import { mapOrderSpecimen, mapSpecimen } from './specimen.ts'

/** What may stand in an order of medicines, in the order in which one may refer to the one before. */
const treatments: Readonly<
  Record<string, Mapper | ((scene: Scene, group: Group, order: Group) => Steps<void> | void)>
> = {
  PRESCRIPTION: mapPrescription,
  ENCODED_ORDER: mapPrescription,
  DISPENSE: mapDispense,
  GIVE: mapPrescription,
  ADMINISTRATION: mapAdministration,
}

/** ORC and what it is about: medicines, or what is examined, ordered or reported. */
export function* mapOrder(scene: Scene, order: Group): Steps<void> {
  const given = Object.entries(treatments).flatMap(([name, map]) =>
    groupsOf(order, name).map(group => [map, group] as const),
  )
  for (const [map, group] of given) yield* map(scene, group, order) ?? []
  for (const charge of groupsOf(order, 'FINANCIAL')) mapCharge(scene, charge)
  const isAsked = given.length === 0 && scene.row.asks === true
  if (!isAsked) for (const group of groupsOf(order, 'DIAGNOSIS')) mapCondition(scene, group)
  if (given.length > 0) return yield* mapBeside(scene, order)
  yield* isAsked ? mapAsked(scene, order) : mapReport(scene, order)
}

/** OBX behind what is ordered, dispensed or to be given: what was measured for it; those behind an RXA are with what was given. */
function* mapBeside(scene: Scene, order: Group): Steps<void> {
  const within = orderKey(segmentOf(order, 'ORC'), undefined, value(scene.message.msh, 10))
  const groups = ['DISPENSE', 'GIVE'].flatMap(name => groupsOf(order, name)).map(group => ({ group }))
  yield* mapResults(scene, order, groups, { within, effective: {} })
}

/**
 * ORC, OBR and what follows, where it is ordered → ServiceRequest with its Specimens, and Observations of what the one who orders
 * knows. Nothing has resulted, so there is no report.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-message-oml-o21-to-bundle.html
 */
function* mapAsked(scene: Scene, order: Group): Steps<void> {
  const [orc, obr] = [segmentOf(order, 'ORC'), segmentOf(order, 'OBR')]
  const key = orderKey(orc, obr, value(scene.message.msh, 10))
  const groups = groupsOf(order, 'SPECIMEN')
  const only = groups.length === 1 ? obr : undefined
  const of = { key, group: order }
  const described = groups.map((group, nth) => ({
    group,
    specimen: mapSpecimen(scene, group, { ...of, obr: only }, nth),
  }))
  const ofOrder = groups.length > 0 || obr === undefined ? undefined : mapOrderSpecimen(scene, obr, of)
  const known = yield* mapResults(scene, order, described, { within: key, effective: {} })
  const reasons = groupsOf(order, 'DIAGNOSIS').flatMap(group => conditionOf(scene, group) ?? [])
  const more: Elements = {
    ...listed('reasonReference', reasons),
    ...listed('specimen', ofOrder === undefined ? described.flatMap(({ specimen }) => specimen ?? []) : [ofOrder]),
  }
  const supporting = known.flatMap(({ reference }) => reference ?? [])
  mapRequest(scene, order, { orc, obr, key }, { more, supporting })
}

/**
 * SPM and the orders behind it (OUL R22, R23) → Specimen, and a DiagnosticReport for each order.
 *
 * @see HL7 v2.5.1, 7.3.7
 */
export function* mapSpecimenSet(scene: Scene, set: Group): Steps<void> {
  const orders = groupsOf(set, 'SPECIMEN_REQUEST')
  const [first] = orders
  const [orc, obr] = [segmentOf(first, 'ORC'), segmentOf(first, 'OBR')]
  const key = orderKey(orc, obr, value(scene.message.msh, 10))
  // What OBR says of a specimen is said of this one, where it is examined once.
  const only = orders.length === 1 ? { obr, group: first } : {}
  const specimen = mapSpecimen(scene, set, { key, ...only }, 0)
  yield* mapResults(scene, set, [], { within: key, effective: {}, about: aboutSpecimen(specimen) })
  for (const order of orders) {
    for (const charge of groupsOf(order, 'FINANCIAL')) mapCharge(scene, charge)
    yield* mapReport(scene, order, { set, specimen })
  }
}
