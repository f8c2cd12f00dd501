import type { Steps } from '#kernel'
import { compact, type Node } from '../../hl7v2/drafts.ts'
import { absence, conceptOf, periodOf, quantityOf, referredText, spanOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { organizationIn } from '../people.ts'
import { eachOf, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'
import { reasonsOf } from './medication.ts'

const templates = {
  refusal: '2.16.840.1.113883.10.20.22.4.53',
  reaction: '2.16.840.1.113883.10.20.22.4.9',
  indication: '2.16.840.1.113883.10.20.22.4.19',
  instruction: '2.16.840.1.113883.10.20.22.4.20',
} as const

const performerFunction = 'http://terminology.hl7.org/CodeSystem/v2-0443'

/**
 * Immunization Activity → Immunization; one that is denied was not done.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-immunizations.html
 */
export function* mapImmunization(
  scene: Scene,
  given: CdaElement,
  row: EntryRow | undefined,
): Steps<string | undefined> {
  if ((given.attribute('moodCode') ?? 'EVN') !== 'EVN') return yield* mapPlannedImmunization(scene, given, row)
  const refusals = nestedOf(given, templates.refusal)
  const indications = nestedOf(given, templates.indication)
  const reactions = nestedOf(given, templates.reaction)
  const instructions = nestedOf(given, templates.instruction)
  const { at } = scene.authorOf(given)
  const status = given.find('statusCode')?.use()
  const isNegated = given.attributes.negationInd === 'true'
  const parts = [...refusals, ...indications, ...reactions, ...instructions]
  useStatus(given)
  given.find('code')?.use('all')
  const kept = scene.keep('Immunization', given, {
    status: isNegated ? 'not-done' : (inSet('immunization-status', status)?.code ?? 'completed'),
    statusReason: refusals.map(one => conceptOf(one.find('code'), scene))[0],
    ...vaccineOf(scene, given),
    patient: scene.subject,
    ...occurrenceOf(scene, given),
    recorded: at,
    ...scene.narrative(given),
    site: conceptOf(given.find('approachSiteCode'), scene),
    route: conceptOf(given.find('routeCode'), scene),
    doseQuantity: quantityOf(given.find('doseQuantity')),
    performer: performersOf(scene, given),
    note: notesOf(scene, given, instructions),
    reasonCode: reasonsOf(scene, indications),
    reaction: (yield* eachOf(reactions, one => reactionOf(scene, one))).flat(),
    protocolApplied: doseNumberOf(given),
  })
  for (const part of parts) useWhole(part)
  yield* scene.rest(given, parts)
  return kept
}

/** When it was given, or would have been. */
function occurrenceOf(scene: Scene, given: CdaElement): Node {
  const time = given.find('effectiveTime')
  const { at, start, end } = spanOf(time, scene)
  const when = at ?? start ?? end
  return when === undefined ? { _occurrenceDateTime: absence(time?.nullFlavor) } : { occurrenceDateTime: when }
}

function vaccineOf(scene: Scene, given: CdaElement): Node {
  const product = given.find('consumable.manufacturedProduct')
  const material = product?.find('manufacturedMaterial')
  const name = textOf(material?.find('name'))
  for (const id of product?.all('id') ?? []) id.use()
  const stated = conceptOf(material?.find('code'), scene)
  if (stated === undefined && name !== '') material?.find('name')?.use('all')
  const lotNumber = textOf(material?.find('lotNumberText')?.use('all'))
  return {
    vaccineCode: stated ?? (name === '' ? absence(material?.find('code')?.nullFlavor) : { text: name }),
    lotNumber: lotNumber === '' ? undefined : lotNumber,
    manufacturer: product && organizationIn(product, scene),
  }
}

function performersOf(scene: Scene, given: CdaElement): readonly Node[] {
  const { who } = scene.authorOf(given)
  const administering = scene.performersOf(given).map(actor => ({ function: functionOf('AP'), actor }))
  return who === undefined ? administering : [...administering, { function: functionOf('EP'), actor: who }]
}

function functionOf(code: string): Node {
  return { coding: [{ system: performerFunction, code }] }
}

function notesOf(scene: Scene, given: CdaElement, instructions: readonly CdaElement[]): readonly Node[] {
  const { note = [] } = scene.notesOf(given) as { note?: readonly Node[] }
  const texts = instructions.flatMap(one => referredText(one.find('text'), scene) ?? [])
  return [...note, ...texts.map(text => ({ text }))]
}

/** Each reaction is an Observation to which the vaccination refers. */
function* reactionOf(scene: Scene, reaction: CdaElement): Steps<readonly Node[]> {
  const date = periodOf(reaction.find('effectiveTime'), scene)?.start
  const reference = yield* scene.map(reaction)
  const found = compact({ date, detail: reference === undefined ? undefined : { reference } })
  return found === undefined ? [] : [found]
}

function doseNumberOf(given: CdaElement): readonly Node[] {
  const number = Number(given.find('repeatNumber')?.attribute('value') ?? Number.NaN)
  if (!Number.isInteger(number) || number < 1 || number > 1000) return []
  given.find('repeatNumber')?.use()
  return [{ doseNumberPositiveInt: number }]
}

/** Planned Immunization Activity: what is to be given is asked for as every medicine is. */
export function* mapPlannedImmunization(
  scene: Scene,
  planned: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const { who, at } = scene.authorOf(planned)
  const { vaccineCode, manufacturer, lotNumber } = vaccineOf(scene, planned)
  const indications = nestedOf(planned, templates.indication)
  const status = planned.find('statusCode')?.use()
  const { at: time, start = time, end } = spanOf(planned.find('effectiveTime'), scene)
  const route = conceptOf(planned.find('routeCode'), scene)
  useStatus(planned)
  if (manufacturer !== undefined || lotNumber !== undefined) scene.tellUnread('substanceAdministration.consumable')
  const dosage = compact({ timing: compact({ repeat: compact({ boundsPeriod: compact({ start, end }) }) }), route })
  const kept = scene.keep('MedicationRequest', planned, {
    status: inSet('medication-request-status', status)?.code ?? 'unknown',
    intent: inSet('intent', planned.attribute('moodCode'))?.code ?? 'plan',
    doNotPerform: planned.attributes.negationInd === 'true' ? true : undefined,
    medicationCodeableConcept: vaccineCode,
    subject: scene.subject,
    authoredOn: at,
    requester: who,
    performer: scene.performersOf(planned)[0],
    reasonCode: reasonsOf(scene, indications),
    dosageInstruction: dosage === undefined ? [] : [dosage],
    ...scene.notesOf(planned),
  })
  for (const one of indications) useWhole(one)
  yield* scene.rest(planned, indications)
  return kept
}
