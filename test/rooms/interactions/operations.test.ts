import { resourceTypes } from '#fhir'
import { catalogue, type IngestPort, type Job, type PeoplePort } from '#interactions'
import { collect, Problem } from '#kernel'
import { createValidator } from '#validation'
import { type Answer, admin, grantOf, type House, noLetters, openHouse, patientA, patientB, weightOf } from './house.ts'

const own = grantOf('patient/*.cruds', { patient: 'a' })
const codeOf = (answer: Answer) => answer.json.issue[0].details.coding[0].code

describe('metadata – https://hl7.org/fhir/R4/http.html#capabilities', () => {
  let house: House
  let statement: Answer
  beforeAll(async () => {
    house = await openHouse()
    statement = await house.ask('GET', '/metadata')
  })
  afterAll(() => house.close())

  it('is public, and valid by its own server', () => {
    expect(statement.status).toBe(200)
    expect(createValidator().validate(statement.json)).toEqual([])
    expect(statement.json).toMatchObject({
      fhirVersion: '4.0.1',
      kind: 'instance',
      implementation: { url: 'http://127.0.0.1:8080/fhir' },
    })
  })

  const rest = () => statement.json.rest[0]
  const ofType = (type: string) => rest().resource.find((resource: { type: string }) => resource.type === type)

  it('lists every resource type with what the catalogue answers for it', () => {
    expect(rest().resource.map((resource: { type: string }) => resource.type)).toEqual(resourceTypes)
    const codes = ofType('Observation').interaction.map((interaction: { code: string }) => interaction.code)
    const rows = new Set(catalogue.map(route => route.interaction))
    expect(codes).toEqual([
      'read',
      'vread',
      'update',
      'patch',
      'delete',
      'history-instance',
      'history-type',
      'create',
      'search-type',
    ])
    for (const code of codes) expect(rows).toContain(code)
    expect(rest().interaction.map((interaction: { code: string }) => interaction.code)).toEqual([
      'transaction',
      'batch',
      'search-system',
      'history-system',
    ])
  })

  it('names the compartment – https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.compartment', () => {
    expect(rest().compartment).toEqual(
      ['patient', 'device', 'encounter', 'practitioner', 'relatedPerson'].map(
        name => `http://hl7.org/fhir/CompartmentDefinition/${name}`,
      ),
    )
  })

  it('has a name that a program can use – cpb-0 of https://hl7.org/fhir/R4/capabilitystatement.html#invs', async () => {
    const terminology = await house.ask('GET', '/metadata?mode=terminology')
    for (const { json } of [statement, terminology]) expect(json.name).toMatch(/^[A-Z][A-Za-z0-9_]{0,254}$/)
  })

  it('promises PATCH and XML, and not to change AuditEvents', () => {
    expect(statement.json.patchFormat).toEqual([
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/fhir+json',
      'application/fhir+xml',
    ])
    expect(statement.json.format).toContain('application/fhir+xml')
    expect(ofType('AuditEvent').interaction.map((interaction: { code: string }) => interaction.code)).toEqual([
      'read',
      'vread',
      'history-instance',
      'history-type',
      'create',
      'search-type',
    ])
  })

  it('lists search parameters that are answered, and none that are not', async () => {
    const names: string[] = ofType('Patient').searchParam.map((parameter: { name: string }) => parameter.name)
    expect(names).toEqual(expect.arrayContaining(['_id', '_text', '_content', 'family', 'birthdate', 'identifier']))
    expect(names).not.toContain('_query')
    for (const name of names) {
      const answer = await house.ask('GET', `/Patient?${name}=1`, { grant: own })
      expect([name, answer.status === 200 || codeOf(answer) !== 'search.parameter-unsupported']).toEqual([name, true])
    }
  })

  it('names the operations of a type and how to get a token', () => {
    const operations = (type: string) => ofType(type).operation.map((operation: { name: string }) => operation.name)
    expect(operations('Patient').sort()).toEqual([
      'audit-export',
      'everything',
      'explain-access',
      'export',
      'fhirpath',
      'graphql',
      'ingest',
      'match',
      'merge',
      'meta',
      'meta-add',
      'meta-delete',
      'purge',
      'summary',
      'unmerge',
      'validate',
    ])
    expect(operations('Observation').sort()).toEqual([
      'fhirpath',
      'graphql',
      'lastn',
      'meta',
      'meta-add',
      'meta-delete',
      'stats',
      'validate',
    ])
    expect(operations('AuditEvent').sort()).toEqual(['fhirpath', 'graphql', 'meta', 'validate'])
    expect(rest().security.extension[0].extension).toEqual([
      { url: 'token', valueUri: 'http://127.0.0.1:8080/auth/token' },
    ])
  })

  it('refuses modes it does not have', async () => {
    expect(codeOf(await house.ask('GET', '/metadata?mode=constructor'))).toBe('capabilities.mode-unsupported')
    expect((await house.ask('GET', '/metadata?mode=full')).status).toBe(200)
  })
})

describe('smart-configuration – https://hl7.org/fhir/smart-app-launch/conformance.html', () => {
  it('is public JSON whatever is accepted', async () => {
    const house = await openHouse()
    const answer = await house.ask('GET', '/.well-known/smart-configuration', { headers: { accept: 'text/html' } })
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.json).toEqual({ token_endpoint: 'http://127.0.0.1:8080/auth/token' })
    await house.close()
  })
})

describe('$validate – https://hl7.org/fhir/R4/resource-operation-validate.html', () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
    await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
    await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  })
  afterAll(() => house.close())
  const check = (body: object, query = '') => house.ask('POST', `/Observation/$validate${query}`, { grant: own, body })

  it('finds nothing wrong with a good resource, and stores nothing', async () => {
    const answer = await check(weightOf('a', 70))
    expect([answer.status, answer.json.issue[0].severity]).toEqual([200, 'information'])
    expect((await house.ask('GET', '/Observation?_summary=count', { grant: admin })).json.total).toBe(0)
  })

  it('names what is wrong, with 200', async () => {
    const answer = await check({ resourceType: 'Observation', status: 'final', colour: 'red' })
    expect(answer.status).toBe(200)
    expect(answer.json.issue.map((issue: { expression: string[] }) => issue.expression[0])).toEqual(
      expect.arrayContaining(['Observation.colour']),
    )
    expect(answer.text).not.toContain('"red"')
  })

  it('takes Parameters', async () => {
    const parameters = (parameter: object[]) => ({ resourceType: 'Parameters', parameter })
    const good = await check(
      parameters([
        { name: 'resource', resource: weightOf('a', 70) },
        { name: 'mode', valueCode: 'create' },
      ]),
    )
    expect(good.json.issue[0].severity).toBe('information')
    expect(codeOf(await check(parameters([{ name: 'mode', valueCode: 'create' }])))).toBe('validate.resource-missing')
    expect(codeOf(await check(parameters([{ name: 'colour', valueUri: 'x' }])))).toBe('validate.parameter-unknown')
    const odd = parameters([{ name: 'resource', resource: 'text' }])
    expect(codeOf(await check(odd))).toBe('validate.resource-missing')
    expect(codeOf(await check({ resourceType: 'Parameters', parameter: [null] }))).toBe('validate.parameter-unknown')
  })

  it('takes Parameters that are themselves to be checked, wrapped or not', async () => {
    const ask = (body: object) => house.ask('POST', '/Parameters/$validate', { grant: own, body })
    const bare = {
      resourceType: 'Parameters',
      parameter: [{ name: 'resource', resource: patientA }, { colour: 'red' }],
    }
    const expected = ['Parameters.parameter[1].colour', 'Parameters.parameter[1].name']
    for (const body of [bare, { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: bare }] }])
      expect(
        (await ask(body)).json.issue.flatMap((issue: { expression: string[] }) => issue.expression).sort(),
      ).toEqual(expected)
  })

  it('checks against the definition of the type, and refuses profiles that nobody knows', async () => {
    const observation = 'http://hl7.org/fhir/StructureDefinition/Observation'
    const wrapped = (...parameter: object[]) => ({
      resourceType: 'Parameters',
      parameter: [...parameter, { name: 'resource', resource: weightOf('a', 70) }],
    })
    for (const answer of [
      await check(weightOf('a', 70), `?profile=${observation}&mode=profile`),
      await check(wrapped({ name: 'profile', valueUri: observation }, { name: 'mode', valueCode: 'profile' })),
      await check(wrapped({ name: 'profile', valueCanonical: observation })),
    ])
      expect(answer.json.issue[0].severity).toBe('information')
    for (const answer of [
      await check(weightOf('a', 70), '?profile=http://hl7.org/fhir/StructureDefinition/unheard-of'),
      await check(wrapped({ name: 'profile', valueUri: 'http://example.org/StructureDefinition/none' })),
    ])
      expect([answer.status, codeOf(answer)]).toEqual([400, 'validate.profile-unknown'])
    expect(codeOf(await check(weightOf('a', 70), '?mode=profile'))).toBe('validate.profile-missing')
    const other = await check(wrapped({ name: 'profile', valueUri: 'http://hl7.org/fhir/StructureDefinition/Patient' }))
    expect(other.json.issue.map((issue: { details: { text: string } }) => issue.details.text)).toContain(
      'The profile is for another type of resource or element.',
    )
  })

  it('says in diagnostics what it says, and where', async () => {
    const { json } = await check({ resourceType: 'Observation', code: { text: 'x' } })
    expect(json.issue).toEqual([
      {
        severity: 'error',
        code: 'required',
        details: { text: 'The element is mandatory.' },
        diagnostics: 'Observation.status: The element is mandatory.',
        expression: ['Observation.status'],
      },
    ])
    const { status, div } = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">70 kg</div>' }
    const well = await check({ ...weightOf('a', 70), text: { status, div } })
    expect(well.json.issue.map(({ diagnostics }: { diagnostics: string }) => diagnostics)).toEqual([
      'No issues were found.',
    ])
  })

  it('tells what is only unwise as a warning', async () => {
    const { issue } = (await check(weightOf('a', 70))).json
    expect(issue).toMatchObject([
      { severity: 'information', diagnostics: 'No errors were found.' },
      { severity: 'warning', code: 'invariant', expression: ['Observation'] },
    ])
    expect(issue[1].details.text).toContain('(dom-6)')
  })

  it('says of an instance whether it may be deleted', async () => {
    const reading = grantOf('patient/*.rs', { patient: 'a' })
    const ask = (grant: typeof own) => house.ask('GET', '/Patient/a/$validate?mode=delete', { grant })
    expect((await ask(own)).json.issue).toMatchObject([{ severity: 'information' }])
    expect((await ask(reading)).json.issue).toMatchObject([{ severity: 'error', code: 'forbidden' }])
  })

  it('of an instance checks by POST what would replace it, or what is stored', async () => {
    const ask = (body?: object) =>
      house.ask('POST', '/Patient/a/$validate', { grant: own, ...(body === undefined ? {} : { body }) })
    const severities = async (body?: object) =>
      (await ask(body)).json.issue.map((issue: { severity: string }) => issue.severity)
    expect(await severities()).toEqual(['information', 'warning'])
    expect(await severities({ resourceType: 'Parameters' })).toEqual(['information', 'warning'])
    expect(await severities({ ...patientA, gender: 'm' })).toEqual(['error'])
    const parameter = [{ name: 'resource', resource: { ...patientA, gender: 'm' } }]
    expect(await severities({ resourceType: 'Parameters', parameter })).toEqual(['error'])
    const foreign = await house.ask('POST', '/Patient/b/$validate', { grant: own, body: patientB })
    expect(foreign.status).toBe(404)
  })

  it('for an update says what stands against it – https://hl7.org/fhir/R4/valueset-resource-validation-mode.html', async () => {
    const { id: _, ...nameless } = patientA
    const wrapped = (resource: object, mode = 'update') => ({
      resourceType: 'Parameters',
      parameter: [
        { name: 'mode', valueCode: mode },
        { name: 'resource', resource },
      ],
    })
    const ask = async (body: object, grant = own, query = '') => {
      const { json } = await house.ask('POST', `/Patient/a/$validate${query}`, { grant, body })
      return json.issue.filter(({ severity }: { severity: string }) => severity === 'error')
    }
    expect(await ask(wrapped(patientA))).toEqual([])
    expect(await ask(wrapped(patientA), own, '?mode=update')).toEqual([])
    for (const other of [patientB, nameless]) {
      expect(await ask(wrapped(other))).toMatchObject([{ code: 'invalid', expression: ['Patient.id'] }])
      expect(await ask(other, own, '?mode=update')).toMatchObject([{ code: 'invalid' }])
      expect(await ask(wrapped(other, 'create'))).toEqual([])
    }
    const creating = grantOf('patient/*.crs', { patient: 'a' })
    expect(await ask(wrapped(patientA), creating)).toMatchObject([{ code: 'forbidden' }])
    expect(await ask(wrapped({ ...patientB, gender: 'm' }), creating)).toMatchObject([
      { code: 'forbidden' },
      { code: 'invalid' },
      { expression: ['Patient.gender'] },
    ])
  })

  it('says of a type whether any of it may be created or updated', async () => {
    const ask = async (scope: string, mode: string) => {
      const grant = grantOf(scope, { patient: 'a' })
      const { json } = await house.ask('POST', `/Observation/$validate?mode=${mode}`, {
        grant,
        body: weightOf('a', 70),
      })
      return json.issue.filter(({ severity }: { severity: string }) => severity === 'error')
    }
    for (const [scope, mode] of [
      ['patient/Observation.rus', 'create'],
      ['patient/Observation.crs', 'update'],
    ] as const)
      expect(await ask(scope, mode)).toMatchObject([{ code: 'forbidden' }])
    for (const mode of ['create', 'update']) expect(await ask('patient/Observation.cu', mode)).toEqual([])
    expect(
      await ask('patient/Observation.rs', 'profile&profile=http://hl7.org/fhir/StructureDefinition/Observation'),
    ).toEqual([])
  })

  it('refuses what it cannot do', async () => {
    expect(codeOf(await check(weightOf('a', 70), '?mode=delete'))).toBe('validate.mode-unsupported')
    expect(codeOf(await check(patientA))).toBe('body.type-differs')
    expect((await house.ask('POST', '/Observation/$validate', { body: weightOf('a', 70) })).status).toBe(401)
  })

  it("checks what is stored, and knows nothing of somebody else's", async () => {
    expect((await house.ask('GET', '/Patient/a/$validate', { grant: own })).json.issue[0].severity).toBe('information')
    const foreign = await house.ask('GET', '/Patient/b/$validate', { grant: own })
    expect(foreign).toEqual(await house.ask('GET', '/Patient/nobody/$validate', { grant: own }))
    expect(foreign.status).toBe(404)
  })
})

/** An importer whose jobs end when the test says so. */
type Driven = Job & { finish(state: 'done' | 'failed', problem?: Problem): void }

class HandDriven implements IngestPort {
  readonly letters = noLetters
  readonly jobs = new Map<string, Driven>()
  received: Buffer = Buffer.alloc(0)
  source: string | undefined
  force: boolean | undefined

  async start(request: Parameters<IngestPort['start']>[0]): Promise<Job> {
    const { promise: done, resolve } = Promise.withResolvers<void>()
    this.source = request.source
    this.force = request.force
    const job = {
      id: 'job-1',
      state: 'running' as Job['state'],
      progress: { bytesRead: 5, rows: 2 },
      report: undefined as Job['report'],
      problem: undefined as Job['problem'],
      done,
      finish(state: 'done' | 'failed', problem?: Problem) {
        job.state = state
        job.problem = problem
        job.report = { resourceType: 'Parameters' }
        resolve()
      },
    }
    this.jobs.set(`${request.grant.id} ${job.id}`, job as Driven)
    void collect(request.body, 1000).then(bytes => {
      this.received = bytes
    })
    return job as Job
  }

  async job(id: string, grant: { id: string }): Promise<Job | undefined> {
    return this.jobs.get(`${grant.id} ${id}`)
  }

  async hl7v2({ message }: { message: Buffer }): Promise<{ status: number; ack: string }> {
    return { status: 200, ack: `MSA|AA|${message.length}\r` }
  }
}

describe('$ingest', () => {
  let house: House
  let port: HandDriven
  beforeEach(async () => {
    port = new HandDriven()
    house = await openHouse({ ingest: port })
    await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
    await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  })
  afterEach(() => house.close())
  const send = (url: string, headers: Record<string, string> = {}, grant = own) =>
    house.ask('POST', url, { grant, headers: { 'content-type': 'application/zip', ...headers }, body: 'bytes' })

  it('answers with the report once the import is over', async () => {
    let isAnswered = false
    const answer = send('/Patient/a/$ingest?source=my-phone').finally(() => {
      isAnswered = true
    })
    while (port.received.length === 0) await new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(isAnswered).toBe(false)
    port.jobs.get(`${own.id} job-1`)?.finish('done')
    expect([(await answer).status, (await answer).json]).toEqual([200, { resourceType: 'Parameters' }])
    expect([port.received.toString(), port.source]).toEqual(['bytes', 'my-phone'])
  })

  it('imports what is about somebody else only when it is told so', async () => {
    const isForced = async (query: string) => {
      await send(`/Patient/a/$ingest${query}`, { prefer: 'respond-async' })
      return port.force
    }
    expect([await isForced(''), await isForced('?force=false'), await isForced('?force=true')]).toEqual([
      false,
      false,
      true,
    ])
    expect(codeOf(await send('/Patient/a/$ingest?force=yes'))).toBe('request.boolean-malformed')
  })

  it('answers 202 to those who would rather poll, then progress, then the report', async () => {
    const accepted = await send('/Patient/a/$ingest', { prefer: 'respond-async' })
    expect([accepted.status, accepted.text]).toEqual([202, ''])
    expect(accepted.headers['content-location']).toBe('http://127.0.0.1:8080/fhir/$job/job-1')
    const poll = () => house.ask('GET', '/$job/job-1', { grant: own })
    const running = await poll()
    expect([running.status, running.headers['x-progress']]).toEqual([202, '5 bytes, 2 rows'])
    port.jobs.get(`${own.id} job-1`)?.finish('done')
    expect((await poll()).status).toBe(200)
  })

  it('answers 422 with the report when the file was of no use', async () => {
    await send('/Patient/a/$ingest', { prefer: 'respond-async' })
    port.jobs.get(`${own.id} job-1`)?.finish('failed')
    const failed = await house.ask('GET', '/$job/job-1', { grant: own })
    expect([failed.status, failed.json.resourceType]).toEqual([422, 'Parameters'])
  })

  // https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4 and RFC 4918, section 11.5
  it.each([
    ['busy', 503, '5'],
    ['full', 507, '5'],
    ['timeout', 504, '5'],
    ['fault', 500, '5'],
    ['invalid', 422, undefined],
    ['unprocessable', 422, undefined],
    ['gone', 422, undefined],
  ] as const)(
    'tells who waits for it that an import broke off for what is %s with %i, and who polls with 422',
    async (kind, status, retry) => {
      const answer = send('/Patient/a/$ingest')
      while (port.jobs.size === 0) await new Promise(resolve => setImmediate(resolve))
      port.jobs
        .get(`${own.id} job-1`)
        ?.finish('failed', new Problem(kind, 'storage.full', 'Why.', { retryAfterSeconds: 5 }))
      const { status: told, headers, json } = await answer
      expect([told, headers['retry-after'], json.resourceType]).toEqual([status, retry, 'Parameters'])
      expect((await house.ask('GET', '/$job/job-1', { grant: own })).status).toBe(422)
    },
  )

  it('knows no job of somebody else, nor one that never was', async () => {
    await send('/Patient/a/$ingest', { prefer: 'respond-async' })
    const foreign = await house.ask('GET', '/$job/job-1', { grant: admin })
    expect([foreign.status, codeOf(foreign)]).toEqual([404, 'job.unknown'])
    expect(await house.ask('GET', '/$job/another', { grant: own })).toEqual(foreign)
    expect(await house.ask('GET', '/$job/not%2fan%2fid', { grant: own })).toEqual(foreign)
  })

  it('imports for nobody else, and for nobody without the right to create', async () => {
    const foreign = await send('/Patient/b/$ingest')
    expect([foreign.status, codeOf(foreign)]).toEqual([404, 'record.unknown'])
    expect(await send('/Patient/nobody/$ingest')).toEqual(foreign)
    const reader = grantOf('patient/*.rs', { patient: 'a' })
    expect(codeOf(await send('/Patient/a/$ingest', {}, reader))).toBe('scope.missing')
    expect(port.jobs.size).toBe(0)
  })
})

describe('HL7 v2 over HTTP', () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse({ ingest: new HandDriven() })
  })
  afterAll(() => house.close())
  const er7 = { 'content-type': 'x-application/hl7-v2+er7; charset=utf-8' }

  it('answers with an acknowledgement in the same form', async () => {
    const answer = await house.ask('POST', '/hl7v2', { grant: own, headers: er7, body: 'MSH|^~\\&|' })
    expect([answer.status, answer.text]).toEqual([200, 'MSA|AA|9\r'])
    expect(answer.headers['content-type']).toBe('x-application/hl7-v2+er7; charset=utf-8')
  })

  it('refuses what is no message, and those who may not create', async () => {
    expect(codeOf(await house.ask('POST', '/hl7v2', { grant: own, body: 'MSH' }))).toBe('body.type-unsupported')
    expect(codeOf(await house.ask('POST', '/hl7v2', { grant: own, headers: er7 }))).toBe('body.missing')
    const reader = grantOf('patient/*.rs', { patient: 'a' })
    expect(codeOf(await house.ask('POST', '/hl7v2', { grant: reader, headers: er7, body: 'MSH' }))).toBe(
      'scope.missing',
    )
    expect((await house.ask('POST', '/hl7v2', { headers: er7, body: 'MSH' })).status).toBe(401)
  })
})

const noReview: PeoplePort['review'] = {
  page: async () => ({ held: [] }),
  show: () => Promise.reject(new Error('nothing waits')),
  decide: () => Promise.reject(new Error('nothing waits')),
}

describe('$review', () => {
  const asked: object[] = []
  const held = {
    id: 'h1',
    state: 'waiting',
    format: 'hl7v2',
    heldAtMs: Date.UTC(2026, 1, 1),
    doubt: { patients: ['a'], elements: ['name'], incoming: { name: [{ family: 'Miller' }] } },
  }
  const review: PeoplePort['review'] = {
    page: async (_, { count, after }) => {
      const behind = Array.from({ length: 3 }, (_, nth) => ({
        ...held,
        id: `h${nth + 1}`,
        heldAtMs: held.heldAtMs + nth,
      }))
        .filter(({ heldAtMs }) => after === undefined || heldAtMs > after.heldAtMs)
        .slice(0, count)
      const last = behind.at(-1)
      return { held: behind, ...(last !== undefined && last.id !== 'h3' ? { next: { count, after: last } } : {}) }
    },
    show: async () => held,
    decide: async ({ decision, patient }) => {
      asked.push({ decision, patient })
      return decision === 'reject' ? 'rejected' : 'accepted'
    },
  }
  let house: House
  beforeEach(async () => {
    const none = () => Promise.reject(new Error('no merges'))
    house = await openHouse({ people: { match: async () => [], merge: none, unmerge: none, review } })
  })
  afterEach(() => house.close())
  const decide = (...parameter: object[]) =>
    house.ask('POST', '/$review/h1', { grant: admin, body: { resourceType: 'Parameters', parameter } })

  it('lists what waits without what it says of anybody, and shows one with it', async () => {
    const list = await house.ask('GET', '/$review', { grant: admin })
    expect(list.json.parameter[0].part).toContainEqual({
      name: 'candidate',
      valueReference: { reference: 'Patient/a' },
    })
    expect(list.text).not.toContain('Miller')
    const one = await house.ask('GET', '/$review/h1', { grant: admin })
    expect(one.json.parameter.at(-1)).toEqual({
      name: 'incoming',
      resource: { resourceType: 'Patient', name: [{ family: 'Miller' }] },
    })
  })

  it('is a page at a time, each with a link to the one behind it', async () => {
    const ids: string[] = []
    let pages = 0
    for (let url: string | undefined = '/$review?_count=2'; url !== undefined; pages++) {
      const { status, json } = await house.ask('GET', url, { grant: admin })
      expect(status).toBe(200)
      type Part = { name: string; valueId?: string; valueUrl?: string; part?: Part[] }
      const parts: readonly Part[] = json.parameter
      ids.push(...parts.flatMap(({ part = [] }) => part.flatMap(({ valueId = [] }) => valueId)))
      url = parts.find(({ name }) => name === 'next')?.valueUrl?.replace(/^.*(?=\/\$review)/, '')
    }
    expect([ids, pages]).toEqual([['h1', 'h2', 'h3'], 2])
  })

  it.each([
    ['_count=0', 'request.count-malformed'],
    ['_count=many', 'request.count-malformed'],
    ['_cursor=', 'review.cursor-malformed'],
    ['_cursor=h1', 'review.cursor-malformed'],
    ['_cursor=-1.h1', 'review.cursor-malformed'],
    ['_cursor=1e9.h1', 'review.cursor-malformed'],
    ['_cursor=1.h1%2F', 'review.cursor-malformed'],
  ])('refuses a page that cannot be: %s', async (query, code) => {
    expect(codeOf(await house.ask('GET', `/$review?${query}`, { grant: admin }))).toBe(code)
  })

  it('is decided for a patient, for somebody new, or against', async () => {
    const patient = { name: 'patient', valueReference: { reference: 'Patient/a' } }
    const states = [
      await decide({ name: 'decision', valueCode: 'accept' }, patient),
      await decide({ name: 'decision', valueCode: 'new' }),
      await decide({ name: 'decision', valueCode: 'reject' }),
    ]
    expect(states.map(({ json }) => json.parameter[0].valueCode)).toEqual(['accepted', 'accepted', 'rejected'])
    expect(asked).toEqual([
      { decision: 'accept', patient: 'a' },
      { decision: 'new', patient: undefined },
      { decision: 'reject', patient: undefined },
    ])
  })

  it.each([
    [[]],
    [[{ name: 'decision', valueCode: 'perhaps' }]],
    [
      [
        { name: 'decision', valueCode: 'accept' },
        { name: 'patient', valueReference: { reference: 'Group/a' } },
      ],
    ],
    [
      [
        { name: 'decision', valueCode: 'new' },
        { name: 'colour', valueCode: 'red' },
      ],
    ],
  ])('review.decision-malformed: %j', async parameter => {
    expect(codeOf(await decide(...parameter))).toBe('review.decision-malformed')
  })
})

describe('Patient/$merge and $unmerge', () => {
  const asked: { source: string; target: string; preview?: boolean }[] = []
  const result = { resourceType: 'Patient', id: 'b' }
  const people: PeoplePort = {
    match: async () => [],
    merge: async ({ source, target, preview = false }) => {
      asked.push({ source, target, preview })
      return { state: preview ? 'preview' : 'merged', result, moved: 2, differing: ['birthDate'] }
    },
    unmerge: async () => ({
      result,
      restored: 2,
      edited: ['Observation/1'],
      deleted: [],
      remaining: [],
      remainsMore: true,
    }),
    review: noReview,
  }
  let house: House
  beforeEach(async () => {
    house = await openHouse({ people })
    await house.ask('PUT', '/Patient/a', {
      grant: admin,
      body: { ...patientA, identifier: [{ system: 'urn:x', value: '1' }] },
    })
  })
  afterEach(() => house.close())
  const merge = (...parameter: object[]) =>
    house.ask('POST', '/Patient/$merge', { grant: admin, body: { resourceType: 'Parameters', parameter } })
  const reference = (name: string, text: string) => ({ name, valueReference: { reference: text } })

  it('names the Patients by references or by identifiers, and answers as R5 has it', async () => {
    const byReference = await merge(
      reference('source-patient', 'Patient/a'),
      reference('target-patient', 'http://127.0.0.1:8080/fhir/Patient/b'),
      { name: 'preview', valueBoolean: true },
    )
    const byNumber = await merge(
      { name: 'source-patient-identifier', valueIdentifier: { system: 'urn:x', value: '1' } },
      reference('target-patient', 'Patient/b'),
    )
    expect(asked).toEqual([
      { source: 'a', target: 'b', preview: true },
      { source: 'a', target: 'b', preview: false },
    ])
    for (const { status, json } of [byReference, byNumber]) {
      expect([status, json.parameter.map((one: { name: string }) => one.name)]).toEqual([
        200,
        ['input', 'outcome', 'result'],
      ])
      expect(JSON.stringify(json.parameter[1])).toContain('Patient.birthDate')
    }
  })

  it.each([
    ['merge.parameter-missing', [reference('source-patient', 'Patient/a')]],
    ['merge.parameter-unknown', [reference('source-patients', 'Patient/a')]],
    ['merge.patient-unclear', [reference('source-patient', 'http://other/fhir/Patient/a')]],
    [
      'merge.patient-unclear',
      [{ name: 'source-patient-identifier', valueIdentifier: { system: 'urn:x', value: '2' } }],
    ],
  ])('%s', async (code, parameter) => {
    expect(codeOf(await merge(...parameter))).toBe(code)
  })

  it('says what went back and what was changed since', async () => {
    const { status, json } = await house.ask('POST', '/Patient/a/$unmerge', { grant: admin })
    expect([status, json.parameter.map((one: { name: string }) => one.name)]).toEqual([
      200,
      ['outcome', 'result', 'restored', 'edited'],
    ])
    const { issue } = json.parameter[0].resource
    expect(issue.map((one: { severity: string }) => one.severity)).toEqual(['information', 'warning'])
  })

  const unmerge = (...parameter: object[]) =>
    house.ask('POST', '/Patient/$unmerge', { grant: admin, body: { resourceType: 'Parameters', parameter } })

  it.each(['source-patient', 'target-patient'])(
    '%s by a number that only an account has entered is refused',
    async name => {
      const number = { system: 'urn:x', value: '7' }
      const account = grantOf('user/*.cruds', { account: 'family', patients: [] })
      const own = { resourceType: 'Patient', identifier: [number] }
      expect((await house.ask('POST', '/Patient', { grant: account, body: own })).status).toBe(201)
      const other = name === 'source-patient' ? 'target-patient' : 'source-patient'
      const named = [{ name: `${name}-identifier`, valueIdentifier: number }, reference(other, 'Patient/a')]
      const before = asked.length
      const answers = [await merge(...named), ...(name === 'source-patient' ? [await unmerge(...named)] : [])]
      for (const answer of answers) {
        expect([answer.status, codeOf(answer)]).toEqual([412, 'condition.number-unvouched'])
        expect(answer.text).not.toContain('urn:x')
      }
      expect(asked).toHaveLength(before)
      await house.ask('POST', '/Patient', { grant: admin, body: own })
      expect((await merge(...named)).status).toBe(200)
    },
  )

  it('$unmerge names the Patients as $merge does', async () => {
    const link = [{ type: 'replaced-by', other: { reference: 'Patient/b' } }]
    await house.ask('PUT', '/Patient/b', { grant: admin, body: { resourceType: 'Patient', id: 'b' } })
    await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, link } })
    const source = reference('source-patient', 'Patient/a')
    expect((await unmerge(source)).status).toBe(200)
    expect((await unmerge(source, reference('target-patient', 'Patient/b'))).status).toBe(200)
    expect(codeOf(await unmerge(source, reference('target-patient', 'Patient/c')))).toBe('merge.patient-unclear')
    expect(codeOf(await unmerge(reference('target-patient', 'Patient/b')))).toBe('merge.parameter-missing')
    expect(codeOf(await unmerge(source, { name: 'preview', valueBoolean: true }))).toBe('merge.parameter-unknown')
  })
})

describe('Parameters that are none – https://hl7.org/fhir/R4/operations.html#executing', () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
    await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  })
  afterAll(() => house.close())

  const bodies: [string, unknown][] = [
    ['null among the parameters', [null]],
    ['null behind a good one', [{ name: 'decision', valueCode: 'new' }, null]],
    ['a text', 'decision'],
    ['texts', ['decision']],
    ['a parameter without a name', [{ valueCode: 'new' }]],
    ['a name that is none', [{ name: {} }]],
    ['null where an object belongs', [{ name: 'patient', valueReference: null }]],
    ['null for an identifier', [{ name: 'source-patient-identifier', valueIdentifier: null }]],
    ['a text for an identifier', [{ name: 'target-patient-identifier', valueIdentifier: 'x' }]],
  ]
  // The body of $ingest is a file, whatever it holds.
  const asked = catalogue.flatMap(({ method, path }) =>
    method === 'POST' && path.includes('$') && !path.endsWith('$ingest')
      ? [path.replace('{type}', 'Patient').replace(/[:{]\w+}?/g, 'a')]
      : [],
  )

  it.each(asked.flatMap(path => bodies.map(([name, parameter]): [string, string, unknown] => [path, name, parameter])))(
    '%s answers %s with 4xx and an outcome',
    async (path, _name, parameter) => {
      const answer = await house.ask('POST', path, { grant: admin, body: { resourceType: 'Parameters', parameter } })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
      const outcome = path.endsWith('$graphql') ? answer.json.errors?.[0].extensions.resource : answer.json
      expect((outcome ?? answer.json).resourceType).toBe('OperationOutcome')
    },
  )
})
