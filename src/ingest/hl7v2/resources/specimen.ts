import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, isEmpty, type Segment, value } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'
import { type Group, segmentOf } from '../structure.ts'
import { notesOf } from './notes.ts'
import { collectorsOf, orderCollector, saysCollector } from './participants.ts'

/** The order that a specimen is of. */
export interface OrderOfSpecimen {
  readonly key: string
  readonly group?: Group | undefined
  /** Its OBR, where it says of this specimen what it says of one. */
  readonly obr?: Segment | undefined
}

/** SPM → Specimen */
export function mapSpecimen(scene: Scene, group: Group, order: OrderOfSpecimen, nth: number): string | undefined {
  const spm = segmentOf(group, 'SPM')
  if (spm === undefined) return undefined
  const { obr } = order
  const given = combined(applied(scene, spm, 'Specimen'), notesOf(scene, group), collectorsOf(scene, group, spm))
  const filledUp = obr !== undefined && saysSpecimen(obr) ? filled(given, applied(scene, obr, 'Specimen')) : given
  const elements = withCollector(scene, filledUp, order.group, spm)
  const key = [order.key, value(spm, 2, 2), String(nth)]
  return emit(scene, spm, 'Specimen', key, { ...elements, subject: scene.context.subject }, { updates: [spm, obr] })
}

/** Who collected all specimens of an order, where nothing says it of this one. */
function withCollector(scene: Scene, elements: Elements, order: Group | undefined, owner: Segment): Elements {
  const { collector } = (elements.collection ?? {}) as Elements
  if (order === undefined || collector !== undefined) return elements
  return combined(elements, orderCollector(scene, order, owner))
}

/** What OBR says fills what SPM leaves open; what either notes is kept. */
function filled(given: Elements, other: Elements): Elements {
  const { collection, note, contained, ...more } = other as { collection?: Elements } & Elements
  const own = (given.collection ?? {}) as Elements
  const { collectedDateTime, collectedPeriod, ...rest } = collection ?? {}
  const isTimed = own.collectedDateTime !== undefined || own.collectedPeriod !== undefined
  const whole = { ...(isTimed ? rest : collection), ...own }
  const lists = combined({ note: given.note, contained: given.contained }, { note, contained })
  return { ...more, ...given, ...lists, ...(Object.keys(whole).length === 0 ? {} : { collection: whole }) }
}

/** Fields of OBR that speak of a specimen and of nothing else: how much, by whom, received when, from where. */
const specimenFields = [9, 10, 14, 15, 39]

/**
 * OBR → Specimen, as before HL7 v2.5 had SPM. What OBR says of a specimen beside one SPM is said of that one.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obr-to-specimen.html
 */
export function mapOrderSpecimen(scene: Scene, obr: Segment, { key, group }: OrderOfSpecimen): string | undefined {
  if (!saysSpecimen(obr) && (group === undefined || !saysCollector(group))) return undefined
  const elements = withCollector(scene, applied(scene, obr, 'Specimen'), group, obr)
  const said = { ...elements, subject: scene.context.subject }
  return emit(scene, obr, 'Specimen', [key, 'OBR'], said, { updates: [obr] })
}

function saysSpecimen(obr: Segment): boolean {
  return specimenFields.some(number => !isEmpty(field(obr, number)))
}
