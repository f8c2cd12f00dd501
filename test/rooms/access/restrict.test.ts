import { restrict, restrictToReadable, visionOf } from '#access'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import { CompartmentIndex, extractRow, evaluate as inSteps, parseQuery, type Query, type Restricted } from '#search'
import { type Context, grantOf, holders, observation } from './grants.ts'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

const baseUrl = 'https://kinhold.example/fhir'
const inContextA: Context = { patient: 'A', patients: ['A'] }

function queryOf(text: string): Query {
  const [type = '', params = ''] = text.split('?')
  return parseQuery(type === '' ? undefined : type, new URLSearchParams(params), { baseUrl })
}

describe('restrict: types that a search touches need s – spec smart 1I, A17, A25, A48', () => {
  const refused: readonly (readonly [scopes: string, query: string, missing: string])[] = [
    ['patient/Observation.r', 'Observation', 'patient/Observation.s'],
    ['patient/Observation.rs', 'Condition', 'patient/Condition.s'],
    ['', 'Observation', 'patient/Observation.s'],
    ['patient/Observation.rs', 'Observation?patient.name=x', 'patient/Patient.s'],
    ['patient/Observation.rs patient/Patient.r', 'Observation?patient.name=x', 'patient/Patient.s'],
    [
      'patient/Observation.rs patient/Patient.rs',
      'Observation?patient.general-practitioner:Practitioner.name=x',
      'patient/Practitioner.s',
    ],
    ['patient/Patient.rs', 'Patient?_has:Observation:patient:code=x', 'patient/Observation.s'],
    [
      'patient/Patient.rs patient/Observation.rs',
      'Patient?_has:Observation:patient:_has:Provenance:target:recorded=ge2026',
      'patient/Provenance.s',
    ],
    [
      'patient/Patient.rs patient/Observation.rs',
      'Patient?_has:Observation:patient:performer:Practitioner.name=x',
      'patient/Practitioner.s',
    ],
    ['patient/Observation.rs', '?_type=Observation,Condition', 'patient/Condition.s'],
  ]
  it.each(refused)('%s on %s lacks %s', (scopes, query, missing) => {
    expect(() => restrict(queryOf(query), grantOf(scopes, inContextA))).toThrow(
      expect.objectContaining({ kind: 'forbidden', code: 'scope.missing', text: `This needs the scope ${missing}.` }),
    )
  })

  const allowed: readonly (readonly [scopes: string, query: string])[] = [
    ['patient/Observation.s', 'Observation'],
    ['patient/Observation.rs?category=survey', 'Observation?category=laboratory'],
    ['patient/Observation.rs patient/Patient.s', 'Observation?patient.name=x'],
    ['patient/Observation.rs patient/Patient.s', 'Observation?subject:Patient.name=x'],
    ['patient/*.rs', 'Observation?subject.name=x'],
    ['patient/Observation.rs', 'Observation?patient=A&_sort=-date'],
    ['patient/Observation.rs', 'Observation?_include=Observation:subject&_revinclude=Provenance:target'],
  ]
  it.each(allowed)('%s suffices for %s', (scopes, query) => {
    const parsed = queryOf(query)
    const { vision, includeVision, ...rest } = restrict(parsed, grantOf(scopes, inContextA))
    expect(rest).toEqual(parsed)
    expect([typeof vision, typeof includeVision]).toEqual(['function', 'function'])
  })

  it('sees included rows by r or s, and matches by s alone', () => {
    const grant = grantOf('patient/Observation.s patient/Patient.r', inContextA)
    const { vision, includeVision } = restrict(queryOf('Observation'), grant)
    expect(vision('Patient', holders.A)).toEqual({ kind: 'none' })
    expect(includeVision('Patient', holders.A)).toEqual({ kind: 'all' })
    expect(includeVision('Condition', holders.A)).toEqual({ kind: 'none' })
  })
})

describe('restrictToReadable', () => {
  it('serves a read by r as well as by s, and nobody else', () => {
    const query = queryOf('Practitioner?_id=x')
    for (const scopes of ['patient/Practitioner.r', 'patient/Practitioner.s', 'patient/*.rs']) {
      const { vision } = restrictToReadable(query, grantOf(scopes, inContextA))
      expect(vision('Practitioner', holders.commons)).toEqual({ kind: 'all', referencedOnly: true })
    }
    for (const scopes of ['patient/Practitioner.cud', 'patient/Observation.rs', ''])
      expect(() => restrictToReadable(query, grantOf(scopes, inContextA))).toThrow(
        expect.objectContaining({ kind: 'forbidden', code: 'scope.missing' }),
      )
  })
})

describe('visionOf', () => {
  const criteria = [expect.objectContaining({ kind: 'value', name: 'category' })]
  it('gives each holder its sight', () => {
    const vision = visionOf(grantOf('patient/*.rs', inContextA), ['s'])
    expect(vision('Observation', holders.A)).toEqual({ kind: 'all' })
    expect(vision('Observation', holders.B)).toEqual({ kind: 'none' })
    expect(vision('Practitioner', holders.commons)).toEqual({ kind: 'all', referencedOnly: true })
    expect(vision('ValueSet', holders.commons)).toEqual({ kind: 'all' })
    expect(vision('AuditEvent', holders.auditA)).toEqual({ kind: 'all' })
    expect(vision('AuditEvent', holders.auditNobody)).toEqual({ kind: 'none' })
  })

  it('joins granular terms by OR, and forgets them beside a type-level one', () => {
    const vitals = 'patient/Observation.rs?category=vital-signs'
    const labs = 'patient/Observation.rs?category=laboratory'
    const both = visionOf(grantOf(`${vitals} ${labs}`, inContextA), ['s'])
    expect(both('Observation', holders.A)).toEqual({ kind: 'some', anyOf: [criteria, criteria] })
    expect(both('Condition', holders.A)).toEqual({ kind: 'none' })
    const all = visionOf(grantOf(`${vitals} patient/*.rs`, inContextA), ['s'])
    expect(all('Observation', holders.A)).toEqual({ kind: 'all' })
    const readOnly = visionOf(grantOf(`${vitals} patient/*.r`, inContextA), ['s'])
    expect(readOnly('Observation', holders.A)).toEqual({ kind: 'some', anyOf: [criteria] })
  })

  it('keeps a granular patient/ term to referenced rows in the commons, and joins user/ terms to it', () => {
    const practitioners = 'patient/Practitioner.rs?name=x'
    const alone = visionOf(grantOf(practitioners, inContextA), ['s'])
    expect(alone('Practitioner', holders.commons)).toMatchObject({ kind: 'some', referencedOnly: true })
    const joined = visionOf(grantOf(`${practitioners} user/*.rs`, inContextA), ['s'])
    expect(joined('Practitioner', holders.commons)).toEqual({ kind: 'all', referencedOnly: true })
    const apart = visionOf(grantOf('patient/Practitioner.rs user/Practitioner.rs?name=x', inContextA), ['s'])
    expect(apart('Practitioner', holders.commons)).toEqual({ kind: 'all', referencedOnly: true })
  })

  it('shows an account what it made itself in the commons too, as far as its own terms go', () => {
    const of = (scopes: string) =>
      visionOf(grantOf(scopes, { ...inContextA, account: 'account-1' }), ['s'])('Practitioner', holders.commons)
    const mine = { referencedOnly: true, madeBy: 'account-1' }
    expect(of('user/*.rs')).toEqual({ kind: 'all', ...mine })
    expect(of('patient/*.rs user/*.rs')).toEqual({ kind: 'all', ...mine })
    expect(of('user/Practitioner.rs?name=x')).toEqual({ kind: 'some', anyOf: [[expect.anything()]], ...mine })
    expect(of('patient/*.rs user/Practitioner.rs?name=x')).toEqual({ kind: 'all', referencedOnly: true })
    expect(of('patient/*.rs')).toEqual({ kind: 'all', referencedOnly: true })
  })

  it('sees nothing to write in an audit ledger, nor for patient/ terms in the commons', () => {
    const grant = grantOf('patient/*.cruds system/*.r', inContextA)
    expect(visionOf(grant, ['u'])('AuditEvent', holders.auditA)).toEqual({ kind: 'none' })
    expect(visionOf(grant, ['u'])('ValueSet', holders.commons)).toEqual({ kind: 'none' })
    expect(visionOf(grant, ['u'])('Observation', holders.A)).toEqual({ kind: 'all' })
    expect(visionOf(grant, ['u', 'r'])('AuditEvent', holders.auditB)).toEqual({ kind: 'all' })
  })
})

describe('a restricted query, evaluated', () => {
  const resources: readonly (readonly [holder: keyof typeof holders, resource: Resource])[] = [
    ['A', { resourceType: 'Patient', id: 'A', generalPractitioner: [{ reference: 'Practitioner/known' }] }],
    ['A', { ...observation('vital-signs'), id: 'a1' }],
    ['A', { ...observation('laboratory'), id: 'a2' }],
    ['B', { resourceType: 'Patient', id: 'B' }],
    ['B', { ...observation('vital-signs', 'B'), id: 'b1', focus: [{ reference: 'Patient/A' }] }],
    ['commons', { resourceType: 'Practitioner', id: 'known' }],
    ['commons', { resourceType: 'Practitioner', id: 'stranger' }],
    ['commons', { resourceType: 'ValueSet', id: 'v', url: 'https://x.org/v' }],
  ]
  const order = new Map<string, string>()
  const indexes = (['A', 'B', 'commons'] as const).map(name => {
    const index = new CompartmentIndex(holders[name])
    resources
      .filter(([holder]) => holder === name)
      .forEach(([, resource], at) => {
        const place = { seq: at + 1, version: 1, lastUpdatedMs: 1000 + at, supersedes: undefined, deleted: false }
        index.addRow(extractRow(resource, place))
        order.set(`${holders[name].compartment} ${at + 1}`, `${resource.resourceType}/${resource.id}`)
      })
    return index
  })

  function answer(scopes: string, context: Context, text: string): readonly string[] {
    const query: Restricted<Query> = restrict(queryOf(text), grantOf(scopes, context))
    const { matches, included } = evaluate(query, indexes, { offset: 0 })
    return [...matches, ...included].map(hit => order.get(`${hit.compartment} ${hit.seq}`) ?? '?').sort()
  }

  const cases: readonly (readonly [scopes: string, context: Context, query: string, found: readonly string[]])[] = [
    ['patient/*.rs', inContextA, 'Observation', ['Observation/a1', 'Observation/a2']],
    ['patient/*.rs', inContextA, 'Observation?subject=Patient/B', []],
    ['patient/*.rs', inContextA, 'Observation?patient=A,B', ['Observation/a1', 'Observation/a2']],
    ['patient/*.rs', inContextA, 'Observation?_id=b1,a1', ['Observation/a1']],
    ['patient/*.rs', inContextA, 'Patient?_revinclude=Observation:focus', ['Patient/A']],
    ['patient/*.rs', inContextA, 'Practitioner', ['Practitioner/known']],
    ['patient/*.rs', inContextA, 'ValueSet', ['ValueSet/v']],
    ['patient/Observation.rs?category=vital-signs', inContextA, 'Observation', ['Observation/a1']],
    ['patient/Observation.rs?category=vital-signs', inContextA, 'Observation?category=laboratory', []],
    [
      'patient/Observation.rs',
      inContextA,
      'Observation?_include=Observation:subject',
      ['Observation/a1', 'Observation/a2'],
    ],
    [
      'patient/Observation.rs patient/Patient.r',
      inContextA,
      'Observation?_include=Observation:subject',
      ['Observation/a1', 'Observation/a2', 'Patient/A'],
    ],
    [
      'patient/Patient.rs patient/Observation.r?category=vital-signs',
      inContextA,
      'Patient?_revinclude=Observation:subject',
      ['Observation/a1', 'Patient/A'],
    ],
    ['user/*.rs', { patients: ['A', 'B'] }, 'Patient', ['Patient/A', 'Patient/B']],
    ['user/*.rs', { patients: ['B'] }, 'Observation', ['Observation/b1']],
    ['user/*.rs', { patients: ['B'] }, 'Practitioner', []],
    ['user/*.rs', { patients: ['A', 'B'] }, 'Practitioner', ['Practitioner/known']],
    ['system/*.rs', {}, 'Practitioner', ['Practitioner/known', 'Practitioner/stranger']],
    ['system/Observation.s', {}, 'Observation', ['Observation/a1', 'Observation/a2', 'Observation/b1']],
  ]
  it.each(cases)('%s %j: %s → %j', (scopes, context, text, found) => {
    expect(answer(scopes, context, text)).toEqual(found)
  })
})
