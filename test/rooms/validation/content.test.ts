import { parseResource, printJson } from '#fhir'
import type { ProblemIssue } from '#kernel'
import { createValidator } from '#validation'

const validator = createValidator()
afterAll(() => validator.close())

const hl7 = 'http://terminology.hl7.org/CodeSystem/'
const base = 'http://hl7.org/fhir/StructureDefinition/'
const ucum = 'http://unitsofmeasure.org'
const told = ({ severity, expression }: ProblemIssue) => `${severity} ${expression}`
const issuesOf = (resource: object) => validator.validate(parseResource(printJson(resource)), 'warnings-too')
/** Without a narrative every resource is warned of (dom-6). */
const of = (resource: object) =>
  issuesOf(resource)
    .filter(({ text }) => !text.includes('dom-6'))
    .map(told)

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const patient = { resourceType: 'Patient' }
const coded = (coding: object) => ({ ...observation, code: { coding: [coding] } })
const at = 'Observation.code.coding[0]'
const extended = (extension: object) => ({ ...patient, extension: [extension] })
const attached = (attachment: object) => ({
  resourceType: 'Media',
  status: 'completed',
  content: { contentType: 'text/plain', data: 'QUJD', ...attachment },
})

type Row = readonly [name: string, resource: object, ...issues: string[]]
const parted = ([name, resource, ...issues]: Row) => [name, { resource, issues }] as const

const codings: readonly Row[] = [
  ['a code of its system', coded({ system: 'http://hl7.org/fhir/observation-status', code: 'final' })],
  [
    'a code that its system has not',
    coded({ system: 'http://hl7.org/fhir/observation-status', code: 'zz' }),
    `error ${at}.code`,
  ],
  [
    'such a code of another version',
    coded({ system: 'http://hl7.org/fhir/observation-status', version: '9', code: 'zz' }),
  ],
  [
    'a code that R4 has not of a system that grows',
    coded({ system: `${hl7}practitioner-role`, code: 'zz' }),
    `warning ${at}.code`,
  ],
  ['a code that a site added to a table of v2', coded({ system: `${hl7}v2-0203`, code: 'zz' }), `warning ${at}.code`],
  ['a system that nobody here knows', coded({ system: 'http://x.example/codes', code: 'zz' })],
  ['a code system that is not held', coded({ system: 'http://loinc.org', code: '8867-4' })],
  ['a registry of HL7', coded({ system: 'http://hl7.org/fhir/sid/cvx', code: '207' })],
  ['a system of a guide', coded({ system: 'http://hl7.org/fhir/us/core/CodeSystem/us-core-tags', code: 'x' })],
  [
    'a system that FHIR has not',
    coded({ system: 'http://hl7.org/fhir/no-such-codes', code: 'x' }),
    `warning ${at}.system`,
  ],
  [
    'a page of FHIR',
    coded({ system: 'http://hl7.org/fhir/R4/codesystem-event-status.html', code: 'x' }),
    `error ${at}.system`,
  ],
  ['a name of STU 3', coded({ system: 'http://hl7.org/fhir/v2/0203', code: 'MR' }), `warning ${at}.system`],
  [
    'a value set for a system',
    coded({ system: 'http://hl7.org/fhir/ValueSet/measure-type', code: 'x' }),
    `error ${at}.system`,
  ],
  [
    'an edition of SNOMED CT for a system',
    coded({ system: 'http://snomed.info/sct/731000124108', code: '1' }),
    `error ${at}.system`,
  ],
  ['a system that is no address', coded({ system: 'Location', code: 'Location' }), `error ${at}.system`],
  ['a unit of UCUM', coded({ system: ucum, code: 'mg/dL' })],
  ['no unit of UCUM', coded({ system: ucum, code: 'tbl' }), `error ${at}.code`],
  [
    'a display of another code',
    coded({ system: `${hl7}observation-category`, code: 'exam', display: 'Laboratory' }),
    `warning ${at}.display`,
  ],
  ['a display in other letters', coded({ system: `${hl7}observation-category`, code: 'exam', display: 'EXAM' })],
  [
    'a quantity in no unit',
    { ...observation, valueQuantity: { value: 1, system: ucum, code: 'tbl' } },
    'warning Observation.value.ofType(Quantity).code',
  ],
  [
    'an identifier whose system is no address',
    { ...patient, identifier: [{ system: 'mrn', value: '1' }] },
    'error Patient.identifier[0].system',
  ],
]

const bindings: readonly Row[] = [
  ['a media type', attached({})],
  ['no media type', attached({ contentType: 'words' }), 'error Media.content.contentType'],
  ['a language', { ...patient, language: 'de-CH' }],
  ['no language', { ...patient, language: 'none at all' }, 'error Patient.language'],
  ['a currency', { resourceType: 'Invoice', status: 'issued', totalNet: { value: 1, currency: 'EUR' } }],
  [
    'no currency',
    { resourceType: 'Invoice', status: 'issued', totalNet: { value: 1, currency: 'EURO' } },
    'error Invoice.totalNet.currency',
  ],
  [
    'a code of an extensible set',
    { ...patient, maritalStatus: { coding: [{ system: `${hl7}v3-MaritalStatus`, code: 'M' }] } },
  ],
  [
    'another code there',
    { ...patient, maritalStatus: { coding: [{ system: 'http://x.example', code: 'M' }] } },
    'warning Patient.maritalStatus',
  ],
  ['text alone there', { ...patient, maritalStatus: { text: 'x' } }],
]

const extensions: readonly Row[] = [
  ['one of R4', extended({ url: `${base}patient-birthPlace`, valueAddress: { city: 'Bern' } })],
  [
    'with a value of another type',
    extended({ url: `${base}patient-birthPlace`, valueString: 'Bern' }),
    'error Patient.extension[0].value.ofType(string)',
  ],
  [
    'on another element',
    { ...observation, extension: [{ url: `${base}patient-birthPlace`, valueAddress: { city: 'x' } }] },
    'error Observation.extension[0].url',
  ],
  [
    'beside a primitive',
    {
      ...patient,
      birthDate: '1970-01-01',
      _birthDate: { extension: [{ url: `${base}patient-birthTime`, valueDateTime: '1970-01-01T10:00:00Z' }] },
    },
  ],
  [
    'beside another primitive',
    {
      ...patient,
      gender: 'male',
      _gender: { extension: [{ url: `${base}patient-birthTime`, valueDateTime: '1970-01-01T10:00:00Z' }] },
    },
    'error Patient.gender.extension[0].url',
  ],
  [
    'of a name, within a Bundle',
    {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        {
          fullUrl: 'http://x.example/Patient/1',
          resource: {
            ...patient,
            name: [
              { family: 'x', _family: { extension: [{ url: `${base}humanname-own-prefix`, valueString: 'van' }] } },
            ],
          },
        },
      ],
    },
  ],
  [
    'a part with a value of another type',
    extended({ url: `${base}patient-nationality`, extension: [{ url: 'code', valueString: 'CH' }] }),
    'error Patient.extension[0].extension[0].value.ofType(string)',
  ],
  [
    'a value in the place of parts',
    extended({ url: `${base}patient-nationality`, valueString: 'CH' }),
    'error Patient.extension[0].value.ofType(string)',
  ],
  ['one that nobody here knows', extended({ url: 'http://x.example/ext', valueString: 'x' })],
  ['without an address', extended({ url: 'ext', valueString: 'x' }), 'error Patient.extension[0].url'],
  [
    'that modifies, and nobody here knows how',
    { ...patient, modifierExtension: [{ url: 'http://kinhold.org/not', valueBoolean: true }] },
    'error Patient.modifierExtension[0].url',
  ],
  [
    'of an example that modifies',
    { ...patient, modifierExtension: [{ url: 'http://example.org/not', valueBoolean: true }] },
  ],
  ...(
    [
      ['1.0', 'Patient.animal'],
      ['3.0', 'Patient.animal'],
      ['5.0', 'Task.doNotPerform'],
    ] as const
  ).flatMap(([version, element]): readonly Row[] => {
    const extension = {
      url: `http://hl7.org/fhir/${version}/StructureDefinition/extension-${element}`,
      valueBoolean: true,
    }
    return [
      [`of ${version} that modifies: ${element}`, { ...patient, modifierExtension: [extension] }],
      [
        `of ${version} that says not that it modifies: ${element}`,
        extended(extension),
        'error Patient.extension[0].url',
      ],
    ]
  }),
  [
    'of another version that modifies nothing',
    extended({ url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Task.focus', valueString: 'x' }),
  ],
  [
    'of another version that is not known to modify',
    {
      ...patient,
      modifierExtension: [
        { url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Patient.animal', valueBoolean: true },
      ],
    },
    'error Patient.modifierExtension[0].url',
  ],
  [
    'that is not one to modify',
    { ...patient, modifierExtension: [{ url: `${base}patient-birthPlace`, valueAddress: { city: 'x' } }] },
    'error Patient.modifierExtension[0].url',
  ],
]

const others: readonly Row[] = [
  ['an attachment of its size and hash', attached({ size: 3, hash: 'PAG9uybzWLqyfyZ5JKosmgP8/bg=' })],
  ['an attachment of another hash', attached({ hash: 'PAG7TuZ27DmpwTTrc2Q8bJFk5LA=' }), 'error Media.content.hash'],
  ['an attachment of another size', attached({ size: 4 }), 'error Media.content.size'],
  [
    'two elements of one id',
    {
      ...patient,
      name: [
        { id: 'a', family: 'x' },
        { id: 'a', family: 'y' },
      ],
    },
    'error Patient.name[1].id',
  ],
  ['one id in two resources', { ...observation, id: 'a', code: { id: 'a', text: 'x' } }],
  [
    'an OID that is none',
    { ...patient, identifier: [{ system: 'urn:oid:1.02.3', value: '1' }] },
    'error Patient.identifier[0].system',
  ],
  [
    'a UUID that is none',
    { ...patient, identifier: [{ system: 'urn:uuid:1', value: '1' }] },
    'error Patient.identifier[0].system',
  ],
  [
    'a canonical of another type',
    {
      resourceType: 'QuestionnaireResponse',
      status: 'completed',
      questionnaire: 'http://hl7.org/fhir/ValueSet/example-extensional',
    },
    'error QuestionnaireResponse.questionnaire',
  ],
  [
    'a canonical that is a place',
    { resourceType: 'QuestionnaireResponse', status: 'completed', questionnaire: 'Questionnaire/1' },
    'warning QuestionnaireResponse.questionnaire',
  ],
  ['a text of blanks', { ...patient, name: [{ text: ' ' }] }, 'warning Patient.name[0].text'],
  [
    'one tag twice',
    {
      ...patient,
      meta: {
        tag: [
          { system: 'http://x.example', code: 'a' },
          { system: 'http://x.example', code: 'a' },
        ],
      },
    },
    'warning Patient.meta.tag',
  ],
  [
    'a reference that is no address',
    { ...observation, subject: { reference: 'c282c3ec' } },
    'error Observation.subject',
  ],
  [
    'a reference to a type of another FHIR',
    { ...observation, subject: { reference: 'ProcedureRequest/1' } },
    'error Observation.subject',
  ],
  ['a reference by a search', { ...observation, subject: { reference: 'Patient?identifier=http://x.example|1' } }],
  [
    'a reference by what is no search',
    { ...observation, subject: { reference: 'Patient?identifier=1&?==' } },
    'error Observation.subject',
  ],
  [
    'a narrative of another namespace',
    { ...patient, text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtmlx">x</div>' } },
    'error Patient.text.div',
  ],
  ['a narrative of none', { ...patient, text: { status: 'generated', div: '<div>x</div>' } }, 'error Patient.text.div'],
  [
    'a paragraph within a paragraph',
    {
      ...patient,
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml"><p>a<b><p>b</p></b></p></div>' },
    },
    'error Patient.text.div',
  ],
  [
    'a parameter that is derived from one of another type',
    {
      resourceType: 'SearchParameter',
      url: 'http://x.example',
      name: 'X',
      status: 'draft',
      description: 'x',
      code: 'x',
      base: ['Patient'],
      type: 'date',
      derivedFrom: 'http://hl7.org/fhir/SearchParameter/Organization-name',
    },
    'error SearchParameter.type',
    'error SearchParameter.base',
  ],
  [
    'a parameter that is stated with another type',
    {
      resourceType: 'CapabilityStatement',
      status: 'draft',
      date: '2026',
      kind: 'requirements',
      description: 'x',
      fhirVersion: '4.0.1',
      format: ['json'],
      rest: [
        {
          mode: 'server',
          resource: [
            {
              type: 'Patient',
              searchParam: [
                {
                  name: 'birthdate',
                  type: 'token',
                  definition: 'http://hl7.org/fhir/SearchParameter/individual-birthdate',
                },
              ],
            },
          ],
        },
      ],
    },
    'error CapabilityStatement.rest[0].resource[0].searchParam[0].type',
    'warning CapabilityStatement',
  ],
]

describe.each([
  ['codings – https://hl7.org/fhir/R4/terminologies-systems.html', codings],
  ['bindings – https://hl7.org/fhir/R4/terminologies.html#strength', bindings],
  ['extensions – https://hl7.org/fhir/R4/extensibility.html', extensions],
  ['addresses, attachments, ids and texts – https://hl7.org/fhir/R4/datatypes.html', others],
] as const)('what $validate tells of %s', (_, rows) => {
  it.each(rows.map(parted))('%s', (_name, { resource, issues }) => {
    expect(of(resource)).toEqual(issues)
  })
})

const entry = (type: string, id: string, more: object = {}) => ({
  fullUrl: `http://x.example/${type}/${id}`,
  resource: { resourceType: type, id, ...more },
})
const bundle = (type: string, ...entries: object[]) => ({ resourceType: 'Bundle', type, entry: entries })
const composition = {
  status: 'final',
  type: { text: 'x' },
  date: '2026',
  title: 'x',
  author: [{ reference: 'Patient/1' }],
  subject: { reference: 'Patient/1' },
}
const document = (more: object, ...entries: object[]) => ({
  ...bundle('document', entry('Composition', 'c', { ...composition, ...more }), entry('Patient', '1'), ...entries),
  identifier: { system: 'urn:ietf:rfc:3986', value: 'urn:uuid:ba2d1426-ed83-4d55-8032-c6345382c92b' },
  timestamp: '2026-01-01T00:00:00Z',
})
const section = (reference: string) => ({ section: [{ entry: [{ reference }] }] })
const seen = { status: 'final', code: { text: 'x' } }

/** As those who make documents without a server know what is in them. */
const unplaced = (type: string, id: string, more: object = {}) => ({
  ...entry(type, id, more),
  fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${id}`,
})
const urn = (id: string) => `urn:uuid:00000000-0000-4000-8000-00000000000${id}`
const homeless = (author: string, subject: string) => ({
  ...bundle(
    'document',
    unplaced('Composition', '1', { ...composition, author: [{ reference: author }], subject: { reference: subject } }),
    unplaced('Patient', '2'),
    unplaced('Practitioner', '3'),
  ),
  identifier: { system: 'urn:ietf:rfc:3986', value: 'urn:uuid:ba2d1426-ed83-4d55-8032-c6345382c92b' },
  timestamp: '2026-01-01T00:00:00Z',
})
const message = (focus: string, header: object = {}) =>
  bundle(
    'message',
    {
      ...entry('MessageHeader', 'h', {
        eventUri: 'http://x.example/event',
        source: { endpoint: 'http://x.example/' },
        focus: [{ reference: focus }],
      }),
      ...header,
    },
    entry('Organization', 'o', { name: 'x' }),
  )

const bundles: readonly Row[] = [
  ['a document whose entries are known by urn:uuid', homeless(urn('3'), urn('2'))],
  [
    'a document whose composition comes from nowhere, and has places in it',
    homeless('Practitioner/3', 'Patient/2'),
    'error Bundle.entry[0].resource.ofType(Composition).author[0].reference',
    'error Bundle.entry[0].resource.ofType(Composition).subject.reference',
    'error Bundle.entry[1]',
    'error Bundle.entry[2]',
  ],
  [
    'a document of one server that refers to a place of another',
    document({}, { ...entry('Observation', 'o', seen), fullUrl: 'http://y.example/Observation/o' }),
    'error Bundle.entry[2]',
  ],
  ['a message about what it has', message('Organization/o')],
  ['a message about what lies elsewhere', message('Organization/p')],
  [
    'a message about a place that an entry has elsewhere',
    message('Organization/o', { fullUrl: 'http://y.example/MessageHeader/h' }),
    'error Bundle.entry[0].resource.ofType(MessageHeader).focus[0].reference',
  ],
  [
    'a message from nowhere about a place',
    message('Organization/o', { fullUrl: urn('1') }),
    'error Bundle.entry[0].resource.ofType(MessageHeader).focus[0].reference',
  ],
  ['an entry that nothing is known by', bundle('collection', { resource: patient }), 'error Bundle.entry[0].fullUrl'],
  [
    'an outcome of a search',
    bundle('searchset', {
      search: { mode: 'outcome' },
      resource: { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'processing' }] },
    }),
  ],
  [
    'an entry that a place is known by',
    bundle('collection', { fullUrl: 'Patient/1', resource: patient }),
    'error Bundle.entry[0].fullUrl',
  ],
  [
    'an entry of another type than its address says',
    bundle('collection', { ...entry('Patient', '1'), fullUrl: 'http://x.example/Practitioner/1' }),
    'error Bundle.entry[0].fullUrl',
  ],
  [
    'a request for another type',
    bundle('transaction', { resource: patient, request: { method: 'POST', url: 'Observation' } }),
    'error Bundle.entry[0].request.url',
  ],
  ['a document that is whole', document(section('Observation/o'), entry('Observation', 'o', seen))],
  [
    'a document without what it refers to',
    document(section('Observation/o')),
    'error Bundle.entry[0].resource.ofType(Composition).section[0].entry[0].reference',
  ],
  [
    'a document with another version of it',
    document(section('Observation/o/_history/3'), entry('Observation', 'o', { ...seen, meta: { versionId: '2' } })),
    'error Bundle.entry[0].resource.ofType(Composition).section[0].entry[0].reference',
    'error Bundle.entry[2]',
  ],
  [
    'a document with that version',
    document(section('Observation/o/_history/2'), entry('Observation', 'o', { ...seen, meta: { versionId: '2' } })),
  ],
  ['a document with what nothing in it leads to', document({}, entry('Practitioner', '2')), 'error Bundle.entry[2]'],
  [
    'a document with what leads there by another',
    document(
      section('Observation/o'),
      entry('Observation', 'o', { ...seen, performer: [{ reference: 'Practitioner/2' }] }),
      entry('Practitioner', '2'),
    ),
  ],
  [
    'a document with who vouches for it',
    document(
      {},
      entry('Provenance', 'p', {
        target: [{ reference: 'Composition/c' }],
        recorded: '2026-01-01T00:00:00Z',
        agent: [{ who: { reference: 'Patient/1' } }],
      }),
    ),
  ],
]

describe('Bundles – https://hl7.org/fhir/R4/bundle.html and https://hl7.org/fhir/R4/documents.html', () => {
  it.each(bundles.map(parted))('%s', (_name, { resource, issues }) => {
    expect(of(resource).filter(text => text.startsWith('error'))).toEqual(issues)
  })

  it('are checked in a time that grows with them: each address is looked up, not sought', () => {
    const chain = Array.from({ length: 1500 }, (_, n) =>
      entry('Observation', `o${n}`, { ...seen, hasMember: [{ reference: `Observation/o${n + 1}` }] }),
    )
    const last = entry('Observation', 'o1500', seen)
    expect(of(document(section('Observation/o0'), ...chain, last)).filter(text => text.startsWith('error'))).toEqual([])
  })
})

it('tells nothing that quotes a value', () => {
  const secret = coded({ system: 'http://hl7.org/fhir/observation-status', code: 'zz-secret' })
  expect(JSON.stringify(issuesOf(secret))).not.toContain('secret')
})

it('tells contained resources apart by their ids', () => {
  const contained = ['a', 'b', 'a'].map(id => ({ resourceType: 'Practitioner', id }))
  const performer = ['a', 'b'].map(id => ({ reference: `#${id}` }))
  const of3 = of({ ...observation, performer, contained })
  expect(of3.filter(text => text.startsWith('error'))).toEqual([
    'error Observation.contained[2].ofType(Practitioner).id',
  ])
})
