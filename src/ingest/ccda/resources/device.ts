import type { Steps } from '#kernel'
import type { Node } from '../../hl7v2/drafts.ts'
import { conceptOf, identifiersOf, whenOf } from '../data-types.ts'
import { type CdaElement, textOf } from '../element.ts'
import { organizationOf } from '../people.ts'
import { nestedOf, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, inSet } from '../tables.ts'
import { useWhole } from './condition.ts'
import { medicationOf, reasonsOf } from './medication.ts'

export const productTemplate = '2.16.840.1.113883.10.20.22.4.37'
const indication = '2.16.840.1.113883.10.20.22.4.19'
/** FDA: the root of unique device identifiers. */
const udiRoot = '2.16.840.1.113883.3.3719'

/**
 * Product Instance → Device.
 *
 * @see https://hl7.org/fhir/us/core/StructureDefinition-us-core-implantable-device.html
 */
export function keepProduct(scene: Scene, role: CdaElement): string | undefined {
  const playing = role.find('playingDevice')
  const name = textOf(playing?.find('manufacturerModelName')?.use('all'))
  const type = conceptOf(playing?.find('code'), scene) ?? conceptOf(role.find('code'), scene)
  const scoping = organizationOf(role.find('scopingEntity'), scene)?.elements
  const manufacturer = (scoping?.name ?? (scoping?.identifier as Node[] | undefined)?.[0]?.value) as string | undefined
  const udi = role
    .all('id')
    .find(id => id.attribute('root') === udiRoot)
    ?.attribute('extension')
  if (type === undefined && name === '' && identifiersOf(role).length === 0) return undefined
  return scene.keep('Device', role, {
    udiCarrier: udi === undefined ? [] : [{ carrierHRF: udi, issuer: 'http://hl7.org/fhir/NamingSystem/fda-udi' }],
    manufacturer,
    deviceName: name === '' ? [] : [{ name, type: 'model-name' }],
    type,
    patient: scene.subject,
  })
}

/** Non-Medicinal Supply Activity → DeviceUseStatement with its Device; what is only planned → DeviceRequest. */
export function* mapDevice(scene: Scene, supply: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  if ((supply.attribute('moodCode') ?? 'EVN') !== 'EVN') return yield* mapDeviceRequest(scene, supply, row)
  const roles = supply
    .at('participant.participantRole')
    .filter(role => role.find('playingDevice') ?? role.is(productTemplate))
  const indications = nestedOf(supply, indication)
  const { who, at } = scene.authorOf(supply)
  const status = supply.find('statusCode')?.use()
  useStatus(supply)
  const kept = roles.flatMap(role => keepProduct(scene, role) ?? [])
  const code = productOf(scene, supply) ?? conceptOf(supply.find('code'), scene)
  const device = kept[0] === undefined ? deviceOf(code) : { reference: kept[0] }
  const use = scene.keep('DeviceUseStatement', supply, {
    status: inSet('device-use-status', status)?.code ?? 'active',
    subject: scene.subject,
    ...timingOf(scene, supply),
    recordedOn: at,
    source: who,
    device,
    reasonCode: reasonsOf(scene, indications),
    ...scene.notesOf(supply),
  })
  for (const one of indications) useWhole(one)
  yield* scene.rest(supply, indications)
  return use
}

function productOf(scene: Scene, supply: CdaElement): Node | undefined {
  if (supply.find('product') === undefined) return undefined
  const { medicationCodeableConcept } = medicationOf(scene, supply, 'product')
  return medicationCodeableConcept as Node | undefined
}

/** A thing of which nothing is known but what it is called. */
function deviceOf(code: unknown): Node {
  const { text, coding } = (code ?? {}) as { text?: string; coding?: readonly { display?: string; code?: string }[] }
  return { display: text ?? coding?.[0]?.display ?? coding?.[0]?.code ?? 'Device' }
}

function timingOf(scene: Scene, supply: CdaElement): Node {
  const when = whenOf('timing', supply.find('effectiveTime'), scene)
  return Object.fromEntries(Object.entries(when).filter(([name]) => !name.startsWith('_')))
}

/** Planned Supply → DeviceRequest. */
export function* mapDeviceRequest(
  scene: Scene,
  supply: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const { who, at } = scene.authorOf(supply)
  const status = supply.find('statusCode')?.use()
  const roles = supply.at('participant.participantRole')
  const type = roles.flatMap(role => conceptOf(role.find('playingDevice.code'), scene) ?? [])[0]
  const indications = nestedOf(supply, indication)
  useStatus(supply)
  const kept = scene.keep('DeviceRequest', supply, {
    status: inSet('request-status', status)?.code ?? 'active',
    intent: inSet('intent', supply.attribute('moodCode'))?.code ?? 'plan',
    codeCodeableConcept: productOf(scene, supply) ?? type ?? scene.codeOrAbsence(supply.find('code')),
    subject: scene.subject,
    ...whenOf('occurrence', supply.find('effectiveTime'), scene),
    authoredOn: at,
    requester: who,
    performer: scene.performersOf(supply)[0],
    reasonCode: reasonsOf(scene, indications),
    ...scene.notesOf(supply),
  })
  for (const one of indications) useWhole(one)
  yield* scene.rest(supply, indications)
  return kept
}
