import { printJson, type Resource } from '#fhir'
import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import { type Elements, inEncounter, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { isBefore, toDateTime } from '../times.ts'
import { noteText } from './notes.ts'
import { isAnswer, type MappedObservation, mapObservation, type ObservationPlace } from './observation.ts'
import { reportParticipants } from './participants.ts'
import { mapRequest } from './request.ts'
import { mapOrderSpecimen, mapSpecimen } from './specimen.ts'

/** The specimen behind which an order stands. */
interface SpecimenAround {
  readonly set: Group
  readonly specimen: string | undefined
}

/** ORC, OBR and what follows → DiagnosticReport, its ServiceRequest, Specimens and Observations */
export function* mapReport(scene: Scene, group: Group, around?: SpecimenAround): Steps<void> {
  const [orc, obr] = [segmentOf(group, 'ORC'), segmentOf(group, 'OBR')]
  const key = orderKey(orc, obr, value(scene.message.msh, 10))
  const ordered = { orc, obr, key }
  // What the one who ordered knew is said with the order, and is no result.
  const specimens = groupsOf(group, 'SPECIMEN')
  const isAnswered = [group, ...specimens].some(hasAnswer)
  const early = isAnswered && obr !== undefined ? undefined : mapRequest(scene, group, ordered)
  if (obr === undefined) return yield* mapUnreported(scene, group, key, early)
  const report = combined(applied(scene, obr, 'DiagnosticReport'), applied(scene, orc, 'DiagnosticReport', [obr]))
  const only = specimens.length === 1 ? obr : undefined
  const of = { key, group }
  const described = specimens.map((one, nth) => ({
    group: one,
    specimen: mapSpecimen(scene, one, { ...of, obr: only }, nth),
  }))
  const isAlone = specimens.length === 0 && around === undefined
  const ofOrder = isAlone ? mapOrderSpecimen(scene, obr, of) : around?.specimen
  const specimen = [ofOrder, ...described.map(one => one.specimen)].filter(one => one !== undefined)
  const timed = around === undefined ? specimens : [around.set, ...specimens]
  const within = { within: key, effective: timeOf(report) ?? collectedAt(scene, timed), isReported: true as const }
  const all = yield* mapResults(scene, group, described, within)
  const supporting = all.flatMap(({ supports, reference }) => (supports && reference !== undefined ? reference : []))
  const request = isAnswered ? mapRequest(scene, group, ordered, { supporting }) : early
  const results = request === undefined ? all : all.filter(({ supports }) => !supports)
  const isListed = (result: MappedObservation) => result.withdrawn === undefined
  const [attachments, takenBack] = [all.filter(isListed), all.filter(result => !isListed(result))].map(some =>
    some.flatMap(result => result.attachments),
  )
  const conclusion = noteText(scene, group, obr)
  const said = {
    status: 'unknown',
    code: { text: 'Result' },
    ...combined(report, reportParticipants(scene, group, obr)),
    subject: scene.context.subject,
    ...inEncounter(scene),
    ...listed('basedOn', request === undefined ? [] : [request]),
    ...listed('specimen', specimen),
    ...listed(
      'result',
      results.flatMap(({ reference }) => reference ?? []),
    ),
    ...(attachments === undefined || attachments.length === 0 ? {} : { presentedForm: attachments }),
    ...(conclusion === '' ? {} : { conclusion }),
  }
  const withdrawn = new Set(all.map(result => result.withdrawn).filter(one => one !== undefined))
  const gone = { result: withdrawn, presentedForm: new Set(takenBack?.map(form => printJson(form))) }
  const over = (_: Resource, whole: Resource) => withoutGone(whole, gone)
  const takesFrom = withdrawn.size > 0 ? Object.keys(gone) : []
  emit(scene, obr, 'DiagnosticReport', [key], said, { updates: [obr, orc], over, takesFrom })
}

/** What was observed behind an ORC alone, in no report: Observations of what it ordered, and the Specimens. */
function* mapUnreported(scene: Scene, group: Group, key: string, request: string | undefined): Steps<void> {
  const specimens = groupsOf(group, 'SPECIMEN')
  const of = { key, group, obr: undefined }
  const described = specimens.map((one, nth) => ({ group: one, specimen: mapSpecimen(scene, one, of, nth) }))
  const about = listed('basedOn', request === undefined ? [] : [request])
  yield* mapResults(scene, group, described, { within: key, effective: collectedAt(scene, specimens), about })
}

function hasAnswer(group: Group): boolean {
  return groupsOf(group, 'OBSERVATION').some(({ segments: [obx] }) => isAnswer(obx))
}

/** References to results, and documents as text. */
interface Gone {
  readonly result: ReadonlySet<string>
  readonly presentedForm: ReadonlySet<string>
}

/** "Observations that are part of this diagnostic report": what was deleted, or posted as wrong, is none. */
function withoutGone(report: Resource, gone: Gone): Resource {
  if (gone.result.size === 0) return report
  const { result, presentedForm, ...rest } = report as Resource & Partial<Record<keyof Gone, readonly Elements[]>>
  const results = result?.filter(({ reference }) => !gone.result.has(String(reference))) ?? []
  const forms = presentedForm?.filter(form => !gone.presentedForm.has(printJson(form))) ?? []
  return {
    ...rest,
    ...(results.length === 0 ? {} : { result: results }),
    ...(forms.length === 0 ? {} : { presentedForm: forms }),
  }
}

export function listed(name: string, references: readonly string[]): Elements {
  return references.length === 0 ? {} : { [name]: references.map(reference => ({ reference })) }
}

/** A group in an order, and the specimen that it is of. */
interface Described {
  readonly group: Group
  /** `Specimen/id` */
  readonly specimen?: string | undefined
}

/** The observations of an order and of its specimens. */
export function* mapResults(
  scene: Scene,
  group: Group,
  specimens: readonly Described[],
  within: ObservationPlace,
): Steps<readonly MappedObservation[]> {
  const mapped: MappedObservation[] = []
  for (const { group: one, specimen } of [{ group }, ...specimens] as readonly Described[]) {
    const about = { ...within.about, ...aboutSpecimen(specimen) }
    for (const obx of groupsOf(one, 'OBSERVATION')) {
      mapped.push(mapObservation(scene, obx, { ...within, about }))
      yield
    }
  }
  return mapped
}

/** OBX behind SPM: what was observed of the specimen, and in it. */
export function aboutSpecimen(specimen: string | undefined): Elements {
  return specimen === undefined ? {} : { focus: [{ reference: specimen }], specimen: { reference: specimen } }
}

/** OBR-7 and OBR-8 are the time of the results that have none of their own: HL7 v2.5.1, 7.4.1.7. */
function timeOf({ effectiveDateTime, effectivePeriod }: Elements): Elements | undefined {
  if (effectiveDateTime !== undefined) return { effectiveDateTime }
  return effectivePeriod === undefined ? undefined : { effectivePeriod }
}

/** Else SPM-17: a result is true of the time when its specimen was taken. */
function collectedAt({ zone }: Scene, specimens: readonly Group[]): Elements {
  const spm = specimens.map(group => segmentOf(group, 'SPM')).find(one => value(one, 17) !== '')
  const [start, end] = [1, 2].map(component => toDateTime(value(spm, 17, component), zone))
  if (start === undefined) return {}
  return end === undefined || isBefore(end, start) ? { effectiveDateTime: start } : { effectivePeriod: { start, end } }
}

/** Filler's number, else placer's, else what was ordered and when. */
export function orderKey(orc: Segment | undefined, obr: Segment | undefined, controlId: string): string {
  const number = (segment: Segment | undefined, at: number) => {
    const [first] = field(segment, at)
    return part(first, 1) === '' ? '' : [1, 2, 3].map(component => part(first, component)).join('|')
  }
  const own = number(obr, 3) || number(orc, 3) || number(obr, 2) || number(orc, 2)
  return `${own || controlId}|${value(obr, 4) || value(obr, 4, 2)}|${own === '' ? value(obr, 1) : ''}`
}
