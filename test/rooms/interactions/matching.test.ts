import { catalogue, matcher, rootMatcher } from '#interactions'

const found = (method: string, path: string) => {
  const match = matcher.match(method, path)
  return match === undefined ? undefined : [match.route.interaction, match.params]
}

describe('the catalogue – https://hl7.org/fhir/R4/http.html#summary', () => {
  it.each([
    ['GET', '/Patient/1', 'read', { type: 'Patient', id: '1' }],
    ['HEAD', '/Patient/1', 'read', { type: 'Patient', id: '1' }],
    ['GET', '/Patient/1/', 'read', { type: 'Patient', id: '1' }],
    ['GET', '/Patient/1/_history', 'history-instance', { type: 'Patient', id: '1' }],
    ['GET', '/Patient/1/_history/2', 'vread', { type: 'Patient', id: '1', vid: '2' }],
    ['PUT', '/Patient/1', 'update', { type: 'Patient', id: '1' }],
    ['PUT', '/Patient', 'conditional-update', { type: 'Patient' }],
    ['DELETE', '/Patient/1', 'delete', { type: 'Patient', id: '1' }],
    ['DELETE', '/Patient', 'conditional-delete', { type: 'Patient' }],
    ['POST', '/Patient', 'create', { type: 'Patient' }],
    ['GET', '/Patient', 'search-type', { type: 'Patient' }],
    ['POST', '/Patient/_search', 'search-type', { type: 'Patient' }],
    ['GET', '/', 'search-system', {}],
    ['GET', '', 'search-system', {}],
    ['POST', '/_search', 'search-system', {}],
    ['POST', '/', 'transaction', {}],
    ['GET', '/_history', 'history-system', {}],
    ['GET', '/Patient/_history', 'history-type', { type: 'Patient' }],
    ['GET', '/metadata', 'capabilities', {}],
    ['GET', '/.well-known/smart-configuration', 'smart-configuration', {}],
    ['GET', '/Patient/1/Observation', 'search-compartment', { id: '1', type: 'Observation' }],
    ['GET', '/Patient/1/*', 'search-compartment', { id: '1' }],
    ['POST', '/Patient/1/Observation/_search', 'search-compartment', { id: '1', type: 'Observation' }],
    ['GET', '/Patient/1/$everything', '$everything', { id: '1' }],
    ['GET', '/Patient/$everything', '$everything', {}],
    ['GET', '/Patient/1/$summary', '$summary', { id: '1' }],
    ['GET', '/Patient/$summary', '$summary', {}],
    ['POST', '/Patient/1/$ingest', '$ingest', { id: '1' }],
    ['GET', '/$job/abc', '$job', { job: 'abc' }],
    ['POST', '/Observation/$validate', '$validate', { type: 'Observation' }],
    ['GET', '/Observation/1/$validate', '$validate', { type: 'Observation', id: '1' }],
    ['GET', '/Patient/%41', 'read', { type: 'Patient', id: 'A' }],
  ])('%s %s is %s', (method, path, interaction, params) => {
    expect(found(method, path)).toEqual([interaction, params])
  })

  it('knows /hl7v2 below the origin only', () => {
    expect(found('POST', '/hl7v2')).toBeUndefined()
    expect(rootMatcher.match('POST', '/hl7v2')?.route.interaction).toBe('hl7v2')
  })

  it.each([
    ['GET', '/Pathent/1', 'type.unknown'],
    ['GET', '/patient/1', 'type.unknown'],
    ['GET', '/Patient/1/Pathent', 'request.path-unknown'],
    ['POST', '/Patient/1/$export', 'request.operation-unknown'],
    ['GET', '/Patient/$nothing', 'request.operation-unknown'],
    ['GET', '/Patient//1', 'request.path-unknown'],
    ['GET', '/Patient/%E0%A4%A/1', 'request.path-unknown'],
    ['GET', '/Observation/1/Patient', 'request.path-unknown'],
    ['PATCH', '/Patient/1/_history/1', 'request.method-unsupported'],
    ['POST', '/Patient/1', 'request.method-unsupported'],
    ['TRACE', '/Patient/1', 'request.method-unsupported'],
    ['DELETE', '/', 'request.method-unsupported'],
  ])('%s %s answers nothing: %s', (method, path, code) => {
    expect(found(method, path)).toBeUndefined()
    expect(matcher.explainMiss(path).code).toBe(code)
  })

  it('says which methods a path answers', () => {
    expect(matcher.allowed('/Patient/1')).toEqual(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])
    expect(matcher.allowed('/Patient')).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
    expect(matcher.allowed('/Patient/_search')).toEqual(['GET', 'HEAD', 'POST'])
    expect(matcher.allowed('/nowhere/at/all')).toEqual([])
    // AuditEvents are filed, and never changed.
    expect(matcher.allowed('/AuditEvent')).toEqual(['GET', 'HEAD', 'POST'])
    expect(matcher.allowed('/AuditEvent/1')).toEqual(['GET', 'HEAD'])
    expect(matcher.explainMiss('/AuditEvent/1').code).toBe('request.method-unsupported')
  })

  it('matches ids that are named like what every object has', () => {
    expect(found('GET', '/Patient/constructor')).toEqual(['read', { type: 'Patient', id: 'constructor' }])
    expect(found('GET', '/constructor/1')).toBeUndefined()
    expect(found('GET', '/__proto__/1')).toBeUndefined()
  })

  it('lets nothing but metadata and the well-known document be answered without a token', () => {
    const open = catalogue.filter(route => route.public === true).map(route => route.path)
    expect(open).toEqual(['/metadata', '/.well-known/smart-configuration'])
  })

  it('has one row for each method and path', () => {
    const keys = catalogue.map(({ method, path }) => `${method} ${path}`)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('asks a verb of every row that writes to a type', () => {
    const verbs = { create: 'c', update: 'u', 'conditional-update': 'u', delete: 'd', 'conditional-delete': 'd' }
    for (const [interaction, verb] of Object.entries(verbs))
      expect(catalogue.filter(row => row.interaction === interaction).map(row => row.verb)).toEqual([verb])
  })
})
