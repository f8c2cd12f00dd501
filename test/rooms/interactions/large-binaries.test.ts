import { createHash } from 'node:crypto'
import { openMemoryStore, type Store } from '#store'
import { grantOf, type House, openHouse } from './house.ts'

const all = grantOf('system/*.cruds', { patients: 'all' })
const mebibyte = 1024 * 1024

/** Bytes that differ wherever one looks, of two parts. */
const large = Buffer.alloc(4 * mebibyte + 70_001)
for (let at = 0; at + 4 <= large.length; at += 4) large.writeUInt32LE((at * 2654435761) % 4294967296, at)
/** More than is held, and no more than one part. */
const some = large.subarray(0, 70_000)
const sha256 = createHash('sha256').update(some).digest('base64')
const pdf = { 'content-type': 'application/pdf' }

let store: Store
let house: House
let anna: string
let ben: string
beforeEach(async () => {
  store = openMemoryStore()
  house = await openHouse({ store, limits: { binaryBytes: 5 * mebibyte, binaryHeldBytes: 2000 } })
  const made = async () =>
    (await house.ask('POST', '/Patient', { grant: all, body: { resourceType: 'Patient' } })).json.id
  anna = await made()
  ben = await made()
})
afterEach(() => house.close())

const family = (...patients: string[]) => grantOf('user/*.cruds', { account: 'family', patients })

const post = (headers: Readonly<Record<string, string>> = {}, grant = all, body = some) =>
  house.ask('POST', '/Binary', { grant, body, headers: { ...pdf, ...headers } })

const get = (id: string, headers: Readonly<Record<string, string>> = {}, grant = all, query = '') =>
  house.ask('GET', `/Binary/${id}${query}`, { grant, headers })

const blobs = async () => (await store.stats()).blobs

async function stored(headers: Readonly<Record<string, string>> = {}, grant = all, body = some): Promise<string> {
  const answer = await post(headers, grant, body)
  expect([answer.status, answer.text]).toEqual([201, answer.text])
  return answer.json.id
}

describe('a Binary that is too large for its resource – https://hl7.org/fhir/R4/binary.html#rest', () => {
  it('comes back byte for byte', async () => {
    const answer = await get(await stored())
    expect([answer.status, answer.headers['content-type'], answer.headers['content-length']]).toEqual([
      200,
      'application/pdf',
      String(some.length),
    ])
    expect(answer.bytes.equals(some)).toBe(true)
  })

  it('says in its resource how much it holds, and no data', async () => {
    const { json } = await post()
    expect(json.data).toBeUndefined()
    expect(JSON.stringify(json._data)).toContain(sha256)
    expect(JSON.stringify(json._data)).toContain(String(some.length))
  })

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=4194300-4194310', 4194300, 4194311],
    ['bytes=4194304-', 4194304, large.length],
    ['bytes=-5', large.length - 5, large.length],
    ['bytes=65536-131071', 65536, 131072],
  ])('a part of it by %s – https://www.rfc-editor.org/rfc/rfc9110#section-14.2', async (range, from, until) => {
    const answer = await get(await stored({}, all, large), { range })
    expect([answer.status, answer.headers['content-range']]).toEqual([
      206,
      `bytes ${from}-${until - 1}/${large.length}`,
    ])
    expect(answer.bytes.equals(large.subarray(from, until))).toBe(true)
  })

  it('of several parts comes back byte for byte, too', async () => {
    expect((await get(await stored({}, all, large))).bytes.equals(large)).toBe(true)
    expect(await blobs()).toBe(2)
  })

  it('nothing beyond its end', async () => {
    expect((await get(await stored(), { range: `bytes=${some.length}-` })).status).toBe(416)
  })

  it('is not told again to who has it', async () => {
    const id = await stored()
    expect((await get(id, { 'if-none-match': '"1"' })).status).toBe(304)
  })

  it.each([
    ['as FHIR’s JSON', { accept: 'application/fhir+json' }, ''],
    ['as FHIR’s XML', { accept: 'application/fhir+xml' }, ''],
    ['by _format', {}, '?_format=json'],
  ])('is refused %s, with its figure and the way to it', async (_, headers, query) => {
    const answer = await get(await stored(), headers, all, query)
    expect([answer.status, answer.text]).toEqual([406, expect.stringContaining('binary.too-large-as-resource')])
    expect(answer.text).toContain(String(some.length))
    expect(answer.text).toContain('Accept')
  })

  it('is told in part as a resource', async () => {
    const answer = await get(await stored(), { accept: 'application/fhir+json' }, all, '?_elements=contentType')
    expect([answer.status, answer.json.contentType]).toEqual([200, 'application/pdf'])
  })

  it('that is more than may be held is refused, with the figure, and leaves nothing', async () => {
    const answer = await post({}, all, Buffer.alloc(5 * mebibyte + 1))
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining('"binary.too-large"')])
    expect(answer.text).toContain(String(5 * mebibyte))
    expect(await blobs()).toBe(0)
    const told = await post({ 'content-length': String(6 * mebibyte) })
    expect(told.status).toBe(413)
  })

  it('of few bytes stays in its resource, whether their number is said or not', async () => {
    const few = Buffer.from('few')
    for (const headers of [{}, { 'content-length': '3' }])
      expect((await post(headers, all, few)).json.data).toBe(few.toString('base64'))
    expect(await blobs()).toBe(0)
  })
})

describe('whose it is', () => {
  it('is said by X-Security-Context, and erased with them', async () => {
    const id = await stored({ 'x-security-context': `Patient/${anna}` }, family(anna))
    expect((await get(id, {}, grantOf('patient/*.cruds', { patient: anna }))).bytes.equals(some)).toBe(true)
    expect((await get(id, {}, grantOf('patient/*.cruds', { patient: ben }))).status).toBe(404)
    await house.record.shred(anna)
    expect(await blobs()).toBe(0)
    expect((await get(id)).status).toBe(404)
  })

  it('is an account’s that is new, with nothing left where it waited', async () => {
    const id = await stored({}, family(anna))
    expect((await get(id, {}, family(anna))).bytes.equals(some)).toBe(true)
    expect((await get(id, {}, grantOf('user/*.cruds', { account: 'other', patients: [ben] }))).status).toBe(404)
    expect(await blobs()).toBe(1)
  })

  it('is the patient’s whose document names it from then on', async () => {
    const id = await stored({}, family(anna))
    const content = [{ attachment: { url: `Binary/${id}` } }]
    const body = {
      resourceType: 'DocumentReference',
      status: 'current',
      subject: { reference: `Patient/${anna}` },
      content,
    }
    expect((await house.ask('POST', '/DocumentReference', { grant: family(anna), body })).status).toBe(201)
    const own = await get(id, {}, grantOf('patient/*.cruds', { patient: anna }))
    expect([own.status, own.bytes.equals(some)]).toEqual([200, true])
  })

  it('nothing is taken for who may not write there', async () => {
    const answer = await post({ 'x-security-context': `Patient/${ben}` }, family(anna))
    expect(answer.status).toBe(403)
    expect(await blobs()).toBe(0)
  })
})

describe('its versions', () => {
  it('each keep their content', async () => {
    const id = await stored()
    const other = Buffer.alloc(30_000, 7)
    const put = await house.ask('PUT', `/Binary/${id}`, { grant: all, body: other, headers: pdf })
    expect(put.status).toBe(200)
    expect((await get(id)).bytes.equals(other)).toBe(true)
    expect((await house.ask('GET', `/Binary/${id}/_history/1`, { grant: all })).bytes.equals(some)).toBe(true)
  })

  it('are none of what stands already', async () => {
    const id = await stored()
    const put = await house.ask('PUT', `/Binary/${id}`, { grant: all, body: some, headers: pdf })
    expect([put.status, put.headers.etag]).toEqual([200, 'W/"1"'])
    expect(await blobs()).toBe(1)
  })

  it('may say something else of the same content', async () => {
    const id = await stored()
    const body = [{ op: 'replace', path: '/contentType', value: 'image/png' }]
    const headers = { 'content-type': 'application/json-patch+json' }
    expect((await house.ask('PATCH', `/Binary/${id}`, { grant: all, body, headers })).status).toBe(200)
    const answer = await get(id)
    expect([answer.headers['content-type'], answer.bytes.equals(some)]).toEqual(['image/png', true])
  })

  it('may give it up', async () => {
    const id = await stored()
    const body = { resourceType: 'Binary', id, contentType: 'text/plain', data: 'YQ==' }
    expect((await house.ask('PUT', `/Binary/${id}`, { grant: all, body })).status).toBe(200)
    expect((await get(id)).text).toBe('a')
  })

  it('go with a deletion, and are there still', async () => {
    const id = await stored()
    expect((await house.ask('DELETE', `/Binary/${id}`, { grant: all })).status).toBe(204)
    expect((await get(id)).status).toBe(410)
    expect((await house.ask('GET', `/Binary/${id}/_history/1`, { grant: all })).bytes.equals(some)).toBe(true)
  })

  it('nobody can say that a resource holds what another one does', async () => {
    const { json } = await post()
    for (const body of [
      { ...json, id: 'mine' },
      { ...json, _data: JSON.parse(JSON.stringify(json._data).replace(sha256, 'YQ==')) },
    ])
      expect((await house.ask('PUT', `/Binary/${body.id}`, { grant: all, body })).text).toContain(
        'record.content-unknown',
      )
  })
})

describe('where it stands among others', () => {
  it('is found and told of without its content, which says why', async () => {
    const id = await stored({ 'x-security-context': `Patient/${anna}` })
    const asked = await Promise.all(
      [`/Binary?_id=${id}`, `/Binary/${id}/_history`, '/_history?_count=5'].map(url =>
        house.ask('GET', url, { grant: all }),
      ),
    )
    for (const { status, text } of asked) {
      expect(status).toBe(200)
      expect(text).toContain(sha256)
    }
  })

  it('is verified, and found out when a part is gone', async () => {
    const id = await stored({ 'x-security-context': `Patient/${anna}` })
    expect(await Array.fromAsync(house.record.verify())).toEqual([])
    const heads = [...(await store.allHeads()).keys()]
    const named = await Promise.all(heads.map(async each => [each, await store.blobNames(each)] as const))
    const [compartment = '', names = []] = named.find(([, some]) => some.length > 0) ?? []
    await store.dropBlob(compartment, names[0] ?? '')
    expect((await Array.fromAsync(house.record.verify())).map(({ kind }) => kind)).toEqual(['content-broken'])
    expect((await get(id)).status).toBe(500)
  })

  it('is under the new keys once they were renewed', async () => {
    const id = await stored({ 'x-security-context': `Patient/${anna}` })
    await house.record.renewKeys(anna)
    expect((await get(id)).bytes.equals(some)).toBe(true)
    expect(await Array.fromAsync(house.record.verify())).toEqual([])
  })
})
