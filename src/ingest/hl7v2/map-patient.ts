import type { MapContext, Outcome } from '../outcome.ts'
import { merge } from '../patient-merge.ts'
import { applyRules } from './apply-rules.ts'
import { field, isNull, type Message, parsePlace, type Segment, value } from './message.ts'
import { type MessageRow, rulesOf } from './tables.ts'
import { toDateTime } from './times.ts'

type Elements = Readonly<Record<string, unknown>>

/** What PID and PD1 say about the patient, and which fields could not be read. */
export function patientElements(message: Message, zone: string): { elements: Elements; lost: readonly string[] } {
  const pid = message.segments.find(segment => segment.name === 'PID')
  const pd1 = message.segments.find(segment => segment.name === 'PD1')
  if (pid === undefined) return { elements: {}, lost: [] }
  const own = applyRules(rulesOf('PID', 'Patient'), pid, zone)
  const more = pd1 === undefined ? undefined : applyRules(rulesOf('PD1', 'Patient'), pd1, zone)
  const elements: Record<string, unknown> = { ...own.elements, ...more?.elements, ...birthTime(pid, zone) }
  // A date of death says that the patient has died; both elements are one choice.
  if (elements.deceasedDateTime !== undefined) delete elements.deceasedBoolean
  return { elements, lost: [...own.lost, ...(more?.lost ?? [])] }
}

/** PID-7 with a time: https://hl7.org/fhir/R4/extension-patient-birthtime.html */
function birthTime(pid: Segment, zone: string): Elements {
  const given = toDateTime(value(pid, 7), zone)
  if (given === undefined || !given.includes('T')) return {}
  return {
    _birthDate: {
      extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime', valueDateTime: given }],
    },
  }
}

/**
 * The change that a message makes to the patient: an update (A08, A31) replaces what it names and deletes what it says
 * is null; any other message fills what is absent. Identifiers are added in either case, never lost.
 */
export function amendPatient(message: Message, row: MessageRow, zone: string, context: MapContext): Outcome {
  const { elements } = patientElements(message, zone)
  const replace = row.patient === 'replace'
  const nulls = replace ? nullElements(message) : []
  return {
    kind: 'amend',
    row: 'PID',
    type: 'Patient',
    id: context.patient,
    change: current => merge(current, elements, replace, nulls),
  }
}

function nullElements(message: Message): readonly string[] {
  const pid = message.segments.find(segment => segment.name === 'PID')
  return rulesOf('PID', 'Patient')
    .filter(rule => isNull(field(pid, parsePlace(rule.from).number)))
    .map(rule => rule.to.replace(/[.[].*$/, ''))
    .filter(name => name !== 'identifier')
}
