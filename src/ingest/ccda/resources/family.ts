import type { Steps } from '#kernel'
import { compact, type Node } from '../../hl7v2/drafts.ts'
import { rowName } from '../../outcome.ts'
import { absence, conceptOf, referredText, spanOf, timeOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { isComment, nested, nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { ageOf } from './age.ts'
import { partValue, useWhole } from './condition.ts'

const templates = { age: '2.16.840.1.113883.10.20.22.4.31', death: '2.16.840.1.113883.10.20.22.4.47' } as const

/** Family History Organizer → FamilyMemberHistory: what is known of one relative. */
export function* mapFamily(scene: Scene, organizer: CdaElement, _row: EntryRow | undefined): Steps<string | undefined> {
  const related = organizer.find('subject.relatedSubject')
  const person = related?.find('subject')
  const observations = nested(organizer).filter(({ name }) => name === 'observation')
  const denied = observations.filter(({ attributes }) => attributes.negationInd === 'true')
  const conditions = observations.filter(one => !denied.includes(one))
  const name = textOf(person?.find('name')?.use('all'))
  useStatus(organizer)
  organizer.find('code')?.use('all')
  organizer.find('statusCode')?.use()
  const born = timeOf(person?.find('birthTime'), scene)?.slice(0, 10)
  const kept = scene.keep('FamilyMemberHistory', organizer, {
    status: 'completed',
    patient: scene.subject,
    date: timeOf(organizer.find('effectiveTime'), scene),
    name: name === '' ? undefined : name,
    relationship: scene.codeOrAbsence(related?.find('code')),
    sex: sexOf(person),
    bornDate: born,
    ...deathOf(scene, person, conditions),
    condition: conditions.flatMap(one => conditionOf(scene, one)),
    note: [...notesIn(scene, organizer), ...denied.flatMap(one => denialOf(scene, one))],
  })
  rejectRest(scene, organizer, observations)
  yield
  return kept
}

function notesIn(scene: Scene, element: CdaElement): readonly Node[] {
  return (scene.notesOf(element) as { readonly note?: readonly Node[] }).note ?? []
}

/** What else is nested is the relative's, and FHIR has no place for it: it must not become the patient's. */
function rejectRest(scene: Scene, element: CdaElement, parts: readonly CdaElement[]): void {
  for (const one of nested(element))
    if (!parts.includes(one) && !isComment(one)) scene.reject('other-patient', rowName(`${element.name}.${one.name}`))
}

function sexOf(person: CdaElement | undefined): Node | undefined {
  const element = person?.find('administrativeGenderCode')
  const code = inSet('gender', element)?.code
  if (code === undefined) return undefined
  element?.use('all')
  return { coding: [{ system: 'http://hl7.org/fhir/administrative-gender', code }] }
}

/** When, or that, somebody died: of a condition, by its own element, or at an age. */
function deathOf(scene: Scene, person: CdaElement | undefined, conditions: readonly CdaElement[]): Node {
  const time = timeOf(person?.find('deceasedTime'), scene)
  const isDead = person?.find('deceasedInd')?.use().attribute('value')
  if (time !== undefined) return { deceasedDate: time.slice(0, 10) }
  const deadly = conditions.filter(one => nestedOf(one, templates.death).length > 0)
  const age = deadly.map(one => ageOf(partValue(nestedOf(one, templates.age)))).find(one => one !== undefined)
  if (age !== undefined) return { deceasedAge: age }
  if (deadly.length > 0) return { deceasedBoolean: true }
  return isDead === undefined ? {} : { deceasedBoolean: isDead === 'true' }
}

function conditionOf(scene: Scene, observation: CdaElement): readonly Node[] {
  const ages = nestedOf(observation, templates.age)
  const deaths = nestedOf(observation, templates.death)
  const value = observation.find('value')
  const text = referredText(observation.find('text'), scene)
  const code = conceptOf(value, scene) ?? (text === undefined ? undefined : { text })
  const span = spanOf(observation.find('effectiveTime'), scene)
  const age = ageOf(partValue(ages))
  observation.find('code')?.use('all')
  useStatus(observation)
  for (const one of [...ages, ...deaths]) {
    useWhole(one)
    one.find('value')?.use('all')
  }
  rejectRest(scene, observation, [...ages, ...deaths])
  if (code === undefined && value === undefined) return []
  const onset = span.at ?? span.start
  return [
    compact({
      code: code ?? absence(value?.nullFlavor),
      contributedToDeath: deaths.length > 0 ? true : undefined,
      note: notesIn(scene, observation),
      ...(age === undefined ? (onset === undefined ? {} : { onsetString: onset }) : { onsetAge: age }),
    }) as Node,
  ]
}

/** What a relative does not have is said in words: FHIR has no element that denies. */
function denialOf(scene: Scene, observation: CdaElement): readonly Node[] {
  const concept = conceptOf(observation.find('value'), scene)
  const words = concept?.text ?? concept?.coding?.[0]?.display ?? concept?.coding?.[0]?.code
  observation.use()
  observation.find('code')?.use('all')
  useStatus(observation)
  return words === undefined ? [] : [{ text: `Not: ${words}` }]
}
