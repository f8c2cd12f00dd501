import { readFileSync } from 'node:fs'
import { ownerOf } from '#access'
import { type Resource, resourceTypes } from '#fhir'
import { searchParameter } from '#search'

const baseUrl = 'https://kinhold.example/fhir'
const spec = 'https://hl7.org/fhir/R4/compartmentdefinition-patient.html'

/** The owner in short: `A`, `commons`, `unclear`, `→ Observation/1`. */
function ownerOfParts(resourceType: string, parts: object = {}): string {
  const owner = ownerOf({ resourceType, ...parts } as Resource, baseUrl)
  if (owner.kind === 'patient') return owner.patient
  return owner.kind === 'follow' ? `→ ${owner.type}/${owner.id}` : owner.kind
}

const ref = (reference: string) => ({ reference })
const A = ref('Patient/A')
const B = ref('Patient/B')

describe(`ownerOf – ${spec}`, () => {
  const table: readonly (readonly [why: string, type: string, parts: object, owner: string])[] = [
    ['a Patient owns itself', 'Patient', { id: 'A' }, 'A'],
    ['whatever it is linked to', 'Patient', { id: 'A', link: [{ other: B }] }, 'A'],
    ['unless it has no id yet', 'Patient', {}, 'unclear'],
    ['or none that is one', 'Patient', { id: '../B' }, 'unclear'],
    ['subject', 'Observation', { subject: A }, 'A'],
    ['subject before performer – A9', 'Observation', { subject: A, performer: [B] }, 'A'],
    ['whatever the order of elements', 'Observation', { performer: [B], subject: A }, 'A'],
    ['performer where there is no subject', 'Observation', { performer: [ref('Practitioner/1'), B] }, 'B'],
    ['focus never – A8', 'Observation', { focus: [A] }, 'commons'],
    ['focus never, beside a subject – A8', 'Observation', { focus: [A], subject: B }, 'B'],
    ['patient', 'AllergyIntolerance', { patient: A, recorder: B }, 'A'],
    ['beneficiary before payor', 'Coverage', { payor: [B], subscriber: B, policyHolder: B, beneficiary: A }, 'A'],
    ['subject before author', 'Composition', { author: [B], subject: A }, 'A'],
    ['subject before sender and recipient', 'Communication', { sender: B, recipient: [B], subject: A }, 'A'],
    ['for', 'Task', { for: A, focus: ref('Observation/1') }, 'A'],
    ['individual', 'ResearchSubject', { individual: A }, 'A'],
    ['candidate', 'EnrollmentRequest', { candidate: A }, 'A'],
    ['deliverTo', 'SupplyRequest', { deliverTo: A }, 'A'],
    ['nested elements', 'Claim', { payee: { party: A } }, 'A'],
    ['nested lists', 'CarePlan', { activity: [{}, { detail: { performer: [B, A] } }] }, 'B'],
    [
      'the first of several',
      'Appointment',
      { participant: [{ actor: ref('Location/1') }, { actor: A }, { actor: B }] },
      'A',
    ],
    ['the first of several subjects', 'Account', { subject: [A, B] }, 'A'],
    ['the first linked', 'Person', { link: [{ target: A }, { target: B }] }, 'A'],
    ['entity before agent', 'AuditEvent', { agent: [{ who: B }], entity: [{ what: A }] }, 'A'],
    ['agent alone', 'AuditEvent', { agent: [{ who: B }], entity: [] }, 'B'],
    // outside the compartment, but naming a patient
    ['Device.patient', 'Device', { patient: A }, 'A'],
    ['a Device of nobody', 'Device', {}, 'commons'],
    ['Contract.subject', 'Contract', { subject: [A] }, 'A'],
    ['GuidanceResponse.subject', 'GuidanceResponse', { subject: A }, 'A'],
    ['Binary.securityContext', 'Binary', { securityContext: A }, 'A'],
    // nobody's
    ['Organization', 'Organization', { partOf: ref('Organization/2') }, 'commons'],
    ['Practitioner', 'Practitioner', {}, 'commons'],
    ['CodeSystem', 'CodeSystem', {}, 'commons'],
    ['an Observation of a Location', 'Observation', { subject: ref('Location/1') }, 'commons'],
    ['an Observation of nobody', 'Observation', {}, 'commons'],
    ['a List of patients', 'List', { entry: [{ item: A }, { item: B }] }, 'commons'],
    ['a List about one', 'List', { subject: A, source: B }, 'A'],
    ['a Group of several', 'Group', { member: [{ entity: A }, { entity: B }] }, 'commons'],
    ['a Group of one', 'Group', { member: [{ entity: A }, { entity: A }, { entity: ref('Device/1') }] }, 'A'],
    ['a Group of none', 'Group', { member: [{ entity: { identifier: { value: '1' } } }] }, 'commons'],
    // belongs with something else
    [
      'Provenance with its target',
      'Provenance',
      { target: [ref('Observation/1'), ref('Observation/2')] },
      '→ Observation/1',
    ],
    ['but a patient first', 'Provenance', { target: [ref('Observation/1'), A] }, 'A'],
    ['versioned', 'Provenance', { target: [ref('Observation/1/_history/3')] }, '→ Observation/1'],
    [
      'the first local one',
      'Provenance',
      { target: [ref('https://x.org/Observation/1'), ref('#c'), ref('Goal/2')] },
      '→ Goal/2',
    ],
    ['Provenance of nothing here', 'Provenance', { target: [ref('https://x.org/Observation/1')] }, 'commons'],
    ['AuditEvent', 'AuditEvent', { entity: [{ what: ref('Observation/1') }] }, '→ Observation/1'],
    ['Task', 'Task', { focus: ref('ServiceRequest/1') }, '→ ServiceRequest/1'],
    ['Binary', 'Binary', { securityContext: ref('DocumentReference/1') }, '→ DocumentReference/1'],
    ['MessageHeader', 'MessageHeader', { focus: [ref('Encounter/1')] }, '→ Encounter/1'],
    ['an Observation of a Device', 'Observation', { subject: ref('Device/1') }, '→ Device/1'],
    ['an Observation of a Group', 'Observation', { subject: ref('Group/1') }, '→ Group/1'],
    ['unless it also names a patient', 'Observation', { subject: ref('Device/1'), performer: [A] }, 'A'],
    ['answers about an Encounter', 'QuestionnaireResponse', { subject: ref('Encounter/1') }, '→ Encounter/1'],
    // addresses
    ['absolute, ours', 'Observation', { subject: ref(`${baseUrl}/Patient/A`) }, 'A'],
    ['absolute, ours, versioned', 'Observation', { subject: ref(`${baseUrl}/Patient/A/_history/2`) }, 'A'],
    ['absolute, elsewhere', 'Observation', { subject: ref('https://elsewhere.example/fhir/Patient/A') }, 'unclear'],
    [
      'a base that only begins like ours',
      'Observation',
      { subject: ref(`${baseUrl}.evil.example/Patient/A`) },
      'unclear',
    ],
    ['elsewhere, performed by ours', 'Observation', { subject: ref('https://x.org/Patient/A'), performer: [B] }, 'B'],
    ['elsewhere, no patient', 'Observation', { subject: ref('https://x.org/Location/1') }, 'commons'],
    // somebody, but who
    ['identifier only', 'Observation', { subject: { identifier: { value: '1' } } }, 'unclear'],
    [
      'identifier only, whoever performed',
      'Observation',
      { subject: { identifier: { value: '1' } }, performer: [A] },
      'unclear',
    ],
    ['identifier of a Group', 'Observation', { subject: { type: 'Group', identifier: { value: '1' } } }, 'commons'],
    ['text only', 'Observation', { subject: { display: 'Mother' } }, 'unclear'],
    ['an unresolved urn', 'Observation', { subject: ref('urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0') }, 'unclear'],
    ['an unresolved condition', 'Observation', { subject: ref('Patient?identifier=1') }, 'unclear'],
    ['nonsense', 'Observation', { subject: ref('patient/A') }, 'unclear'],
    [
      'a contained Patient',
      'Observation',
      { subject: ref('#p'), contained: [{ resourceType: 'Patient', id: 'p' }] },
      'unclear',
    ],
    [
      'a contained Device',
      'Observation',
      { subject: ref('#d'), contained: [{ resourceType: 'Device', id: 'd' }] },
      'commons',
    ],
    ['a performer by identifier', 'Observation', { performer: [{ identifier: { value: '1' } }] }, 'commons'],
    ['bytes of which nothing is said', 'Binary', {}, 'unclear'],
    // stored Bundles
    [
      'a document of one',
      'Bundle',
      {
        entry: [
          { resource: { resourceType: 'Composition', subject: A } },
          { resource: { resourceType: 'Patient', id: 'A' } },
        ],
      },
      'A',
    ],
    [
      'of two',
      'Bundle',
      {
        entry: [
          { resource: { resourceType: 'Composition', subject: A } },
          { resource: { resourceType: 'Goal', subject: B } },
        ],
      },
      'unclear',
    ],
    ['of nobody', 'Bundle', { entry: [{ resource: { resourceType: 'ValueSet' } }, {}] }, 'commons'],
    ['empty', 'Bundle', {}, 'commons'],
    // shapes that validation would refuse
    ['a text for a reference', 'Observation', { subject: 'Patient/A' }, 'commons'],
    ['a number for a reference', 'Observation', { subject: { reference: 5 } }, 'unclear'],
    ['null', 'Observation', { subject: null, performer: [null] }, 'commons'],
  ]
  it.each(table)('%s: %s %j → %s', (_why, type, parts, owner) => {
    expect(ownerOfParts(type, parts)).toBe(owner)
  })
})

describe('the CompartmentDefinition', () => {
  const url = new URL('../../../profiles/compartment-patient.json', import.meta.url)
  const compartment = JSON.parse(readFileSync(url, 'utf8')) as { [type: string]: readonly string[] }
  const parameters = Object.entries(compartment).flatMap(([type, names]) => names.map(name => [type, name] as const))

  /** `A.b.c` → { b: { c: value } }, following the parameter's own expression. */
  function resourceNaming(type: string, name: string): Resource {
    const own = (searchParameter(type, name)?.expression ?? '')
      .split('|')
      .map(it => it.trim())
      .filter(it => it.startsWith(`${type}.`))
    const steps =
      own[0]
        ?.replace(/\.where\(.*$/, '')
        .split('.')
        .slice(1) ?? []
    return steps.reduceRight<unknown>((value, step) => ({ [step]: value }), A) as Resource
  }

  it('lists more than sixty types', () => {
    expect(Object.keys(compartment).length).toBeGreaterThan(60)
  })

  it.each(parameters.filter(([type]) => type !== 'Patient'))('%s is owned by %s', (type, name) => {
    expect(ownerOfParts(type, resourceNaming(type, name))).toBe('A')
  })

  it('answers for every type of R4 without anything in it', () => {
    for (const type of resourceTypes) expect(['commons', 'unclear']).toContain(ownerOfParts(type))
  })
})
