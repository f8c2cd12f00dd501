import { isDate, type Resource } from '#fhir'
import { categoryOf, systems } from '../codes.ts'
import { untakenOf } from '../fhir/patient-elements.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import type { AppleElement } from './element.ts'
import { unreadChildren } from './observation.ts'
import { appleTables } from './tables.ts'

const prefix = 'HKCharacteristicTypeIdentifier'
const laboratory = frozen(categoryOf('laboratory'))

const exam = frozen(categoryOf('exam'))

/** Attributes of `Me` that are read one by one, and whether a value is one of theirs; what else is said is kept under its own name. */
const ownReaders: Readonly<Record<string, (value: string) => boolean>> = {
  DateOfBirth: isDate,
  BiologicalSex: value => appleTables().genders.has(value),
  BloodType: value => appleTables().bloodTypes.has(value),
}

const notSet = /^$|NotSet$|^None$/

/**
 * `Me`: birth date and gender fill what the Patient lacks and never replace what it has – the file has no name, and may
 * be another person's. Blood type, skin type and what else is said become Observations.
 */
export function mapMe(element: AppleElement, context: AppleContext): Outcome[] {
  const known = knownOf(element)
  const said = observationsOf(element, context)
  const rest = [...unreadChildren(element, new Set()), ...unreadIn(element)]
  if (Object.keys(known).length > 0) {
    const change = (current: Resource) => fillAbsent(current, known)
    const untaken = untakenOf(known, context)
    const amend = { kind: 'amend', row: 'Me', type: 'Patient', id: context.patient, change, untaken } as const
    return [amend, ...said.map(one => ({ ...one, rows: 0 })), ...rest]
  }
  if (said.length === 0 && rest.length > 0) return [{ kind: 'unmapped', row: 'Me' }, ...rest]
  return [...said.map((one, i) => (i === 0 ? one : { ...one, rows: 0 })), ...rest]
}

/** What `Me` says and nothing reads, or not as it stands there. What is not set says nothing. */
function unreadIn({ attributes }: AppleElement): Outcome[] {
  const unread = Object.entries(attributes).filter(
    ([name, value]) => !notSet.test(value.trim()) && !isRead(name, value),
  )
  return unread.map(([name]) => {
    const place = rowName(`Me.${name}`)
    return { kind: 'unread', place, location: place }
  })
}

function isRead(name: string, value: string): boolean {
  const own = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return Object.hasOwn(ownReaders, own) ? ownReaders[own]?.(value) === true : isSaid(name, value)
}

/** Elements of a Patient that `Me` says. */
export function knownOf({ attributes }: AppleElement) {
  const birthDate = attributes[`${prefix}DateOfBirth`] ?? ''
  const gender = appleTables().genders.get(attributes[`${prefix}BiologicalSex`] ?? '')
  return { ...(isDate(birthDate) ? { birthDate } : {}), ...(gender === undefined ? {} : { gender }) }
}

function observationsOf(element: AppleElement, context: AppleContext): Mapped[] {
  const said = Object.entries(element.attributes)
  const bloodType = appleTables().bloodTypes.get(element.attributes[`${prefix}BloodType`] ?? '')
  return [
    ...(bloodType === undefined ? [] : [ofBlood(element.attributes[`${prefix}BloodType`] ?? '', bloodType, context)]),
    ...said.filter(([name, value]) => isSaid(name, value)).map(([name, value]) => characteristic(name, value, context)),
  ]
}

function isSaid(name: string, value: string): boolean {
  const own = name.startsWith(prefix) ? name.slice(prefix.length) : undefined
  return own !== undefined && rowName(own) === own && !Object.hasOwn(ownReaders, own) && !notSet.test(value.trim())
}

function ofBlood(text: string, valueCodeableConcept: object, context: AppleContext): Mapped {
  const facts = { category: laboratory, code: appleTables().bloodTypeCode, valueCodeableConcept }
  return observed(['BloodType', text], facts, context)
}

function characteristic(name: string, value: string, context: AppleContext): Mapped {
  const own = name.slice(prefix.length)
  const code = { coding: [{ system: systems.healthKit, code: name }], text: wordsOf(own) }
  const valueString = wordsOf(value.trim().replace(`HK${own}`, '')).slice(0, 500)
  return observed([own, value], { category: exam, code, valueString }, context)
}

/** What `Me` says of the person that a Patient has no element for: it is so whenever it is asked. */
function observed(identity: readonly string[], facts: object, context: AppleContext): Mapped {
  const id = context.fingerprint('apple', ...identity)
  const { source, subject } = context
  const resource = { resourceType: 'Observation', id, meta: { source }, status: 'final', subject, ...facts }
  return { kind: 'mapped', row: 'Me', mode: 'create', resource }
}

/** `FitzpatrickSkinType` → `Fitzpatrick Skin Type` */
function wordsOf(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
}

type Mapped = Extract<Outcome, { kind: 'mapped' }>

/** The Patient with the elements it lacked, or undefined when it lacks none of them. */
export function fillAbsent(current: Resource, known: Readonly<Record<string, unknown>>): Resource | undefined {
  const absent = Object.entries(known).filter(([name]) => current[name] === undefined)
  return absent.length === 0 ? undefined : { ...current, ...Object.fromEntries(absent) }
}
