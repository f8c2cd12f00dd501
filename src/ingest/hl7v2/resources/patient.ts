import type { Outcome } from '../../outcome.ts'
import { merge } from '../../patient-merge.ts'
import { applyRules } from '../apply-rules.ts'
import { Ledger } from '../ledger.ts'
import { field, isNull, parsePlace, type Segment, value } from '../message.ts'
import { type Elements, join, type Mapper, type Scene, say, warn } from '../scene.ts'
import { type Group, segmentOf } from '../structure.ts'
import { rulesOf } from '../tables.ts'
import { toDateTime } from '../times.ts'

/**
 * PID and PD1 → Patient. An update (A08, A31) replaces what it names and deletes what it says is null; any other message
 * fills what is absent. Identifiers are added in either case, never lost.
 */
export const mapPatient: Mapper = (scene, group) => {
  const { elements, lost } = patientElements(group, scene.zone, scene.ledger)
  for (const { segment, place } of lost) warn(scene, segment, place)
  const [pid] = group.segments
  if (pid === undefined) return
  say(scene, pid, amendment(scene, group, elements))
  join(scene, segmentOf(group, 'PD1'), pid)
}

interface Lost {
  readonly segment: Segment
  readonly place: string
}

/** What PID and PD1 of a group say about its patient, and which fields could not be read. */
export function patientElements(
  group: Group,
  zone: string,
  ledger = new Ledger(),
): { elements: Elements; lost: readonly Lost[] } {
  const elements: Record<string, unknown> = {}
  const lost: Lost[] = []
  for (const name of ['PID', 'PD1']) {
    const segment = segmentOf(group, name)
    if (segment === undefined) continue
    const given = applyRules(rulesOf(name, 'Patient'), segment, { zone, ledger })
    Object.assign(elements, given.elements)
    lost.push(...given.lost.map(place => ({ segment, place })))
  }
  Object.assign(elements, birthTime(segmentOf(group, 'PID'), zone))
  // A date of death says that the patient has died; both elements are one choice.
  if (elements.deceasedDateTime !== undefined) delete elements.deceasedBoolean
  return { elements, lost }
}

/** PID-7 with a time: https://hl7.org/fhir/R4/extension-patient-birthtime.html */
function birthTime(pid: Segment | undefined, zone: string): Elements {
  const given = toDateTime(value(pid, 7), zone)
  if (given === undefined || !given.includes('T')) return {}
  return {
    _birthDate: {
      extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime', valueDateTime: given }],
    },
  }
}

function amendment({ row, context }: Scene, group: Group, elements: Elements): Outcome {
  const replace = row.patient === 'replace'
  const nulls = replace ? nullElements(segmentOf(group, 'PID')) : []
  return {
    kind: 'amend',
    row: 'PID',
    type: 'Patient',
    id: context.patient,
    change: current => merge(current, elements, replace, nulls),
  }
}

function nullElements(pid: Segment | undefined): readonly string[] {
  return rulesOf('PID', 'Patient')
    .filter(rule => isNull(field(pid, parsePlace(rule.from).number)))
    .map(rule => rule.to.replace(/[.[].*$/, ''))
    .filter(name => name !== 'identifier')
}
