/** Tokens for Anna: what they may do, and what a store must hold so that they cannot tell it from one that holds more. */
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { vitalSigns } from './codes.ts'
import { grantOf } from './house.ts'
import type { Part } from './story.ts'

export interface Token {
  readonly scopes: string
  readonly grant: Grant
  /** The parts of a story that answer as the whole of it. */
  readonly parts: readonly Part[]
}

const hers = { of: 'anna' } as const
const referenced: Part = { ...hers, commons: 'referenced' }
const wholeCommons: Part = { ...hers, commons: 'all' }

function ofPatient(scopes: string, ...more: readonly Part[]): Token {
  return { scopes, grant: grantOf(scopes, { patient: 'anna' }), parts: [referenced, wholeCommons, ...more] }
}

function ofAccount(scopes: string): Token {
  return {
    scopes,
    grant: grantOf(scopes, { account: 'family', patients: ['anna'] }),
    parts: [referenced, wholeCommons],
  }
}

function inSight(sees: (resource: Resource) => boolean): Part {
  return { ...hers, commons: 'referenced', sees }
}

const isVital = (resource: Resource) =>
  resource.resourceType === 'Patient' ||
  (resource.resourceType === 'Observation' && JSON.stringify(resource.category ?? '').includes('"vital-signs"'))

const isOneOf =
  (...types: readonly string[]) =>
  ({ resourceType }: Resource) =>
    types.includes(resourceType)

const vital = `category=${vitalSigns}`

const everything = ['patient/*.rs', 'patient/*.cruds', 'patient/*.cruds', 'patient/*.cruds'].map(scopes =>
  ofPatient(scopes),
)

export const tokens: readonly Token[] = [
  // The widest can be asked most, so they come more often.
  ...everything,
  ...everything,
  ofPatient(`patient/Observation.rs?${vital} patient/Patient.r`, inSight(isVital)),
  ofPatient(`patient/Observation.cruds?${vital} patient/Patient.rs patient/Practitioner.rs`, inSight(isVital)),
  ofPatient('patient/Observation.rs patient/Practitioner.r', inSight(isOneOf('Observation'))),
  ofPatient('patient/Provenance.cruds patient/Condition.ruds', inSight(isOneOf('Provenance', 'Condition'))),
  ofPatient('patient/*.read'),
  ofPatient('patient/*.cud'),
  ofPatient('patient/*.s'),
  ofPatient('patient/AuditEvent.rs patient/Observation.cs patient/Organization.rs'),
  ofAccount('user/*.rs'),
  ofAccount('user/*.crds'),
  ofAccount('user/*.cruds'),
]

const careless = (scopes: string, about: Partial<Grant>, ...parts: readonly Part[]): Token => {
  return { scopes, grant: grantOf(scopes, about), parts }
}

/** Tokens that do see more than the part they are compared with holds, so that the comparison must tell. */
export const tooWide: readonly (readonly [seen: string, token: Token])[] = [
  ['everybody', careless('system/*.rs', { patients: 'all' }, wholeCommons)],
  ['a second patient', careless('user/*.rs', { patients: ['anna', 'bruno'] }, wholeCommons)],
  [
    'all of the commons',
    careless('user/*.rs system/Practitioner.rs system/Organization.rs', { patients: ['anna'] }, referenced),
  ],
  ['all categories', careless('patient/Observation.rs patient/Patient.rs', { patient: 'anna' }, inSight(isVital))],
]
