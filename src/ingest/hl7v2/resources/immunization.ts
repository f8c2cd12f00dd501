import type { Resource } from '#fhir'
import type { Namesakes } from '../../outcome.ts'
import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { toConcept } from '../codings.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { unwatched } from '../ledger.ts'
import { field, part, type Segment, value } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf, segmentsOf } from '../structure.ts'
import { lookUp } from '../tables.ts'
import { join, locationOf, reject } from '../telling.ts'
import { toDate, toDateTime } from '../times.ts'
import { joined, keyOf, medicationOf, medicineOf, tellEvent } from './medication.ts'
import { notesWithOrder } from './notes.ts'
import { codesOf, ofNumber } from './numbered.ts'
import { mapObservation } from './observation.ts'
import { performersOf } from './participants.ts'

/** RXA → Immunization in what tells of vaccinations or names a vaccine, else MedicationAdministration. */
export function* mapAdministration(scene: Scene, group: Group, order = group): Steps<void> {
  const rxa = segmentOf(group, 'RXA')
  if (rxa === undefined) return
  // Both count within the order.
  for (const number of [1, 2]) if (/^\d{1,4}$/.test(value(rxa, number))) scene.ledger.keep(rxa, number)
  const isVaccine =
    ['VXU', 'RSP'].includes(scene.row.type) || [3, 6].some(component => value(rxa, 5, component) === 'CVX')
  const giving = { group, order, rxa }
  const given = isVaccine ? mapImmunization(scene, giving) : mapGiven(scene, giving)
  const within = keyOf(scene, rxa, order).join('|')
  const about = given === undefined ? {} : { partOf: [{ reference: given }] }
  for (const obx of groupsOf(group, 'OBSERVATION')) {
    mapObservation(scene, obx, { within, effective: {}, about })
    yield
  }
}

/** What is given by an RXA: the segments of its group, and the order behind which it stands. */
interface Giving {
  readonly group: Group
  readonly order: Group
  readonly rxa: Segment
}

/** What all segments of it say of a resource. */
function saidOf(scene: Scene, type: string, { group, order, rxa }: Giving, ...more: readonly Elements[]): Elements {
  return combined(
    applied(scene, rxa, type),
    ...segmentsOf(group, 'RXR').map(rxr => joined(scene, rxr, rxa, type)),
    applied(scene, segmentOf(order, 'ORC'), type),
    performersOf(scene, group, rxa),
    ...more,
    notesWithOrder(scene, group, order, rxa),
  )
}

/** Keeps it under the order, with who ordered and entered it. */
function kept(scene: Scene, type: string, { order, rxa }: Giving, elements: Elements): string | undefined {
  const orc = segmentOf(order, 'ORC')
  join(scene, orc, rxa)
  const said = { status: 'completed', ...elements }
  const namesakes = ofOrder(rxa)
  const given = emit(scene, rxa, type, keyOf(scene, rxa, order), said, { updates: [rxa, orc], namesakes })
  tellEvent(scene, orc, given)
  return given
}

/**
 * It is known by order, what was given and when. What corrects it (RXA-21 U) may say another vaccine or another day of the same order; what
 * adds one is another one, for senders use one number for several, and what takes one back (D) means that one and no other.
 */
function ofOrder(rxa: Segment): Namesakes {
  const action = value(rxa, 21)
  const said = (text: string) => ({ text: `RXA-21: ${text}`, location: locationOf(rxa, 'RXA-21') })
  return ofNumber({
    isChange: action === 'U',
    parts: [codesGiven, dayGiven],
    mayDiffer: 1,
    several: said('several of the order may be meant; none of them was changed.'),
    ...(action === 'D' ? { none: said('nothing that it takes back is known.') } : {}),
  })
}

function codesGiven({ vaccineCode, medicationCodeableConcept, medicationReference, contained }: Resource) {
  return codesOf(vaccineCode ?? medicineOf({ medicationCodeableConcept, medicationReference, contained }))
}

function dayGiven({ occurrenceDateTime, effectiveDateTime, effectivePeriod }: Resource): readonly string[] {
  const { start } = (effectivePeriod ?? {}) as { readonly start?: string }
  const at = occurrenceDateTime ?? effectiveDateTime ?? start
  // A medicine is given several times a day.
  return [String(at).slice(0, occurrenceDateTime === undefined ? undefined : 10)]
}

/** The visit, by the name that the type has for it. */
function visitOf({ encounter }: Scene, name: string): Elements {
  return encounter === undefined ? {} : { [name]: { reference: encounter } }
}

/**
 * ORC, RXA, RXR and what OBX says of the vaccination → Immunization
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-rxa-to-immunization.html
 */
function mapImmunization(scene: Scene, giving: Giving): string | undefined {
  const { group, rxa } = giving
  const elements = saidOf(scene, 'Immunization', giving, originOf(scene, rxa), observedOf(group))
  if (elements.vaccineCode === undefined) {
    reject(scene, rxa, 'RXA-5')
    return undefined
  }
  return kept(scene, 'Immunization', giving, {
    ...elements,
    patient: scene.context.subject,
    ...visitOf(scene, 'encounter'),
  })
}

/** ORC, RXA and RXR → MedicationAdministration */
function mapGiven(scene: Scene, giving: Giving): string | undefined {
  const medication = medicationOf(saidOf(scene, 'MedicationAdministration', giving))
  if (medication === undefined) {
    reject(scene, giving.rxa, 'RXA-5')
    return undefined
  }
  return kept(scene, 'MedicationAdministration', giving, {
    ...medication,
    subject: scene.context.subject,
    ...visitOf(scene, 'context'),
  })
}

const origins = 'NIP001'

/**
 * RXA-9: what was given here is a primary source, what others or the family told is none. Other notes stay notes.
 *
 * @see https://repository.immregistries.org/files/resources/5bef530428317/hl7_2_5_1_release_1_5__2018_update.pdf NIP001
 */
function originOf(scene: Scene, rxa: Segment): Elements {
  const look = scene.ledger.look(rxa, 9)
  if (look.field.length === 0) return {}
  look.keep()
  const said = look.field.map(repetition => {
    const isOrigin = part(unwatched(repetition), 3) === origins
    if (isOrigin && part(repetition, 1) === '00') return { primarySource: true, reportOrigin: toConcept(repetition) }
    if (isOrigin) return { primarySource: false, reportOrigin: toConcept(repetition) }
    const at = [9, 2, 1].find(component => part(unwatched(repetition), component) !== '')
    return at === undefined ? {} : { note: [{ text: part(repetition, at) }] }
  })
  const { reportOrigin, ...others } = combined(...said) as { readonly reportOrigin?: unknown } & Elements
  // R4 has an origin of what is no primary source.
  return others.primarySource === true || reportOrigin === undefined ? others : { ...others, reportOrigin }
}

/** What an OBX says of the vaccination itself, by LOINC. */
const observed: Readonly<Record<string, (obx: Segment) => Elements>> = {
  '64994-7': obx => ({ programEligibility: listOf(toConcept(field(obx, 5)[0] ?? [])) }),
  '30963-3': obx => ({ fundingSource: toConcept(field(obx, 5)[0] ?? []) }),
  '30973-2': obx => ({ doses: { ...numbered('doseNumber', value(obx, 5)) } }),
  '59782-3': obx => ({ doses: { ...numbered('seriesDoses', value(obx, 5)) } }),
}

/** What an OBX says of a sheet of information, by LOINC: OBX-4 tells which of several. */
const sheets: Readonly<Record<string, (obx: Segment) => Elements>> = {
  '69764-9': obx => ({ documentType: value(obx, 5, 2) || value(obx, 5) || undefined }),
  '30956-7': obx => ({ documentType: value(obx, 5, 2) || value(obx, 5) || undefined }),
  '29768-9': obx => ({ publicationDate: toDate(value(obx, 5)) }),
  '29769-7': obx => ({ presentationDate: toDateTime(value(obx, 5).slice(0, 8), 'Z') }),
}

function listOf<T>(one: T | undefined): readonly T[] | undefined {
  return one === undefined ? undefined : [one]
}

function numbered(name: string, text: string): Elements {
  return /^[1-9]\d{0,3}$/.test(text)
    ? { [`${name}PositiveInt`]: Number(text) }
    : text === ''
      ? {}
      : { [`${name}String`]: text }
}

/** Elements of the Immunization that its OBX say; each is an Observation as well, which is part of it. */
function observedOf(group: Group): Elements {
  const all = groupsOf(group, 'OBSERVATION').flatMap(one => segmentOf(one, 'OBX') ?? [])
  const { doses, ...direct } = combined(...all.map(obx => lookUp(observed, value(obx, 3))?.(obx) ?? {})) as {
    readonly doses?: Elements
  } & Elements
  const bySheet = Map.groupBy(
    all.filter(obx => Object.hasOwn(sheets, value(obx, 3))),
    obx => value(obx, 4),
  )
  const education = [...bySheet.values()]
    .map(segments => combined(...segments.map(obx => lookUp(sheets, value(obx, 3))?.(obx) ?? {})))
    // imm-1: a sheet of which nobody says what it is of stays in its Observations.
    .filter(sheet => sheet.documentType !== undefined)
  const hasNumber = Object.keys(doses ?? {}).some(name => name.startsWith('doseNumber'))
  return {
    ...direct,
    ...(education.length === 0 ? {} : { education }),
    ...(hasNumber ? { protocolApplied: [doses] } : {}),
  }
}
