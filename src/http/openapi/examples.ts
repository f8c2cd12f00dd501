import type { Route } from '#interactions'
import { leastOf } from './least.ts'

const patient = {
  resourceType: 'Patient',
  name: [{ family: 'Example', given: ['Anna'] }],
  gender: 'female',
  birthDate: '1990-01-01',
}

const labels = {
  resourceType: 'Parameters',
  parameter: [{ name: 'meta', valueMeta: { tag: [{ system: 'https://example.org/tags', code: 'to-be-checked' }] } }],
}

/** Bodies that are answered well as they stand, by interaction. */
const bodies: Readonly<Record<string, unknown>> = {
  transaction: { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: 'Patient' } }] },
  $graphql: { query: '{ __typename }' },
  $fhirpath: { resourceType: 'Parameters', parameter: [{ name: 'expression', valueString: "'a' | 'b'" }] },
  $match: {
    resourceType: 'Parameters',
    parameter: [
      { name: 'resource', resource: patient },
      { name: 'count', valueInteger: 3 },
    ],
  },
  $document: { resourceType: 'Parameters', parameter: [{ name: 'persist', valueBoolean: false }] },
  '$meta-add': labels,
  '$meta-delete': labels,
  $everything: { resourceType: 'Parameters', parameter: [{ name: '_count', valueInteger: 10 }] },
  $import: {
    resourceType: 'Parameters',
    parameter: [
      { name: 'inputFormat', valueCode: 'application/fhir+ndjson' },
      { name: 'inputSource', valueUri: 'https://clinic.example/fhir' },
      { name: 'storageDetail', part: [{ name: 'type', valueCode: 'https' }] },
      {
        name: 'input',
        part: [
          { name: 'type', valueCode: 'Patient' },
          { name: 'url', valueUri: 'https://clinic.example/files/Patient.ndjson' },
        ],
      },
    ],
  },
  $validate: patient,
  $review: { resourceType: 'Parameters', parameter: [{ name: 'decision', valueCode: 'reject' }] },
  $letters: { resourceType: 'Parameters', parameter: [{ name: 'decision', valueCode: 'resend' }] },
  '$explain-access': { resourceType: 'Parameters', parameter: [{ name: 'type', valueCode: 'Observation' }] },
  $purge: { resourceType: 'Parameters', parameter: [{ name: 'confirm', valueString: 'example' }] },
  $merge: {
    resourceType: 'Parameters',
    parameter: [
      { name: 'source-patient', valueReference: { reference: 'Patient/example' } },
      { name: 'target-patient', valueReference: { reference: 'Patient/another-example' } },
      { name: 'preview', valueBoolean: true },
    ],
  },
  $unmerge: {
    resourceType: 'Parameters',
    parameter: [{ name: 'source-patient', valueReference: { reference: 'Patient/example' } }],
  },
  hl7v2:
    'MSH|^~\\&|LAB|CLINIC|KINHOLD|HOME|20260101080000+0000||ADT^A08^ADT_A01|1|P|2.5\rEVN|A08|20260101080000+0000\rPID|||12345^^^CLINIC^MR||Example^Anna||19900101|F\r',
  create: patient,
  update: { ...patient, id: 'example' },
  'conditional-update': patient,
}

const someone = { display: 'Anna Example' }
const medicine = { medicationCodeableConcept: { text: 'Ibuprofen' }, subject: someone }

/** More than the least: what families have most of, about somebody whom nobody keeps here; and what invariants ask for. */
const more: Readonly<Record<string, object>> = {
  AllergyIntolerance: {
    clinicalStatus: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
    },
    patient: someone,
    code: { text: 'Peanut' },
  },
  Appointment: { status: 'proposed', participant: [{ actor: someone, status: 'accepted' }] },
  AppointmentResponse: { actor: someone },
  Binary: { contentType: 'text/plain', data: 'SGVsbG8=' },
  Bundle: { type: 'collection' },
  CapabilityStatement: {
    kind: 'requirements',
    description: 'Example',
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [{ mode: 'server' }],
  },
  CarePlan: { status: 'active', intent: 'plan', subject: someone },
  Condition: { subject: someone, code: { text: 'Hay fever' } },
  Consent: { policyRule: { text: 'Example' } },
  DiagnosticReport: { status: 'final', code: { text: 'Blood count' }, subject: someone },
  DocumentReference: {
    status: 'current',
    subject: someone,
    content: [{ attachment: { contentType: 'text/plain', data: 'SGVsbG8=' } }],
  },
  Encounter: {
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: someone,
  },
  EventDefinition: { trigger: [{ type: 'named-event', name: 'Example' }] },
  Immunization: {
    status: 'completed',
    vaccineCode: { text: 'Measles' },
    patient: someone,
    occurrenceDateTime: '2026-01-01',
  },
  ImmunizationRecommendation: {
    recommendation: [{ vaccineCode: [{ text: 'Measles' }], forecastStatus: { text: 'Due' } }],
  },
  InsurancePlan: { name: 'Example' },
  Linkage: {
    item: [
      { type: 'source', resource: someone },
      { type: 'alternate', resource: someone },
    ],
  },
  MedicationRequest: { status: 'active', intent: 'order', ...medicine },
  MedicationStatement: { status: 'active', ...medicine },
  Organization: { name: 'Example' },
  Observation: { status: 'final', code: { text: 'Heart rate' }, subject: someone },
  Procedure: { status: 'completed', code: { text: 'Vaccination' }, subject: someone },
  ServiceRequest: { status: 'active', intent: 'order', code: { text: 'Blood count' }, subject: someone },
  StructureDefinition: { kind: 'logical', differential: { element: [{ id: 'Example', path: 'Example' }] } },
  Subscription: {
    status: 'requested',
    criteria: 'Observation?category=vital-signs',
    channel: { type: 'websocket', payload: 'application/fhir+json' },
  },
  TerminologyCapabilities: { kind: 'requirements', description: 'Example' },
}

/** Bodies of what is answered beside FHIR, by path. */
export const webBodies: Readonly<Record<string, { readonly [field: string]: unknown }>> = {
  '/auth/register': {
    client_name: 'Example',
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'none',
  },
  '/auth/token': { grant_type: 'refresh_token', refresh_token: 'example', client_id: 'example' },
  '/auth/revoke': { token: 'example', client_id: 'example' },
  '/auth/introspect': { token: 'example' },
  '/auth/clients/approve': { client_id: 'example' },
  '/auth/clients/end': { client_id: 'example' },
  '/share': { scopes: 'patient/Patient.rs', patient: 'example' },
  '/share/:id': { recipient: 'Anna Example' },
}

/** Patches that change what any resource has, by media type. */
const patches: Readonly<Record<string, unknown>> = {
  'application/json-patch+json': [{ op: 'add', path: '/language', value: 'en' }],
  'application/merge-patch+json': { language: 'en' },
}

const noParameters = { resourceType: 'Parameters' }

/** What to send, in a media type, where nothing has been thought of yet; undefined for files. */
export function bodyExampleOf(
  { interaction, consumes, method }: Route,
  type: string | undefined,
  media: string,
): unknown {
  if (media.endsWith('xml')) return undefined
  if (method === 'PATCH') return patches[media] ?? noParameters
  if (consumes === 'application/x-www-form-urlencoded') return { _count: '10' }
  const body = bodies[interaction] ?? (interaction.startsWith('$') && consumes === undefined ? noParameters : undefined)
  return body === patient && type !== undefined && type !== 'Patient'
    ? { resourceType: type, ...leastOf(type), ...more[type] }
    : body
}
