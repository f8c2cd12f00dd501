import type { Steps } from '../../turns.ts'
import { value } from '../message.ts'
import type { Elements, Mapper, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { conditionOf, mapCondition } from './condition.ts'
import { listed, mapReport, mapResults, orderKey } from './diagnostic-report.ts'
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
  ADMINISTRATION: mapAdministration,
}

/** ORC and what it is about: medicines, or what is examined, ordered or reported. */
export function* mapOrder(scene: Scene, order: Group): Steps<void> {
  const given = Object.entries(treatments).flatMap(([name, map]) =>
    groupsOf(order, name).map(group => [map, group] as const),
  )
  for (const [map, group] of given) yield* map(scene, group, order) ?? []
  const isAsked = given.length === 0 && scene.row.asks === true
  if (!isAsked) for (const group of groupsOf(order, 'DIAGNOSIS')) mapCondition(scene, group)
  if (given.length > 0) return
  yield* isAsked ? mapAsked(scene, order) : mapReport(scene, order)
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
  const described = groups.flatMap((spm, nth) => mapSpecimen(scene, spm, key, nth, only) ?? [])
  const ofOrder = groups.length > 0 || obr === undefined ? undefined : mapOrderSpecimen(scene, obr, key)
  const known = yield* mapResults(scene, order, groups, { within: key, effective: {} })
  const reasons = groupsOf(order, 'DIAGNOSIS').flatMap(group => conditionOf(scene, group) ?? [])
  const more: Elements = {
    ...listed('reasonReference', reasons),
    ...listed('specimen', ofOrder === undefined ? described : [ofOrder]),
    ...listed(
      'supportingInfo',
      known.flatMap(({ reference }) => reference ?? []),
    ),
  }
  mapRequest(scene, order, { orc, obr, key }, more)
}
