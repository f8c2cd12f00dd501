import { readdirSync, readFileSync } from 'node:fs'
import { parseResource, printJson, type Resource, resourceTypes, shapeOf } from '#fhir'
import { isProblem } from '#kernel'
import { checkResource, createValidator } from '#validation'
import { growth, mostGrowth } from '../../computing.ts'

const cases = new URL('../../cases/fhir/', import.meta.url)
const validator = createValidator()

const files = ['us-core', 'synthea', 'bulk'].flatMap(folder =>
  readdirSync(new URL(folder, cases)).map(file => `${folder}/${file}`),
)
/** Its narrative has no div; see SOURCES.md. */
const unfinished = 'us-core/diagnosticreport-cbc.json'

const load = (file: string): Resource => parseResource(readFileSync(new URL(file, cases)))
const faults = (resource: Resource): readonly string[] =>
  validator.validate(resource).map(issue => `${issue.type} ${issue.expression}`)

describe('validate accepts real resources – https://hl7.org/fhir/R4/validation.html', () => {
  it.each(files.filter(file => file !== unfinished))('%s', file => {
    expect(validator.validate(load(file))).toEqual([])
  })

  it('and refuses the one whose narrative is unfinished', () => {
    expect(faults(load(unfinished))).toEqual(['required DiagnosticReport.text.div'])
  })

  it('does not change what it checks', () => {
    const resource = load('us-core/patient-example.json')
    const before = printJson(resource)
    validator.validate(resource)
    expect(printJson(resource)).toBe(before)
  })
})

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const patient = { resourceType: 'Patient' }
const div = (content: string): object => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`,
})

interface Row {
  readonly name: string
  readonly base?: object
  readonly with: string
  readonly faults: readonly string[]
}

/** JSON added to a valid Observation, or to `base`, and what is said of it. */
const table: readonly Row[] = [
  { name: 'nothing more', with: '{}', faults: [] },
  { name: 'a decimal with its digits', with: '{"valueQuantity":{"value":1.50}}', faults: [] },
  { name: 'a primitive that has only extensions', with: '{"status":null}', faults: ['structure Observation.status'] },
  {
    name: 'a mandatory primitive as extensions alone',
    base: {
      resourceType: 'Composition',
      status: 'final',
      type: { text: 'x' },
      date: '2026',
      author: [{ display: 'x' }],
    },
    with: '{"_title":{"extension":[{"url":"http://x.example","valueCode":"a"}]}}',
    faults: [],
  },
  {
    name: 'a code that is required, as extensions alone',
    base: { ...observation, status: undefined },
    with: '{"_status":{"extension":[{"url":"http://x.example","valueCode":"a"}]}}',
    faults: ['code-invalid Observation.status'],
  },
  {
    name: 'a mandatory primitive missing',
    base: { ...observation, status: undefined },
    with: '{}',
    faults: ['required Observation.status'],
  },
  {
    name: 'a mandatory element missing in a part',
    with: '{"component":[{"code":{"text":"a"}},{"valueString":"b"}]}',
    faults: ['required Observation.component[1].code'],
  },
  {
    name: 'a mandatory choice missing',
    base: { resourceType: 'MedicationRequest', status: 'active', intent: 'order', subject: { display: 'x' } },
    with: '{}',
    faults: ['required MedicationRequest.medication'],
  },
  { name: 'an element by another case', with: '{"Status":"final"}', faults: ['structure Observation.Status'] },
  {
    name: 'an unknown element in a data type',
    with: '{"code":{"coding":[{"name":"x"}]}}',
    faults: ['structure Observation.code.coding[0].name'],
  },
  { name: 'a name that could be data', with: '{"Mejía, 1970-01-01":1}', faults: ['structure Observation'] },
  { name: 'an element of another type', with: '{"gender":"male"}', faults: ['structure Observation.gender'] },
  { name: 'a list where one is due', with: '{"code":[{"text":"x"}]}', faults: ['structure Observation.code'] },
  { name: 'one where a list is due', with: '{"category":{"text":"x"}}', faults: ['structure Observation.category'] },
  {
    name: 'a number where text is due',
    with: '{"valueString":1}',
    faults: ['structure Observation.value.ofType(string)'],
  },
  {
    name: 'text where a number is due',
    with: '{"valueQuantity":{"value":"1"}}',
    faults: ['structure Observation.value.ofType(Quantity).value'],
  },
  {
    name: 'a decimal where an object is due',
    with: '{"code":1.50}',
    faults: ['structure Observation.code'],
  },
  {
    name: 'text where a boolean is due',
    with: '{"valueBoolean":"true"}',
    faults: ['structure Observation.value.ofType(boolean)'],
  },
  {
    name: 'an integer with a fraction',
    with: '{"valueInteger":1.5}',
    faults: ['structure Observation.value.ofType(integer)'],
  },
  {
    name: 'an integer written as 1.0',
    with: '{"valueInteger":1.0}',
    faults: ['structure Observation.value.ofType(integer)'],
  },
  {
    name: 'an integer of more than 32 bits',
    with: '{"valueInteger":2147483648}',
    faults: ['value Observation.value.ofType(integer)'],
  },
  {
    name: 'a positiveInt of zero',
    base: { ...patient, telecom: [{ rank: 0 }] },
    with: '{}',
    faults: ['value Patient.telecom[0].rank'],
  },
  { name: 'an empty text', with: '{"valueString":""}', faults: ['value Observation.value.ofType(string)'] },
  { name: 'an empty object', with: '{"subject":{}}', faults: ['invariant Observation.subject'] },
  {
    name: 'an object with nothing but an id',
    with: '{"subject":{"id":"a"}}',
    faults: ['invariant Observation.subject'],
  },
  { name: 'an empty list', with: '{"note":[]}', faults: ['structure Observation.note'] },
  { name: 'null in a list of objects', with: '{"category":[null]}', faults: ['structure Observation.category[0]'] },
  {
    name: 'a control character',
    with: '{"valueString":"a\\u0001"}',
    faults: ['value Observation.value.ofType(string)'],
  },
  {
    name: 'two types of one choice',
    with: '{"valueString":"a","valueInteger":1}',
    faults: ['structure Observation.value'],
  },
  {
    name: 'two types of one choice, one as extensions',
    with: '{"valueString":"a","_valueInteger":{"extension":[{"url":"http://x.example","valueCode":"a"}]}}',
    faults: ['structure Observation.value'],
  },
  {
    name: 'one type of a choice with extensions',
    with: '{"valueString":"a","_valueString":{"id":"x","extension":[{"url":"http://x.example","valueCode":"a"}]}}',
    faults: [],
  },
  {
    name: 'a type the choice does not have',
    with: '{"valueDecimal":1}',
    faults: ['structure Observation.valueDecimal'],
  },
  { name: 'a code outside a required binding', with: '{"status":"done"}', faults: ['code-invalid Observation.status'] },
  {
    name: 'a code with a space at its end',
    base: { resourceType: 'Binary', contentType: 'text/plain ' },
    with: '{}',
    faults: ['value Binary.contentType'],
  },
  {
    name: 'a concept outside a required binding',
    base: { resourceType: 'Condition', subject: { display: 'x' } },
    with: '{"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"gone"}]}}',
    faults: ['code-invalid Condition.clinicalStatus'],
  },
  {
    name: 'a concept of which one coding is in a required binding',
    base: { resourceType: 'Condition', subject: { display: 'x' } },
    with: '{"clinicalStatus":{"coding":[{"system":"http://x.example","code":"1"},{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}',
    faults: [],
  },
  {
    name: 'a concept of text alone in a required binding',
    base: { resourceType: 'Condition', subject: { display: 'x' } },
    with: '{"clinicalStatus":{"text":"active"}}',
    faults: [],
  },
  { name: 'a day that is not', base: patient, with: '{"birthDate":"1970-02-30"}', faults: ['value Patient.birthDate'] },
  {
    name: 'a dateTime without zone',
    with: '{"effectiveDateTime":"2026-01-01T10:00:00"}',
    faults: ['value Observation.effective.ofType(dateTime)'],
  },
  { name: 'an instant without time', with: '{"issued":"2026-01-01"}', faults: ['value Observation.issued'] },
  { name: 'an id with a slash', with: '{"id":"a/b"}', faults: ['value Observation.id'] },
  {
    name: 'a uri with a space',
    with: '{"code":{"coding":[{"system":"http://x y"}]}}',
    faults: ['value Observation.code.coding[0].system'],
  },
  {
    name: 'base64 with white space',
    base: { resourceType: 'Binary', contentType: 'text/plain' },
    with: '{"data":"QUJD\\nRA=="}',
    faults: [],
  },
  {
    name: 'base64 of a wrong length',
    base: { resourceType: 'Binary', contentType: 'text/plain' },
    with: '{"data":"QUJDR"}',
    faults: ['value Binary.data'],
  },
  {
    name: 'an extension without value',
    with: '{"extension":[{"url":"http://x.example"}]}',
    faults: ['invariant Observation.extension[0]'],
  },
  {
    name: 'an extension with value and extensions',
    with: '{"extension":[{"url":"http://x.example","valueCode":"a","extension":[{"url":"b","valueCode":"c"}]}]}',
    faults: ['invariant Observation.extension[0]'],
  },
  {
    name: 'an extension without url',
    with: '{"extension":[{"valueCode":"a"}]}',
    faults: ['required Observation.extension[0].url'],
  },
  {
    name: 'an extension that is wrong inside',
    with: '{"extension":[{"url":"http://x.example","valueQuantity":{"amount":1}}]}',
    faults: ['structure Observation.extension[0].value.ofType(Quantity).amount'],
  },
  {
    name: 'twins of a list',
    base: patient,
    with: '{"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://x.example","valueCode":"a"}]}]}]}',
    faults: [],
  },
  {
    name: 'a null without its twin',
    base: patient,
    with: '{"name":[{"given":["a",null]}]}',
    faults: ['invariant Patient.name[0].given[1]'],
  },
  {
    name: 'null in both twins',
    base: patient,
    with: '{"name":[{"given":[null],"_given":[null]}]}',
    faults: ['invariant Patient.name[0].given[0]'],
  },
  {
    name: 'twins of different lengths',
    base: patient,
    with: '{"name":[{"given":["a"],"_given":[null,{"id":"b"}]}]}',
    faults: ['invariant Patient.name[0].given[1]'],
  },
  {
    name: 'a twin of something that is no primitive',
    with: '{"_code":{"id":"a"}}',
    faults: ['structure Observation._code'],
  },
  {
    name: 'an unknown element in a twin',
    with: '{"_status":{"value":"final"}}',
    faults: ['structure Observation.status.value'],
  },
  {
    name: 'a contained resource that is referred to',
    with: '{"contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}',
    faults: [],
  },
  {
    name: 'a contained resource within a contained one',
    with: '{"contained":[{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Patient","id":"q"}]}]}',
    faults: ['invariant Observation.contained[0].ofType(Patient).contained'],
  },
  {
    name: 'a contained resource without id',
    with: '{"contained":[{"resourceType":"Patient","active":true}]}',
    faults: ['invariant Observation.contained[0].ofType(Patient).id'],
  },
  {
    name: 'a contained resource with a version',
    with: '{"contained":[{"resourceType":"Patient","id":"p","meta":{"versionId":"1"}}]}',
    faults: ['invariant Observation.contained[0].ofType(Patient).meta'],
  },
  {
    name: 'a contained resource that is wrong',
    with: '{"contained":[{"resourceType":"Patient","id":"p","gender":"m"}]}',
    faults: ['code-invalid Observation.contained[0].ofType(Patient).gender'],
  },
  {
    name: 'a contained thing that is no resource',
    with: '{"contained":[{"resourceType":"Coding","id":"p"}]}',
    faults: ['structure Observation.contained[0]'],
  },
  {
    name: 'a fragment that leads nowhere',
    with: '{"performer":[{"display":"x"},{"reference":"#q"}]}',
    faults: ['invariant Observation.performer[1]'],
  },
  { name: 'a reference to the resource itself', with: '{"hasMember":[{"reference":"#"}]}', faults: [] },
  {
    name: 'a wrong resource in a Bundle',
    base: { resourceType: 'Bundle', type: 'collection' },
    with: '{"entry":[{"resource":{"resourceType":"Patient","gender":"m"}}]}',
    faults: ['code-invalid Bundle.entry[0].resource.ofType(Patient).gender'],
  },
  {
    name: 'a nested content reference',
    with: '{"component":[{"code":{"text":"a"},"referenceRange":[{"low":{"value":"1"}}]}]}',
    faults: ['structure Observation.component[0].referenceRange[0].low.value'],
  },
  { name: 'a narrative', base: { ...patient, text: div('<p>Hi</p>') }, with: '{}', faults: [] },
  {
    name: 'a narrative whose rows name what they are about, as HAPI writes it',
    base: { ...patient, text: div('<table><tr idref="a1"><td>x</td></tr></table>') },
    with: '{}',
    faults: [],
  },
  {
    name: 'a narrative that speaks of equations',
    base: { ...patient, text: div('<!-- so --><p title="a > b on c=d">only = 3, javascript: a language</p>') },
    with: '{}',
    faults: [],
  },
  {
    name: 'a narrative with a handler behind a quoted bracket',
    base: { ...patient, text: div('<p title=">" onclick="x">y</p>') },
    with: '{}',
    faults: ['value Patient.text.div'],
  },
  {
    name: 'a narrative with a script',
    base: { ...patient, text: div('<script>x</script>') },
    with: '{}',
    faults: ['value Patient.text.div'],
  },
  {
    name: 'a narrative with a handler',
    base: { ...patient, text: div('<p onclick="x">y</p>') },
    with: '{}',
    faults: ['value Patient.text.div'],
  },
  // A67: as browsers read them, https://url.spec.whatwg.org/#url-parsing
  ...[
    'javascript:x',
    ' JaVaScRiPt:x',
    'java&#9;script:x',
    'java\nscript:x',
    '&#1;javascript:x',
    '&#106;avascript:x',
    '&#x0006A;avascript&#58;x',
    '&#x4a;&#0000097;vascript:x',
    'vb&#xA;script:x',
    'livescript:x',
    'data:text/html,x',
    'da&#116;a:text/html;base64,eA==',
    ' data:image/svg+xml,x',
    'data:application/xhtml+xml,x',
    'data: text/html,x',
    'data:&#32;&#x20;text&#47;html,x',
    'data:text/xsl,x',
    'data:application/rdf+xml,x',
  ].flatMap(link =>
    [`<a href="${link}">y</a>`, `<a href = '${link}'>y</a>`, `<img src="${link}"/>`, `<q cite="${link}">y</q>`].map(
      inner => ({
        name: `a narrative with a script link: ${JSON.stringify(inner)}`,
        base: { ...patient, text: div(inner) },
        with: '{}',
        faults: ['value Patient.text.div'],
      }),
    ),
  ),
  ...[
    'https://x.example/javascript:x',
    '#javascript',
    'data:image/png;base64,AAAA',
    '&#106;ournal',
    'mailto:a@b.example',
  ].map(link => ({
    name: `a narrative with a link to ${link}`,
    base: { ...patient, text: div(`<a href="${link}" title="Data: 5 mg = one script">y</a>`) },
    with: '{}',
    faults: [],
  })),
  {
    name: 'a narrative with an entity',
    base: { ...patient, text: { status: 'generated', div: '<!DOCTYPE x><div></div>' } },
    with: '{}',
    faults: ['value Patient.text.div'],
  },
  {
    name: 'a narrative that is not a div',
    base: { ...patient, text: { status: 'generated', div: '<p>x</p>' } },
    with: '{}',
    faults: ['value Patient.text.div'],
  },
]

function merged(row: Row): Resource {
  const base = JSON.stringify(row.base ?? observation)
  const added = row.with === '{}' ? '' : row.with.slice(1, -1)
  const names = new Set(Object.keys(JSON.parse(row.with) as object))
  const kept = Object.entries(JSON.parse(base) as object).filter(([name]) => !names.has(name))
  const head = kept.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  return parseResource(`{${[...head, ...(added === '' ? [] : [added])].join(',')}}`)
}

const ext = '{"extension":[{"url":"http://x.example","valueCode":"a"}]}'
const bare = '{"id":"b"}'
const given = (more: string) => `{"name":[{"family":"A",${more}}]}`

/** As the public validators read them: org.hl7.fhir.core takes the longer of two lists, and null for what the other lacks. */
const primitives: readonly Row[] = [
  { name: 'an id beside a value', base: patient, with: `{"birthDate":"1970-01-01","_birthDate":${bare}}`, faults: [] },
  { name: 'extensions beside a value', base: patient, with: `{"birthDate":"1970","_birthDate":${ext}}`, faults: [] },
  { name: 'extensions alone', base: patient, with: `{"_birthDate":${ext}}`, faults: [] },
  { name: 'an id alone', base: patient, with: `{"_birthDate":${bare}}`, faults: ['invariant Patient.birthDate'] },
  {
    name: 'nothing beside a value',
    base: patient,
    with: '{"birthDate":"1970","_birthDate":{}}',
    faults: ['invariant Patient.birthDate'],
  },
  { name: 'nothing at all', base: patient, with: '{"_birthDate":{}}', faults: ['invariant Patient.birthDate'] },
  { name: 'an id of a mandatory one', with: `{"_status":${bare}}`, faults: [] },
  {
    name: 'an id alone of a mandatory one',
    base: { ...observation, status: undefined },
    with: `{"_status":${bare}}`,
    faults: ['invariant Observation.status'],
  },
  { name: 'an id of a choice', with: `{"valueString":"x","_valueString":${bare}}`, faults: [] },
  {
    name: 'an id alone of a choice',
    with: `{"_valueString":${bare}}`,
    faults: ['invariant Observation.value.ofType(string)'],
  },
  { name: 'an id of a resource’s id', base: patient, with: `{"id":"a","_id":${bare}}`, faults: [] },
  { name: 'lists side by side', base: patient, with: given(`"given":[null,"x"],"_given":[${ext},null]`), faults: [] },
  {
    name: 'ids side by side',
    base: patient,
    with: given(`"given":["y","x"],"_given":[${bare},{"id":"c"}]`),
    faults: [],
  },
  { name: 'a shorter list of twins', base: patient, with: given(`"given":[null,"x"],"_given":[${ext}]`), faults: [] },
  { name: 'a longer list of twins', base: patient, with: given(`"given":["x"],"_given":[null,${ext}]`), faults: [] },
  { name: 'twins alone', base: patient, with: given(`"_given":[${ext},${ext}]`), faults: [] },
  {
    name: 'null without a partner before a value',
    base: patient,
    with: given('"given":[null,"x"]'),
    faults: ['invariant Patient.name[0].given[0]'],
  },
  {
    name: 'null whose partner is out of reach',
    base: patient,
    with: given(`"given":["x",null],"_given":[${ext}]`),
    faults: ['invariant Patient.name[0].given[1]'],
  },
  {
    name: 'null whose partner is an id',
    base: patient,
    with: given(`"given":[null,"x"],"_given":[${bare}]`),
    faults: ['invariant Patient.name[0].given[0]'],
  },
  {
    name: 'twins alone, one of them null',
    base: patient,
    with: given(`"_given":[null,${ext}]`),
    faults: ['invariant Patient.name[0].given[0]'],
  },
  {
    name: 'an empty list of twins',
    base: patient,
    with: given('"given":["x"],"_given":[]'),
    faults: ['structure Patient.name[0].given'],
  },
  {
    name: 'one twin beside a list',
    base: patient,
    with: given(`"given":["x"],"_given":${ext}`),
    faults: ['structure Patient.name[0].given'],
  },
  {
    name: 'a list of twins beside one',
    base: patient,
    with: `{"birthDate":"1970","_birthDate":[${ext}]}`,
    faults: ['structure Patient.birthDate'],
  },
  {
    name: 'a text as twin',
    base: patient,
    with: given('"given":["x"],"_given":["y"]'),
    faults: ['structure Patient.name[0].given[0]'],
  },
]

describe('primitives and what stands beside them – https://hl7.org/fhir/R4/json.html#primitive', () => {
  it.each(primitives)('$name', row => {
    expect([...faults(merged(row))].sort()).toEqual([...row.faults].sort())
  })
})

const organization = { resourceType: 'Organization', id: 'o', name: 'x' }
const to = (element: string, reference: object) => `{"${element}":${JSON.stringify(reference)}}`
const uuid = (n: number) => `urn:uuid:00000000-0000-4000-8000-00000000000${n}`
const bundled = (fullUrl: string, resource: object, subject: string) => ({
  resourceType: 'Bundle',
  type: 'collection',
  entry: [
    { fullUrl, resource },
    { fullUrl: uuid(2), resource: { ...observation, subject: { reference: subject } } },
  ],
})

const targets: readonly Row[] = [
  { name: 'a type that is allowed', with: to('subject', { reference: 'Patient/1' }), faults: [] },
  { name: 'any type where any is allowed', with: to('focus', [{ reference: 'Slot/1' }]), faults: [] },
  { name: 'an identifier alone', with: to('subject', { identifier: { value: 'x' } }), faults: [] },
  { name: 'an address that names no type', with: to('subject', { reference: 'http://x.example/1' }), faults: [] },
  { name: 'a urn', with: to('subject', { reference: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520' }), faults: [] },
  {
    name: 'a type that is not allowed',
    with: to('subject', { reference: 'Practitioner/1' }),
    faults: ['structure Observation.subject'],
  },
  {
    name: 'an old version of such a type',
    with: to('subject', { reference: 'Practitioner/1/_history/2' }),
    faults: ['structure Observation.subject'],
  },
  {
    name: 'such a type on another server',
    with: to('subject', { reference: 'https://x.example/fhir/Practitioner/1' }),
    faults: ['structure Observation.subject'],
  },
  {
    name: 'a condition on such a type',
    with: to('subject', { reference: 'Practitioner?identifier=x' }),
    faults: ['structure Observation.subject'],
  },
  {
    name: 'an identifier of such a type',
    with: to('subject', { type: 'Practitioner', identifier: { value: 'x' } }),
    faults: ['structure Observation.subject'],
  },
  {
    name: 'such a type in a list',
    with: to('performer', [{ reference: 'Patient/1' }, { reference: 'Device/1' }]),
    faults: ['structure Observation.performer[1]'],
  },
  {
    name: 'such a type in a choice',
    base: { resourceType: 'MedicationRequest', status: 'active', intent: 'order', subject: { display: 'x' } },
    with: to('medicationReference', { reference: 'Substance/1' }),
    faults: ['structure MedicationRequest.medication.ofType(Reference)'],
  },
  {
    name: 'such a type in a data type',
    with: '{"note":[{"text":"x","authorReference":{"reference":"Device/1"}}]}',
    faults: ['structure Observation.note[0].author.ofType(Reference)'],
  },
  {
    name: 'such a type in a part',
    base: { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } },
    with: '{"location":[{"location":{"reference":"Location/1"}},{"location":{"reference":"Patient/1"}}]}',
    faults: ['structure Encounter.location[1].location'],
  },
  {
    name: 'anything in an extension',
    with: '{"extension":[{"url":"http://x.example","valueReference":{"reference":"Slot/1"}}]}',
    faults: [],
  },
  {
    name: 'a contained resource of such a type',
    with: `{"contained":[${JSON.stringify(organization)}],"subject":{"reference":"#o"}}`,
    faults: ['structure Observation.subject'],
  },
  {
    name: 'a contained resource of a type that is allowed',
    with: `{"contained":[${JSON.stringify(organization)}],"performer":[{"reference":"#o","type":"Organization"}]}`,
    faults: [],
  },
  {
    name: 'a type that says otherwise than the reference',
    with: to('subject', { reference: 'Patient/1', type: 'Group' }),
    faults: ['value Observation.subject.type'],
  },
  {
    name: 'a type that says otherwise than what is contained',
    with: `{"contained":[${JSON.stringify(organization)}],"performer":[{"reference":"#o","type":"Practitioner"}]}`,
    faults: ['value Observation.performer[0].type'],
  },
  {
    name: 'a type by its address',
    with: to('subject', { reference: 'Patient/1', type: 'http://hl7.org/fhir/StructureDefinition/Patient' }),
    faults: [],
  },
  {
    name: 'an entry of a Bundle of such a type',
    base: bundled(uuid(1), { resourceType: 'Practitioner' }, uuid(1)),
    with: '{}',
    faults: ['structure Bundle.entry[1].resource.ofType(Observation).subject'],
  },
  {
    name: 'an entry of a Bundle of a type that is allowed',
    base: bundled(uuid(1), { resourceType: 'Patient' }, uuid(1)),
    with: '{}',
    faults: [],
  },
  {
    name: 'an entry of a Bundle that refers to nothing it contains',
    base: bundled(uuid(1), { resourceType: 'Patient' }, '#p'),
    with: '{}',
    faults: ['invariant Bundle.entry[1].resource.ofType(Observation).subject'],
  },
]

describe('references lead to types that the element allows – https://hl7.org/fhir/R4/references.html', () => {
  it.each(targets)('$name', row => {
    expect([...faults(merged(row))].sort()).toEqual([...row.faults].sort())
  })
})

describe('validate tells faults by kind and path', () => {
  it.each(table)('$name', row => {
    expect([...faults(merged(row))].sort()).toEqual([...row.faults].sort())
  })

  it('never quotes a value', () => {
    const secret = 'Mejia'
    for (const row of [...table, ...primitives, ...targets]) {
      const resource = JSON.parse(printJson(merged(row)), (_, value: unknown) =>
        typeof value === 'string' && !resourceTypes.includes(value) ? `${secret} ${value}` : value,
      ) as Resource
      expect(JSON.stringify(validator.validate(resource))).not.toContain(secret)
    }
  })

  it('says that a type is unknown', () => {
    expect(faults({ resourceType: 'Bot' })).toEqual(['structure Resource'])
  })

  it('stops at a hundred issues, and soon, however many there are', async () => {
    const wrong = (count: number) => {
      const component = Array.from({ length: count }, () => ({ valueString: 'x', 1: { a: 1 } }))
      expect(faults({ ...observation, component })).toHaveLength(100)
    }
    expect(await growth(wrong, 25_000)).toBeLessThan(mostGrowth)
    expect(faults({ ...observation })).toEqual([])
  })
})

describe('checkResource', () => {
  it('throws validation.failed with every issue', () => {
    let caught: unknown
    try {
      checkResource(validator, { resourceType: 'Observation', status: 'x' })
    } catch (error) {
      caught = error
    }
    expect(isProblem(caught, 'unprocessable') && caught.code).toBe('validation.failed')
    expect(isProblem(caught) && caught.issues.map(issue => issue.expression).sort()).toEqual([
      'Observation.code',
      'Observation.status',
    ])
  })

  it('lets a valid resource pass', () => {
    expect(() => checkResource(validator, observation)).not.toThrow()
  })
})

describe('the validator as a whole', () => {
  it('compiles every resource type', () => {
    const fresh = createValidator()
    for (const type of resourceTypes) expect(Array.isArray(fresh.validate({ resourceType: type, id: 'a' }))).toBe(true)
  })

  it('has few enough choices and mandatory elements for the bits of an integer', () => {
    for (const type of resourceTypes) {
      const elements = [...shapeOf(type).elements.values()]
      const choices = new Set(elements.filter(element => element.path.endsWith('[x]')).map(element => element.path))
      expect(choices.size).toBeLessThan(31)
      expect(elements.filter(element => element.min > 0).length).toBeLessThan(31)
    }
  })

  it.each([
    ['code', n => ({ resourceType: 'Binary', contentType: `${'a '.repeat(n)} ` })],
    ['base64', n => ({ resourceType: 'Binary', contentType: 'a', data: `${'AAAA '.repeat(n)}!` })],
    ['oid', n => ({ ...observation, extension: [{ url: 'a', valueOid: `urn:oid:1${'.1'.repeat(n)}x` }] })],
    ['narrative', n => ({ ...patient, text: div(`${'<a '.repeat(n)}${' on'.repeat(n)}`) })],
    ['narrative of spaces', n => ({ ...patient, text: div(`<p ${'onx '.repeat(n / 2)}${' '.repeat(2 * n)}`) })],
    ['narrative of references', n => ({ ...patient, text: div(`<a href="data:${'&#9;'.repeat(n)}">y</a>`) })],
    ['narrative of quotes', n => ({ ...patient, text: div(`<p ${`"' `.repeat(n)}`) })],
    ['date', n => ({ ...patient, birthDate: '1'.repeat(2 * n) })],
    ['dateTime', n => ({ ...observation, effectiveDateTime: `2026-01-01T10:00:00.${'1'.repeat(2 * n)}` })],
  ] satisfies readonly [string, (n: number) => object][])('is not slowed down by a hostile %s', async (_, make) => {
    const texts = new Map([20_000, 160_000].map(n => [n, make(n) as Resource]))
    const validate = (n: number) => validator.validate(texts.get(n) ?? (make(n) as Resource))
    for (const n of texts.keys()) validate(n)
    // An expression that goes back for each letter takes 64 times as long.
    expect(await growth(validate, 20_000)).toBeLessThan(mostGrowth)
  })
})
