import type { Resource } from '#fhir'
import type { Outcome } from '../../outcome.ts'
import { merge } from '../../patient-merge.ts'
import { applyRules } from '../apply-rules.ts'
import { Ledger } from '../ledger.ts'
import { field, isNull, type Message, parsePlace, type Segment, value } from '../message.ts'
import { isLate, withStamps } from '../said-at.ts'
import { type Elements, join, type Mapper, type Scene, say, warn } from '../scene.ts'
import { withAuthority } from '../sender.ts'
import { type Group, segmentOf } from '../structure.ts'
import { type FieldRule, rulesOf } from '../tables.ts'
import { toDateTime } from '../times.ts'
import { removalOf } from './nulls.ts'

/**
 * PID and PD1 → Patient. An update (A08, A31) replaces what it names and deletes what it says is null; any other message
 * fills what is absent. Identifiers are added in either case, never lost.
 */
export const mapPatient: Mapper = (scene, group) => {
  const { elements, lost } = patientElements(group, scene, scene.ledger)
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

/**
 * What PID and PD1 of a group say about its patient, and which fields could not be read. A bare number is the sender's.
 *
 * @param zone  offset for times that carry none
 */
export function patientElements(
  group: Group,
  { message, zone }: { readonly message: Message; readonly zone: string },
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
  return { elements: withAuthority(elements, segmentOf(group, 'PID'), message), lost }
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

function amendment({ row, context, saidAtMs }: Scene, group: Group, elements: Elements): Outcome {
  const nulls = removalOf(nullRules(segmentOf(group, 'PID')))
  const said: Resource = withStamps({ resourceType: 'Patient' }, { said: saidAtMs })
  return {
    kind: 'amend',
    row: 'PID',
    type: 'Patient',
    id: context.patient,
    change: current => {
      // What comes late only fills what is absent: time is not turned back.
      const replaces = row.patient === 'replace' && !isLate(current, said)
      const before = replaces ? nulls(current) : current
      const next = merge(before, elements, replaces, []) ?? before
      if (next === current && !replaces) return undefined
      return isLate(current, said) || saidAtMs === undefined ? next : withStamps(next, { said: saidAtMs })
    },
  }
}

function nullRules(pid: Segment | undefined): readonly FieldRule[] {
  return rulesOf('PID', 'Patient').filter(rule => isNull(field(pid, parsePlace(rule.from).number)))
}
