import type { Steps } from '#kernel'
import { compact, Draft, type Node } from '../../hl7v2/drafts.ts'
import { conceptOf, periodOf, quantityOf, rangeOf, referredText, timeOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { organizationIn } from '../people.ts'
import { nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { courseOf, timingOf } from '../timing.ts'
import { useWhole } from './condition.ts'

const templates = {
  indication: '2.16.840.1.113883.10.20.22.4.19',
  instruction: '2.16.840.1.113883.10.20.22.4.20',
  precondition: '2.16.840.1.113883.10.20.22.4.25',
  sig: '2.16.840.1.113883.10.20.22.4.147',
  order: '2.16.840.1.113883.10.20.22.4.17',
  dispense: '2.16.840.1.113883.10.20.22.4.18',
} as const

/**
 * Medication Activity → MedicationStatement, or MedicationRequest where it is intended or asked for.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-medications.html; what was taken is a statement here, since nobody has asked for it
 */
export function* mapMedication(
  scene: Scene,
  administration: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const medication = medicationOf(scene, administration, 'consumable')
  const indications = nestedOf(administration, templates.indication)
  const { dosage, parts } = dosageOf(scene, administration)
  const { who, at } = scene.authorOf(administration)
  const course = courseOf(administration.all('effectiveTime'), scene)
  const status = administration.find('statusCode')?.use()
  const isNegated = administration.attributes.negationInd === 'true'
  const shared = {
    ...medication,
    subject: scene.subject,
    reasonCode: reasonsOf(scene, indications),
    ...scene.notesOf(administration),
  }
  useStatus(administration)
  administration.find('code')?.use('all')
  const mood = administration.attribute('moodCode') ?? 'EVN'
  const kept =
    mood === 'EVN'
      ? scene.keep('MedicationStatement', administration, {
          status: isNegated ? 'not-taken' : (inSet('medication-status', status)?.code ?? 'unknown'),
          ...shared,
          effectiveDateTime: course.at,
          effectivePeriod: course.bounds,
          dateAsserted: at,
          informationSource: who ?? scene.performersOf(administration)[0],
          dosage: dosage === undefined ? [] : [dosage],
        })
      : scene.keep('MedicationRequest', administration, {
          status: inSet('medication-request-status', status)?.code ?? 'unknown',
          intent: inSet('intent', mood)?.code ?? 'plan',
          doNotPerform: isNegated ? true : undefined,
          ...shared,
          authoredOn: at,
          requester: who,
          performer: scene.performersOf(administration)[0],
          dosageInstruction: dosage === undefined ? [] : [dosage],
        })
  for (const indication of indications) useWhole(indication)
  yield* supplies(scene, administration, medication)
  const isPart = [
    ...indications,
    ...parts,
    ...nestedOf(administration, templates.order),
    ...nestedOf(administration, templates.dispense),
  ]
  yield* scene.rest(administration, isPart)
  return kept
}

/** Orders and dispenses within a medication are of that medication where they do not name one. */
function* supplies(scene: Scene, administration: CdaElement, medication: Node): Steps<void> {
  for (const order of nestedOf(administration, templates.order))
    yield* mapSupplyOrder(scene, order, undefined, medication)
  for (const dispense of nestedOf(administration, templates.dispense))
    yield* mapDispense(scene, dispense, undefined, medication)
}

/** What is taken: a code, and a Medication where more than that is known. */
export function medicationOf(scene: Scene, element: CdaElement, within: 'consumable' | 'product'): Node {
  const product = element.find(`${within}.manufacturedProduct`)
  const material = product?.find('manufacturedMaterial') ?? product?.find('manufacturedLabeledDrug')
  const name = textOf(material?.find('name'))
  const stated = conceptOf(material?.find('code'), scene)
  if (name !== '') material?.find('name')?.use('all')
  for (const id of product?.all('id') ?? []) id.use()
  const code = (stated ?? (name === '' ? undefined : { text: name })) as Node | undefined
  const lot = textOf(material?.find('lotNumberText')?.use('all'))
  const manufacturer = product && organizationIn(product, scene)
  const ingredient = vehiclesOf(scene, element)
  const more = compact({ manufacturer, batch: lot === '' ? undefined : { lotNumber: lot }, ingredient })
  if (more === undefined || code === undefined)
    return { medicationCodeableConcept: code ?? scene.codeOrAbsence(material?.find('code')) }
  const display = (code.text as string | undefined) ?? name
  return { medicationReference: new Draft('Medication', { code, ...more }, display) }
}

/** Drug vehicle: in what it is taken. */
function vehiclesOf(scene: Scene, element: CdaElement): readonly Node[] {
  const roles = element
    .all('participant')
    .filter(one => one.attributes.typeCode === 'CSM')
    .flatMap(one => one.all('participantRole'))
  return roles.flatMap(role => {
    role.find('code')?.use('all')
    const entity = role.find('playingEntity')
    const name = textOf(entity?.find('name')?.use('all'))
    const code = conceptOf(entity?.find('code'), scene)
    const item = name === '' ? code : { ...code, text: name }
    return item === undefined ? [] : [{ itemCodeableConcept: item, isActive: false }]
  })
}

/** Why: the problems that are given as indications. */
export function reasonsOf(scene: Scene, indications: readonly CdaElement[]): readonly Node[] {
  return indications.flatMap(one => {
    const text = referredText(one.find('text'), scene)
    const reason = conceptOf(one.find('value'), scene) ?? (text === undefined ? undefined : { text })
    return reason === undefined ? [] : [reason as Node]
  })
}

interface Dosed {
  readonly dosage: Node | undefined
  readonly parts: readonly CdaElement[]
}

/** The signature: in words, how much, how often, on which way, and when it is needed. */
function dosageOf(scene: Scene, administration: CdaElement): Dosed {
  const sigs = nestedOf(administration, templates.sig)
  const instructions = nestedOf(administration, templates.instruction)
  const texts = [...sigs.map(sig => sig.find('text')), administration.find('text')]
  const [text] = texts.flatMap(one => referredText(one, scene) ?? [])
  const course = courseOf(administration.all('effectiveTime'), scene)
  const mood = administration.attribute('moodCode') ?? 'EVN'
  const dosage = compact({
    text,
    patientInstruction: instructions.flatMap(one => referredText(one.find('text'), scene) ?? []).join('\n'),
    timing: timingOf(course.timing === undefined && mood === 'EVN' ? {} : course),
    ...neededFor(scene, administration),
    site: conceptOf(administration.find('approachSiteCode'), scene),
    route: conceptOf(administration.find('routeCode'), scene),
    doseAndRate: doseOf(scene, administration),
    maxDosePerPeriod: ratioIn(administration.find('maxDoseQuantity')),
  })
  for (const one of [...sigs, ...instructions]) {
    useWhole(one)
    one.find('consumable')?.use('all')
  }
  return { dosage, parts: [...sigs, ...instructions] }
}

function ratioIn(element: CdaElement | undefined): Node | undefined {
  const [numerator, denominator] = [quantityOf(element?.find('numerator')), quantityOf(element?.find('denominator'))]
  return numerator === undefined || denominator === undefined ? undefined : { numerator, denominator }
}

/** A precondition: the medicine is taken when something is so. */
function neededFor(scene: Scene, administration: CdaElement): Node {
  const criteria = administration.at('precondition.criterion')
  for (const criterion of criteria) {
    criterion.find('code')?.use('all')
    const concept = conceptOf(criterion.find('value'), scene) ?? conceptOf(criterion.find('code'), scene)
    const text = referredText(criterion.find('text'), scene)
    if (concept !== undefined) return { asNeededCodeableConcept: concept }
    if (text !== undefined) return { asNeededCodeableConcept: { text } }
  }
  return criteria.length > 0 ? { asNeededBoolean: true } : {}
}

/** A dose without a unit counts the form in which it is given. */
function doseOf(scene: Scene, administration: CdaElement): readonly Node[] {
  const [dose, rate] = [administration.find('doseQuantity'), administration.find('rateQuantity')]
  const found = dose && rangeOf(dose)
  const quantity = found?.valueQuantity as Node | undefined
  const isUnitless = quantity !== undefined && (quantity.unit === undefined || quantity.unit === '1')
  const form = isUnitless ? conceptOf(administration.find('administrationUnitCode'), scene) : undefined
  const counted =
    quantity !== undefined && form !== undefined
      ? { ...quantity, unit: form.text ?? form.coding?.[0]?.code, system: undefined, code: undefined }
      : quantity
  const speed = rate && rangeOf(rate)
  const whole = compact({
    doseQuantity: counted && compact(counted),
    doseRange: found?.valueRange,
    rateQuantity: speed?.valueQuantity,
    rateRange: speed?.valueRange,
  })
  return whole === undefined ? [] : [whole]
}

/** Medication Supply Order → MedicationRequest. */
export function* mapSupplyOrder(
  scene: Scene,
  supply: CdaElement,
  _row?: EntryRow,
  medication?: Node,
): Steps<string | undefined> {
  const { who, at } = scene.authorOf(supply)
  const status = supply.find('statusCode')?.use()
  const instructions = nestedOf(supply, templates.instruction)
  const fills = Number(supply.find('repeatNumber')?.attribute('value') ?? Number.NaN)
  const isCounted = Number.isInteger(fills) && fills >= 1 && fills < 10_000
  if (isCounted) supply.find('repeatNumber')?.use()
  const mood = supply.attribute('moodCode')
  useStatus(supply)
  const text = instructions.flatMap(one => referredText(one.find('text'), scene) ?? []).join('\n')
  for (const one of instructions) useWhole(one)
  const kept = scene.keep('MedicationRequest', supply, {
    status: inSet('medication-request-status', status)?.code ?? 'unknown',
    intent: mood === 'INT' ? 'order' : (inSet('intent', mood)?.code ?? 'order'),
    ...(supply.find('product') === undefined ? medication : medicationOf(scene, supply, 'product')),
    subject: scene.subject,
    authoredOn: at,
    requester: who,
    dosageInstruction: text === '' ? [] : [{ patientInstruction: text }],
    dispenseRequest: {
      validityPeriod: periodOf(supply.find('effectiveTime'), scene),
      // A number of fills has the first among them.
      numberOfRepeatsAllowed: isCounted ? fills - 1 : undefined,
      quantity: quantityOf(supply.find('quantity')),
    },
    ...scene.notesOf(supply),
  })
  yield* scene.rest(supply, instructions)
  return kept
}

/** Medication Dispense → MedicationDispense. */
export function* mapDispense(
  scene: Scene,
  supply: CdaElement,
  _row?: EntryRow,
  medication?: Node,
): Steps<string | undefined> {
  const status = supply.find('statusCode')?.use()
  const time = supply.find('effectiveTime')
  const actors = scene.performersOf(supply)
  useStatus(supply)
  const kept = scene.keep('MedicationDispense', supply, {
    status: inSet('dispense-status', status)?.code ?? 'unknown',
    ...(supply.find('product') === undefined ? medication : medicationOf(scene, supply, 'product')),
    subject: scene.subject,
    performer: actors.map(actor => ({ actor })),
    quantity: quantityOf(supply.find('quantity')),
    whenHandedOver: timeOf(time, scene) ?? timeOf(time?.find('low'), scene),
    ...scene.notesOf(supply),
  })
  yield* scene.rest(supply)
  return kept
}
