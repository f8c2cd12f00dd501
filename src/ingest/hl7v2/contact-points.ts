import { compact, type Node } from './drafts.ts'
import { part, type Repetition } from './message.ts'
import { codeTable, lookUp } from './tables.ts'
import { isBefore, toDateTime } from './times.ts'

const extensions = 'http://hl7.org/fhir/StructureDefinition/contactpoint-'

/**
 * XTN: a telephone number and an e-mail address may stand in one repetition; each is a ContactPoint.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-xtn-to-contactpoint.html
 */
export function toContactPoints(given: Repetition, zone: string, used: Used = () => undefined): readonly Node[] {
  if (isSaidByParts(given)) used(1, 1)
  if (isKnownUse(part(given, 2))) used(2, 1)
  const equipment = part(given, 3)
  const isAddress = /^(internet|x\.?400)$/i.test(equipment) || /^NET$/i.test(part(given, 2))
  const email = part(given, 4) || (isAddress || part(given, 1).includes('@') ? part(given, 1) : '')
  const phone = email !== '' && part(given, 1) === email ? '' : phoneNumber(given)
  if (email !== '') used(4, 1)
  for (const component of [5, 6, 7, 8]) used(component, 1)
  if (phone !== '') used(12, 1)
  if (saysWhat(equipment, { isPhone: phone !== '', isEmail: email !== '' })) used(3, 1)
  const period = periodOf(given, zone)
  const rank = /^[1-9]\d{0,3}$/.test(part(given, 18)) ? Number(part(given, 18)) : undefined
  const use = useOf(given)
  if (period?.start !== undefined) used(13)
  if (period?.end !== undefined) used(14)
  if (rank !== undefined) used(18)
  const points: readonly (Node | undefined)[] = [
    phone === ''
      ? undefined
      : { extension: partsOf(given), system: systemOf(equipment), value: phone, use, period, rank },
    email === ''
      ? undefined
      : { extension: phone === '' ? partsOf(given) : [], system: 'email', value: email, use, period, rank },
  ]
  return points.flatMap(point => (point === undefined ? [] : [compact(point) as Node]))
}

/** An end before its start costs itself: https://hl7.org/fhir/R4/datatypes.html#Period, per-1 */
function periodOf(given: Repetition, zone: string): Node | undefined {
  const [start, end] = [13, 14].map(at => toDateTime(part(given, at), zone))
  return compact({ start, end: isBefore(end, start) ? undefined : end })
}

type Used = (component: number, subcomponent?: number) => void

function isKnownUse(code: string): boolean {
  const table = codeTable('TelecommunicationUseCode')
  return (
    lookUp(table?.codes, code.toUpperCase()) !== undefined ||
    lookUp(table?.own?.codes, code.toUpperCase()) !== undefined ||
    /^NET$/i.test(code)
  )
}

/** Whether the kind of equipment is what one of the points is: an address is none of a telephone, and is named beside one. */
function saysWhat(code: string, { isPhone, isEmail }: { isPhone: boolean; isEmail: boolean }): boolean {
  if (/^(internet|x\.?400)$/i.test(code)) return isEmail
  const row = lookUp(codeTable('TelecommunicationEquipmentType')?.codes, code.toUpperCase())
  return (row !== undefined || /^CP$/i.test(code)) && isPhone
}

/** Whether XTN.1 is the number of the parts, or is what is taken; else it is another number, and is named as not read. */
function isSaidByParts(given: Repetition): boolean {
  const whole = part(given, 12) || `${part(given, 6)}${part(given, 7)}`
  const digits = (text: string) => text.replace(/\D/g, '')
  return part(given, 7) + part(given, 12) === '' || digits(part(given, 1)).endsWith(digits(whole))
}

function useOf(given: Repetition): string | undefined {
  const table = codeTable('TelecommunicationUseCode')
  const code = part(given, 2).toUpperCase()
  const mobile = /^CP$/i.test(part(given, 3)) ? 'mobile' : undefined
  return mobile ?? lookUp(table?.codes, code)?.[0] ?? lookUp(table?.own?.codes, code)
}

function systemOf(equipment: string): string {
  const [code, , system] = lookUp(codeTable('TelecommunicationEquipmentType')?.codes, equipment.toUpperCase()) ?? []
  // Table 0202 calls the cell phone a device of its own; FHIR has it as the use of a phone.
  return code === undefined || code === 'email' || system?.endsWith('contact-point-use') === true ? 'phone' : code
}

/** The unformatted number, else the parts put together as the guide does, else the old one-component form. */
function phoneNumber(given: Repetition): string {
  const [country = '', area, local, extension = ''] = [5, 6, 7, 8].map(at => part(given, at))
  if (part(given, 12) !== '') return part(given, 12)
  if (local === '') return part(given, 1)
  const parts = [
    country === '' ? '' : `+${country.replace(/^\+/, '')}`,
    area,
    local,
    extension === '' ? '' : `X${extension}`,
  ]
  return parts.filter(text => text !== '').join(' ')
}

function partsOf(given: Repetition): readonly Node[] {
  return (['country', 'area', 'local', 'extension'] as const).flatMap((name, nth) => {
    const valueString = part(given, 5 + nth)
    return valueString === '' ? [] : [{ url: `${extensions}${name}`, valueString }]
  })
}
