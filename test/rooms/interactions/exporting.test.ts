import { setTimeout as pause } from 'node:timers/promises'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import {
  type Answer,
  type Asked,
  admin,
  grantOf,
  type House,
  openHouse,
  patientA,
  patientB,
  weightOf,
} from './house.ts'

let house: House
const everybody = grantOf('system/*.rs', { patients: 'all' })

beforeEach(async () => {
  house = await openHouse({ bulk: { linesOfFile: 3, maxOfOwner: 40 } })
  for (const patient of [patientA, patientB]) await put(patient)
})
afterEach(() => house.close())

async function put(resource: Resource): Promise<void> {
  const url = `/${resource.resourceType}/${resource.id}`
  const { status, text } = await house.ask('PUT', url, { grant: admin, body: resource })
  if (status !== 201 && status !== 200) throw new Error(text)
}

const weight = (id: string, patient: string, kg: number, more: object = {}) =>
  put(weightOf(patient, kg, { id, ...more }))
const below = (url: string) => url.slice(url.indexOf('/fhir') + '/fhir'.length)

/** Asks until the export is over. */
async function statusOf(url: string, grant = everybody): Promise<Answer> {
  for (;;) {
    const answer = await house.ask('GET', url, { grant })
    if (answer.status !== 202) return answer
    expect(answer.headers).toMatchObject({ 'x-progress': expect.any(String), 'retry-after': '1' })
    await pause(2)
  }
}

function kickOff(url: string, asked: Asked = {}): Promise<Answer> {
  const headers = { prefer: 'respond-async', ...asked.headers }
  return house.ask(asked.body === undefined ? 'GET' : 'POST', url, { grant: everybody, ...asked, headers })
}

async function begin(url: string, asked: Asked = {}): Promise<string> {
  const answer = await kickOff(url, asked)
  if (answer.status !== 202) throw new Error(answer.text)
  expect(answer.headers['content-location']).toMatch(/\/fhir\/\$export-status\/[\w-]+$/)
  return below(answer.headers['content-location'] ?? '')
}

interface File {
  readonly type: string
  readonly url: string
  readonly count: number
}

/** The lines of files, each as it is parsed. */
async function linesOf(files: readonly File[], grant: Grant): Promise<ReturnType<typeof JSON.parse>[]> {
  const all = []
  for (const { type, url, count } of files) {
    const { text, headers, status } = await house.ask('GET', below(url), { grant })
    expect([status, headers['content-type']]).toEqual([200, 'application/fhir+ndjson'])
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
    expect([type, lines.length]).toEqual([type, count])
    expect(lines.every(({ resourceType }) => resourceType === type)).toBe(true)
    all.push(...lines)
  }
  return all
}

/** `Type/id` of all that an export holds. */
async function exported(url: string, asked: Asked = {}) {
  const { grant = everybody } = asked
  const status = await begin(url, asked)
  const { json: manifest, headers } = await statusOf(status, grant)
  const lines = await linesOf(manifest.output, grant)
  return {
    status,
    manifest,
    headers,
    lines,
    names: lines.map(({ resourceType, id }) => `${resourceType}/${id}`).sort(),
  }
}
const named = async (url: string, asked: Asked = {}) => (await exported(url, asked)).names
const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
const patientParameter = (id: string) => ({ name: 'patient', valueReference: { reference: `Patient/${id}` } })

describe('an export – https://hl7.org/fhir/uv/bulkdata/STU2/export.html', () => {
  it('holds all that the token may search, each as it is stored, in files of one type and a bounded length', async () => {
    for (const at of [1, 2, 3, 4]) await weight(`w${at}`, at % 2 === 0 ? 'a' : 'b', 70 + at)
    await weight('precise', 'a', 0, { note: [{ text: 'two\nlines' }], valueQuantity: { value: 70.5, unit: 'kg' } })
    await put({ resourceType: 'Organization', id: 'o', name: 'Clinic' })
    await put({ resourceType: 'List', id: 'l', status: 'current', mode: 'working' })
    const { names, manifest, headers } = await exported('/$export')
    expect(names).toEqual(
      ['List/l', 'Observation/precise', 'Organization/o', 'Patient/a', 'Patient/b']
        .concat([1, 2, 3, 4].map(at => `Observation/w${at}`))
        .sort(),
    )
    expect(manifest).toMatchObject({
      transactionTime: new Date(house.clock.nowMs()).toISOString(),
      request: 'http://127.0.0.1:8080/fhir/$export',
      requiresAccessToken: true,
      deleted: [],
      error: [],
    })
    expect(headers['content-type']).toBe('application/json')
    expect(Date.parse(headers.expires ?? '')).toBeGreaterThan(house.clock.nowMs())
    expect(manifest.output.map(({ type, count }: File) => `${type} ${count}`)).toContain('Observation 3')
    const { text } = await house.ask('GET', '/Observation/precise', { grant: everybody })
    const { url } = manifest.output.find(({ type }: File) => type === 'Observation')
    expect((await house.ask('GET', below(url), { grant: everybody })).text.split('\n')).toContain(text)
  })

  it('of patients holds what lies with them and what is referred to from there', async () => {
    await put({ resourceType: 'Practitioner', id: 'seen', name: [{ family: 'Ash' }] })
    await put({ resourceType: 'Practitioner', id: 'unseen', name: [{ family: 'Beech' }] })
    await put({ resourceType: 'List', id: 'nobodys', status: 'current', mode: 'working' })
    await put({ resourceType: 'ValueSet', id: 'v', status: 'active' })
    await weight('wa', 'a', 70, { performer: [{ reference: 'Practitioner/seen' }] })
    await weight('wb', 'b', 80)
    const ofA = ['Observation/wa', 'Patient/a', 'Practitioner/seen']
    expect(await named('/Patient/$export')).toEqual([...ofA, 'Observation/wb', 'Patient/b'].sort())
    expect(await named('/Patient/$export', { body: parameters(patientParameter('a')) })).toEqual(ofA)
    expect(await named('/Patient/$export', { grant: grantOf('patient/*.rs', { patient: 'a' }) })).toEqual(ofA)
    expect(await named('/Patient/$export', { grant: grantOf('user/*.rs', { patients: ['a'], account: 'x' }) })).toEqual(
      ofA,
    )
    expect(await named('/Patient/$export?_type=Patient')).toEqual(['Patient/a', 'Patient/b'])
    const two = grantOf('user/Observation.rs patient/Patient.rs', { patients: ['b'], patient: 'a', account: 'x' })
    expect(await named('/Patient/$export', { grant: two })).toEqual(['Observation/wb', 'Patient/a'])
  })

  it('of a Group holds what lies with its members of now, as far as the token reaches them', async () => {
    const reference = (patient: string) => ({ reference: `Patient/${patient}` })
    const member = [
      { entity: reference('a') },
      { entity: reference('b'), inactive: true },
      { entity: reference('b'), period: { end: '2020-01-01' } },
    ]
    await put({ resourceType: 'Group', id: 'g', type: 'person', actual: true, member })
    for (const patient of ['a', 'b']) await weight(`w${patient}`, patient, 70)
    const both = ['Observation/wa', 'Patient/a']
    expect((await named('/Group/g/$export')).filter(name => !name.startsWith('Group/'))).toEqual(both)
    const body = parameters(patientParameter('b'))
    const refused = await kickOff('/Group/g/$export', { body })
    expect([refused.status, refused.text.includes('export.patient-unknown')]).toEqual([404, true])
    expect((await kickOff('/Group/absent/$export')).status).toBe(404)
    const stranger = grantOf('user/*.rs', { patients: [], account: 'x' })
    expect((await kickOff('/Group/g/$export', { grant: stranger })).status).toBe(404)
  })

  it.each([
    ['2026', true],
    ['2026-03', true],
    ['2026-03-01', true],
    ['2026-03-01T13:30:00+01:00', true],
    ['2025', false],
    ['2026-02', false],
    ['2026-03-01T12:30:00+01:00', false],
  ])('of a Group whose member stays until %s: %s', async (end, isMember) => {
    const member = [{ entity: { reference: 'Patient/b' }, period: { end } }]
    await put({ resourceType: 'Group', id: 'g', type: 'person', actual: true, member })
    expect((await named('/Group/g/$export')).includes('Patient/b')).toBe(isMember)
  })

  it('takes its parameters from the URL and from Parameters', async () => {
    await weight('light', 'a', 60)
    house.clock.advance(60_000)
    await weight('heavy', 'b', 90)
    house.clock.advance(60_000)
    const from = '2026-03-01T12:00:30Z'
    const weights = ['Observation/heavy', 'Observation/light']
    expect(await named('/$export?_type=Observation')).toEqual(weights)
    expect(
      await named('/$export?_type=Observation,Patient&_type=Patient&_outputFormat=application/fhir%2Bndjson'),
    ).toHaveLength(4)
    expect(await named('/$export?_outputFormat=application/fhir+ndjson&_type=Patient')).toHaveLength(2)
    expect(await named('/$export?_outputFormat=ndjson&_type=Patient')).toHaveLength(2)
    expect(await named(`/$export?_since=${from}`)).toEqual(['Observation/heavy'])
    expect(await named(`/$export?_until=${from}&_type=Observation`)).toEqual(['Observation/light'])
    // What was changed after an instant, not at it: https://hl7.org/fhir/uv/bulkdata/STU2/export.html – _since
    expect(await named('/$export?_since=2026-03-01T12:01:00.000Z')).toEqual([])
    const filter = (text: string) => `_typeFilter=${encodeURIComponent(text)}`
    expect(await named(`/$export?${filter('Observation?value-quantity=gt80')}`)).toEqual([
      'Observation/heavy',
      'Patient/a',
      'Patient/b',
    ])
    const either = [filter('Observation?value-quantity=gt80'), filter('Observation?subject=Patient/a,Patient/none')]
    expect(await named(`/$export?_type=Observation&${either.join('&')}`)).toEqual(weights)
    const joined = filter('Observation?value-quantity=gt80,Observation?subject:Patient.name=Alder')
    expect(await named(`/$export?_type=Observation&${joined}`)).toEqual(weights)
    const body = parameters(
      { name: '_type', valueString: 'Observation' },
      { name: '_since', valueInstant: from },
      { name: '_elements', valueString: 'status,subject' },
    )
    const { lines } = await exported('/$export', { body })
    expect(lines).toHaveLength(1)
    expect(Object.keys(lines[0]).sort()).toEqual(['code', 'id', 'meta', 'resourceType', 'status', 'subject'])
    expect(lines[0].meta.tag).toContainEqual(expect.objectContaining({ code: 'SUBSETTED' }))
  })

  it.each([
    ['/$export?_outputFormat=text/csv', 400, 'export.format-unsupported'],
    ['/$export?_type=Nonsense', 400, 'export.type-unknown'],
    ['/$export?_type=', 400, 'export.type-unknown'],
    ['/$export?_since=yesterday', 400, 'request.since-malformed'],
    ['/$export?_until=tomorrow', 400, 'request.since-malformed'],
    ['/$export?_typeFilter=Observation', 400, 'export.filter-malformed'],
    ['/$export?_typeFilter=Nonsense%3Fcode%3D1', 400, 'export.filter-malformed'],
    ['/$export?_typeFilter=Observation%3F_include%3DObservation:subject', 400, 'export.filter-malformed'],
    ['/$export?_type=Patient&_typeFilter=Observation%3Fcode%3D1', 400, 'export.filter-malformed'],
    ['/$export?_typeFilter=Observation%3Fnonsense%3D1', 400, 'search.parameter-unknown'],
    ['/$export?includeAssociatedData=LatestProvenanceResources', 400, 'request.parameter-unknown'],
    ['/Patient/$export?organizeOutputBy=Patient', 400, 'request.parameter-unknown'],
    ['/Patient/$export?patient=Patient/a', 400, 'request.parameter-unknown'],
  ])('is refused: %s', async (url, status, code) => {
    const answer = await kickOff(url)
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([status, code])
  })

  it.each([
    ['/$export', [patientParameter('a')], 400, 'export.patient-malformed'],
    [
      '/Patient/$export',
      [{ name: 'patient', valueReference: { reference: 'Group/g' } }],
      400,
      'export.patient-malformed',
    ],
    ['/Patient/$export', [{ name: 'patient', valueReference: {} }], 400, 'operation.parameter-malformed'],
    ['/Patient/$export', [patientParameter('nobody')], 404, 'export.patient-unknown'],
    ['/Patient/$export', [{ name: 'includeAssociatedData', valueCode: 'x' }], 400, 'request.parameter-unknown'],
  ])('asked by Parameters is refused: %s %j', async (url, parts, status, code) => {
    const answer = await kickOff(url, { body: parameters(...parts) })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([status, code])
  })

  it.each([
    '/$export?includeAssociatedData=LatestProvenanceResources&_type=Patient',
    '/Patient/$export?organizeOutputBy=Patient&_type=Patient,Nonsense',
    '/$export?_outputFormat=text/csv&_type=Patient',
    '/$export?_type=Patient&_typeFilter=Observation%3Fcode%3D1',
  ])('leaves out what it does not support for whoever is lenient: %s', async url => {
    const headers = { prefer: 'respond-async, handling=lenient' }
    const answer = await kickOff(url, { headers })
    expect([answer.status, answer.json.issue[0].code]).toEqual([202, 'not-supported'])
    expect(await named(url, { headers })).toEqual(['Patient/a', 'Patient/b'])
  })

  it.each([{}, { prefer: 'return=minimal' }])('is made aside or not at all: %j', async headers => {
    const { status, json } = await house.ask('GET', '/$export', { grant: everybody, headers })
    expect([status, json.issue[0].details.coding[0].code]).toEqual([400, 'export.async-only'])
  })

  it('needs scopes to search, and no HEAD begins one', async () => {
    expect((await kickOff('/$export', { grant: grantOf('system/*.c') })).status).toBe(403)
    const observations = grantOf('system/Observation.rs', { patients: 'all' })
    expect((await kickOff('/$export?_type=Patient', { grant: observations })).status).toBe(403)
    await weight('w', 'a', 70)
    expect(await named('/$export', { grant: observations })).toEqual(['Observation/w'])
    const headers = { prefer: 'respond-async' }
    expect((await house.ask('HEAD', '/$export', { grant: everybody, headers })).status).toBe(405)
    const granular = grantOf('system/Observation.rs?code=http://loinc.org|1-1', { patients: 'all' })
    expect(await named('/$export', { grant: granular })).toEqual([])
  })

  it('stays as it was at its instant, whatever is written later', async () => {
    await weight('w', 'a', 70)
    await weight('gone', 'a', 71)
    const status = await begin('/$export?_type=Observation')
    const { output } = (await statusOf(status)).json
    house.clock.advance(1_000)
    await weight('w', 'a', 99)
    await weight('later', 'a', 72)
    await house.ask('DELETE', '/Observation/gone', { grant: admin })
    const lines = await linesOf(output, everybody)
    expect(lines.map(({ id, valueQuantity }) => [id, valueQuantity.value]).sort()).toEqual([
      ['gone', 71],
      ['w', 70],
    ])
  })

  it('tells what was deleted since, and not what came back', async () => {
    for (const id of ['stays', 'goes', 'returns']) await weight(id, 'a', 70)
    await weight('others', 'b', 70)
    house.clock.advance(1_000)
    const since = new Date(house.clock.nowMs()).toISOString()
    house.clock.advance(1_000)
    for (const id of ['goes', 'returns', 'others']) await house.ask('DELETE', `/Observation/${id}`, { grant: admin })
    await weight('returns', 'a', 71)
    const deletions = async (url: string, asked: Asked = {}) => {
      const { manifest } = await exported(url, asked)
      const lines = await linesOf(manifest.deleted, asked.grant ?? everybody)
      expect(lines.every(({ type }) => type === 'transaction')).toBe(true)
      return lines.flatMap(({ entry }) => entry.map(({ request }: { request: { url: string } }) => request.url)).sort()
    }
    expect(await deletions(`/$export?_since=${since}`)).toEqual(['Observation/goes', 'Observation/others'])
    const body = parameters({ name: '_since', valueInstant: since }, patientParameter('a'))
    expect(await deletions('/Patient/$export', { body })).toEqual(['Observation/goes'])
    expect(await deletions(`/$export?_since=${since}&_type=Patient`)).toEqual([])
    expect(await deletions('/$export')).toEqual([])
  })

  it('is the same of many patients, who are searched as one', async () => {
    const patients = Array.from({ length: 12 }, (_, at) => `p${at}`)
    for (const id of patients) await put({ ...patientA, id })
    for (const id of patients) await weight(`w-${id}`, id, 70)
    await put({
      resourceType: 'Appointment',
      id: 'both',
      status: 'proposed',
      participant: ['p1', 'p2'].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' })),
    })
    const names = await named('/$export')
    expect(names).toEqual(
      [
        'Appointment/both',
        'Patient/a',
        'Patient/b',
        ...patients.flatMap(id => [`Observation/w-${id}`, `Patient/${id}`]),
      ].sort(),
    )
    expect(await named('/Patient/$export')).toEqual(names)
    const some = grantOf('user/*.rs', { patients: patients.slice(0, 10), account: 'x' })
    expect(await named('/Patient/$export', { grant: some })).toHaveLength(21)
  })
})

describe('an export belongs to who began it', () => {
  const client = (id: string, token: string, scopes = 'system/*.rs') =>
    grantOf(scopes, { id: token, actor: { kind: 'client', id, clientId: id }, patients: 'all' })

  it('and to the next token of the same client, since such tokens live for minutes', async () => {
    const { manifest, status } = await exported('/$export', { grant: client('c', 'token-1') })
    const next = client('c', 'token-2')
    expect((await statusOf(status, next)).json).toEqual(manifest)
    expect(await linesOf(manifest.output, next)).toHaveLength(2)
    for (const stranger of [client('d', 'token-3'), everybody, admin, grantOf('patient/*.rs', { patient: 'a' })]) {
      for (const url of [status, ...manifest.output.map(({ url }: File) => below(url))])
        expect((await house.ask('GET', url, { grant: stranger })).json.issue[0].details.coding[0].code).toBe(
          'export.unknown',
        )
      expect((await house.ask('DELETE', status, { grant: stranger })).status).toBe(404)
    }
    expect((await statusOf(status, next)).status).toBe(200)
  })

  it('as far as the scopes of the token that asks reach', async () => {
    const { manifest } = await exported('/$export', { grant: client('c', 'token-1') })
    await weight('w', 'a', 70)
    const [{ url }] = manifest.output
    expect(
      (await house.ask('GET', below(url), { grant: client('c', 'token-2', 'system/Observation.rs') })).status,
    ).toBe(403)
    const account = (patients: string[]) => grantOf('user/*.rs', { id: 'family', patients, account: 'x' })
    const both = await exported('/Patient/$export?_type=Patient', { grant: account(['a', 'b']) })
    expect(both.names).toEqual(['Patient/a', 'Patient/b'])
    const { json } = await statusOf(both.status, account(['b']))
    expect(json.output).toMatchObject([{ count: 1 }])
    expect((await linesOf(json.output, account(['b']))).map(({ id }) => id)).toEqual(['b'])
  })

  it('who may remove it, under way or done', async () => {
    const done = await exported('/$export')
    const running = await begin('/$export')
    for (const status of [done.status, running]) {
      expect((await house.ask('DELETE', status, { grant: everybody })).status).toBe(202)
      expect((await house.ask('GET', status, { grant: everybody })).status).toBe(404)
      expect((await house.ask('DELETE', status, { grant: everybody })).status).toBe(404)
    }
    for (const { url } of done.manifest.output)
      expect((await house.ask('GET', below(url), { grant: everybody })).status).toBe(404)
  })

  it.each(['/$export-status/nonsense', '/$export-status/..%2f', '/$export-file/nonsense/0'])(
    '%s leads nowhere',
    async url => {
      expect((await house.ask('GET', url, { grant: everybody })).status).toBe(404)
    },
  )

  it('so that a file that there is not leads nowhere either', async () => {
    const { manifest } = await exported('/$export')
    const [{ url }] = manifest.output
    for (const number of ['99', '-1', '1e1', 'x'])
      expect((await house.ask('GET', below(url).replace(/\d+$/, number), { grant: everybody })).status).toBe(404)
  })

  it('for a time', async () => {
    const { status } = await exported('/$export')
    house.clock.advance(25 * 3_600_000)
    expect((await house.ask('GET', status, { grant: everybody })).status).toBe(404)
  })

  it('and ends with the right to make it', async () => {
    const renew = () =>
      Promise.reject(new Problem('unauthenticated', 'token.unknown', 'The access token is not valid.'))
    const grant = { ...everybody, expiresAtMs: house.clock.nowMs() + 1_000 }
    const order = { grant, queries: [], request: '', isTelling: false, elements: [], renew }
    const id = await house.rooms.bulk.begin(order)
    const { status, json } = await statusOf(`/$export-status/${id}`, grant)
    expect([status, json.issue[0].details.coding[0].code]).toEqual([403, 'bulk.withdrawn'])
  })
})

describe('who is erased is in no export any more', () => {
  const erase = (id: string) => house.ask('POST', `/Patient/${id}/$purge?confirm=${id}`, { grant: admin })

  it('neither in its files, nor in what the manifest counts', async () => {
    for (const patient of ['a', 'b']) await weight(`w${patient}`, patient, 70)
    const { status, names } = await exported('/$export')
    expect(names).toHaveLength(4)
    expect((await erase('a')).status).toBeLessThan(300)
    const { json } = await statusOf(status)
    expect((await linesOf(json.output, everybody)).map(({ id }) => id)).toEqual(['wb', 'b'])
  })

  it('also where nobody has told the exports of it, as when another process erases', async () => {
    const { manifest, status } = await exported('/$export?_type=Patient')
    await house.record.shred('a')
    expect((await linesOf((await statusOf(status)).json.output, everybody)).map(({ id }) => id)).toEqual(['b'])
    const [{ url }] = manifest.output
    expect((await house.ask('GET', below(url), { grant: everybody })).text).not.toContain('Alder')
  })

  it('and what was asked by criteria, or lists deletions, is removed, if it could have been about them', async () => {
    const since = new Date(house.clock.nowMs()).toISOString()
    house.clock.advance(1_000)
    await weight('w', 'b', 70)
    await house.ask('DELETE', '/Observation/w', { grant: admin })
    const of = (patient: string) => grantOf('user/*.rs', { patients: [patient], account: patient })
    const telling = ['/$export?_typeFilter=Patient%3Fname%3DAlder', `/$export?_since=${since}`]
    for (const url of telling) {
      const [mine, theirs] = [await exported(url), await exported(url, { grant: of('b') })]
      const plain = await exported('/$export')
      expect((await erase('a')).status).toBeLessThan(300)
      expect((await house.ask('GET', mine.status, { grant: everybody })).status).toBe(404)
      expect((await statusOf(theirs.status, of('b'))).status).toBe(200)
      expect((await statusOf(plain.status)).status).toBe(200)
      if (url === telling[0]) await put({ ...patientA, id: 'a2' })
      if (url === telling[0]) break
    }
  })
})

describe('what is exported is recorded', () => {
  it('with each patient, when it is fetched; what was asked in the ledger of the instance alone', async () => {
    await weight('w', 'a', 70)
    const { manifest } = await exported('/$export?_typeFilter=Patient%3Fname%3DAlder&_type=Patient,Observation')
    expect(manifest.output).toHaveLength(2)
    await house.record.flush()
    const events = async (grant: Grant) => {
      const { json } = await house.ask('GET', '/AuditEvent?_count=200', { grant })
      return (json.entry ?? []).map(({ resource }: { resource: Resource }) => resource)
    }
    const ofA = (await events(grantOf('patient/AuditEvent.rs', { patient: 'a' }))).filter(
      ({ outcomeDesc }: Resource) => outcomeDesc === 'bulk export',
    )
    expect(ofA).toHaveLength(1)
    expect(ofA[0]).toMatchObject({ action: 'R', subtype: [{ code: 'operation' }] })
    const told = JSON.stringify(ofA)
    for (const name of ['Patient/a', 'Observation/w/_history/1']) expect(told).toContain(name)
    expect(told).not.toContain('Patient/b')
    const ofB = await events(grantOf('patient/AuditEvent.rs', { patient: 'b' }))
    expect(JSON.stringify(ofB)).not.toContain('Alder')
    const all = await events(grantOf('system/AuditEvent.rs', { patients: 'all' }))
    expect(all.map(({ type, outcomeDesc }: Resource) => [(type as { code: string }).code, outcomeDesc])).toContainEqual(
      ['export', 'bulk export made'],
    )
  })
})
