import fc from 'fast-check'
import { parseScope, printScope, type Term } from '#access'
import { resourceTypes } from '#fhir'
import { anyTerm } from './terms.ts'

function read(text: string): string | undefined {
  const term = parseScope(text)
  if (term === undefined) return undefined
  const params = term.params.map(({ name, value }) => `${name}=${value}`).join(' & ')
  return [term.level, term.type, [...term.verbs].join(''), params].filter(part => part !== '').join(' ')
}

const spec = 'https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html'

describe(`scope grammar – ${spec}`, () => {
  const accepted: readonly (readonly [text: string, meaning: string])[] = [
    ['patient/Observation.r', 'patient Observation r'],
    ['patient/Observation.s', 'patient Observation s'],
    ['patient/Observation.rs', 'patient Observation rs'],
    ['user/Patient.cruds', 'user Patient cruds'],
    ['user/Patient.cud', 'user Patient cud'],
    ['system/*.cruds', 'system * cruds'],
    ['system/*.ds', 'system * ds'],
    ['patient/Observation.read', 'patient Observation rs'],
    ['patient/Observation.write', 'patient Observation cud'],
    ['patient/Observation.*', 'patient Observation cruds'],
    ['patient/*.*', 'patient * cruds'],
    ['patient/*.read', 'patient * rs'],
    ['patient/Observation.rs?category=vital-signs', 'patient Observation rs category=vital-signs'],
    [
      'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
      'patient Observation rs category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
    ],
    ['patient/Observation.rs?category=a&code=b', 'patient Observation rs category=a & code=b'],
    ['patient/Observation.rs?category=a,b', 'patient Observation rs category=a,b'],
    [
      'patient/Observation.rs?category=vital-signs&patient=B',
      'patient Observation rs category=vital-signs & patient=B',
    ],
    ['patient/Observation.r?date=ge2026-01-01', 'patient Observation r date=ge2026-01-01'],
    ['patient/Observation.r?_lastUpdated=ge2026-01-01', 'patient Observation r _lastUpdated=ge2026-01-01'],
    ['system/*.r?_tag=http://x.org|public', 'system * r _tag=http://x.org|public'],
    ['patient/Patient.r?name=M%C3%BCller', 'patient Patient r name=Müller'],
    ['patient/Patient.r?name=a%20b', 'patient Patient r name=a b'],
    ['patient/Patient.r?name=a+b', 'patient Patient r name=a+b'],
    ['patient/Patient.r?name=a=b', 'patient Patient r name=a=b'],
    ['patient/Patient.r?name=a%26b', 'patient Patient r name=a&b'],
    ['patient/Observation.rs?category=http:%2F%2Fx.org%7Ca', 'patient Observation rs category=http://x.org|a'],
  ]
  it.each(accepted)('reads %s', (text, meaning) => {
    expect(read(text)).toBe(meaning)
  })

  it.each(accepted)('prints %s as it was written', text => {
    const term = parseScope(text)
    expect(term === undefined ? undefined : printScope(term)).toBe(text)
  })
})

describe('scopes that are refused, never widened – A46', () => {
  const refused: readonly string[] = [
    // not resource scopes
    '',
    ' ',
    'openid',
    'fhirUser',
    'launch',
    'launch/patient',
    'offline_access',
    'profile',
    // the head
    'system:Patient.read',
    'patient/Patient',
    'patient/Patient.',
    '/Patient.r',
    'patient/.r',
    'patient.Patient.r',
    'patient//Patient.r',
    'Patient/Patient.r',
    'PATIENT/Patient.r',
    'practitioner/Patient.r',
    'patients/Patient.r',
    'patient/patient.r',
    'patient/PATIENT.r',
    'patient/Patients.r',
    'patient/Resource.r',
    'patient/DomainResource.r',
    'patient/Element.r',
    'patient/Nonsense.r',
    'patient/constructor.r',
    'patient/__proto__.r',
    'patient/**.r',
    'patient/P*.r',
    'patient/*',
    'patient/*.',
    'patient/Patient/1.r',
    'patient/Patient,Observation.r',
    'patient/Patient.r,user/Patient.r',
    'user/patient/Patient.r',
    'patient/user/Patient.r',
    // the verbs
    'patient/Patient.sr',
    'patient/Patient.rr',
    'patient/Patient.rc',
    'patient/Patient.x',
    'patient/Patient.rsx',
    'patient/Patient.R',
    'patient/Patient.RS',
    'patient/Patient.Read',
    'patient/Patient.READ',
    'patient/Patient.reads',
    'patient/Patient.readwrite',
    'patient/Patient.read.write',
    'patient/Patient.r.s',
    'patient/Patient.**',
    'patient/Patient.r*',
    'patient/Patient.*r',
    'patient/Patient.crud s',
    'patient/Patient.search',
    'patient/Patient.all',
    // blanks and controls
    ' patient/Patient.r',
    'patient/Patient.r ',
    'patient/Patient.r\n',
    '\npatient/Patient.r',
    'patient/Patient.r\u0000',
    'patient/ Patient.r',
    'patient/Patient.r user/Patient.r',
    'patient/Patient.r\tuser/*.r',
    'patient/Patient\u00a0.r',
    '\ufeffpatient/Patient.r',
    // lookalikes and escapes
    'pаtient/Patient.r',
    'patient∕Patient.r',
    'patient/Patient․r',
    'patient/Ρatient.r',
    'patient/Patient.ｒ',
    'patient/Patient.r\u200b',
    'patient/∗.r',
    'patient%2FPatient.r',
    'patient%2fPatient.r',
    'patient/Patient%2Er',
    'patient/%2A.r',
    'patient/Patient.%72',
    'patient/Patient.r%20',
    'patient/Patient.r%3Fname=x',
    'patient\\Patient.r',
    'patient/Patient.r"',
    '"patient/Patient.r"',
    // params
    'patient/Observation.rs?',
    'patient/Observation.rs?category',
    'patient/Observation.rs?category=',
    'patient/Observation.rs?=a',
    'patient/Observation.rs?category=a&',
    'patient/Observation.rs?&category=a',
    'patient/Observation.rs?category=a&&code=b',
    'patient/Observation.rs?category=a&code',
    'patient/Observation.rs??category=a',
    'patient/Observation.rs#category=a',
    'patient/Observation?category=a',
    'patient/Observation.?category=a',
    'patient/Observation.rs?category=a b',
    'patient/Observation.rs?Category=a',
    'patient/Observation.rs?nonsense=a',
    'patient/Observation.rs?constructor=a',
    'patient/Observation.rs?__proto__=a',
    'patient/Observation.rs?name=a',
    'patient/Observation.rs?category:not=a',
    'patient/Observation.rs?category:text=a',
    'patient/Observation.rs?category:missing=true',
    'patient/Observation.rs?patient.name=a',
    'patient/Observation.rs?subject:Patient.name=a',
    'patient/Observation.rs?_has:Provenance:target:agent=a',
    'patient/Observation.rs?_has=a',
    'patient/Observation.rs?_filter=category%20eq%20a',
    'patient/Observation.rs?_list=1',
    'patient/Observation.rs?_query=a',
    'patient/Observation.rs?_text=a',
    'patient/Observation.rs?_content=a',
    'patient/Observation.rs?_count=5',
    'patient/Observation.rs?_sort=date',
    'patient/Observation.rs?_include=Observation:subject',
    'patient/Observation.rs?_summary=true',
    'patient/Observation.rs?_elements=id',
    'patient/Observation.rs?code-value-quantity=a$gt5',
    'patient/Location.rs?near=1|2',
    'patient/Observation.rs?cat%65gory=a',
    'patient/Observation.rs?date=yesterday',
    'patient/Observation.rs?value-quantity=gtx',
    'patient/Observation.rs?category=%',
    'patient/Observation.rs?category=%2',
    'patient/Observation.rs?category=%zz',
    'patient/Observation.rs?category=%00',
    'patient/Observation.rs?category=%0A',
    'patient/Observation.rs?category=%FF',
    'patient/Observation.rs?category=%C0%AF',
    'patient/Observation.rs?category=%ED%A0%80',
    'patient/Observation.rs?category=ä',
    'patient/Observation.read?category=a',
    'patient/Observation.*?category=a',
    'patient/Observation.write?category=a',
    // params on every type
    'patient/*.rs?category=a',
    'patient/*.rs?patient=A',
    'patient/*.rs?identifier=a',
    'patient/*.rs?_text=a',
    'patient/*.rs?_tag=',
    // size
    `patient/Observation.rs?category=${'a'.repeat(2000)}`,
  ]
  it.each(refused)('%j', text => {
    expect(parseScope(text)).toBeUndefined()
  })

  it('any order of letters but the one', () => {
    const letters = fc.array(fc.constantFrom<string>('c', 'r', 'u', 'd', 's'), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(letters, chosen => {
        const inOrder = [...'cruds'].filter(letter => chosen.includes(letter)).join('')
        expect(parseScope(`patient/Observation.${chosen.join('')}`) !== undefined).toBe(chosen.join('') === inOrder)
      }),
    )
  })
})

describe('parseScope', () => {
  it('knows every resource type and no other name', () => {
    for (const type of resourceTypes) expect(read(`user/${type}.rs`)).toBe(`user ${type} rs`)
    const word = fc.stringMatching(/^[A-Z][A-Za-z]{0,30}$/)
    fc.assert(
      fc.property(word, type => {
        expect(parseScope(`user/${type}.rs`) !== undefined).toBe(resourceTypes.includes(type))
      }),
    )
  })

  it('never throws, and what it accepts it gives back letter by letter', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom(
          'patient',
          'user',
          'system',
          '/',
          '*',
          '.',
          'Observation',
          'rs',
          'read',
          '?',
          'category',
          '=',
          '&',
          '%',
          '_id',
          ',',
        ),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          pieces.map(parts => parts.join('')),
          fc.string({ unit: 'binary' }),
        ),
        text => {
          const term = parseScope(text)
          if (term !== undefined) expect(printScope(term)).toBe(text)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('reads what printScope wrote', () => {
    fc.assert(
      fc.property(anyTerm, (term: Term) => {
        expect(parseScope(printScope(term))).toEqual(term)
      }),
    )
  })
})
