import type { Steps } from '#kernel'
import { compact, type Node } from '../../hl7v2/drafts.ts'
import { absence, codingOf, conceptOf, periodOf } from '../data-types.ts'
import type { CdaElement } from '../element.ts'
import { locationOf } from '../people.ts'
import { eachOf, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'
import { reasonsOf } from './medication.ts'
import { mapRequest } from './procedure.ts'

const templates = {
  diagnosis: '2.16.840.1.113883.10.20.22.4.80',
  indication: '2.16.840.1.113883.10.20.22.4.19',
} as const
const participation = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'
const actCodes = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'

/** Moods in which a visit is asked for and not arranged. */
const asked: ReadonlySet<string> = new Set(['RQO', 'PRP', 'ARQ', 'PRMS'])

/**
 * Encounter Activity → Encounter.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-encounters.html
 */
export function* mapEncounter(
  scene: Scene,
  encounter: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const mood = encounter.attribute('moodCode') ?? 'EVN'
  if (asked.has(mood)) return yield* mapRequest(scene, encounter)
  const diagnoses = nestedOf(encounter, templates.diagnosis)
  const indications = nestedOf(encounter, templates.indication)
  const isNegated = encounter.attributes.negationInd === 'true'
  const said = inSet('encounter-status', encounter.find('statusCode')?.use())?.code
  const status = isNegated ? 'cancelled' : mood === 'EVN' ? (said ?? 'finished') : 'planned'
  useStatus(encounter)
  const { who, at } = scene.authorOf(encounter)
  const kept = scene.keep(
    'Encounter',
    encounter,
    {
      status,
      class: classOf(encounter.find('code')),
      type: typesOf(scene, encounter),
      priority: conceptOf(encounter.find('priorityCode'), scene),
      subject: scene.subject,
      participant: [
        ...scene.performersOf(encounter).map(individual => participantOf('PPRF', individual)),
        ...(who === undefined ? [] : [participantOf('AUT', who)]),
      ],
      period: periodOf(encounter.find('effectiveTime'), scene),
      reasonCode: reasonsOf(scene, indications),
      ...dischargeOf(scene, encounter.find('dischargeDispositionCode')),
      location: placesOf(scene, encounter),
      ...scene.narrative(encounter),
      diagnosis: (yield* eachOf(diagnoses, one => scene.map(one))).flatMap(diagnosisOf),
    },
    { mode: 'merge' },
  )
  if (at !== undefined) scene.tellUnread('encounter.author.time')
  for (const one of indications) useWhole(one)
  yield* scene.rest(encounter, [...diagnoses, ...indications])
  return kept
}

function diagnosisOf(reference: string | undefined): readonly Node[] {
  return reference === undefined ? [] : [{ condition: { reference } }]
}

/** A class is a code of HL7's own acts, wherever it stands among the codes of a visit. */
export function classOf(code: CdaElement | undefined): Node {
  const codings = [code, ...(code?.all('translation') ?? [])].flatMap(one => codingOf(one) ?? [])
  const found = codings.find(({ system }) => system === actCodes)
  return (found ?? absence('UNK')) as Node
}

function typesOf(scene: Scene, encounter: CdaElement): readonly Node[] {
  const type = conceptOf(encounter.find('code'), scene)
  return type === undefined ? [] : [type as Node]
}

export function participantOf(code: string, individual: unknown, period?: Node): Node {
  return compact({ type: [{ coding: [{ system: participation, code }] }], period, individual }) as Node
}

export function dischargeOf(scene: Scene, code: CdaElement | undefined): Node {
  const disposition = conceptOf(code, scene)
  return disposition === undefined ? {} : { hospitalization: { dischargeDisposition: disposition } }
}

function placesOf(scene: Scene, encounter: CdaElement): readonly Node[] {
  const places = encounter.all('participant').filter(one => one.attributes.typeCode === 'LOC')
  return places.flatMap(place => {
    const location = locationOf(place.find('participantRole'), scene)
    const period = periodOf(place.find('time'), scene)
    return location === undefined ? [] : [compact({ location, period }) as Node]
  })
}
