import { readFileSync } from 'node:fs'
import { isCommonsType, ownersOf } from '#access'
import { type Resource, resourceTypes } from '#fhir'
import { searchParameter } from '#search'

const baseUrl = 'https://kinhold.example/fhir'
const spec = 'https://hl7.org/fhir/R4/compartmentdefinition-patient.html'

/** The owners in short: `A B`, `commons`, `household`, `→ Observation/1`. */
function ownersOfParts(resourceType: string, parts: object = {}): string {
  const owners = ownersOf({ resourceType, ...parts } as Resource, baseUrl)
  if (owners.kind === 'patients') return owners.patients.toSorted().join(' ')
  if (owners.kind !== 'follow') return owners.kind
  return `→ ${owners.targets.map(({ type, id }) => `${type}/${id}`).join(' ')}`
}

const ref = (reference: string) => ({ reference })
const A = ref('Patient/A')
const B = ref('Patient/B')

describe(`ownersOf – ${spec}`, () => {
  const table: readonly (readonly [why: string, type: string, parts: object, owner: string])[] = [
    ['a Patient owns itself', 'Patient', { id: 'A' }, 'A'],
    ['and whom it is linked to', 'Patient', { id: 'A', link: [{ other: B, type: 'seealso' }] }, 'A B'],
    ['also as its source', 'Patient', { id: 'A', link: [{ other: B, type: 'refer' }] }, 'A B'],
    ['not with whom it was merged', 'Patient', { id: 'A', link: [{ other: B, type: 'replaces' }] }, 'A'],
    ['nor into whom', 'Patient', { id: 'A', link: [{ other: B, type: 'replaced-by' }] }, 'A'],
    [
      'each link by itself',
      'Patient',
      {
        id: 'A',
        link: [
          { other: B, type: 'replaces' },
          { other: ref('Patient/C'), type: 'seealso' },
        ],
      },
      'A C',
    ],
    ['unless it has no id yet', 'Patient', {}, 'household'],
    ['or none that is one', 'Patient', { id: '../B' }, 'household'],
    ['subject', 'Observation', { subject: A }, 'A'],
    ['subject and performer', 'Observation', { subject: A, performer: [B] }, 'A B'],
    ['each of them once', 'Observation', { performer: [B, A, B], subject: A }, 'A B'],
    ['performer where there is no subject', 'Observation', { performer: [ref('Practitioner/1'), B] }, 'B'],
    ['focus never – A8', 'Observation', { focus: [A] }, 'household'],
    ['focus never, beside a subject – A8', 'Observation', { focus: [A], subject: B }, 'B'],
    ['patient and recorder', 'AllergyIntolerance', { patient: A, recorder: B }, 'A B'],
    ['beneficiary and payor', 'Coverage', { payor: [B], subscriber: B, policyHolder: B, beneficiary: A }, 'A B'],
    ['subject and author', 'Composition', { author: [B], subject: A }, 'A B'],
    [
      'subject, sender and recipient',
      'Communication',
      { sender: B, recipient: [ref('Patient/C')], subject: A },
      'A B C',
    ],
    ['for', 'Task', { for: A, focus: ref('Observation/1') }, 'A'],
    ['individual', 'ResearchSubject', { individual: A }, 'A'],
    ['candidate', 'EnrollmentRequest', { candidate: A }, 'A'],
    ['deliverTo', 'SupplyRequest', { deliverTo: A }, 'A'],
    ['nested elements', 'Claim', { payee: { party: A } }, 'A'],
    ['nested lists', 'CarePlan', { activity: [{}, { detail: { performer: [B, A] } }] }, 'A B'],
    [
      'mother and child at one appointment',
      'Appointment',
      { participant: [{ actor: ref('Location/1') }, { actor: A }, { actor: B }] },
      'A B',
    ],
    ['an answer of one of them', 'AppointmentResponse', { actor: A }, 'A'],
    ['a care team', 'CareTeam', { subject: A, participant: [{ member: B }, { member: ref('Practitioner/1') }] }, 'A B'],
    ['several subjects', 'Account', { subject: [A, B] }, 'A B'],
    ['a relative', 'RelatedPerson', { patient: A }, 'A'],
    ['all who are linked', 'Person', { link: [{ target: A }, { target: B }] }, 'A B'],
    ['entity alone', 'AuditEvent', { agent: [{ who: B }], entity: [{ what: A }] }, 'A B'],
    ['agent alone', 'AuditEvent', { agent: [{ who: B }], entity: [] }, 'B'],
    // outside the compartment, but naming a patient
    ['Device.patient', 'Device', { patient: A }, 'A'],
    ['a Device of nobody', 'Device', {}, 'household'],
    ['Contract.subject', 'Contract', { subject: [A] }, 'A'],
    ['GuidanceResponse.subject', 'GuidanceResponse', { subject: A }, 'A'],
    ['Binary.securityContext', 'Binary', { securityContext: A }, 'A'],
    // nobody's
    ['Organization', 'Organization', { partOf: ref('Organization/2') }, 'commons'],
    ['Practitioner', 'Practitioner', {}, 'commons'],
    ['CodeSystem', 'CodeSystem', {}, 'commons'],
    ['an Observation of a Location', 'Observation', { subject: ref('Location/1') }, 'household'],
    ['an Observation of nobody', 'Observation', {}, 'household'],
    ['a List of patients', 'List', { entry: [{ item: A }, { item: B }] }, 'household'],
    ['a List about one by another', 'List', { subject: A, source: B }, 'A B'],
    ['a Group', 'Group', { member: [{ entity: A }, { entity: B }] }, 'A B'],
    ['a Group of one', 'Group', { member: [{ entity: A }, { entity: A }, { entity: ref('Device/1') }] }, 'A'],
    ['a Group of none', 'Group', { member: [{ entity: { identifier: { value: '1' } } }] }, 'household'],
    // belongs with something else
    [
      'Provenance with its target',
      'Provenance',
      { target: [ref('Observation/1'), ref('Observation/2')] },
      '→ Observation/1 Observation/2',
    ],
    ['but a patient first', 'Provenance', { target: [ref('Observation/1'), A] }, 'A'],
    ['versioned', 'Provenance', { target: [ref('Observation/1/_history/3')] }, '→ Observation/1'],
    [
      'those that are here',
      'Provenance',
      { target: [ref('https://x.org/Observation/1'), ref('#c'), ref('Goal/2')] },
      '→ Goal/2',
    ],
    ['Provenance of nothing here', 'Provenance', { target: [ref('https://x.org/Observation/1')] }, 'household'],
    ['Provenance of what is nobody’s', 'Provenance', { target: [ref('Practitioner/1')] }, 'household'],
    ['a Slot with its Schedule', 'Slot', { schedule: ref('Schedule/1') }, '→ Schedule/1'],
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
    ['version-specific', 'Observation', { subject: ref('Patient/A/_history/2') }, 'A'],
    [
      'however it is written',
      'Account',
      { subject: [A, ref('Patient/A/_history/2'), ref(`${baseUrl}/Patient/A`)] },
      'A',
    ],
    ['absolute, elsewhere', 'Observation', { subject: ref('https://elsewhere.example/fhir/Patient/A') }, 'household'],
    [
      'a base that only begins like ours',
      'Observation',
      { subject: ref(`${baseUrl}.evil.example/Patient/A`) },
      'household',
    ],
    ['elsewhere, performed by ours', 'Observation', { subject: ref('https://x.org/Patient/A'), performer: [B] }, 'B'],
    ['elsewhere, no patient', 'Observation', { subject: ref('https://x.org/Location/1') }, 'household'],
    // somebody, but who
    ['identifier only', 'Observation', { subject: { identifier: { value: '1' } } }, 'household'],
    [
      'identifier only, but we know who performed',
      'Observation',
      { subject: { identifier: { value: '1' } }, performer: [A] },
      'A',
    ],
    ['identifier of a Group', 'Observation', { subject: { type: 'Group', identifier: { value: '1' } } }, 'household'],
    ['text only', 'Observation', { subject: { display: 'Mother' } }, 'household'],
    [
      'an unresolved urn',
      'Observation',
      { subject: ref('urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0') },
      'household',
    ],
    ['an unresolved condition', 'Observation', { subject: ref('Patient?identifier=1') }, 'household'],
    ['nonsense', 'Observation', { subject: ref('patient/A') }, 'household'],
    [
      'a contained Patient',
      'Observation',
      { subject: ref('#p'), contained: [{ resourceType: 'Patient', id: 'p' }] },
      'household',
    ],
    [
      'a contained Device',
      'Observation',
      { subject: ref('#d'), contained: [{ resourceType: 'Device', id: 'd' }] },
      'household',
    ],
    ['a performer by identifier', 'Observation', { performer: [{ identifier: { value: '1' } }] }, 'household'],
    ['bytes of which nothing is said', 'Binary', {}, 'household'],
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
      'A B',
    ],
    ['of nobody', 'Bundle', { entry: [{ resource: { resourceType: 'ValueSet' } }, {}] }, 'household'],
    ['empty', 'Bundle', {}, 'household'],
    // shapes that validation would refuse
    ['a text for a reference', 'Observation', { subject: 'Patient/A' }, 'household'],
    ['a number for a reference', 'Observation', { subject: { reference: 5 } }, 'household'],
    ['null', 'Observation', { subject: null, performer: [null] }, 'household'],
  ]
  it.each(table)('%s: %s %j → %s', (_why, type, parts, owner) => {
    expect(ownersOfParts(type, parts)).toBe(owner)
  })
})

describe('a stored Bundle – https://hl7.org/fhir/R4/bundle.html#references', () => {
  const hospital = 'http://hospital.example/fhir'
  const entry = (fullUrl: string | undefined, resource: object) => ({
    ...(fullUrl === undefined ? {} : { fullUrl }),
    resource,
  })
  const about = (reference: string) => ({ resourceType: 'Composition', id: 'c', subject: ref(reference) })
  const person = (id: string) => ({ resourceType: 'Patient', id })
  const uuid = 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0'
  const other = 'urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a'

  const table: readonly (readonly [why: string, entries: readonly object[], owner: string])[] = [
    ['relative to the entry’s own server', [entry(`${hospital}/Composition/c`, about('Patient/A'))], 'household'],
    [
      'and so is the patient whom it brings',
      [entry(`${hospital}/Composition/c`, about('Patient/A')), entry(`${hospital}/Patient/A`, person('A'))],
      'household',
    ],
    ['absolute elsewhere', [entry(uuid, about(`${hospital}/Patient/A`))], 'household'],
    ['by urn to what it brings', [entry(uuid, about(other)), entry(other, person('A'))], 'household'],
    ['by id to what it brings', [entry(uuid, about('Patient/A')), entry(other, person('A'))], 'household'],
    ['versioned, elsewhere', [entry(`${hospital}/Composition/c`, about('Patient/A/_history/2'))], 'household'],
    ['ours by fullUrl', [entry(`${baseUrl}/Composition/c`, about('Patient/A'))], 'A'],
    ['ours absolutely', [entry(`${hospital}/Composition/c`, about(`${baseUrl}/Patient/A`))], 'A'],
    ['ours from an entry without a server', [entry(uuid, about('Patient/A'))], 'A'],
    ['ours without any fullUrl', [entry(undefined, about('Patient/A')), entry(undefined, person('A'))], 'A'],
    ['ours brought along', [entry(`${baseUrl}/Patient/A`, person('A'))], 'A'],
    [
      'theirs beside ours',
      [entry(`${hospital}/Patient/A`, person('A')), entry(`${baseUrl}/Patient/B`, person('B'))],
      'B',
    ],
    [
      'within a Bundle within',
      [entry(uuid, { resourceType: 'Bundle', entry: [entry(`${hospital}/Composition/c`, about('Patient/A'))] })],
      'household',
    ],
    [
      'ours within a Bundle within',
      [entry(uuid, { resourceType: 'Bundle', entry: [entry(undefined, about('Patient/A'))] })],
      'A',
    ],
  ]
  it.each(table)('%s', (_why, entries, owner) => {
    expect(ownersOfParts('Bundle', { type: 'document', entry: entries })).toBe(owner)
  })
})

describe('the commons', () => {
  it('take no type of the patient compartment, and no Device, Binary, Bundle or Parameters', () => {
    const url = new URL('../../../profiles/compartment-patient.json', import.meta.url)
    const compartment = Object.keys(JSON.parse(readFileSync(url, 'utf8')))
    const others = ['Device', 'Binary', 'Bundle', 'Parameters', 'Slot', 'Contract', 'MessageHeader', 'Subscription']
    for (const type of [...compartment, ...others]) expect([type, isCommonsType(type)]).toEqual([type, false])
  })

  it('take who treats, where, with what, and definitions', () => {
    for (const type of ['Practitioner', 'PractitionerRole', 'Organization', 'Location', 'Medication', 'ValueSet'])
      expect([type, isCommonsType(type)]).toEqual([type, true])
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
    expect(ownersOfParts(type, resourceNaming(type, name))).toBe('A')
  })

  it('answers for every type of R4 without anything in it', () => {
    for (const type of resourceTypes)
      expect([type, ownersOfParts(type)]).toEqual([type, isCommonsType(type) ? 'commons' : 'household'])
  })
})
