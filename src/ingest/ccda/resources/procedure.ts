import type { Steps } from '#kernel'
import type { Draft, Node } from '../../hl7v2/drafts.ts'
import { conceptOf, referredText, whenOf } from '../data-types.ts'
import type { CdaElement } from '../element.ts'
import { locationOf } from '../people.ts'
import { nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'
import { keepProduct, productTemplate } from './device.ts'
import { reasonsOf } from './medication.ts'
import { mapObservation, specimenOf } from './observation.ts'

const templates = {
  indication: '2.16.840.1.113883.10.20.22.4.19',
  instruction: '2.16.840.1.113883.10.20.22.4.20',
} as const

/**
 * Procedure activities → Procedure; what is planned or asked for → ServiceRequest. A procedure that is an observation with a value is
 * an Observation.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-procedures.html
 */
export function* mapProcedure(
  scene: Scene,
  procedure: CdaElement,
  row: EntryRow | undefined,
): Steps<string | undefined> {
  const mood = procedure.attribute('moodCode') ?? 'EVN'
  if (mood !== 'EVN') return yield* mapRequest(scene, procedure)
  const value = procedure.find('value')
  if (value !== undefined && value.nullFlavor === undefined)
    return yield* mapObservation(scene, procedure, {
      text: '',
      as: '',
      templates: [],
      observation: 'procedure',
      ...row,
    })
  const { who, at } = scene.authorOf(procedure)
  const indications = nestedOf(procedure, templates.indication)
  const instructions = nestedOf(procedure, templates.instruction)
  const isNegated = procedure.attributes.negationInd === 'true'
  const status = inSet('procedure-status', procedure.find('statusCode')?.use())?.code ?? 'unknown'
  useStatus(procedure)
  const kept = scene.keep('Procedure', procedure, {
    status: isNegated ? 'not-done' : status,
    code: scene.codeOrAbsence(procedure.find('code')),
    subject: scene.subject,
    ...scene.narrative(procedure),
    ...whenOf('performed', procedure.find('effectiveTime'), scene),
    recorder: who,
    performer: scene.performersOf(procedure).map(actor => ({ actor })),
    location: placeOf(scene, procedure),
    reasonCode: reasonsOf(scene, indications),
    bodySite: sitesOf(scene, procedure),
    followUp: textsOf(scene, instructions).map(text => ({ text })),
    ...scene.notesOf(procedure),
    focalDevice: productsOf(scene, procedure).map(reference => ({ manipulated: { reference } })),
    usedCode: methodsOf(scene, procedure),
  })
  if (at !== undefined && kept !== undefined) scene.tellUnread('procedure.author.time')
  keepSpecimens(scene, procedure)
  for (const one of [...indications, ...instructions]) useWhole(one)
  yield* scene.rest(procedure, [...indications, ...instructions])
  return kept
}

/** What was taken in a procedure is a Specimen of its own: a Procedure has no element that leads to it. */
function keepSpecimens(scene: Scene, procedure: CdaElement): void {
  for (const specimen of procedure.all('specimen')) {
    const draft = specimenOf(scene, specimen)
    const role = specimen.find('specimenRole')
    if (draft === undefined || role === undefined) continue
    const collection = whenOf('collected', procedure.find('effectiveTime'), scene)
    scene.keep('Specimen', role, { ...draft.elements, ...(Object.keys(collection).length === 0 ? {} : { collection }) })
  }
}

function sitesOf(scene: Scene, element: CdaElement): readonly Node[] {
  return conceptsOf(scene, element.all('targetSiteCode', 'approachSiteCode'))
}

/** A method has no element of its own in a Procedure. */
function methodsOf(scene: Scene, element: CdaElement): readonly Node[] {
  return conceptsOf(scene, element.all('methodCode'))
}

function conceptsOf(scene: Scene, elements: readonly CdaElement[]): readonly Node[] {
  return elements.map(one => conceptOf(one, scene) as Node | undefined).filter(one => one !== undefined)
}

function textsOf(scene: Scene, instructions: readonly CdaElement[]): readonly string[] {
  return instructions.flatMap(one => referredText(one.find('text'), scene) ?? [])
}

function placeOf(scene: Scene, element: CdaElement): Draft | undefined {
  const [place] = element.all('participant').filter(one => one.attributes.typeCode === 'LOC')
  return locationOf(place?.find('participantRole'), scene)
}

function productsOf(scene: Scene, element: CdaElement): readonly string[] {
  const roles = element.at('participant.participantRole').filter(role => role.is(productTemplate) || isDevice(role))
  return roles.flatMap(role => keepProduct(scene, role) ?? [])
}

function isDevice(role: CdaElement): boolean {
  return role.find('playingDevice') !== undefined
}

/** Planned acts, observations and procedures: what somebody intends, or asks others, to do. */
export function* mapRequest(scene: Scene, planned: CdaElement): Steps<string | undefined> {
  const { who, at } = scene.authorOf(planned)
  const indications = nestedOf(planned, templates.indication)
  const instructions = nestedOf(planned, templates.instruction)
  const status = planned.find('statusCode')?.use()
  const code = conceptOf(planned.find('code'), scene) as Node | undefined
  const text = referredText(planned.find('text'), scene)
  const value = planned.find('value')
  const detail = conceptOf(value, scene) as Node | undefined
  useStatus(planned)
  const kept = scene.keep('ServiceRequest', planned, {
    status: inSet('request-status', status)?.code ?? 'unknown',
    intent: inSet('intent', planned.attribute('moodCode'))?.code ?? 'plan',
    doNotPerform: planned.attributes.negationInd === 'true' ? true : undefined,
    code: code ?? (text === undefined ? undefined : { text }),
    orderDetail: detail === undefined || code === undefined ? [] : [detail],
    subject: scene.subject,
    ...(code === undefined || text === undefined ? {} : scene.narrative(planned)),
    ...whenOf('occurrence', planned.find('effectiveTime'), scene),
    authoredOn: at,
    requester: who,
    performer: scene.performersOf(planned),
    locationReference: [placeOf(scene, planned)].filter(one => one !== undefined),
    priority: inSet('priority', planned.find('priorityCode')?.use())?.code,
    reasonCode: reasonsOf(scene, indications),
    bodySite: sitesOf(scene, planned),
    patientInstruction: textsOf(scene, instructions).join('\n') || undefined,
    ...scene.notesOf(planned),
  })
  for (const one of [...indications, ...instructions]) useWhole(one)
  yield* scene.rest(planned, [...indications, ...instructions])
  return kept
}

/** Instruction → CommunicationRequest: something to be told to the patient. */
export function* mapInstruction(scene: Scene, act: CdaElement, _row: EntryRow | undefined): Steps<string | undefined> {
  const text = referredText(act.find('text'), scene)
  const { who, at } = scene.authorOf(act)
  const category = conceptOf(act.find('code'), scene) as Node | undefined
  const status = act.find('statusCode')?.use()
  useStatus(act)
  const said = text ?? (category?.text as string | undefined)
  const kept = scene.keep('CommunicationRequest', act, {
    status: inSet('request-status', status)?.code ?? 'active',
    doNotPerform: act.attributes.negationInd === 'true' ? true : undefined,
    category: category === undefined ? [] : [category],
    subject: scene.subject,
    payload: said === undefined ? [] : [{ contentString: said }],
    authoredOn: at,
    requester: who,
    ...whenOf('occurrence', act.find('effectiveTime'), scene),
    recipient: act
      .all('participant')
      .filter(one => one.attributes.typeCode === 'IRCP')
      .flatMap(one => scene.party(one.find('participantRole')) ?? []),
    ...scene.notesOf(act),
  })
  yield* scene.rest(act)
  return kept
}
