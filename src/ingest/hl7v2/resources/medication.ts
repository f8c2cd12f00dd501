import { withContained } from '../../contained.ts'
import type { Namesakes } from '../../outcome.ts'
import { applied, givenAs } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { type Segment, value } from '../message.ts'
import { type Elements, idOf, inEncounter, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf, segmentsOf } from '../structure.ts'
import { lookUp } from '../tables.ts'
import { join, reject } from '../telling.ts'
import { orderKey } from './diagnostic-report.ts'
import { notesWithOrder } from './notes.ts'
import { codesOf, ofNumber } from './numbered.ts'
import { ordererOf } from './participants.ts'
import { mapOrderEvent } from './provenance.ts'
import { timingsOf } from './request.ts'

/** How an order speaks of a medicine: the field of its code, and what kind of order it is. */
const prescriptions: Readonly<Record<string, { readonly code: number; readonly intent: string }>> = {
  // "The original prescription", and as the pharmacy encodes it: HL7 v2.5.1, 4.14.1 and 4.14.4.
  RXO: { code: 1, intent: 'original-order' },
  RXE: { code: 2, intent: 'filler-order' },
  // "The pharmacy … give": one of the times at which it is to be given: 4.14.6.
  RXG: { code: 4, intent: 'instance-order' },
}

/**
 * ORC with RXO or RXE, RXR and TQ1 → MedicationRequest
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-rxo-to-medicationrequest.html
 */
export function mapPrescription(scene: Scene, group: Group, order: Group): void {
  const [rx] = group.segments
  const row = lookUp(prescriptions, rx?.name ?? '')
  if (rx === undefined || row === undefined) return
  if (rx.name === 'RXG') keepCounters(scene, rx)
  const orc = segmentOf(order, 'ORC')
  const routes = segmentsOf(group, 'RXR').map(rxr => joined(scene, rxr, rx, 'MedicationRequest'))
  const timings = [...timingsOf(scene, order, rx), ...timingsOf(scene, group, rx)]
  const timed = timings.map(tq1 => applied(scene, tq1, 'MedicationRequest'))
  const own = withExactDose(applied(scene, rx, 'MedicationRequest'))
  const parts = [
    givenAs(scene, rx, 'MedicationRequest', own),
    ...routes,
    ...timed,
    applied(scene, orc, 'MedicationRequest'),
  ]
  const told = combined(...parts.map(withoutDosage), notesWithOrder(scene, group, order, rx))
  const ordered = told.requester === undefined ? combined(told, ordererOf(scene, order, rx)) : told
  const elements = { ...ordered, ...dosageOf(parts) }
  const medication = medicationOf(elements, ingredientsOf(scene, group, rx))
  if (medication === undefined) {
    reject(scene, rx, `${rx.name}-${row.code}`)
    return
  }
  join(scene, orc, rx)
  const said = {
    status: 'unknown',
    intent: row.intent,
    ...medication,
    subject: scene.context.subject,
    ...inEncounter(scene),
    ...basedOn(scene, rx, order),
  }
  const meeting = { updates: [rx, orc], namesakes: ofOrder(orc, rx, row) }
  const request = emit(scene, rx, 'MedicationRequest', keyOf(scene, rx, order), said, meeting)
  tellEvent(scene, orc, request)
}

/** They number it within its order. */
function keepCounters(scene: Scene, rx: Segment): void {
  for (const number of [1, 2]) if (/^\d{1,4}$/.test(value(rx, number))) scene.ledger.keep(rx, number)
}

/** Table 0119: what changes, ends or takes up again what was ordered under the number. */
const changing = new Set(['XO', 'XX', 'CA', 'OC', 'CR', 'DC', 'OD', 'DR', 'HD', 'OH', 'HR', 'RL', 'OE'])

/** It is known by order and medicine. What changes it may name another medicine; what is new is another one. */
function ofOrder(orc: Segment | undefined, rx: Segment, { intent }: { readonly intent: string }): Namesakes {
  const place = orc === undefined ? rx : orc
  const text = 'ORC-1: several medicines of the order may be meant; none of them was changed.'
  const found = ofNumber({
    // Each time at which something is to be given is one of several of the order.
    isChange: rx.name !== 'RXG' && changing.has(value(orc, 1)),
    parts: [one => codesOf(medicineOf(one))],
    mayDiffer: 1,
    several: { text, location: `${place.name}^${place.nth}^1` },
  })
  return {
    ...found,
    isLikely: (...given) => rx.name !== 'RXG' && found.isLikely(...given),
    isIt: (other, anew) => other.intent === intent && found.isIt(other, anew),
  }
}

/** The code of a medicine, where it is a Medication too. */
export function medicineOf(resource: Elements): unknown {
  const { medicationCodeableConcept, medicationReference, contained } = resource
  if (medicationCodeableConcept !== undefined) return medicationCodeableConcept
  const { reference = '' } = (medicationReference ?? {}) as { readonly reference?: string }
  const all = (Array.isArray(contained) ? contained : []) as readonly Elements[]
  return all.find(({ id }) => `#${String(id)}` === reference)?.code
}

/** The pharmacy's order is based on the doctor's, where the message has both. */
function basedOn(scene: Scene, rx: Segment, order: Group): Elements {
  const [original] = groupsOf(order, 'PRESCRIPTION')
  const rxo = segmentOf(original, 'RXO')
  if (rx.name === 'RXO' || rxo === undefined || medicationCode(rxo, 1) === '') return {}
  return { basedOn: [{ reference: `MedicationRequest/${idOf(scene, 'MedicationRequest', keyOf(scene, rxo, order))}` }] }
}

/** ORC with RXD and RXR → MedicationDispense: what was handed over. */
export function mapDispense(scene: Scene, group: Group, order: Group): void {
  const [rxd] = group.segments
  if (rxd === undefined) return
  const orc = segmentOf(order, 'ORC')
  const routes = segmentsOf(group, 'RXR').map(rxr => joined(scene, rxr, rxd, 'MedicationDispense'))
  const parts = [applied(scene, rxd, 'MedicationDispense'), ...routes, applied(scene, orc, 'MedicationDispense')]
  const elements = {
    ...combined(...parts.map(withoutDosage), notesWithOrder(scene, group, order, rxd)),
    ...dosageOf(parts),
  }
  const medication = medicationOf(elements, ingredientsOf(scene, group, rxd))
  if (medication === undefined) {
    reject(scene, rxd, 'RXD-2')
    return
  }
  join(scene, orc, rxd)
  const encounter = scene.encounter === undefined ? {} : { context: { reference: scene.encounter } }
  const said = { status: 'completed', ...medication, subject: scene.context.subject, ...encounter }
  tellEvent(scene, orc, emit(scene, rxd, 'MedicationDispense', keyOf(scene, rxd, order), said, { updates: [rxd, orc] }))
}

/** Who entered, verified and did it. */
export function tellEvent(scene: Scene, orc: Segment | undefined, what: string | undefined): void {
  if (orc !== undefined && what !== undefined) mapOrderEvent(scene, orc, what)
}

/** A segment that went into the resource of another, and what it gives there. */
export function joined(scene: Scene, segment: Segment, owner: Segment, resource: string): Elements {
  join(scene, segment, owner)
  return applied(scene, segment, resource)
}

/** The order, the kind of segment, the medicine, and of what was handed over or given which time it was. */
export function keyOf(scene: Scene, rx: Segment, order: Group): readonly string[] {
  const orc = segmentOf(order, 'ORC')
  const [code = 1, time] = places[rx.name] ?? []
  const counter = rx.name === 'RXD' || rx.name === 'RXA' ? [value(rx, 1), value(rx, 2, 1)] : []
  const at = time === undefined ? [] : [...counter.slice(0, 1), value(rx, time)]
  // Each give has a number within its order: 4.14.6.1.
  if (rx.name === 'RXG') at.push(value(rx, 1))
  return [orderKey(orc, undefined, value(scene.message.msh, 10)), rx.name, medicationCode(rx, code), ...at]
}

/** Where code and time stand. */
const places: Readonly<Record<string, readonly [code: number, time?: number]>> = {
  RXO: [1],
  RXE: [2],
  RXD: [2, 3],
  RXG: [4],
  RXA: [5, 3],
}

function medicationCode(rx: Segment, at: number): string {
  return value(rx, at) || value(rx, at, 2)
}

type Dosed = Elements & { readonly dosageInstruction?: readonly Elements[] }

function withoutDosage({ dosageInstruction: _, ...others }: Elements): Elements {
  return others
}

/** All segments speak of one dosage; what several say of the same thing in different ways are several. */
function dosageOf(parts: readonly Elements[]): Elements {
  const said = parts.flatMap(part => (part as Dosed).dosageInstruction ?? [])
  const dosages: Elements[] = []
  for (const one of said) {
    const at = dosages.findIndex(known => !Object.keys(one).some(name => contradicts(known[name], one[name])))
    if (at < 0) dosages.push(one)
    else dosages[at] = merged(dosages[at] ?? {}, one)
  }
  return dosages.length === 0 ? {} : { dosageInstruction: dosages }
}

function contradicts(known: unknown, anew: unknown): boolean {
  if (known === undefined || Array.isArray(known)) return false
  return JSON.stringify(known) !== JSON.stringify(anew)
}

/** A dose that TQ1 says stands with the rate that RXO says; the range of an order comes before the quantity of its timing. */
function merged(one: Elements, other: Elements): Elements {
  const [[first], [second]] = [dosesOf(one), dosesOf(other)]
  const { doseAndRate: _, ...rest } = combined(one, other)
  if (first === undefined && second === undefined) return rest
  const { doseQuantity, ...more } = second ?? {}
  const isDosed = first?.doseQuantity !== undefined || first?.doseRange !== undefined
  const dose = isDosed || doseQuantity === undefined ? {} : { doseQuantity }
  return { ...rest, doseAndRate: [{ ...first, ...more, ...dose }] }
}

function dosesOf({ doseAndRate = [] }: { readonly doseAndRate?: readonly Elements[] }): readonly Elements[] {
  return doseAndRate
}

/** "In a non-varying dose order, this is the exact amount": HL7 v2.5.1, 4.14.1.2. */
function withExactDose(elements: Elements): Elements {
  const { dosageInstruction = [] } = elements as Dosed
  const [dosage, ...others] = dosageInstruction
  const [dose] = dosesOf(dosage ?? {})
  const { doseRange, ...rest } = (dose ?? {}) as { doseRange?: { low?: Elements; high?: Elements } }
  if (doseRange?.low === undefined || doseRange.high !== undefined) return elements
  const exact = { ...dosage, doseAndRate: [{ ...rest, doseQuantity: doseRange.low }] }
  return { ...elements, dosageInstruction: [exact, ...others] }
}

type Medicated = Elements & {
  readonly medicationReference?: { readonly reference: string }
  readonly contained?: readonly Elements[]
}

/**
 * A medicine of which only the code is known is that code; form, strength and batch need a Medication. Undefined when no medicine is
 * named.
 */
export function medicationOf(elements: Elements, ingredients: readonly Elements[] = []): Elements | undefined {
  const { medicationReference, contained = [], ...others } = elements as Medicated
  const medicine = contained.find(({ id }) => medicationReference?.reference === `#${String(id)}`)
  if (medicine?.code === undefined) return undefined
  const made = ingredients.length === 0 ? medicine : { ...medicine, ...madeOf(medicine, ingredients) }
  const { resourceType: _, id: __, code, ...more } = made
  const isBare = Object.keys(more).length === 0
  const rest = contained.filter(one => one !== medicine)
  const known = { contained: isBare ? rest : [...rest, withWholeStrength(made)] }
  const medication = isBare ? { medicationCodeableConcept: code } : { medicationReference }
  // Who is named by the order and by the prescription is contained twice, and referred to once.
  return withContained({ ...others, ...medication }, known)
}

function madeOf({ ingredient = [] }: { readonly ingredient?: readonly Elements[] }, others: readonly Elements[]) {
  return { ingredient: [...ingredient, ...others] }
}

/** RXC → what the medicine is made of: base and additives (table 0166). */
function ingredientsOf(scene: Scene, group: Group, rx: Segment): readonly Elements[] {
  return segmentsOf(group, 'RXC').flatMap(rxc => {
    const elements = joined(scene, rxc, rx, 'Ingredient')
    if (elements.itemCodeableConcept === undefined) {
      reject(scene, rxc, 'RXC-2')
      return []
    }
    // An additive is what is active, a base is not.
    const kind = value(rxc, 1)
    if (kind === 'A' || kind === 'B') scene.ledger.keep(rxc, 1)
    return [{ ...elements, ...(kind === 'A' ? { isActive: true } : kind === 'B' ? { isActive: false } : {}) }]
  })
}

/** A strength is a ratio, of which both parts are there: https://hl7.org/fhir/R4/datatypes.html#Ratio, rat-1. Without a volume it is of one piece. */
function withWholeStrength(medicine: Elements): Elements {
  const { ingredient } = medicine as { ingredient?: readonly { strength?: Elements }[] }
  if (ingredient === undefined) return medicine
  const whole = ingredient.map(({ strength, ...one }) =>
    strength === undefined
      ? one
      : { ...one, strength: { ...strength, denominator: strength.denominator ?? { value: 1 } } },
  )
  return { ...medicine, ingredient: whole }
}
