import type { Steps } from '#kernel'
import { compact, type Node } from '../../hl7v2/drafts.ts'
import { absence, conceptOf, periodOf, referredText, spanOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { eachOf, isOfPatient, nested, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { partValue, useWhole } from './condition.ts'

const templates = {
  allergies: ['2.16.840.1.113883.10.20.22.4.7', '2.16.840.1.113883.10.20.24.3.90'],
  status: '2.16.840.1.113883.10.20.22.4.28',
  severity: '2.16.840.1.113883.10.20.22.4.8',
  reaction: '2.16.840.1.113883.10.20.22.4.9',
  criticality: '2.16.840.1.113883.10.20.22.4.145',
} as const

const verification = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification'
const clinical = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'

/** Allergy Concern Act: each observation in it is an AllergyIntolerance. */
export function* mapAllergies(scene: Scene, act: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  const observations = nested(act).filter(one => one.name === 'observation' && isOfPatient(one))
  const stated = observations.filter(one => one.is(...templates.allergies))
  const parts = stated.length > 0 ? stated : observations
  const [first] = yield* eachOf(parts, one => mapAllergy(scene, one, row, act))
  useStatus(act)
  act.find('code')?.use('all')
  yield* scene.rest(act, parts)
  return first
}

/**
 * Allergy - Intolerance Observation → AllergyIntolerance.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-allergies.html
 */
export function* mapAllergy(
  scene: Scene,
  observation: CdaElement,
  _row: EntryRow | undefined,
  concern?: CdaElement,
): Steps<string | undefined> {
  const value = observation.find('value')
  const isNegated = observation.attributes.negationInd === 'true'
  const substance = substanceOf(scene, observation)
  const none = isNegated && substance === undefined ? inSet('no-known-allergy', value) : undefined
  const kind = conceptOf(value, scene)
  const statuses = nestedOf(observation, templates.status, '33999-4')
  const criticalities = nestedOf(observation, templates.criticality, '82606-5')
  const severities = nestedOf(observation, templates.severity, 'SEV')
  const reactions = nestedOf(observation, templates.reaction)
  const { who, at } = scene.authorWithin(observation, concern)
  const span = spanOf(observation.find('effectiveTime'), scene)
  const type = inSet('allergy-type', value)?.code
  const category = inSet('allergy-category', value)?.code
  observation.find('code')?.use('all')
  useStatus(observation)
  const narrative = referredText(observation.find('text'), scene)
  const code =
    none === undefined ? (substance ?? spokenOf(kind, narrative, value)) : { coding: [none], text: none.display }
  const allergy = {
    ...statusOf({
      observation,
      concern,
      statuses,
      isRefuted: isNegated && none === undefined,
      hasEnded: span.end !== undefined,
    }),
    type,
    category: category === undefined ? [] : [category],
    criticality: inSet('criticality', partValue(criticalities)?.use('all'))?.code,
    code,
    patient: scene.subject,
    ...(substance === undefined && narrative !== undefined ? {} : scene.narrative(observation)),
    // A kind for which FHIR has no code is kept in words.
    ...kindNote(scene, observation, kind, type ?? category ?? none?.code),
    onsetDateTime: span.start ?? span.at,
    recordedDate: at,
    recorder: who,
    reaction: yield* reactionsOf(scene, reactions, severities),
  }
  if (span.end !== undefined)
    scene.warn(`${scene.row}: when it ended has no place in an AllergyIntolerance; it is resolved.`)
  const parts = [...statuses, ...criticalities, ...severities, ...reactions]
  for (const part of parts) useWhole(part)
  const kept = scene.keep('AllergyIntolerance', observation, allergy)
  yield* scene.rest(observation, parts)
  return kept
}

function kindNote(scene: Scene, observation: CdaElement, kind: unknown, coded: string | undefined): Node {
  const { note = [] } = scene.notesOf(observation) as { note?: readonly Node[] }
  const text = (kind as { text?: string } | undefined)?.text
  const all = coded === undefined && text !== undefined ? [...note, { text }] : note
  return all.length === 0 ? {} : { note: all }
}

/** What somebody is allergic to, in code or words. */
function substanceOf(scene: Scene, observation: CdaElement): Node | undefined {
  const entities = observation.at('participant.participantRole.playingEntity')
  for (const entity of entities) {
    const concept = conceptOf(entity.find('code'), scene) as Node | undefined
    const name = textOf(entity.find('name'))
    if (name !== '') entity.find('name')?.use('all')
    if (concept !== undefined) return concept.text === undefined && name !== '' ? { ...concept, text: name } : concept
    if (name !== '') return { text: name }
  }
  return undefined
}

/** Of an allergy whose substance is not coded the words, else its kind. */
function spokenOf(kind: unknown, narrative: string | undefined, value: CdaElement | undefined): Node {
  if (narrative !== undefined) return { text: narrative }
  return (kind ?? absence(value?.nullFlavor)) as Node
}

interface Stated {
  readonly observation: CdaElement
  readonly concern: CdaElement | undefined
  readonly statuses: readonly CdaElement[]
  readonly isRefuted: boolean
  readonly hasEnded: boolean
}

function statusOf({ observation, concern, statuses, isRefuted, hasEnded }: Stated): Node {
  const isVoid = [observation, concern].some(one => one?.find('statusCode')?.attribute('code') === 'nullified')
  if (isVoid) return { verificationStatus: { coding: [{ system: verification, code: 'entered-in-error' }] } }
  const said = inSet('allergy-status', partValue(statuses))?.code
  if (said !== undefined) partValue(statuses)?.use('all')
  const ofConcern = inSet('concern-allergy-status', concern?.find('statusCode'))?.code
  const code = said ?? (hasEnded ? 'resolved' : (ofConcern ?? 'active'))
  return {
    clinicalStatus: { coding: [{ system: clinical, code }] },
    verificationStatus: { coding: [{ system: verification, code: isRefuted ? 'refuted' : 'confirmed' }] },
  }
}

/** Reactions, each with its severity; a severity of the allergy itself is that of each reaction that has none. */
function* reactionsOf(
  scene: Scene,
  reactions: readonly CdaElement[],
  ofAllergy: readonly CdaElement[],
): Steps<readonly Node[]> {
  const whole = severityOf(scene, ofAllergy)
  const found = (yield* eachOf(reactions, one => reactionOf(scene, one, ofAllergy))).flat()
  return found.length > 0 || whole === undefined
    ? found
    : [compact({ manifestation: [absence('NI')], severity: whole, note: noteOf(ofAllergy) }) as Node]
}

function* reactionOf(scene: Scene, reaction: CdaElement, ofAllergy: readonly CdaElement[]): Steps<readonly Node[]> {
  const severities = nestedOf(reaction, templates.severity, 'SEV')
  const severity = severityOf(scene, severities) ?? severityOf(scene, ofAllergy)
  const value = reaction.find('value')
  const narrative = referredText(reaction.find('text'), scene)
  const manifestation = conceptOf(value, scene) ?? (narrative === undefined ? undefined : { text: narrative })
  const onset = periodOf(reaction.find('effectiveTime'), scene)?.start
  for (const part of severities) useWhole(part)
  yield* scene.rest(reaction, severities)
  if (manifestation === undefined && severity === undefined) return []
  const note = [...noteOf(severities), ...noteOf(ofAllergy)].slice(0, 1)
  return [compact({ manifestation: [manifestation ?? absence(value?.nullFlavor)], severity, onset, note }) as Node]
}

/** A severity between two of FHIR's three is one of them, and stands in words beside it. */
function noteOf(severities: readonly CdaElement[]): readonly Node[] {
  const words = inSet('severity', partValue(severities))?.display
  return words === undefined ? [] : [{ text: `Severity: ${words}` }]
}

function severityOf(scene: Scene, severities: readonly CdaElement[]): string | undefined {
  const value = partValue(severities)
  const severity = inSet('severity', value)?.code
  if (severity !== undefined) value?.use('all')
  else if (value?.attribute('code') !== undefined) scene.tellUnread('severity.value')
  return severity
}
