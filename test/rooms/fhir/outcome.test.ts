import { bundle, issueTypes, operationOutcome, parseJson, printBundle, problemTable } from '#fhir'
import { Problem, type ProblemKind } from '#kernel'

describe('operationOutcome – https://hl7.org/fhir/R4/operationoutcome.html', () => {
  it('tells code, text and place, and never detail or cause', () => {
    const problem = new Problem('invalid', 'search.date-malformed', 'The parameter is not a FHIR date.', {
      expression: 'birthdate',
      detail: 'only for the log',
      cause: new Error('secret'),
    })
    expect(operationOutcome(problem)).toEqual({
      resourceType: 'OperationOutcome',
      issue: [
        {
          severity: 'error',
          code: 'invalid',
          details: {
            coding: [{ system: 'https://kinhold.org/fhir/problem', code: 'search.date-malformed' }],
            text: 'The parameter is not a FHIR date.',
          },
          diagnostics: 'birthdate: The parameter is not a FHIR date.',
          expression: ['birthdate'],
        },
      ],
    })
  })

  it('has one issue for each fault of a Problem', () => {
    const outcome = operationOutcome(
      new Problem('unprocessable', 'validation.failed', 'Not valid.', {
        expression: ['Patient.a', 'Patient.b'],
        issues: [
          { severity: 'error', type: 'required', text: 'Mandatory.', expression: 'Patient.a' },
          { severity: 'warning', type: 'value', text: 'Odd.' },
        ],
      }),
    )
    expect(outcome.issue).toEqual([
      expect.objectContaining({ code: 'required', expression: ['Patient.a'], diagnostics: 'Patient.a: Mandatory.' }),
      expect.not.objectContaining({ expression: expect.anything() }),
    ])
    expect(outcome.issue).toMatchObject([{ severity: 'error' }, { severity: 'warning', diagnostics: 'Odd.' }])
  })

  it.each<[ProblemKind, number, string]>([
    ['invalid', 400, 'invalid'],
    ['unprocessable', 422, 'business-rule'],
    ['unauthenticated', 401, 'login'],
    ['forbidden', 403, 'forbidden'],
    ['not-found', 404, 'not-found'],
    ['gone', 410, 'deleted'],
    ['conflict', 409, 'conflict'],
    ['precondition', 412, 'conflict'],
    ['ambiguous', 412, 'multiple-matches'],
    ['unsupported', 400, 'not-supported'],
    ['not-allowed', 405, 'not-supported'],
    ['not-acceptable', 406, 'not-supported'],
    ['unsupported-media', 415, 'not-supported'],
    ['too-large', 413, 'too-long'],
    ['too-costly', 422, 'too-costly'],
    ['throttled', 429, 'throttled'],
    ['busy', 503, 'transient'],
    ['full', 507, 'no-store'],
    ['timeout', 504, 'timeout'],
    ['fault', 500, 'exception'],
  ])('%s is %d %s', (kind, httpStatus, issueType) => {
    expect(problemTable[kind]).toEqual({ httpStatus, issueType })
    expect(issueTypes[kind]).toBe(issueType)
    expect(Object.keys(problemTable)).toHaveLength(20)
  })
})

describe('bundle – https://hl7.org/fhir/R4/bundle.html', () => {
  it('leaves an empty list of entries out', () => {
    expect(bundle('searchset', [], { total: 0 })).toEqual({ resourceType: 'Bundle', type: 'searchset', total: 0 })
  })

  it('prints resources as the texts they are', () => {
    const json = '{"resourceType":"Observation","valueQuantity":{"value":1.50}}'
    const extra = { total: 2, link: [{ relation: 'self', url: 'https://box.example' }] }
    const printed = printBundle(
      'searchset',
      [
        { fullUrl: 'https://box.example/Observation/1', json: Buffer.from(json), search: { mode: 'match' } },
        { json, response: undefined },
        { response: { status: '204' } },
      ],
      extra,
    )
    expect(printed).toContain(`"resource":${json},"search":{"mode":"match"}}`)
    expect(parseJson(printed)).toEqual(
      bundle(
        'searchset',
        [
          {
            fullUrl: 'https://box.example/Observation/1',
            resource: parseJson(json) as never,
            search: { mode: 'match' },
          },
          { resource: parseJson(json) as never },
          { response: { status: '204' } },
        ],
        extra,
      ),
    )
    expect(printBundle('history', [])).toBe('{"resourceType":"Bundle","type":"history"}')
  })
})
