import { readRows } from '../../../src/ingest/fhir/read-resources.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { JsonListSplitter } from '../../../src/ingest/source/json-list.ts'
import { metWhile, mostMetMs } from '../../turns.ts'
import { everything, found, ingested, openHouse } from './house.ts'

const said = (value: string, rest: object = {}) => ({
  resourceType: 'Observation',
  id: `o-${value.length}`,
  status: 'final',
  code: { text: 'Weight' },
  subject: { reference: 'Patient/p1' },
  valueString: value,
  ...rest,
})
const bundleOf = (type: string, ...entry: object[]) => JSON.stringify({ resourceType: 'Bundle', type, entry }, null, 1)
const entry = (resource: object, rest: object = {}) => ({ resource, ...rest })

async function take(content: string | Buffer, limits = {}) {
  const house = await openHouse(limits)
  const { counts, report, state } = await ingested(house, house.anna, everything(), content)
  const values = (await found(house.record, 'Observation')).map(({ valueString }) => valueString).sort()
  const warnings = ((report?.parameter ?? []) as { name: string }[]).filter(({ name }) => name === 'warning').length
  return { values, counts, warnings, state }
}

describe('the encoding of a FHIR file', () => {
  const text = bundleOf('collection', entry(said('Müller')))
  const lines = [said('Müller'), said('x')].map(one => JSON.stringify(one)).join('\r\n')

  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${text}`)],
    ['UTF-16 with a mark', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16 without one', Buffer.from(text, 'utf16le')],
    ['UTF-16, the other order', Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()],
    ['lines that end as on Windows', Buffer.from(text.replaceAll('\n', '\r\n'))],
  ])('may be %s', async (_, content) => {
    expect(await take(content)).toMatchObject({ values: ['Müller'], warnings: 0 })
  })

  it('may be one that was not declared, with a warning', async () => {
    expect(await take(Buffer.from(text, 'latin1'))).toMatchObject({ values: ['Müller'], warnings: 1 })
    expect(await take(Buffer.from(lines, 'latin1'))).toMatchObject({ values: ['Müller', 'x'], warnings: 1 })
  })

  it('of NDJSON may be any of them', async () => {
    for (const content of [Buffer.from(`\uFEFF${lines}`), Buffer.from(lines, 'utf16le')])
      expect(await take(content)).toMatchObject({ values: ['Müller', 'x'], warnings: 0 })
  })
})

describe('a Bundle is read entry by entry', () => {
  it('whatever its type, and whatever else stands in it', async () => {
    const other = { resourceType: 'OperationOutcome', issue: [{ severity: 'information', code: 'informational' }] }
    for (const type of [
      'searchset',
      'collection',
      'transaction',
      'batch',
      'history',
      'batch-response',
      'transaction-response',
    ])
      expect(
        await take(
          bundleOf(
            type,
            entry(said('x'), { search: { mode: 'match' } }),
            entry(other, { search: { mode: 'outcome' } }),
            {},
          ),
        ),
      ).toMatchObject({
        values: ['x'],
        counts: { rows: 3, unmapped: [{ row: 'OperationOutcome' }, { row: 'entry-without-resource' }], rejected: [] },
      })
  })

  it('whatever the order of its members', async () => {
    const entries = JSON.stringify([entry(said('x')), entry(said('yy'))])
    for (const text of [
      `{"entry":${entries},"resourceType":"Bundle","type":"collection"}`,
      `{"type":"collection","link":[{"relation":"self","url":"x"}],"entry" : ${entries} ,"resourceType":"Bundle","total":2}`,
    ])
      expect((await take(text)).values).toEqual(['x', 'yy'])
  })

  it('and an entry of a List is none', async () => {
    const list = {
      resourceType: 'List',
      id: 'l',
      status: 'current',
      mode: 'working',
      subject: { reference: 'Patient/p1' },
      entry: [{ item: { display: 'x' } }],
    }
    expect((await take(JSON.stringify(list))).counts).toMatchObject({ rows: 1, created: 1 })
  })

  it('of which nothing is written when it is cut off, malformed or too long', async () => {
    const whole = bundleOf('collection', entry(said('x')), entry(said('yy')))
    for (const [code, text] of [
      ['ingest.truncated', whole.slice(0, -10)],
      ['ingest.truncated', whole.slice(0, whole.indexOf('yy'))],
      ['json.malformed', whole.replace('"final"', 'final')],
      ['json.malformed', `${whole}]`],
      ['json.duplicate-key', whole.replace('"type":', '"type": "batch", "type":')],
    ] as const)
      expect(await take(text)).toMatchObject({ values: [], state: 'failed', counts: { problem: { code } } })
    expect(await take(whole, { maxLine: 100 })).toMatchObject({
      counts: { problem: { code: 'ingest.token-too-long', text: expect.stringContaining('100') } },
    })
  })
})

describe('what stands around the entries of a Bundle', () => {
  async function rowsOf(text: string, size = 64 * 1024) {
    const bytes = Buffer.from(text)
    const rows: unknown[] = []
    async function* open() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    for await (const row of readRows({ form: 'bundle', open }, defaultLimits, () => undefined)) rows.push(row)
    return rows
  }
  const gone = '{"request":{"method":"DELETE","url":"Observation/o"}}'

  it.each([1, 7, 1000])('says what it is behind much else too, in pieces of %d bytes', async size => {
    const text = `{"id":"${'x'.repeat(5000)}", "resourceType" :\n "Bundle" , "entry" : [${gone}], "type" : "history"}`
    expect(await rowsOf(text, size)).toMatchObject([{ gone: { type: 'Observation', id: 'o' } }])
  })

  // A list was looked for in all that stood before it: five seconds in one turn, of some kilobytes when they are packed.
  it('is not read anew for each list in it, however long it is (A78)', async () => {
    const lists = Array.from({ length: 4000 }, (_, at) => `"l${at}":[],`).join('')
    const text = `{"resourceType":"Bundle","type":"history","id":"${'x'.repeat(4 * 1024 ** 2)}",${lists}"entry":[${gone}]}`
    const { result, metMs } = await metWhile(() => rowsOf(text))
    expect(result[0]).toMatchObject({ gone: { type: 'Observation', id: 'o' } })
    expect(metMs).toBeLessThan(mostMetMs)
  })
})

describe('the elements of a list', () => {
  const split = (text: string, size: number) => {
    const splitter = new JsonListSplitter('entry', 1000)
    const elements: string[] = []
    for (let at = 0; at < text.length; at += size) elements.push(...splitter.write(text.slice(at, at + size)))
    return { elements, shell: splitter.end() }
  }

  it.each([1, 3, 1000])('are the same in pieces of %d characters', size => {
    const text = '{"a":"]}\\"[","b":[1,{"entry":[9]}],"entry" :[{"x":[1,2]}, {"y":"},{"},3,"z"] ,"c":{"entry":[4]}}'
    expect(split(text, size)).toEqual({
      elements: ['{"x":[1,2]}', '{"y":"},{"}', '3', '"z"'],
      shell: '{"a":"]}\\"[","b":[1,{"entry":[9]}],"entry" :[] ,"c":{"entry":[4]}}',
    })
  })
})
