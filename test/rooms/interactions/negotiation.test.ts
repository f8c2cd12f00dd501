import { parseResource, printJson } from '#fhir'
import { isProblem } from '#kernel'
import { isFresh, parseIfMatch, parseIfNoneMatchAny } from '../../../src/interactions/rest/etag.ts'
import { bodyFormat, formatOf } from '../../../src/interactions/rest/negotiate.ts'
import { parsePrefer } from '../../../src/interactions/rest/prefer.ts'
import { shown } from '../../../src/interactions/rest/shown.ts'

const asking = (query: string, headers: Record<string, string> = {}) => ({
  query: new URLSearchParams(query),
  header: (name: string) => headers[name],
})

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
}

describe('content negotiation – https://hl7.org/fhir/R4/http.html#mime-type', () => {
  it.each([
    undefined,
    '*/*',
    'application/fhir+json',
    'application/json',
    'application/fhir+json; fhirVersion=4.0',
    'application/fhir+xml;q=0.5, application/fhir+json',
    'text/html, application/xhtml+xml, */*;q=0.8',
    'APPLICATION/JSON',
    'application/fhir+json;q=1.0, application/json+fhir;q=0.9',
    'application/json, text/plain, */*',
    'application/json; charset=utf-8',
    'application/json;odata.metadata=minimal',
    'application/fhir+json; fhirVersion="4.0"; charset=UTF-8',
    'application/fhir+json;q=0.001',
    'application/*',
    'text/*;q=0.1',
    'application/fhir+json; fhirVersion=5.0, application/json;q=0.1',
    'application/json;q=0, */*',
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
    'application/fhir+json, application/fhir+xml',
  ])('answers those who accept %s in JSON', accept => {
    expect(formatOf(asking('', accept === undefined ? {} : { accept }))).toBe('json')
  })

  it.each([
    'application/fhir+xml',
    'application/xml',
    'text/xml',
    'application/fhir+xml; fhirVersion=4.0',
    'application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9',
    'application/fhir+xml, application/fhir+json;q=0.9',
    'text/html, application/fhir+xml;q=0.9',
    'Application/FHIR+XML; charset=utf-8',
    'application/json;q=0, application/xml;q=0.1',
  ])('answers those who accept %s in XML', accept => {
    expect(formatOf(asking('', { accept }))).toBe('xml')
  })

  it.each([
    'text/html',
    'application/json;q=0',
    'application/fhir+json; fhirVersion=3.0',
    'application/fhir+json; fhirVersion=5.0',
    'image/*',
    '*/*;q=0',
    'application/*;q=0, text/html',
    ';;;,,,',
  ])('has nothing for those who accept only %s', accept => {
    expect(codeOf(() => formatOf(asking('', { accept })))).toBe('format.unsupported')
  })

  it.each(['json', 'application/json', 'application/fhir+json', 'application/fhir%2Bjson', 'text/json'])(
    'lets _format=%s override Accept',
    format => {
      expect(formatOf(asking(`_format=${format}`, { accept: 'application/fhir+xml' }))).toBe('json')
    },
  )

  it.each(['xml', 'application/xml', 'application/fhir+xml', 'application/fhir%2Bxml', 'text/xml'])(
    'answers _format=%s in XML',
    format => {
      expect(formatOf(asking(`_format=${format}`, { accept: 'application/json' }))).toBe('xml')
    },
  )

  it.each(['../../x', '', 'ttl', '__proto__'])('refuses _format=%s', format => {
    expect(codeOf(() => formatOf(asking(`_format=${format}`)))).toBe('format.unsupported')
  })

  it.each([
    ['application/fhir+json', 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['application/fhir+json; charset="UTF-8"', 'json'],
    ['application/fhir+xml', 'xml'],
    ['application/xml; charset=UTF-8', 'xml'],
    ['text/xml', 'xml'],
  ])('reads a body of %s as %s', (type, format) => {
    expect(bodyFormat(asking('', { 'content-type': type }))).toBe(format)
  })

  it.each([
    ['application/json; charset=utf-16', 'body.type-unsupported'],
    ['application/fhir+xml; charset=iso-8859-1', 'body.type-unsupported'],
    ['constructor', 'body.type-unsupported'],
    ['text/plain', 'body.type-unsupported'],
    ['', 'body.type-unsupported'],
  ])('refuses a body of %s: %s', (type, code) => {
    expect(codeOf(() => bodyFormat(asking('', { 'content-type': type })))).toBe(code)
  })
})

describe('an answer that is no text yet', () => {
  const look = { isPretty: false, format: 'json', isRead: true } as const
  const answer = (count: number) => {
    const note = Array.from({ length: count }, (_, at) => ({ text: `n${at} "é"` }))
    return {
      status: 200,
      headers: {},
      body: parseResource(`{"resourceType":"Basic","x":1.50,"note":${JSON.stringify(note)}}`),
    }
  }

  it('is made so bit by bit when it has many values, the same as at once', async () => {
    const long = answer(3_000)
    const { body } = await shown(long, look)
    expect(Buffer.isBuffer(body)).toBe(true)
    expect(String(body)).toBe(printJson(long.body))
  })

  it('is left as it is when it is short', async () => {
    const short = answer(30)
    expect(await shown(short, look)).toBe(short)
  })
})

describe('preferences – https://hl7.org/fhir/R4/http.html#ops', () => {
  it('reads what it knows and ignores the rest', () => {
    expect(parsePrefer(asking('', { prefer: 'return=minimal; handling="lenient", respond-async, wait=5' }))).toEqual({
      return: 'minimal',
      lenient: true,
      respondAsync: true,
    })
    expect(parsePrefer(asking('', { prefer: 'Respond-Async, Return=minimal' }))).toMatchObject({
      return: 'minimal',
      respondAsync: true,
    })
    expect(parsePrefer(asking('', { prefer: 'return=everything' }))).toEqual(parsePrefer(asking('')))
  })
})

describe('versions – https://hl7.org/fhir/R4/http.html#concurrency', () => {
  it.each([
    ['W/"3"', '3'],
    ['"3"', '3'],
    [' W/"a-1.b" ', 'a-1.b'],
    ['*', '*'],
    [' * ', '*'],
  ])('reads If-Match: %s', (header, version) => {
    expect(parseIfMatch(header)).toBe(version)
  })

  it.each(['3', '**', 'W/*', '"*"', 'W/"3", *', 'W/"3", W/"4"', 'W/""', 'W/"3\r\nX: y"'])(
    'refuses If-Match: %j',
    header => {
      expect(codeOf(() => parseIfMatch(header))).toBe('request.if-match-malformed')
    },
  )

  it('knows only * for If-None-Match on an update', () => {
    expect(parseIfNoneMatchAny('*')).toBe(true)
    expect(parseIfNoneMatchAny(undefined)).toBe(false)
    expect(codeOf(() => parseIfNoneMatchAny('W/"1"'))).toBe('request.if-none-match-malformed')
  })

  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
  it.each([
    [{ 'if-none-match': 'W/"2"' }, true],
    [{ 'if-none-match': '"2"' }, true],
    [{ 'if-none-match': 'W/"1", W/"2"' }, true],
    [{ 'if-none-match': '*' }, true],
    [{ 'if-none-match': 'W/"1"' }, false],
    [{ 'if-none-match': 'W/"1"', 'if-modified-since': new Date(at).toUTCString() }, false],
    [{ 'if-modified-since': new Date(at).toUTCString() }, true],
    [{ 'if-modified-since': new Date(at - 1000).toUTCString() }, false],
    [{ 'if-modified-since': 'yesterday' }, false],
    [{}, false],
  ])('with %j the reader is up to date: %s', (headers: Record<string, string>, fresh) => {
    expect(isFresh({ version: 2, lastUpdatedMs: at }, name => headers[name])).toBe(fresh)
  })
})
