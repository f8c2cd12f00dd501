import { isProblem, type Problem } from '#kernel'
import { parseCriterion, parseQuery, type Query, searchedTypes } from '#search'
import { baseUrl } from './household.ts'

function parse(type: string | undefined, search: string, lenient = false): Query {
  return parseQuery(type, new URLSearchParams(search), { baseUrl, lenient })
}

function problemOf(work: () => unknown): Problem | undefined {
  try {
    work()
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
  return undefined
}

const many = (count: number, text: string): string => Array.from({ length: count }, () => text).join('&')

type Refused = [type: string, query: string, code: string, name: string]

const malformedTexts = [
  '(',
  ')',
  'a)',
  '(a',
  'and',
  'a or',
  'a and or b',
  'not',
  '"a',
  'a,',
  ',',
  '%25',
  '()',
  '*',
].map((text): Refused => ['Patient', `_text=${text}`, 'search.text-malformed', '_text'])

const malformedPlaces = '1 x|2 1|x 1|2|x 91|0 0|181 1|2|-1 1|2|3|kg 1|2|3|furlong 1|2|3|km|4 1|2|NaN'
  .split(' ')
  .map((place): Refused => ['Location', `near=${place}`, 'search.near-malformed', 'near'])

describe('parseQuery, strict – https://hl7.org/fhir/R4/search.html#errors', () => {
  it.each([
    ['Patient', 'nonsense=1', 'search.parameter-unknown', 'nonsense'],
    ['Patient', 'value-quantity=1', 'search.parameter-unknown', 'value-quantity'],
    ['Patient', '_type=Patient', 'search.parameter-unknown', '_type'],
    ['Patient', 'constructor=1', 'search.parameter-unknown', 'constructor'],
    ['Patient', '__proto__=1', 'search.parameter-unknown', '__proto__'],
    ['Patient', '_query=x', 'search.parameter-unsupported', '_query'],
    ['Patient', '_text:exact=x', 'search.modifier-unknown', '_text:exact'],
    ['Patient', '_content:not=x', 'search.modifier-unknown', '_content:not'],
    ['Patient', '_text=', 'search.value-missing', '_text'],
    ...malformedTexts,
    ['Patient', '_contained=true', 'search.parameter-unsupported', '_contained'],
    ['Patient', '_filter:not=name co a', 'search.modifier-unknown', '_filter:not'],
    ['Patient', '_filter:missing=true', 'search.modifier-unknown', '_filter:missing'],
    ['Patient', '_list:missing=true', 'search.modifier-unknown', '_list:missing'],
    ...malformedPlaces,
    ['Location', 'near:not=1|2', 'search.modifier-unknown', 'near:not'],
    ['Location', 'near=', 'search.value-missing', 'near'],
    ['Location', '_sort=near', 'search.sort-unknown', '_sort'],
    ['Location', '_sort=_text', 'search.sort-unknown', '_sort'],
    ['Patient', '_filter=_text eq x', 'search.filter-operator-unfit', '_filter'],
    ['Patient', '_count=1&_count=2', 'search.parameter-repeated', '_count'],
    ['Patient', '_sort=name&_sort=_id', 'search.parameter-repeated', '_sort'],
    ['Patient', '_summary=true&_elements=name', 'search.parameters-contradict', '_summary'],
    ['Patient', 'name:near=x', 'search.modifier-unknown', 'name:near'],
    ['Patient', 'name:not=x', 'search.modifier-unknown', 'name:not'],
    ['Patient', 'name:exact:contains=x', 'search.modifier-unknown', 'name:exact:contains'],
    ['Patient', 'birthdate:exact=2020', 'search.modifier-unknown', 'birthdate:exact'],
    ['Patient', 'gender:Patient=x', 'search.modifier-unknown', 'gender:Patient'],
    ['Observation', 'code:in=http://x', 'search.value-set-unknown', 'code'],
    ['Observation', 'code:not-in=ValueSet/x', 'search.value-set-unknown', 'code'],
    // Two of LOINC's codes are listed there, but all of SNOMED CT's body sites are asked for.
    ['Condition', 'body-site:in=http://hl7.org/fhir/ValueSet/body-site', 'search.value-set-unknown', 'body-site'],
    ['Observation', 'code:below=x', 'search.token-malformed', 'code'],
    ['Observation', 'code:below=|x', 'search.token-malformed', 'code'],
    ['Observation', 'code:above=http://loinc.org|', 'search.token-malformed', 'code'],
    ['Observation', 'code:above=text/xml', 'search.token-malformed', 'code'],
    ['Observation', 'code:below=http://x|y', 'search.code-system-unknown', 'code'],
    ['Patient', '_id:in=http://hl7.org/fhir/ValueSet/administrative-gender', 'search.modifier-unsupported', '_id:in'],
    ['Patient', 'birthdate:below=2020', 'search.modifier-unsupported', 'birthdate:below'],
    ['Observation', 'patient:below=1', 'search.modifier-unsupported', 'patient:below'],
    ['Observation', 'subject:below=Patient/1', 'search.modifier-unsupported', 'subject:below'],
    ['Procedure', 'location:above=http://x/Location/1', 'search.modifier-unsupported', 'location:above'],
    ['Patient', 'name=', 'search.value-missing', 'name'],
    ['Patient', 'name=a,', 'search.value-missing', 'name'],
    ['Patient', 'gender=a|b|c', 'search.token-malformed', 'gender'],
    ['Patient', 'gender=|', 'search.token-malformed', 'gender'],
    ['Patient', 'identifier:of-type=a|b', 'search.token-malformed', 'identifier'],
    ['Observation', 'subject=Patient/1/2/3', 'search.reference-malformed', 'subject'],
    ['Observation', 'subject=not an id', 'search.reference-malformed', 'subject'],
    ['Patient', 'birthdate=yesterday', 'search.date-malformed', 'birthdate'],
    ['Patient', 'birthdate=xx2020', 'search.date-malformed', 'birthdate'],
    ['Patient', 'birthdate=2020-13', 'search.date-malformed', 'birthdate'],
    ['Patient', 'birthdate=ge', 'search.date-malformed', 'birthdate'],
    ['RiskAssessment', 'probability=much', 'search.number-malformed', 'probability'],
    ['RiskAssessment', 'probability=1e999', 'search.number-malformed', 'probability'],
    ['Observation', 'value-quantity=x|y|z', 'search.number-malformed', 'value-quantity'],
    ['Observation', 'value-quantity=5|mg', 'search.quantity-malformed', 'value-quantity'],
    ['Observation', 'code-value-quantity=a', 'search.composite-malformed', 'code-value-quantity'],
    ['Observation', 'code-value-quantity=a$1$2', 'search.composite-malformed', 'code-value-quantity'],
    ['Observation', 'code:missing=yes', 'search.missing-malformed', 'code'],
    ['Observation', 'code.name=x', 'search.chain-malformed', 'code.name'],
    ['Observation', 'subject:exact.name=x', 'search.chain-malformed', 'subject:exact.name'],
    ['Observation', 'subject:Patient.nonsense=x', 'search.parameter-unknown', 'subject:Patient.nonsense'],
    ['Observation', 'subject.nonsense=x', 'search.parameter-unknown', 'subject.nonsense'],
    ['Patient', '_has:Observation:code:status=x', 'search.has-malformed', '_has:Observation:code:status'],
    ['Patient', '_has:Observation:patient=x', 'search.has-malformed', '_has:Observation:patient'],
    ['Patient', '_has:Nonsense:patient:code=x', 'search.has-malformed', '_has:Nonsense:patient:code'],
    ['Observation', '_include=Observation:code', 'search.include-unknown', '_include'],
    ['Observation', '_include=Observation', 'search.include-unknown', '_include'],
    ['Observation', '_include=Observation:subject:Nonsense', 'search.include-unknown', '_include'],
    ['Observation', '_revinclude:iterate=Nonsense:subject', 'search.include-unknown', '_revinclude:iterate'],
    ['Observation', '_sort=nonsense', 'search.sort-unknown', '_sort'],
    ['Observation', '_sort=code-value-quantity', 'search.sort-unknown', '_sort'],
    ['Observation', '_sort=', 'search.sort-unknown', '_sort'],
    ['Observation', '_count=many', 'search.control-malformed', '_count'],
    ['Observation', '_count=-1', 'search.control-malformed', '_count'],
    ['Observation', '_total=maybe', 'search.control-malformed', '_total'],
    ['Observation', '_summary=short', 'search.control-malformed', '_summary'],
    ['Observation', '_elements=a b', 'search.control-malformed', '_elements'],
    [undefined, 'name=x', 'search.type-missing', '_type'],
    [undefined, '_type=Patient,Nonsense', 'search.control-malformed', '_type'],
    [undefined, '_type=Patient&_type=Group', 'search.parameter-repeated', '_type'],
    [undefined, '_type=Patient,Observation&birthdate=2020', 'search.parameter-unknown', 'birthdate'],
  ])('%s?%s → %s', (type, search, code, expression) => {
    const problem = problemOf(() => parse(type, search))
    expect(problem?.code).toBe(code)
    expect(problem?.expression[0]).toBe(expression)
    expect(['invalid', 'unsupported']).toContain(problem?.kind)
  })

  it('never quotes a value', () => {
    for (const search of ['birthdate=SECRET', 'gender=a|b|SECRET|c', 'organization=SECRET /', 'name:exact:SECRET=1']) {
      const problem = problemOf(() => parse('Patient', search))
      expect(problem?.text).not.toContain('SECRET')
      expect(problem?.detail ?? '').not.toContain('SECRET')
    }
  })

  it.each([
    ['too many parameters', many(201, 'name=a')],
    ['too much text', `name=${'a'.repeat(600_000)}`],
    ['too many values', `name=${'a,'.repeat(10_000)}a`],
    ['a chain that is too long', `${'link:Patient.'.repeat(9)}name=a`],
    ['a _has that is too deep', `${'_has:Patient:link:'.repeat(9)}name=a`],
    ['chains that unfold to too many types', many(20, '_has:Provenance:target:target.subject._id=a')],
    ['too many includes', many(51, '_include=Patient:link')],
    ['too many sort keys', `_sort=${'name,'.repeat(8)}name`],
  ])('refuses %s, and says how much one search may have and what to ask instead', (_what, search) => {
    const problem = problemOf(() => parse('Patient', search))
    expect(problem?.code).toBe('search.too-costly')
    expect(problem?.text).toMatch(/: more than [\d,]+ [a-z ]+\. (Ask|Name|Sort) .*\.$/)
  })

  it('takes a thousand values', () => {
    const codes = Array.from({ length: 1_000 }, (_, i) => `c${i}`).join(',')
    expect(parse('Observation', `code=${codes}`).criteria).toHaveLength(1)
  })
})

describe('parseQuery, lenient – https://hl7.org/fhir/R4/search.html#errors', () => {
  it('leaves out what is not known and names it', () => {
    const query = parse(
      'Patient',
      'nonsense=1&_type=Group&name=x&name:near=y&_query=z&_include=Patient:name&_sort=nothing&gender=',
      true,
    )
    expect(query.ignored).toEqual(['nonsense', '_type', 'name:near', '_query', '_include', '_sort', 'gender'])
    expect(query.text).toBe('name=x')
  })

  it('still refuses malformed values and contradictions', () => {
    expect(problemOf(() => parse('Patient', 'birthdate=x', true))?.code).toBe('search.date-malformed')
    expect(problemOf(() => parse('Patient', '_count=1&_count=2', true))?.code).toBe('search.parameter-repeated')
  })
})

describe('parseQuery, what it understands – https://hl7.org/fhir/R4/search.html', () => {
  it('reads control parameters', () => {
    const query = parse('Patient', '_count=20&_sort=-birthdate,name&_total=accurate&_elements=name,Patient.gender')
    expect(query).toMatchObject({
      types: ['Patient'],
      count: 20,
      total: 'accurate',
      summary: 'false',
      elements: ['name', 'gender'],
      sort: [
        { name: 'birthdate', descending: true },
        { name: 'name', descending: false },
      ],
    })
  })

  it('gives at most a thousand, and no page at all for _count=0', () => {
    expect(parse('Patient', '_count=5000').count).toBe(1000)
    expect(parse('Patient', '_count=0').summary).toBe('count')
    expect(parse('Patient', '').count).toBeUndefined()
  })

  it('reads includes', () => {
    const query = parse(
      'Observation',
      '_include=Observation:subject:Patient&_revinclude:iterate=Provenance:target&_include=*',
    )
    expect(query.includes).toEqual([
      { reverse: false, iterate: false, type: 'Observation', name: 'subject', target: 'Patient' },
      { reverse: true, iterate: true, type: 'Provenance', name: 'target', target: undefined },
      { reverse: false, iterate: false, type: '*', name: '*', target: undefined },
    ])
  })

  it('has a canonical text that means the same query', () => {
    const search =
      '_count=7&code=a\\,b,c&_sort=-date&_include=Observation:subject&date=ge2020&date=lt2021&_format=json&_pretty=true'
    const query = parse('Observation', search)
    expect(query.text).toBe(
      'code=a%5C%2Cb%2Cc&date=ge2020&date=lt2021&_include=Observation%3Asubject&_sort=-date&_count=7',
    )
    expect(parse('Observation', query.text).text).toBe(query.text)
    expect(parse(undefined, '_type=Patient,Group&_id=1').text).toBe('_type=Patient%2CGroup&_id=1')
  })

  it('passes over what other rooms read', () => {
    expect(parse('Patient', '_format=json&_pretty=true&_contained=false').text).toBe('')
  })

  it('names every type that a query looks into', () => {
    const query = parse('Patient', '_has:Observation:patient:encounter.location.name=x&organization.name=y')
    expect([...searchedTypes(query)].sort()).toEqual([
      'Encounter',
      'Location',
      'Observation',
      'Organization',
      'Patient',
    ])
  })

  it('reads one criterion by itself, for granular scopes', () => {
    const criterion = parseCriterion('Observation', 'category', 'vital-signs', baseUrl)
    expect(criterion).toMatchObject({ kind: 'value', name: 'category', parameter: 'token' })
    expect(problemOf(() => parseCriterion('Observation', 'nonsense', 'x', baseUrl))?.code).toBe(
      'search.parameter-unknown',
    )
  })
})

describe('a filter that is not understood – https://hl7.org/fhir/R4/search_filter.html', () => {
  it.each([
    ['', 'search.filter-malformed', 1],
    ['name', 'search.filter-malformed', 5],
    ['name co', 'search.filter-malformed', 8],
    ['name is secret', 'search.filter-malformed', 5],
    ['name co "secret', 'search.filter-malformed', 8],
    ['name co "\\x"', 'search.filter-malformed', 13],
    ['name co ""', 'search.filter-malformed', 11],
    ['name co a b', 'search.filter-malformed', 10],
    ['name co a and', 'search.filter-malformed', 14],
    ['name co a not name co b', 'search.filter-malformed', 10],
    ['(name co a', 'search.filter-malformed', 11],
    ['name co a)', 'search.filter-malformed', 10],
    ['not name co a', 'search.filter-malformed', 4],
    ['organization[name co a', 'search.filter-malformed', 23],
    ['organization[name co a] eq 1', 'search.filter-malformed', 24],
    ['organization. eq 1', 'search.filter-malformed', 17],
    ['7name eq 1', 'search.filter-malformed', 1],
    ['colour eq red', 'search.parameter-unknown', 0],
    ['organization.colour eq red', 'search.parameter-unknown', 0],
    ['gender.name eq red', 'search.chain-malformed', 0],
    ['organization:Nonsense.name eq red', 'search.chain-malformed', 0],
    ['gender co male', 'search.filter-operator-unfit', 0],
    ['name ss male', 'search.filter-operator-unfit', 0],
    ['birthdate sw 2010', 'search.filter-operator-unfit', 0],
    ['birthdate ge ge2010', 'search.date-malformed', 0],
    ['birthdate eq yesterday', 'search.date-malformed', 0],
    ['birthdate pr perhaps', 'search.missing-malformed', 0],
    ['gender in urn:none', 'search.value-set-unknown', 0],
    ['gender ss male', 'search.token-malformed', 0],
    ['gender eq a|b|c', 'search.token-malformed', 0],
    ['_id in urn:none', 'search.modifier-unsupported', 0],
    ['_query eq x', 'search.parameter-unsupported', 0],
    [`${'('.repeat(40)}name eq a${')'.repeat(40)}`, 'search.too-costly', 0],
    [Array(501).fill('active eq true').join(' and '), 'search.too-costly', 0],
    [Array(201).fill('name co a').join(' or '), 'search.too-costly', 0],
  ])('%s → %s', (filter, code, place) => {
    const problem = problemOf(() => parse('Patient', `_filter=${encodeURIComponent(filter)}`))
    expect(problem?.code).toBe(code)
    if (place > 0) expect(problem?.text).toContain(`at character ${place}:`)
    expect(problem?.text).not.toMatch(/secret|perhaps|urn:none/)
  })

  it('is refused by lenient handling too, since without it more would be found', () => {
    const lenient = () =>
      parseQuery('Patient', new URLSearchParams({ _filter: 'name is x' }), { baseUrl, lenient: true })
    expect(problemOf(lenient)?.code).toBe('search.filter-malformed')
  })
})

describe('a path of a filter', () => {
  it.each([
    ['Provenance', 'target.patient.birthdate', '2020'],
    ['List', 'item.patient.gender', 'male'],
    ['List', 'item.encounter.patient.birthdate', '2020'],
    ['Appointment', 'actor.patient.general-practitioner.active', 'true'],
  ])('%s: %s is as deep as a chain is, however many types do not go on with it', (type, path, value) => {
    expect(parse(type, `_filter=${path} eq ${value}`).criteria).toEqual(parse(type, `${path}=${value}`).criteria)
  })
})
