import type { Steps } from '#kernel'
import { type CodeableConcept, systems } from '../../codes.ts'
import { compact, Draft, type Node } from '../../hl7v2/drafts.ts'
import { absentReason, conceptOf, identifiersOf, quantityOf, referredText, valueIn, whenOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { codeOf, isOfPatient, nested, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'
import { membersOf } from './members.ts'

const supporting = '2.16.840.1.113883.10.20.22.4.86'
const dueDate = '11778-8'
const usCategory = 'http://hl7.org/fhir/us/core/CodeSystem/us-core-category'

/** Categories that HL7's own set does not have. */
const ofUsCore: ReadonlySet<string> = new Set(['functional-status', 'cognitive-status'])

/** `Observation.category` of a code of the tables. */
export function categoryOf(code: string | undefined): readonly Node[] {
  if (code === undefined) return []
  return [{ coding: [{ system: ofUsCore.has(code) ? usCategory : systems.category, code }] }]
}

/**
 * An observation whose template says nothing else → Observation.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-results.html, CF-vitals.html, CF-social.html
 */
export function* mapObservation(
  scene: Scene,
  observation: CdaElement,
  row: EntryRow | undefined,
): Steps<string | undefined> {
  const { elements, parts } = observed(scene, observation, row)
  const members = membersOf(yield* scene.rest(observation, parts))
  return scene.keep('Observation', observation, { ...elements, hasMember: members })
}

/** What an observation says, and what of its nested observations is a part of it. */
export interface Observed {
  readonly elements: Node
  readonly parts: readonly CdaElement[]
}

export function observed(scene: Scene, observation: CdaElement, row: EntryRow | undefined): Observed {
  const components = nested(observation).filter(
    one => (one.is(supporting) || codeOf(one) === dueDate) && isOfPatient(one),
  )
  const { who, at } = scene.authorOf(observation)
  const elements = {
    status: inSet('result-status', observation.find('statusCode')?.use())?.code ?? 'final',
    category: categoryOf(row?.observation ?? scene.sectionRow?.observation),
    subject: scene.subject,
    ...scene.narrative(observation),
    ...whenOf('effective', observation.find('effectiveTime'), scene),
    issued: at?.includes('T') === true ? at : undefined,
    performer: [
      ...scene.performersOf(observation),
      ...verifiersOf(scene, observation),
      ...(who === undefined ? [] : [who]),
    ],
    ...saidBy(scene, observation, row),
    interpretation: conceptsOf(scene, observation.all('interpretationCode')),
    bodySite: conceptsOf(scene, observation.all('targetSiteCode').slice(0, 1))[0],
    method: conceptsOf(scene, observation.all('methodCode').slice(0, 1))[0],
    specimen: specimenOf(scene, observation),
    device: deviceOf(scene, observation),
    referenceRange: rangesOf(scene, observation),
    derivedFrom: documentsOf(observation),
    ...scene.notesOf(observation),
  } satisfies Node
  const more = components.map(one => componentOf(scene, one))
  const known = (elements as Node).component as readonly Node[] | undefined
  useStatus(observation)
  return { elements: { ...elements, component: [...(known ?? []), ...more] }, parts: components }
}

function conceptsOf(scene: Scene, elements: readonly CdaElement[]): readonly CodeableConcept[] {
  return elements.flatMap(one => conceptOf(one, scene) ?? [])
}

/** Code and value: what is denied must not read as if it were so. */
function saidBy(scene: Scene, observation: CdaElement, row: EntryRow | undefined): Node {
  const codeElement = observation.find('code')
  const isAssertion = codeElement?.attribute('code') === 'ASSERTION'
  const own =
    isAssertion && row?.code !== undefined ? { coding: [{ system: systems.loinc, code: row.code }] } : undefined
  const code = own ?? scene.codeOrAbsence(codeElement)
  codeElement?.use()
  const [value, ...others] = observation.all('value')
  if (observation.attributes.negationInd === 'true') return denied(scene, { observation, code, value, isAssertion })
  const said = value === undefined ? undefined : valueIn(value, scene)
  const more = others.map(other => valueIn(other, scene)).filter(one => one !== undefined)
  // obs-7: values of one code are all of them components, or there is one.
  if (said !== undefined && more.length > 0)
    return { code, component: [said, ...more].map((each: Node) => ({ code, ...each })) }
  const component = more.map(each => ({ code, ...each }))
  const reason = said === undefined ? absentReason(value?.nullFlavor) : undefined
  return { code, ...said, ...(reason === undefined ? {} : { dataAbsentReason: reason }), component }
}

interface Denied {
  readonly observation: CdaElement
  readonly code: Node
  readonly value: CdaElement | undefined
  readonly isAssertion: boolean
}

/** An assertion that is denied is a question answered with no; a value that is denied is kept in words without its code. */
function denied(scene: Scene, { observation, code, value, isAssertion }: Denied): Node {
  observation.use()
  const said = value === undefined ? undefined : valueIn(value, scene)
  if (said === undefined) {
    const notDone = { coding: [{ system: systems.dataAbsent, code: 'not-performed' }] }
    return { status: 'cancelled', code, dataAbsentReason: notDone }
  }
  const concept = said.valueCodeableConcept as CodeableConcept | undefined
  if (isAssertion && concept !== undefined) return { code: concept, valueBoolean: false }
  const words = concept === undefined ? wordsOf(said) : (concept.text ?? concept.coding?.[0]?.display ?? 'as coded')
  return { code, valueCodeableConcept: { text: `Not: ${words}` } }
}

function wordsOf(said: Node): string {
  const { value, unit = '' } = (said.valueQuantity ?? {}) as { value?: unknown; unit?: string }
  return value === undefined ? String(Object.values(said)[0]) : `${value} ${unit}`.trim()
}

/** A part of an observation. */
export function componentOf(scene: Scene, part: CdaElement): Node {
  const { code, ...said } = saidBy(scene, part, undefined)
  useWhole(part)
  return compact({
    code,
    valueQuantity: said.valueQuantity,
    valueCodeableConcept: said.valueCodeableConcept,
    valueString: said.valueString,
    valueBoolean: said.valueBoolean,
    valueInteger: said.valueInteger,
    valueRange: said.valueRange,
    valueRatio: said.valueRatio,
    valueDateTime: said.valueDateTime,
    valuePeriod: said.valuePeriod,
    dataAbsentReason: said.dataAbsentReason,
    interpretation: conceptsOf(scene, part.all('interpretationCode')),
    referenceRange: rangesOf(scene, part),
  }) as Node
}

/** Documents elsewhere that it refers to: a living will. */
function documentsOf(observation: CdaElement): readonly Node[] {
  return observation.at('reference.externalDocument').flatMap(document => {
    const [identifier] = identifiersOf(document)
    return identifier === undefined ? [] : [{ type: 'DocumentReference', identifier }]
  })
}

/** Whoever has looked at a directive, for one. */
function verifiersOf(scene: Scene, observation: CdaElement) {
  const verifiers = observation.all('participant').filter(one => one.attributes.typeCode === 'VRF')
  return verifiers.flatMap(one => scene.party(one.find('participantRole')) ?? [])
}

/** What was measured on. */
export function specimenOf(scene: Scene, element: CdaElement): Draft | undefined {
  const role = element.find('specimen.specimenRole') ?? element.find('specimenRole')
  if (role === undefined) return undefined
  const entity = role.find('specimenPlayingEntity')
  const names = entity?.all('name').map(name => textOf(name.use('all'))) ?? []
  const type = conceptOf(entity?.find('code'), scene) ?? (names[0] === undefined ? undefined : { text: names[0] })
  const elements = compact({ identifier: identifiersOf(role), type })
  return elements === undefined ? undefined : new Draft('Specimen', { ...elements, subject: scene.subject })
}

function deviceOf(scene: Scene, element: CdaElement): Draft | undefined {
  const role = element
    .all('participant')
    .filter(one => one.attributes.typeCode === 'DEV')
    .flatMap(one => one.find('participantRole') ?? [])[0]
  const playing = role?.find('playingDevice')
  if (role === undefined || playing === undefined) return undefined
  const name = textOf(playing.find('manufacturerModelName')?.use('all'))
  const elements = compact({
    identifier: identifiersOf(role),
    type: conceptOf(playing.find('code'), scene),
    deviceName: name === '' ? [] : [{ name, type: 'model-name' }],
  })
  return elements === undefined ? undefined : new Draft('Device', elements)
}

/** Reference ranges, in numbers and words. */
function rangesOf(scene: Scene, observation: CdaElement): readonly Node[] {
  return observation.at('referenceRange.observationRange').flatMap(range => {
    const value = range.find('value')
    const appliesTo = conceptsOf(scene, range.all('code'))
    const text = referredText(range.find('text'), scene) ?? (value && wordsOfRange(value, scene))
    const found = compact({
      low: quantityOf(value?.find('low')),
      high: quantityOf(value?.find('high')),
      type: conceptsOf(scene, range.all('interpretationCode').slice(0, 1))[0],
      appliesTo,
      text,
    })
    return found === undefined || (found.low ?? found.high ?? found.text) === undefined ? [] : [found]
  })
}

function wordsOfRange(value: CdaElement, scene: Scene): string | undefined {
  if (value.find('low') !== undefined || value.find('high') !== undefined) return undefined
  const said = valueIn(value, scene)
  const concept = said?.valueCodeableConcept as CodeableConcept | undefined
  return said === undefined ? undefined : (concept?.text ?? concept?.coding?.[0]?.code ?? wordsOf(said))
}
