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
  /** A Consent of Anna's, which both stores hold. */
  readonly consent?: Resource
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

const systems = 'http://terminology.hl7.org/CodeSystem'
const permittedTypes = ['Patient', 'Observation', 'Condition']

/** All but some types is withheld from one app. https://hl7.org/fhir/R4/consent.html */
const consent: Resource = {
  resourceType: 'Consent',
  status: 'active',
  scope: { coding: [{ system: `${systems}/consentscope`, code: 'patient-privacy' }] },
  category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
  patient: { reference: 'Patient/anna' },
  policyRule: { coding: [{ system: `${systems}/v3-ActCode`, code: 'OPTOUT' }] },
  provision: {
    actor: [
      {
        role: { coding: [{ system: `${systems}/v3-ParticipationType`, code: 'IRCP' }] },
        reference: { identifier: { system: 'https://kinhold.org/fhir/client', value: 'denied-app' } },
      },
    ],
    provision: [
      { type: 'permit', class: permittedTypes.map(code => ({ system: 'http://hl7.org/fhir/resource-types', code })) },
    ],
  },
}

const deniedApp = { kind: 'account', id: 'tester', clientId: 'denied-app' } as const

function denied({ scopes, grant }: Token): Token {
  const own = { ...grant, id: `denied ${grant.id}`, actor: deniedApp }
  return { scopes: `${scopes} under a Consent`, grant: own, consent, parts: [inSight(isOneOf(...permittedTypes))] }
}

const underConsent = [ofPatient('patient/*.rs'), ofPatient('patient/*.cruds'), ofAccount('user/*.cruds')].map(denied)

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
  ...underConsent,
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
  ['what no Consent withholds', careless('patient/*.rs', { patient: 'anna' }, inSight(isOneOf(...permittedTypes)))],
  ['all categories', careless('patient/Observation.rs patient/Patient.rs', { patient: 'anna' }, inSight(isVital))],
]
