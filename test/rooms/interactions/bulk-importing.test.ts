/** `$import`, as HAPI is asked and Microsoft's server tells. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Grant } from '#access'
import { openIngest } from '#ingest'
import type { ImportPort } from '#interactions'
import { silentLog } from '#kernel'
import { createValidator } from '#validation'
import { type Answer, admin, baseUrl, grantOf, type House, openHouse } from './house.ts'

let house: House
let ingest: ReturnType<typeof openIngest>
const ofHouse = grantOf('system/*.cruds', { patients: 'all' })

beforeEach(async () => {
  const imports: ImportPort = {
    begin: order => ingest.bulk.begin(order),
    find: (id, asking) => ingest.bulk.find(id, asking),
    faults: (id, input, grant) => ingest.bulk.faults(id, input, grant),
    remove: (id, grant) => ingest.bulk.remove(id, grant),
  }
  house = await openHouse({ imports })
  const { record, clock } = house
  ingest = openIngest({ record, validator: createValidator(), clock, log: silentLog, baseUrl })
})
afterEach(async () => {
  await ingest.close()
  await house.close()
})

const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
const input = (url: string, type = 'Patient') => ({
  name: 'input',
  part: [
    { name: 'type', valueCode: type },
    { name: 'url', valueUri: url },
  ],
})
const format = { name: 'inputFormat', valueCode: 'application/fhir+ndjson' }
const source = { name: 'inputSource', valueUri: 'https://clinic.example/fhir' }
const storage = (...part: object[]) => ({
  name: 'storageDetail',
  part: [{ name: 'type', valueCode: 'https' }, ...part],
})
const below = (url = '') => url.slice(url.indexOf('/fhir') + '/fhir'.length)

function kickOff(body: object, grant: Grant = ofHouse, prefer = 'respond-async'): Promise<Answer> {
  return house.ask('POST', '/$import', { grant, body, headers: { prefer } })
}

async function stored(...lines: object[]): Promise<string> {
  const body = Buffer.from(lines.map(line => JSON.stringify(line)).join('\n'))
  const { headers } = await house.ask('POST', '/Binary', {
    grant: admin,
    body,
    headers: { 'content-type': 'application/fhir+ndjson' },
  })
  return `Binary/${/Binary\/([^/]+)/.exec(headers.location ?? '')?.[1]}`
}

async function result(url: string, grant = ofHouse): Promise<Answer> {
  for (;;) {
    const answer = await house.ask('GET', url, { grant })
    if (answer.status !== 202) return answer
    expect(answer.headers).toMatchObject({ 'x-progress': expect.any(String), 'retry-after': '1' })
    await pause(2)
  }
}

describe('$import – https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md', () => {
  it('is begun by Parameters, polled, and tells of each file how many rows are in and why others are not', async () => {
    const ash = {
      resourceType: 'Patient',
      id: '1',
      identifier: [{ system: 'https://mrn.example', value: '1' }],
      name: [{ family: 'Ash' }],
    }
    const weight = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'weight' },
      subject: { reference: 'Patient/1' },
    }
    const [people, weights] = [await stored(ash), await stored(weight, { ...weight, status: 'secret-value' })]
    const body = parameters(format, source, storage(), input(`${baseUrl}/${weights}`, 'Observation'), input(people))
    const begun = await kickOff(body)
    expect([begun.status, begun.headers['content-location']]).toEqual([
      202,
      expect.stringMatching(/\/fhir\/\$import-status\/[\w-]+$/),
    ])
    const status = below(begun.headers['content-location'])
    const { status: code, json, headers } = await result(status)
    expect([code, headers['content-type']]).toEqual([200, 'application/json'])
    expect(json).toMatchObject({
      request: `${baseUrl}/$import`,
      output: [
        { type: 'Observation', count: 1, inputUrl: `${baseUrl}/${weights}` },
        { type: 'Patient', count: 1, inputUrl: people },
      ],
      error: [{ type: 'OperationOutcome', count: 1, inputUrl: `${baseUrl}/${weights}`, url: expect.any(String) }],
    })
    const errors = await house.ask('GET', below(json.error[0].url), { grant: ofHouse })
    expect(errors.headers['content-type']).toBe('application/fhir+ndjson')
    const [outcome, ...more] = errors.text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(more).toEqual([])
    expect(outcome.issue).toEqual([
      {
        severity: 'error',
        code: 'processing',
        diagnostics: expect.stringMatching(/^Line 2: /),
        expression: ['Observation.status'],
      },
    ])
    expect(errors.text).not.toContain('secret-value')
    const found = await house.ask('GET', '/Observation?subject.family=Ash', { grant: ofHouse })
    expect(found.json.entry).toHaveLength(1)
    const other = grantOf('system/*.cruds', { patients: 'all', id: 'other' })
    for (const url of [status, below(json.error[0].url)])
      expect((await house.ask('GET', url, { grant: other })).json.issue[0].details.coding[0].code).toBe(
        'import.unknown',
      )
    expect((await house.ask('DELETE', status, { grant: other })).status).toBe(404)
    expect((await house.ask('DELETE', status, { grant: ofHouse })).status).toBe(202)
    expect((await house.ask('GET', status, { grant: ofHouse })).status).toBe(404)
  })

  it('takes the names of values that HAPI, Microsoft and the draft use, and a credential', async () => {
    const url = await stored({ resourceType: 'Patient', id: '1' })
    for (const value of [
      { valueUri: url },
      { valueUrl: url },
      { valueString: url },
      { valueReference: { reference: url } },
    ]) {
      const one = { name: 'input', part: [{ name: 'url', ...value }] }
      const mode = { name: 'mode', valueString: 'IncrementalLoad' }
      const credential = { name: 'credentialHttpBasic', valueString: 'admin:password' }
      const begun = await kickOff(parameters(storage(credential), mode, one))
      expect(begun.status).toBe(202)
      expect((await result(below(begun.headers['content-location']))).json.output[0].count).toBe(1)
    }
  })

  it.each([
    ['nothing to import', parameters(format), 'import.input-missing'],
    [
      'another format',
      parameters({ ...format, valueCode: 'application/parquet' }, input('https://x.example/')),
      'import.format-unsupported',
    ],
    [
      'a bucket',
      parameters({ name: 'storageDetail', part: [{ name: 'type', valueCode: 'aws-s3' }] }, input('https://x.example/')),
      'import.storage-unsupported',
    ],
    ['no address', parameters(input('x')), 'import.input-malformed'],
    ['another resource', parameters(input('Patient/1')), 'import.input-malformed'],
    ['an input without a url', parameters({ name: 'input', part: [] }), 'import.input-malformed'],
    ['two formats', parameters(format, format, input('https://x.example/')), 'import.input-malformed'],
    [
      'a mode that nobody has',
      parameters({ name: 'mode', valueCode: 'x' }, input('https://x.example/')),
      'import.input-malformed',
    ],
    [
      'what is not known',
      parameters({ name: 'x', valueCode: 'x' }, input('https://x.example/')),
      'request.parameter-unknown',
    ],
    ['no Parameters', { resourceType: 'Patient' }, 'body.type-differs'],
  ])('refuses %s', async (_, body, code) => {
    const { json } = await kickOff(body)
    expect(json.issue[0].details.coding[0].code).toBe(code)
  })

  it('is made aside alone', async () => {
    const { status, json } = await kickOff(parameters(input('https://x.example/')), ofHouse, 'return=minimal')
    expect([status, json.issue[0].details.coding[0].code]).toEqual([400, 'import.async-only'])
  })

  it.each([
    ['user/*.cruds', { patients: ['a'], account: 'x' }],
    ['user/*.cruds', { patients: 'all' }],
    ['patient/*.cruds', { patient: 'a' }],
    ['system/*.rs', { patients: 'all' }],
    ['system/Observation.c system/Provenance.c', { patients: 'all' }],
    ['system/Patient.crs system/Observation.c', { patients: 'all' }],
    ['system/Patient.cs system/Observation.c system/Provenance.c', { patients: 'all' }],
    ['system/*.rs user/*.cruds', { patients: ['a'], account: 'x' }],
  ] as const)('is for none with %s (%j)', async (scopes, rest) => {
    const { status, json } = await kickOff(parameters(input('https://x.example/')), grantOf(scopes, rest))
    expect([status, json.issue[0].details.coding[0].code]).toEqual([403, 'scope.missing'])
  })

  // The tokens of one client differ in what they may do; a narrower one that asked would make the import go on with less.
  it('tells its client alone how far it is, with a token that could begin it', async () => {
    const client = { patients: 'all', actor: { kind: 'client', id: 'ward', display: 'Ward' } } as const
    const url = await stored({ resourceType: 'Patient', id: '1' }, { resourceType: 'Unheard' })
    const begun = await kickOff(parameters(input(url)), grantOf('system/*.cruds', client))
    const status = below(begun.headers['content-location'])
    const another = grantOf('system/*.cruds', { ...client, id: 'another token' })
    const { json } = await result(status, another)
    for (const path of [status, below(json.error[0].url)]) {
      expect((await house.ask('GET', path, { grant: another })).status).toBe(200)
      for (const scopes of ['system/*.rs', 'system/Observation.rs', 'user/*.cruds']) {
        const refused = await house.ask('GET', path, { grant: grantOf(scopes, { ...client, id: 'narrow' }) })
        expect([refused.status, refused.json.issue[0].details.coding[0].code]).toEqual([403, 'scope.missing'])
      }
    }
  })

  it('tells nobody of an import that there is not', async () => {
    for (const [method, url] of [
      ['GET', '/$import-status/x'],
      ['DELETE', '/$import-status/x'],
      ['GET', '/$import-file/x/0'],
      ['GET', '/$import-file/x/y'],
    ] as const) {
      const { status, json } = await house.ask(method, url, { grant: ofHouse })
      expect([status, json.issue[0].details.coding[0].code]).toEqual([404, 'import.unknown'])
    }
  })
})
