import { createValidator } from '#validation'
import { type Answer, admin, baseUrl, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

const own = grantOf('patient/*.rs', { patient: 'a' })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding[0].code
const idsOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { resource: { id: string } }) => entry.resource.id)

let house: House
const get = (url: string, grant = own) => house.ask('GET', url, { grant })
const ids = async (query: string, grant = own) => idsOf(await get(`/Observation/$lastn?${query}`, grant))

async function put(resource: object): Promise<void> {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const answer = await house.ask('PUT', `/${resourceType}/${id}`, { grant: admin, body: resource })
  if (answer.status !== 201) throw new Error(answer.text)
}

const coded = (...codes: readonly string[]) => ({ coding: codes.map(code => ({ system: 'urn:s', code })) })
const lab = [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] }]
const measured = (id: string, patient: string, code: object, day: number | undefined, more: object = {}) => ({
  ...weightOf(patient, day ?? 0, { code, category: lab, effectiveDateTime: undefined, ...more }),
  ...(day === undefined ? {} : { effectiveDateTime: `2026-01-${String(day).padStart(2, '0')}` }),
  id,
})

beforeAll(async () => {
  house = await openHouse()
  for (const patient of [patientA, patientB]) await put(patient)
  for (const [id, code, day] of [
    ['a1', coded('a'), 1],
    ['a2', coded('a'), 2],
    ['a3', coded('a'), 3],
    ['a3-too', coded('a'), 3],
    ['a4', coded('a'), 4],
    ['b1', coded('b'), 1],
    ['b5', coded('b'), 5],
    ['c1', coded('c'), 1],
    ['cd2', coded('c', 'd'), 2],
    ['d3', coded('d'), 3],
    ['text', { text: 'Text' }, 6],
    ['text-older', { text: 'Text' }, 5],
    ['text-other', { text: 't e x t' }, 1],
    ['undated', coded('u'), undefined],
    ['alone', coded('alone'), undefined],
    ['u7', coded('u'), 7],
  ] as const)
    await put(measured(id, 'a', code, day))
  await put(measured('b-of-b', 'b', coded('b'), 9))
  await put(measured('wrong', 'a', coded('a'), 20, { status: 'entered-in-error' }))
})
afterAll(() => house.close())

describe('Observation/$lastn – https://hl7.org/fhir/R4/observation-operation-lastn.html', () => {
  it('answers the latest of each code, newest first; codes that share a coding are one, also by way of others', async () => {
    expect(await ids('patient=a&category=laboratory&status=final')).toEqual([
      'u7',
      'text',
      'b5',
      'a4',
      'd3',
      'text-other',
      'alone',
    ])
  })

  it('takes those that were entered in error, unless the status is asked for', async () => {
    expect(await ids('patient=a&code=urn:s|a')).toEqual(['wrong'])
    expect(await ids('patient=a&code=urn:s|a&status:not=entered-in-error')).toEqual(['a4'])
  })

  it.each([
    ['subject=Patient/a&code=urn:s|a,urn:s|b&status=final&max=2', ['b5', 'a3', 'a3-too', 'a4', 'b1']],
    ['patient=a&code=urn:s|a&status=final&max=3', ['a3', 'a3-too', 'a4']],
    ['patient=a&code=urn:s|a&status=final&max=4', ['a2', 'a3', 'a3-too', 'a4']],
    ['patient=a&code=urn:s|c,urn:s|d&max=2', ['cd2', 'd3']],
    ['patient=a&code=urn:s|u&max=9', ['u7', 'undated']],
    ['patient=a&code-value-quantity=urn:s|a$lt4', ['a3', 'a3-too']],
    ['patient=a&category=vital-signs', []],
    ['patient=b&category=laboratory', []],
    ['patient=a&code=urn:s|a&date=lt2026-01-03', ['a2']],
    ['_filter=code eq urn:s|a&patient=a&combo-code=urn:s|a&status=final', ['a4']],
  ])('%s → %j, with those of the same time', async (query, expected) => {
    expect((await ids(query)).sort()).toEqual([...expected].sort())
  })

  it('counts each subject by itself, and only what is seen', async () => {
    expect((await ids('patient=a,b&code=urn:s|b', admin)).sort()).toEqual(['b-of-b', 'b5'])
    expect(await ids('patient=a,b&code=urn:s|b')).toEqual(['b5'])
  })

  it('goes on page by page with the same max', async () => {
    const first = await get('/Observation/$lastn?patient=a&code=urn:s|a&status=final&max=3&_count=2&_total=accurate')
    expect([first.json.total, idsOf(first).length]).toEqual([3, 2])
    const link = (relation: string) =>
      first.json.link.find((each: { relation: string }) => each.relation === relation)?.url
    expect(link('self')).toContain('max=3')
    expect(idsOf(await get(link('next').slice(baseUrl.length)))).toHaveLength(1)
  })

  it('is asked by Parameters too', async () => {
    const parameter = [
      { name: 'patient', valueString: 'a' },
      { name: 'code', valueString: 'urn:s|a' },
      { name: 'status', valueCode: 'final' },
      { name: 'max', valuePositiveInt: 2 },
    ]
    const body = { resourceType: 'Parameters', parameter }
    expect(idsOf(await house.ask('POST', '/Observation/$lastn', { grant: own, body })).sort()).toEqual([
      'a3',
      'a3-too',
      'a4',
    ])
  })

  it.each([
    ['category=laboratory', 'lastn.subject-missing'],
    ['patient=a', 'lastn.code-missing'],
    ['patient=a&date=2026', 'lastn.code-missing'],
    ['patient=a&category=x&max=0', 'lastn.max-malformed'],
    ['patient=a&category=x&max=1&max=2', 'lastn.max-malformed'],
    ['patient=a&category=x&colour=red', 'search.parameter-unknown'],
  ])('%s → %s', async (query, code) => {
    expect(codeOf(await get(`/Observation/$lastn?${query}`))).toBe(code)
  })
})

describe('Observation/$stats – https://hl7.org/fhir/R4/observation-operation-stats.html', () => {
  const validator = createValidator()
  const stats = async (query: string, grant = own) => {
    const answer = await get(`/Observation/$stats?${query}`, grant)
    if (answer.status === 200) expect(validator.validate(answer.json)).toEqual([])
    return answer
  }
  const told = ({ json }: Answer, at = 0) =>
    Object.fromEntries(
      json.parameter
        .filter(({ name }: { name: string }) => name === 'statistics')
        [at].resource.component.map(
          (each: { code: { text: string }; valueQuantity?: { value: number; code: string } }) => [
            each.code.text,
            each.valueQuantity === undefined ? undefined : [each.valueQuantity.value, each.valueQuantity.code],
          ],
        ),
    )
  const all =
    'average,maximum,minimum,count,total-count,median,std-dev,sum,variance,20-percent,80-percent,4-lower,4-upper,4-dev,5-1,5-2,5-3,5-4,skew,kurtosis,regression'

  beforeAll(async () => {
    for (const [at, value] of [60, 62, 64, 66, 68].entries()) {
      const effectiveDateTime = `2026-02-0${at + 1}T00:00:00Z`
      await put({ ...weightOf('a', value, { effectiveDateTime }), id: `w${at}` })
    }
    const grams = { valueQuantity: { value: 70_000, unit: 'g', system: 'http://unitsofmeasure.org', code: 'g' } }
    await put({ ...weightOf('a', 0, { ...grams, effectiveDateTime: '2026-02-06T00:00:00Z' }), id: 'grams' })
    await put({ ...weightOf('a', 1, { effectiveDateTime: '2026-02-07', status: 'entered-in-error' }), id: 'mistaken' })
    const beats = { value: 1, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' }
    await put({ ...weightOf('a', 1, { effectiveDateTime: '2026-02-07', valueQuantity: beats }), id: 'no-weight' })
    await put({
      ...weightOf('a', 1, { effectiveDateTime: '2026-02-07', valueQuantity: undefined, valueString: '?' }),
      id: 'said',
    })
    await put({ ...weightOf('b', 500), id: 'b-weight' })
    const pressure = (code: string, value: number) => ({
      code: { coding: [{ system: 'http://loinc.org', code }] },
      valueQuantity: { value, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
    })
    const panel = { coding: [{ system: 'http://loinc.org', code: '85354-9' }] }
    for (const [id, high, low] of [
      ['bp1', 120, 80],
      ['bp2', 130, 90],
    ] as const) {
      const component = [pressure('8480-6', high), pressure('8462-4', low)]
      await put({ ...weightOf('a', 0, { code: panel, valueQuantity: undefined, component }), id })
    }
  })

  it('computes every statistic of R4, in one unit', async () => {
    const answer = await stats(`subject=Patient/a&code=29463-7&system=http://loinc.org&statistic=${all}`)
    expect(told(answer)).toEqual({
      Average: [65, 'kg'],
      Maximum: [70, 'kg'],
      Minimum: [60, 'kg'],
      Count: [6, '{#}'],
      'Total Count': [8, '{#}'],
      Median: [65, 'kg'],
      'Standard Deviation': [3.74165738677, 'kg'],
      Sum: [390, 'kg'],
      Variance: [14, '(kg)2'],
      '20th Percentile': [62, 'kg'],
      '80th Percentile': [68, 'kg'],
      'Lower Quartile': [62.5, 'kg'],
      'Upper Quartile': [67.5, 'kg'],
      'Quartile Deviation': [2.5, 'kg'],
      '1st Quintile': [62, 'kg'],
      '2nd Quintile': [64, 'kg'],
      '3rd Quintile': [66, 'kg'],
      '4th Quintile': [68, 'kg'],
      Skew: [0, '1'],
      Kurtosis: [-1.26857142857, '1'],
      'Regression: gradient': [2, '(kg)/d'],
      'Regression: intercept': [60, 'kg'],
    })
    expect(answer.json.parameter[0].resource).toMatchObject({
      status: 'final',
      code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
      subject: { reference: 'Patient/a' },
    })
  })

  it('takes only what lies in the time of interest', async () => {
    const body = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'subject', valueUri: 'Patient/a' },
        { name: 'coding', valueCoding: { system: 'http://loinc.org', code: '29463-7' } },
        { name: 'period', valuePeriod: { start: '2026-02-02', end: '2026-02-03' } },
        { name: 'statistic', valueCode: 'average' },
        { name: 'statistic', valueCode: 'count' },
      ],
    }
    const answer = await house.ask('POST', '/Observation/$stats', { grant: own, body })
    expect(told(answer)).toEqual({ Average: [63, 'kg'], Count: [2, '{#}'] })
    expect(answer.json.parameter[0].resource.effectivePeriod).toEqual({ start: '2026-02-02', end: '2026-02-03' })
    // The clock stands at noon of the 1st of March.
    const days = (count: number) => stats(`subject=Patient/a&code=29463-7&statistic=count&duration=${24 * count}`)
    expect(told(await days(25))).toEqual({ Count: [2, '{#}'] })
    expect(told(await days(1))).toEqual({ Count: [0, '{#}'] })
  })

  it('tells of each part of a panel', async () => {
    const answer = await stats('subject=Patient/a&code=85354-9&system=http://loinc.org&statistic=average')
    expect([told(answer), told(answer, 1)]).toEqual([{ Average: [125, 'mm[Hg]'] }, { Average: [85, 'mm[Hg]'] }])
    expect(told(await stats('subject=Patient/a&code=8480-6&statistic=maximum'))).toEqual({ Maximum: [130, 'mm[Hg]'] })
  })

  it('returns the sources when it is asked to', async () => {
    const answer = await stats('subject=Patient/a&code=29463-7&statistic=count&include=true&limit=2')
    expect(answer.json.parameter.map(({ name }: { name: string }) => name)).toEqual(['statistics', 'source', 'source'])
  })

  it('says of one who is out of reach, or unknown, that there is nothing', async () => {
    for (const subject of ['Patient/b', 'Patient/never-was'])
      expect(told(await stats(`subject=${subject}&code=29463-7&statistic=average,count`))).toEqual({
        Average: undefined,
        Count: [0, '{#}'],
      })
    expect(told(await stats('subject=Patient/b&code=29463-7&statistic=average', admin))).toEqual({
      Average: [500, 'kg'],
    })
  })

  it.each([
    ['code=x&statistic=count', 'subject'],
    ['subject=Patient/a&statistic=count', 'code'],
    ['subject=Patient/a&code=x', 'statistic'],
    ['subject=Patient/a&code=x&statistic=guess', 'statistic'],
    ['subject=Patient/a&code=x&statistic=constructor', 'statistic'],
    ['subject=Patient/a&code=x&statistic=count&duration=-1', 'duration'],
    ['subject=Patient/a&code=x&statistic=count&include=perhaps', 'include'],
    ['subject=Patient/a&code=x&statistic=count&limit=0', 'limit'],
  ])('%s → stats.malformed: %s', async (query, name) => {
    const answer = await stats(query)
    expect([codeOf(answer), answer.json.issue[0].expression]).toEqual(['stats.malformed', [name]])
  })

  it.each(['Patient/a,Patient/b', 'a,b', 'Patient/b,Patient/a'])('never mixes two subjects: %s', async subject => {
    const answer = await stats(`subject=${subject}&code=29463-7&statistic=average`, admin)
    expect(codeOf(answer)).toBe('search.reference-malformed')
  })

  it('needs the right to search observations', async () => {
    const conditions = grantOf('patient/Condition.rs', { patient: 'a' })
    expect(codeOf(await stats('subject=Patient/a&code=x&statistic=count', conditions))).toBe('scope.missing')
    expect(codeOf(await get('/Observation/$lastn?patient=a&code=x', conditions))).toBe('scope.missing')
  })
})
