/** Grants, holders and resources of a family: A and B are kept by one account, C is somebody else. */
import type { Bounds, Grant } from '#access'
import type { Resource } from '#fhir'
import type { Holder } from '#search'
import { terms } from './terms.ts'

export interface Context {
  readonly patient?: string
  readonly patients?: readonly string[] | 'all'
  readonly account?: string
  readonly within?: Bounds
  readonly withheld?: Grant['withheld'] & object
}

export function grantOf(scopes: string, context: Context = {}): Grant {
  const texts = scopes.split(' ').filter(text => text !== '')
  return {
    id: 'grant-1',
    actor: { kind: 'account', id: 'account-1' },
    patients: [],
    terms: terms(...texts),
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    ...context,
  }
}

export const holders = {
  A: { compartment: '0a', kind: 'patient', patient: 'A' },
  B: { compartment: '0b', kind: 'patient', patient: 'B' },
  C: { compartment: '0c', kind: 'patient', patient: 'C' },
  commons: { compartment: '00', kind: 'commons' },
  home: { compartment: '2a', kind: 'household', account: 'account-1' },
  otherHome: { compartment: '2b', kind: 'household', account: 'account-2' },
  instanceHome: { compartment: '20', kind: 'household' },
  auditHome: { compartment: '3a', kind: 'audit', account: 'account-1' },
  auditOtherHome: { compartment: '3b', kind: 'audit', account: 'account-2' },
  auditA: { compartment: '1a', kind: 'audit', patient: 'A' },
  auditB: { compartment: '1b', kind: 'audit', patient: 'B' },
  auditNobody: { compartment: '10', kind: 'audit' },
} as const satisfies Readonly<Record<string, Holder>>

export type HolderName = keyof typeof holders

export const observationCategory = 'http://terminology.hl7.org/CodeSystem/observation-category'

export function observation(category: string, patient = 'A'): Resource {
  return {
    resourceType: 'Observation',
    id: `${category}-1`,
    status: 'final',
    category: [{ coding: [{ system: observationCategory, code: category }] }],
    code: { text: 'x' },
    subject: { reference: `Patient/${patient}` },
  }
}

export const resources = {
  vital: observation('vital-signs'),
  lab: observation('laboratory'),
  labelled: { ...observation('imaging'), meta: { security: [{ system: 'urn:label', code: 'kept' }] } },
  holding: { ...observation('survey'), contained: [{ ...observation('laboratory'), id: 'within' }] },
  patientA: { resourceType: 'Patient', id: 'A' },
  doctor: { resourceType: 'Practitioner', id: 'd' },
  valueSet: { resourceType: 'ValueSet', id: 'v', status: 'active' },
  audit: { resourceType: 'AuditEvent', id: 'e' },
} as const satisfies Readonly<Record<string, Resource>>

export type ResourceName = keyof typeof resources
