import { createLog, isProblem, Problem, silentLog } from '#kernel'
import { parseBearer } from '../../../src/http/bearer.ts'
import { isPreflight } from '../../../src/http/cross-origin.ts'
import { answerProblem, toProblem } from '../../../src/http/problem-response.ts'
import { headersFor } from '../../../src/http/security-headers.ts'

const context = { baseUrl: 'https://health.example.org', tokenPresented: false, allowed: ['GET', 'HEAD'], page: false }

describe('a Problem as an answer – https://hl7.org/fhir/R4/operationoutcome.html', () => {
  it('is an OperationOutcome with the status of its kind', () => {
    const answer = answerProblem(new Problem('gone', 'record.deleted', 'It was deleted.'), context)
    expect(answer.status).toBe(410)
    expect(answer.headers['content-type']).toBe('application/fhir+json; charset=utf-8')
    expect(JSON.parse(answer.body)).toMatchObject({
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: 'deleted', details: { text: 'It was deleted.' } }],
    })
  })

  it('never shows detail or cause', () => {
    const problem = new Problem('fault', 'x.y', 'Shown.', { detail: 'only logged', cause: new Error('neither') })
    expect(answerProblem(problem, context).body).not.toMatch(/only logged|neither/)
  })

  it('challenges those without a token, and says where tokens come from', () => {
    const problem = new Problem('unauthenticated', 'token.missing', 'No token.')
    const plain = answerProblem(problem, context).headers['www-authenticate']
    expect(plain).toBe(
      'Bearer realm="https://health.example.org/fhir", ' +
        'resource_metadata="https://health.example.org/.well-known/oauth-protected-resource/fhir"',
    )
    const after = answerProblem(problem, { ...context, tokenPresented: true }).headers['www-authenticate']
    expect(after).toBe(`${plain}, error="invalid_token"`)
  })

  it('adds what other kinds need', () => {
    const headersOf = (problem: Problem) => answerProblem(problem, context).headers
    expect(headersOf(new Problem('not-allowed', 'a.b', 'No.')).allow).toBe('GET, HEAD')
    expect(headersOf(new Problem('too-large', 'a.b', 'No.')).connection).toBe('close')
    expect(headersOf(new Problem('busy', 'a.b', 'Later.', { retryAfterSeconds: 3 }))['retry-after']).toBe('3')
    expect(headersOf(new Problem('forbidden', 'scope.missing', 'No.'))['www-authenticate']).toContain(
      'insufficient_scope',
    )
  })

  it('makes a fault without detail of whatever else was thrown, and logs its name and place but not its message', () => {
    const lines: string[] = []
    const log = createLog('info', { write: line => lines.push(line) })
    const problem = toProblem(new TypeError('quotes Anna Alder'), log)
    expect(problem.code).toBe('fault.unexpected')
    expect(answerProblem(problem, context).status).toBe(500)
    expect(answerProblem(problem, context).body).not.toMatch(/Anna|TypeError|\.ts/)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('TypeError')
    expect(lines[0]).toContain('answers.test.ts')
    expect(lines[0]).not.toContain('Anna')
  })

  it('passes a Problem on as it is', () => {
    const problem = new Problem('busy', 'a.b', 'Later.')
    expect(toProblem(problem, silentLog)).toBe(problem)
  })
})

describe('access tokens – https://www.rfc-editor.org/rfc/rfc6750#section-2.1', () => {
  it.each([
    ['Bearer abc-._~+/123==', 'abc-._~+/123=='],
    ['bearer  abc', 'abc'],
    [undefined, undefined],
  ])('of %j is %j', (header, token) => {
    expect(parseBearer(header)).toBe(token)
  })

  it.each([
    '',
    'Basic abc',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a, Bearer b',
    'Bearer a\u0000',
    'Token abc',
    'DPoP abc',
  ])('of %j cannot be read', header => {
    try {
      parseBearer(header)
      throw new Error('expected a Problem')
    } catch (error) {
      expect(isProblem(error, 'unauthenticated') && error.code).toBe('token.malformed')
    }
  })
})

const from = (headers: Record<string, string>, method = 'GET') => ({ method, headers })

describe('cross-origin requests – https://hl7.org/fhir/smart-app-launch/app-launch.html', () => {
  it('knows a preflight from an OPTIONS request', () => {
    const asking = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }
    expect(isPreflight(from(asking, 'OPTIONS'))).toBe(true)
    expect(isPreflight(from(asking, 'GET'))).toBe(false)
    expect(isPreflight(from({ origin: 'https://app.example' }, 'OPTIONS'))).toBe(false)
  })
})

describe('headers of every answer', () => {
  it('forbid to keep, to guess and to frame', () => {
    expect(headersFor('http://127.0.0.1:8080')).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    })
  })

  it('promise https only where it is', () => {
    expect(headersFor('http://127.0.0.1:8080')).not.toHaveProperty('strict-transport-security')
    expect(headersFor('https://health.example.org')).toHaveProperty('strict-transport-security')
  })
})
