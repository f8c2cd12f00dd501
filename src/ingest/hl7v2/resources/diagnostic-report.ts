import { printJson, type Resource } from '#fhir'
import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import { type Elements, inEncounter, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { toDateTime } from '../times.ts'
import { noteText } from './notes.ts'
import { type MappedObservation, mapObservation, type ObservationPlace } from './observation.ts'
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
  const request = mapRequest(scene, group, { orc, obr, key })
  if (obr === undefined) return
  const report = combined(applied(scene, obr, 'DiagnosticReport'), applied(scene, orc, 'DiagnosticReport', [obr]))
  const specimens = groupsOf(group, 'SPECIMEN')
  const only = specimens.length === 1 ? obr : undefined
  const described = specimens.flatMap((spm, nth) => mapSpecimen(scene, spm, key, nth, only) ?? [])
  const isAlone = specimens.length === 0 && around === undefined
  const ofOrder = isAlone ? mapOrderSpecimen(scene, obr, key) : around?.specimen
  const specimen = ofOrder === undefined ? described : [ofOrder, ...described]
  const timed = around === undefined ? specimens : [around.set, ...specimens]
  const within = { within: key, effective: timeOf(report) ?? collectedAt(scene, timed) }
  const mapped = yield* mapResults(scene, group, specimens, within)
  const isListed = (result: MappedObservation) => result.withdrawn === undefined
  const [attachments, takenBack] = [mapped.filter(isListed), mapped.filter(result => !isListed(result))].map(results =>
    results.flatMap(result => result.attachments),
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
      mapped.flatMap(({ reference }) => reference ?? []),
    ),
    ...(attachments === undefined || attachments.length === 0 ? {} : { presentedForm: attachments }),
    ...(conclusion === '' ? {} : { conclusion }),
  }
  const withdrawn = new Set(mapped.map(result => result.withdrawn).filter(one => one !== undefined))
  const gone = { result: withdrawn, presentedForm: new Set(takenBack?.map(form => printJson(form))) }
  const over = (_: Resource, whole: Resource) => withoutGone(whole, gone)
  const takesFrom = withdrawn.size > 0 ? Object.keys(gone) : []
  emit(scene, obr, 'DiagnosticReport', [key], said, { updates: [obr, orc], over, takesFrom })
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

/** The observations of an order and of its specimens. */
export function* mapResults(
  scene: Scene,
  group: Group,
  specimens: readonly Group[],
  within: ObservationPlace,
): Steps<readonly MappedObservation[]> {
  const mapped: MappedObservation[] = []
  for (const obx of [group, ...specimens].flatMap(one => groupsOf(one, 'OBSERVATION'))) {
    mapped.push(mapObservation(scene, obx, within))
    yield
  }
  return mapped
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
  return end === undefined ? { effectiveDateTime: start } : { effectivePeriod: { start, end } }
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
