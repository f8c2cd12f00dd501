import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeXmlInSteps, parseSentXml, printJson } from '#fhir'
import { atOnce } from '#kernel'
import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'
import { operation, part, pathPatch } from './path-patches.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const json = { 'content-type': 'application/json-patch+json' }
const merge = { 'content-type': 'application/merge-patch+json' }
const codeOf = (answer: { json: { issue: { details: { coding: { code: string }[] } }[] } }) =>
  answer.json.issue[0]?.details.coding[0]?.code
const cases = join(import.meta.dirname, '../../cases/fhir/patch')

beforeEach(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 70), id: 'w' } })
})
afterEach(() => house.close())

const patch = (url: string, headers: { [name: string]: string }, body: object | string, grant = own) =>
  house.ask('PATCH', url, { grant, headers, body })
const weight = async () => (await house.ask('GET', '/Observation/w', { grant: admin })).json

const plain = (resource: object) =>
  JSON.parse(printJson(resource).replaceAll('&quot;', '\\"').replaceAll('\\r\\n', '\\n'))

const byPath = (...parameter: object[]) => patch('/Observation/w', {}, pathPatch(...parameter))

describe('JSON Patch – https://hl7.org/fhir/R4/http.html#patch', () => {
  it('makes a new version, with the rest as it was', async () => {
    const before = await weight()
    const answer = await patch('/Observation/w', json, [
      { op: 'test', path: '/status', value: 'final' },
      { op: 'replace', path: '/status', value: 'amended' },
      { op: 'add', path: '/note', value: [{ text: 'again' }] },
    ])
    expect([answer.status, answer.headers.etag]).toEqual([200, 'W/"2"'])
    const { meta: _, ...rest } = before
    expect(answer.json).toMatchObject({ ...rest, status: 'amended', note: [{ text: 'again' }] })
    expect((await weight()).meta.versionId).toBe('2')
  })

  it('keeps the digits of numbers, and compares them as numbers', async () => {
    const value = (text: string) => `[{"op":"replace","path":"/valueQuantity/value","value":${text}}]`
    expect((await patch('/Observation/w', json, value('70.50'))).text).toContain('"value":70.50')
    const test = (text: string) =>
      patch('/Observation/w', json, `[{"op":"test","path":"/valueQuantity/value","value":${text}}]`)
    expect([(await test('70.5')).status, (await test('7.05e1')).status, (await test('70.51')).status]).toEqual([
      200, 200, 422,
    ])
    const moved = await patch('/Observation/w', json, [
      { op: 'copy', from: '/valueQuantity', path: '/referenceRange', value: 0 },
      { op: 'add', path: '/referenceRange', value: [{ low: {} }] },
      { op: 'copy', from: '/valueQuantity/value', path: '/referenceRange/0/low/value' },
    ])
    expect(moved.text).toMatch(/"low":\{"value":70\.50\}/)
  })

  it('may nest as deep as what is sent, and what it nested is read and patched again', async () => {
    const nested = (levels: number) => '/extension/0'.repeat(levels)
    const operations = [
      ...Array.from({ length: 31 }, (_, i) => ({
        op: 'add',
        path: `${nested(i)}/extension`,
        value: [{ url: 'urn:x' }],
      })),
      { op: 'add', path: `${nested(31)}/valueString`, value: 'deep' },
    ]
    expect((await patch('/Observation/w', json, operations)).status).toBe(200)
    const xml = await house.ask('GET', '/Observation/w', { grant: own, headers: { accept: 'application/fhir+xml' } })
    expect([xml.status, xml.text.includes('deep')]).toEqual([200, true])
    expect((await patch('/Observation/w', json, [{ op: 'remove', path: '/extension' }])).status).toBe(200)
  })

  it('leaves no empty list and no empty element behind', async () => {
    const answer = await patch('/Observation/w', json, [{ op: 'remove', path: '/category/0' }])
    expect([answer.status, 'category' in answer.json]).toEqual([200, false])
  })
})

describe('merge patch – https://www.rfc-editor.org/rfc/rfc7396', () => {
  it('merges objects, replaces lists and removes what is null', async () => {
    const answer = await patch('/Observation/w', merge, {
      status: 'amended',
      category: null,
      valueQuantity: { value: 71 },
      note: [{ text: 'x' }],
    })
    expect(answer.json).toMatchObject({
      status: 'amended',
      valueQuantity: { value: 71, unit: 'kg' },
      note: [{ text: 'x' }],
    })
    expect('category' in answer.json).toBe(false)
  })
})

/** What these cases end with is no Patient of R4: a contact with neither name, telecom, address nor organization (pat-1). */
const unsound: ReadonlySet<string> = new Set(['Delete Nested Primitive #2', 'Consecutive operations'])

describe('FHIRPath Patch – https://hl7.org/fhir/R4/fhirpatch.html', () => {
  const texts = readFileSync(join(cases, 'fhir-patch-tests.xml'), 'utf8').matchAll(
    /<case name="([^"]+)".*?<input>(.*?)<\/input>.*?<diff>(.*?)<\/diff>(.*?)<\/case>/gs,
  )
  it.each([...texts].map(([, ...each]) => each as [string, string, string, string]))(
    'does what the public case says: %s',
    async (name, input, diff, rest) => {
      const [, output] = /<output>(.*?)<\/output>/s.exec(rest) ?? []
      const told = async (xml: string) => parseSentXml(Buffer.from(xml.trim()))
      await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...(await told(input)), id: 'a' } })
      const answer = await patch('/Patient/a', {}, await told(diff))
      if (output === undefined) expect([answer.status, codeOf(answer)]).toEqual([422, 'patch.failed'])
      else if (unsound.has(name)) expect([answer.status, answer.text]).toEqual([422, expect.stringContaining('pat-1')])
      else {
        const { id: _id, meta: _meta, ...patched } = answer.json
        const { id: _own, ...wanted } = await told(output)
        // A narrative is kept as it was written: quotation marks by name, lines that end in two characters.
        expect(plain(patched)).toEqual(plain(wanted))
      }
    },
  )

  it('changes the type of a choice, and what lies beside a primitive', async () => {
    const beside = { extension: [{ url: 'http://example.org/why', valueCode: 'x' }] }
    const answer = await byPath(
      operation('replace', 'Observation.value', part('value', { valueString: 'heavy' })),
      operation(
        'add',
        'Observation.value',
        part('name', { valueString: 'extension' }),
        part('value', { valueExtension: beside.extension[0] }),
      ),
      operation(
        'add',
        'Observation',
        part('name', { valueString: 'note' }),
        part('value', { part: [part('text', { valueMarkdown: 'put together' })] }),
      ),
    )
    expect(answer.json).toMatchObject({ valueString: 'heavy', _valueString: beside, note: [{ text: 'put together' }] })
    expect('valueQuantity' in answer.json).toBe(false)
    const without = await byPath(operation('delete', "Observation.value.extension('http://example.org/why')"))
    expect('_valueString' in without.json).toBe(false)
  })

  it.each([
    ["Observation.category.where(coding.where(code = 'vital-signs').exists())", true],
    ['Observation.category.first()', true],
    ["Observation.category.coding.where(system.exists() and code = 'vital-signs').first()", true],
    ['Observation.value.ofType(Quantity).unit', true],
    ['(Observation.value as Quantity).unit', true],
    ['Observation.note', true],
  ])('finds what a path selects: %s', async path => {
    expect((await byPath(operation('delete', path))).status).toBe(200)
  })

  it('inserts the first into a list that is not there yet', async () => {
    const value = part('value', { valueAnnotation: { text: 'first' } })
    const answer = await byPath(operation('insert', 'Observation.note', part('index', { valueInteger: 0 }), value))
    expect(answer.json.note).toEqual([{ text: 'first' }])
  })

  it('comes in XML as well', async () => {
    const change = pathPatch(operation('replace', 'Observation.status', part('value', { valueCode: 'amended' })))
    const xml = atOnce(encodeXmlInSteps(change)).toString()
    const answer = await patch('/Observation/w', { 'content-type': 'application/fhir+xml' }, xml)
    expect([answer.status, answer.json.status]).toEqual([200, 'amended'])
  })

  it('is Parameters and nothing else', async () => {
    expect(codeOf(await patch('/Observation/w', {}, weightOf('a', 71)))).toBe('body.type-differs')
    for (const type of ['text/plain', 'application/xml-patch+xml', 'application/json; charset=latin1']) {
      const { status, text } = await patch('/Observation/w', { 'content-type': type }, 'x')
      expect([type, status, text]).toEqual([type, 415, expect.stringContaining('application/json-patch+json')])
    }
  })
})

describe('whoever patches', () => {
  const amend = [{ op: 'replace', path: '/status', value: 'amended' }]

  it('needs the right to update and to read', async () => {
    for (const scopes of ['patient/*.rs', 'patient/*.cd', 'patient/*.u'])
      expect(codeOf(await patch('/Observation/w', json, amend, grantOf(scopes, { patient: 'a' })))).toBe(
        'scope.missing',
      )
    expect((await patch('/Observation/w', json, amend, grantOf('patient/*.ru', { patient: 'a' }))).status).toBe(200)
  })

  it("cannot tell somebody else's resource from none, and moves nothing out of reach", async () => {
    await house.ask('PUT', '/Observation/x', { grant: admin, body: { ...weightOf('b', 80), id: 'x' } })
    const [foreign, never] = [
      await patch('/Observation/x', json, amend),
      await patch('/Observation/never', json, amend),
    ]
    expect([foreign.status, foreign.text]).toEqual([404, never.text])
    const toB = [{ op: 'replace', path: '/subject/reference', value: 'Patient/b' }]
    const moved = await patch('/Observation/w', json, toB)
    expect([moved.status, codeOf(moved)]).toEqual([403, 'record.owner-foreign'])
    const both = [{ op: 'add', path: '/performer', value: [{ reference: 'Patient/b' }] }]
    const put = await house.ask('PUT', '/Observation/w', {
      grant: own,
      body: { ...weightOf('a', 70), id: 'w', performer: [{ reference: 'Patient/b' }] },
    })
    expect((await patch('/Observation/w', json, both)).status).toBe(put.status)
    expect((await patch('/Observation/w', json, toB, admin)).status).toBe(200)
    expect((await house.ask('GET', '/Observation/w', { grant: own })).status).toBe(410)
  })

  it('is told 403 of what it only sees because something of the patient names it', async () => {
    await house.ask('PUT', '/Practitioner/p', { grant: admin, body: { resourceType: 'Practitioner', id: 'p' } })
    const named = { ...weightOf('a', 70), id: 'w', performer: [{ reference: 'Practitioner/p' }] }
    await house.ask('PUT', '/Observation/w', { grant: admin, body: named })
    expect((await house.ask('GET', '/Practitioner/p', { grant: own })).status).toBe(200)
    const answer = await patch('/Practitioner/p', json, [{ op: 'add', path: '/active', value: true }])
    expect([answer.status, codeOf(answer)]).toEqual([403, 'record.owner-foreign'])
  })

  it('may name the version that it means', async () => {
    const stale = await patch('/Observation/w', { ...json, 'if-match': 'W/"9"' }, amend)
    expect([stale.status, codeOf(stale)]).toEqual([412, 'version.stale'])
    expect((await patch('/Observation/w', { ...json, 'if-match': 'W/"1"' }, amend)).status).toBe(200)
    expect((await patch('/Observation/w', { ...json, 'if-match': '*' }, amend)).status).toBe(200)
    expect((await patch('/Observation/none', { ...json, 'if-match': '*' }, amend)).status).toBe(404)
  })

  it.each([
    ['return=minimal', ''],
    ['return=representation', 'Observation'],
    ['return=OperationOutcome', 'OperationOutcome'],
  ])('is answered as Prefer: %s asks', async (prefer, type) => {
    const answer = await patch('/Observation/w', { ...json, prefer }, amend)
    expect([answer.status, answer.json?.resourceType ?? '', answer.headers.etag]).toEqual([200, type, 'W/"2"'])
  })

  it('is told 410 of what was deleted, and 404 of what never was', async () => {
    await house.ask('DELETE', '/Observation/w', { grant: own })
    expect((await patch('/Observation/w', json, amend)).status).toBe(410)
    expect((await patch('/Observation/never', json, amend)).status).toBe(404)
  })

  it('does not patch AuditEvents', async () => {
    expect((await patch('/AuditEvent/x', json, amend, admin)).status).toBe(405)
  })

  it('patches one after the other where two race', async () => {
    const counted = (value: number) => [{ op: 'add', path: '/note', value: [{ text: String(value) }] }]
    const add = [{ op: 'add', path: '/note/-', value: { text: 'more' } }]
    await patch('/Observation/w', json, counted(0))
    await Promise.all([patch('/Observation/w', json, add), patch('/Observation/w', json, add)])
    expect((await weight()).note).toHaveLength(3)
  })

  it('is recorded as who updated, and as who read where nothing came of it', async () => {
    await patch('/Observation/w', json, amend)
    await patch('/Observation/w', json, [{ op: 'test', path: '/status', value: 'final' }])
    await patch('/Observation/w', json, amend)
    await house.record.flush()
    const { json: found } = await house.ask('GET', '/AuditEvent?entity=Observation/w&_sort=date', { grant: admin })
    const subtypes = found.entry.map(
      (each: { resource: { subtype: { code: string }[] } }) => each.resource.subtype[0]?.code,
    )
    expect(subtypes).toContain('update')
    expect(subtypes).toContain('read')
  })
})

describe('conditional patch – https://hl7.org/fhir/R4/http.html#patch', () => {
  const amend = [{ op: 'replace', path: '/status', value: 'amended' }]

  it('patches the one that is found; none is 404, several are 412', async () => {
    const found = await patch('/Observation?_id=w', json, amend)
    expect([found.status, found.json.id, found.json.status]).toEqual([200, 'w', 'amended'])
    const none = await patch('/Observation?_id=never', json, amend)
    expect([none.status, codeOf(none)]).toEqual([404, 'condition.matches-nothing'])
    await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 71) })
    const several = await patch('/Observation?code=29463-7', json, amend)
    expect([several.status, codeOf(several)]).toEqual([412, 'condition.matches-several'])
    expect(codeOf(await patch('/Observation', json, amend))).toBe('condition.empty')
  })

  it("does not find what lies in somebody else's record", async () => {
    await house.ask('PUT', '/Observation/x', { grant: admin, body: { ...weightOf('b', 80), id: 'x' } })
    expect((await patch('/Observation?_id=x', json, amend)).status).toBe(404)
  })
})

describe('patches in Bundles – https://hl7.org/fhir/R4/http.html#transaction', () => {
  const binary = (operations: object, contentType = 'application/json-patch+json') => ({
    resourceType: 'Binary',
    contentType,
    data: Buffer.from(printJson(operations)).toString('base64'),
  })
  const entry = (resource: object, url = 'Observation/w', more: object = {}) => ({
    resource,
    request: { method: 'PATCH', url, ...more },
  })
  const post = (type: string, ...given: object[]) =>
    house.ask('POST', '/', { grant: own, body: { resourceType: 'Bundle', type, entry: given } })
  const amend = [{ op: 'replace', path: '/status', value: 'amended' }]

  it.each(['batch', 'transaction'])('are entries of a %s: in a Binary, or as Parameters', async type => {
    const first = await post(type, entry(binary(amend), 'Observation/w', { ifMatch: 'W/"1"' }))
    expect(first.json.entry[0].response).toMatchObject({ status: '200', etag: 'W/"2"' })
    const byName = pathPatch(operation('replace', 'Observation.status', part('value', { valueCode: 'corrected' })))
    const second = await post(type, entry(byName, 'Observation?_id=w'))
    expect(second.json.entry[0].response).toMatchObject({ status: '200', etag: 'W/"3"' })
    const third = await post(type, entry(binary({ status: 'final' }, 'application/merge-patch+json')))
    expect([third.json.entry[0].response.status, (await weight()).status]).toEqual(['200', 'final'])
  })

  it('are done wholly or not at all', async () => {
    const failing = [{ op: 'test', path: '/status', value: 'amended' }]
    const answer = await post(
      'transaction',
      entry(binary(amend)),
      { resource: weightOf('a', 71), request: { method: 'POST', url: 'Observation' } },
      entry(binary(failing), 'Patient/a'),
    )
    expect([answer.status, codeOf(answer), answer.json.issue[0].expression]).toEqual([
      422,
      'patch.failed',
      ['Bundle.entry[2].resource'],
    ])
    expect((await weight()).meta.versionId).toBe('1')
    const none = await post('transaction', entry(binary(amend), 'Observation?_id=never'))
    expect([none.status, codeOf(none)]).toEqual([404, 'condition.matches-nothing'])
    const stale = await post('transaction', entry(binary(amend), 'Observation/w', { ifMatch: 'W/"7"' }))
    expect(stale.status).toBe(412)
  })

  it.each(['Binary', 'Parameters'])('name what the same transaction makes: %s', async kind => {
    const fullUrl = 'urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a'
    const reference = { reference: fullUrl }
    const change =
      kind === 'Binary'
        ? binary([{ op: 'add', path: '/hasMember', value: [reference] }])
        : pathPatch(
            operation(
              'add',
              'Observation',
              part('name', { valueString: 'hasMember' }),
              part('value', { valueReference: reference }),
            ),
          )
    const answer = await post('transaction', entry(change), {
      fullUrl,
      resource: weightOf('a', 71),
      request: { method: 'POST', url: 'Observation' },
    })
    expect(answer.status).toBe(200)
    const [, id] = /Observation\/([^/]+)/.exec(answer.json.entry[1].response.location) ?? []
    expect((await weight()).hasMember).toEqual([{ reference: `Observation/${id}` }])
  })

  it.each([
    [{ resourceType: 'Binary', contentType: 'text/plain', data: 'YQ==' }, 415, 'body.type-unsupported'],
    [{ resourceType: 'Binary', contentType: 'application/json-patch+json' }, 400, 'body.missing'],
    [weightOf('a', 1), 400, 'body.type-differs'],
  ])('are refused where they are none: %j', async (resource, status, code) => {
    const answer = await post('transaction', entry(resource))
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
  })
})

describe('what stands already – https://hl7.org/fhir/R4/http.html#update', () => {
  it('makes no version when it is written again, in whatever order of names', async () => {
    const { subject, status, ...rest } = await weight()
    const again = await house.ask('PUT', '/Observation/w', { grant: own, body: { status, ...rest, subject } })
    expect([again.status, again.headers.etag]).toEqual([200, 'W/"1"'])
    const patched = await patch('/Observation/w', json, [{ op: 'replace', path: '/status', value: 'final' }])
    expect([patched.status, patched.headers.etag]).toEqual([200, 'W/"1"'])
    const found = await house.ask('PUT', '/Observation?_id=w', { grant: own, body: { ...weightOf('a', 70) } })
    expect([found.status, found.headers.etag]).toEqual([200, 'W/"1"'])
    const entry = [{ resource: { ...weightOf('a', 70), id: 'w' }, request: { method: 'PUT', url: 'Observation/w' } }]
    const bundle = await house.ask('POST', '/', {
      grant: own,
      body: { resourceType: 'Bundle', type: 'transaction', entry },
    })
    expect(bundle.json.entry[0].response).toMatchObject({ status: '200', etag: 'W/"1"' })
    expect((await house.ask('GET', '/Observation/w/_history', { grant: own })).json.total).toBe(1)
  })

  it.each([
    ['a digit', { valueQuantity: { ...(weightOf('a', 70).valueQuantity as object), value: 70.1 } }],
    ['a tag', { meta: { tag: [{ code: 'x' }] } }],
    ['a name more', { issued: '2026-01-01T00:00:00Z' }],
  ])('makes one for %s', async (_, more) => {
    const answer = await house.ask('PUT', '/Observation/w', {
      grant: own,
      body: { ...weightOf('a', 70), id: 'w', ...more },
    })
    expect(answer.headers.etag).toBe('W/"2"')
  })

  it('makes one for the digits of a number, and for what was deleted', async () => {
    const text = printJson({ ...weightOf('a', 70), id: 'w' }).replace('"value":70', '"value":70.0')
    expect((await house.ask('PUT', '/Observation/w', { grant: own, body: text })).headers.etag).toBe('W/"2"')
    await house.ask('DELETE', '/Observation/w', { grant: own })
    expect((await house.ask('PUT', '/Observation/w', { grant: own, body: text })).status).toBe(201)
  })

  it('is still judged by conditions and by whose it is', async () => {
    const body = { ...weightOf('a', 70), id: 'w' }
    const ask = (headers: object, grant = own) =>
      house.ask('PUT', '/Observation/w', { grant, headers: { ...headers }, body })
    expect((await ask({ 'if-match': 'W/"7"' })).status).toBe(412)
    expect((await ask({ 'if-none-match': '*' })).status).toBe(412)
    expect((await ask({}, grantOf('patient/*.cruds', { patient: 'b' }))).status).toBeGreaterThanOrEqual(400)
  })
})

describe('a patch that says no more than that it is JSON, as fhirpy sends it', () => {
  const json = { 'content-type': 'application/json' }

  it.each([
    ['a list is a JSON Patch', [{ op: 'replace', path: '/status', value: 'amended' }]],
    ['elements are a merge patch', { status: 'amended', note: null }],
    [
      'Parameters are a FHIRPath Patch',
      pathPatch(operation('replace', 'Observation.status', part('value', { valueCode: 'amended' }))),
    ],
  ])('%s', async (_, body) => {
    const answer = await patch('/Observation/w', json, body)
    expect([answer.status, answer.json.status]).toEqual([200, 'amended'])
  })

  it('another resource is none', async () => {
    expect(codeOf(await patch('/Observation/w', json, weightOf('a', 71)))).toBe('body.type-differs')
    expect((await patch('/Observation/w', json, 'x')).status).toBe(400)
    expect((await patch('/Observation/w', json, '')).status).toBe(400)
  })
})
