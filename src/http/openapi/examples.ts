import type { Route } from '#interactions'

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
  $validate: patient,
  $review: { resourceType: 'Parameters', parameter: [{ name: 'decision', valueCode: 'reject' }] },
  $letters: { resourceType: 'Parameters', parameter: [{ name: 'decision', valueCode: 'resend' }] },
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
  return body === patient && type !== undefined && type !== 'Patient' ? { resourceType: type } : body
}
