import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  Decimal,
  encodeJsonInSteps,
  type Json,
  parseJson,
  parseJsonInSteps,
  parseResource,
  parseSentJson,
  printJson,
} from '#fhir'
import { isProblem, type Steps } from '#kernel'

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (isProblem(error, 'invalid')) return error.code
    throw error
  }
  return 'accepted'
}

/** JSON text of a number as FHIR allows it, of up to 40 digits and small exponents. */
const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,19}$/)),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,19}$/)),
    fc.oneof(fc.constant(''), fc.stringMatching(/^[eE][+-]?[0-9]{1,2}$/)),
  )
  .map(parts => parts.join(''))

/** Without `-0`, whose text JavaScript would not print. */
const plainJson = fc
  .jsonValue({ maxDepth: 6 })
  .map(value => JSON.stringify(value))
  .filter(text => !/__proto__|constructor|prototype|\\u|-0[^.]|e/.test(text))

describe('parseJson and printJson – https://hl7.org/fhir/R4/json.html', () => {
  it.each(['1.50', '1e3', '1E-22', '-0', '0.0', '100.00', '12345678901234567890', '0.1234567890123456789', '1.0E+245'])(
    'keeps the digits of %s',
    text => {
      expect(parseJson(text)).toBeInstanceOf(Decimal)
      expect(printJson({ value: parseJson(text) })).toBe(`{"value":${text}}`)
    },
  )

  it.each(['0', '7', '-7', '0.5', '-0.5', '72.5', '0.000001', '1e+21', '5e-324', '9007199254740993'.slice(0, 15)])(
    'leaves %s a plain number, since JavaScript prints it so',
    text => {
      expect(parseJson(text)).toBe(Number(text))
    },
  )

  it('prints any number back as it was written', () => {
    fc.assert(
      fc.property(numberText, text => {
        fc.pre(Number.isFinite(Number(text)))
        expect(printJson(parseJson(`[${text}]`))).toBe(`[${text}]`)
      }),
      { numRuns: 2000 },
    )
  })

  it('agrees with the platform on JSON without such numbers', () => {
    fc.assert(
      fc.property(plainJson, text => {
        expect(parseJson(text)).toEqual(JSON.parse(text))
      }),
      { numRuns: 1000 },
    )
  })

  it('agrees with the platform on what is JSON at all, for damaged texts', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"a"',
      '"b\\n"',
      ':',
      ',',
      '1',
      '-',
      '0',
      '.5',
      'e1',
      'true',
      'nul',
      ' ',
      '\\',
      '"',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), parts => {
        const text = parts.join('')
        const ours = codeOf(() => parseJson(text))
        fc.pre(ours !== 'json.duplicate-key')
        expect(ours === 'accepted').toBe(isPlatformJson(text))
      }),
      { numRuns: 5000 },
    )
  })

  const cases = new URL('../../cases/fhir/', import.meta.url)
  it.each(['us-core', 'synthea', 'bulk'])('reads the real resources of %s without a change', folder => {
    for (const file of readdirSync(new URL(folder, cases))) {
      const bytes = readFileSync(new URL(`${folder}/${file}`, cases))
      const parsed = parseJson(bytes)
      expect(JSON.parse(printJson(parsed))).toEqual(JSON.parse(bytes.toString('utf8')))
      expect(numbersIn(printJson(parsed))).toEqual(numbersIn(bytes.toString('utf8')))
    }
  })

  it('accepts UTF-8 bytes and escapes alike', () => {
    const text = '{"name":"Mejía \\u00e9\\n\\ud83d\\ude00 😀"}'
    expect(parseJson(Buffer.from(text))).toEqual({ name: 'Mejía é\n😀 😀' })
  })

  it('does not mistake inherited names for duplicates', () => {
    expect(parseJson('{"toString":1,"valueOf":2}')).toEqual({ toString: 1, valueOf: 2 })
  })
})

function isPlatformJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    return !(error instanceof SyntaxError)
  }
}

function numbersIn(text: string): readonly string[] {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  return outside.match(/-?[0-9][0-9.eE+-]*/g) ?? []
}

describe('parseJson refuses hostile texts', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  it.each([
    ['json.malformed', 'two byte order marks', '\ufeff\ufeff{}'],
    ['json.malformed', 'a byte order mark alone', '\ufeff'],
    ['json.malformed', 'a byte order mark within', '{\ufeff}'],
    ['json.not-utf8', 'another encoding', Buffer.from('fffe7b007d00', 'hex')],
    ['json.malformed', 'NUL outside a string', '{}\0'],
    ['json.malformed', 'an escaped NUL', '{"a":"x\\u0000"}'],
    ['json.malformed', 'a raw control character', '{"a":"x\ny"}'],
    ['json.malformed', 'a lone surrogate', '{"a":"\ud800"}'],
    ['json.malformed', 'an escaped lone surrogate', '{"a":"\\ud800 "}'],
    ['json.malformed', 'NaN', '{"a":NaN}'],
    ['json.malformed', 'Infinity', '{"a":-Infinity}'],
    ['json.malformed', 'a number beyond doubles', '{"a":1e400}'],
    ['json.malformed', 'a number that doubles round to nothing', '{"a":1e-400}'],
    ['json.malformed', 'text after the end', '{} {}'],
    ['json.malformed', 'a trailing comma', '[1,]'],
    ['json.malformed', 'a leading zero', '[01]'],
    ['json.malformed', 'a comment', '{/*x*/}'],
    ['json.malformed', 'nothing', ''],
    ['json.malformed', 'an unended string', '"abc'],
    ['json.malformed', 'an unended escape', '"abc\\'],
    ['json.malformed', 'a wrong escape', '"\\x41"'],
    ['json.duplicate-key', 'the same name twice', '{"a":1,"b":2,"a":3}'],
    ['json.duplicate-key', 'the same name twice, once escaped', '{"a":1,"\\u0061":3}'],
    ['json.forbidden-key', '__proto__', '{"__proto__":{"admin":true}}'],
    ['json.forbidden-key', '__proto__ with escapes', '{"\\u005f_proto__":{"admin":true}}'],
    ['json.forbidden-key', 'constructor', '{"a":{"constructor":{"x":1}}}'],
    ['json.forbidden-key', 'prototype', '{"prototype":{}}'],
    ['json.too-deep', '65 levels', nested(65)],
    ['json.too-deep', 'a hundred thousand levels', '['.repeat(100_000)],
  ])('%s: %s', (code, _, text) => {
    expect(codeOf(() => parseJson(text))).toBe(code)
  })

  it('accepts 64 levels, or as many as the caller says', () => {
    expect(codeOf(() => parseJson(nested(64)))).toBe('accepted')
    expect(codeOf(() => parseJson(nested(3), { maxDepth: 2 }))).toBe('json.too-deep')
  })

  it.each([
    ['a broken sequence', [0x22, 0xc3, 0x28, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00]],
  ])('json.not-utf8: %s', (_, bytes) => {
    expect(codeOf(() => parseJson(Uint8Array.from(bytes)))).toBe('json.not-utf8')
  })

  it('passes over a byte order mark before text and bytes – https://www.rfc-editor.org/rfc/rfc8259#section-8.1', () => {
    for (const text of ['\ufeff{"a":1.50}', '\ufeff\r\n {"a":1.50}'])
      for (const given of [text, Buffer.from(text)]) expect(printJson(parseJson(given))).toBe('{"a":1.50}')
  })

  it('never quotes the text', () => {
    const secret = 'Mejía'
    for (const text of [
      `{"a":"${secret}\\q"}`,
      `{"${secret}":1,"${secret}":2}`,
      `{"a":"${secret}`,
      `["${secret}" 1]`,
    ]) {
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
      try {
        parseJson(text)
      } catch (error) {
        expect(isProblem(error) && error.text + (error.detail ?? '')).not.toContain(secret)
      }
    }
  })

  it('leaves Object.prototype and the result’s prototype alone', () => {
    const value = parseJson('{"a":{"b":1}}') as { readonly [key: string]: Json }
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })
})

describe('parseResource', () => {
  it('gives the resource with its type', () => {
    expect(parseResource('{"resourceType":"Patient","id":"1"}')).toEqual({ resourceType: 'Patient', id: '1' })
  })

  it.each(['[]', '1.50', 'null', '"Patient"', '{}', '{"resourceType":1}'])('json.not-a-resource: %s', text => {
    expect(codeOf(() => parseResource(text))).toBe('json.not-a-resource')
  })

  it.each(['patient', 'DomainResource', 'Resource', 'SubscriptionStatus', 'Bot', 'toString', 'Coding'])(
    'fhir.type-unknown: %s',
    type => {
      expect(codeOf(() => parseResource(`{"resourceType":"${type}"}`))).toBe('fhir.type-unknown')
    },
  )
})

describe('a long text', () => {
  const long = (text: string) => Buffer.from(`[${`"${'x'.repeat(1000)}",`.repeat(80)}${text}]`)

  it('is parsed in slices to the same values', async () => {
    await fc.assert(
      fc.asyncProperty(plainJson, async text => {
        expect(await parseSentJson(long(text))).toEqual(parseJson(long(text)))
      }),
    )
  })

  it.each([
    ['{"a":1,"a":2}', 'json.duplicate-key'],
    ['{"__proto__":1}', 'json.forbidden-key'],
    ['[1,]', 'json.malformed'],
    ['{"a":1', 'json.malformed'],
    ['1] 2', 'json.malformed'],
    ['"\\ud800"', 'json.malformed'],
    [`${'['.repeat(70)}${']'.repeat(70)}`, 'json.too-deep'],
  ])('is refused as a short one is: %s', async (text, code) => {
    await expect(parseSentJson(long(text))).rejects.toMatchObject({ code })
    expect(codeOf(() => parseJson(long(text)))).toBe(code)
  })

  const named = (count: number) => `{${Array.from({ length: count }, (_, at) => `"n${at}":1`).join()}}`
  it.each<[string, (text: string) => string]>([
    ['by itself', text => text],
    ['in a list', text => `[1,${text}]`],
    ['in an object', text => `{"a":{"b":${text}}}`],
    ['after others', text => `[${named(9_000)},${named(9_000)},${text}]`],
  ])('has no object with more names than anybody would look at in one go: %s', async (_, within) => {
    const text = (count: number) => long(within(named(count)))
    await expect(parseSentJson(text(10_001))).rejects.toMatchObject({ code: 'json.too-many-names' })
    expect(await parseSentJson(text(10_000))).toEqual(parseJson(text(10_000)))
    expect(parseJson(text(10_001))).toBeDefined()
  })

  it.each<[string, (letters: number) => string]>([
    ['a fraction', letters => `0.${'1'.repeat(letters - 2)}`],
    ['zeros at its end', letters => `1.${'0'.repeat(letters - 2)}`],
    ['an exponent', letters => `-1e${'0'.repeat(letters - 4)}1`],
  ])('has no number that is longer than anybody would look at in one go: %s', async (_, written) => {
    const text = (letters: number) => long(`{"a":[1,${written(letters)}]}`)
    await expect(parseSentJson(text(4_097))).rejects.toMatchObject({ code: 'json.malformed' })
    await expect(parseSentJson(text(3_000_000))).rejects.toMatchObject({ code: 'json.malformed' })
    expect(await parseSentJson(text(4_096))).toEqual(parseJson(text(4_096)))
    // What was stored is read, whatever it is.
    expect(parseJson(text(4_097))).toBeDefined()
  })
})

describe('printing bit by bit', () => {
  const printed = (steps: Steps<Buffer>) => {
    for (let count = 0; ; count++) {
      const step = steps.next()
      if (step.done === true) return { count, text: step.value.toString('utf8') }
    }
  }

  it('gives what printing in one go gives, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        expect(printed(encodeJsonInSteps(value)).text).toBe(printJson(value))
        expect(printed(encodeJsonInSteps(value, { isPretty: true })).text).toBe(JSON.stringify(value, null, 2))
      }),
    )
  })

  it('tells how long each piece is before it makes the next one, and ends where that is too much', () => {
    const list = Array.from({ length: 64 }, () => 'x'.repeat(100_000))
    let told = 0
    const { text } = printed(encodeJsonInSteps(list, { grow: bytes => (told += bytes) }))
    expect(told).toBe(text.length)
    let most = 0
    const ended = () =>
      printed(
        encodeJsonInSteps(list, {
          grow: bytes => {
            most += bytes
            if (most > 2_000_000) throw new RangeError('enough')
          },
        }),
      )
    expect(ended).toThrow('enough')
    expect(most).toBeLessThan(4_000_000)
  })

  it.each([
    ['digits that JavaScript would not keep', { value: new Decimal('1.50'), list: [new Decimal('0.0')] }],
    ['what is not said', { a: undefined, b: [undefined, null], c: {}, d: [], e: undefined }],
    ['only what is not said', { a: undefined }],
    ['escapes', { 'a"b\\': 'line\n \u{1f600} "quoted"' }],
    ['a value alone', 'x'],
  ])('keeps %s', (_, value) => {
    expect(printed(encodeJsonInSteps(value)).text).toBe(printJson(value))
    expect(printed(encodeJsonInSteps(value, { isPretty: true })).text).toBe(JSON.stringify(value, null, 2))
  })

  const count = 8_192
  const deep = (levels: number): Json =>
    levels === 0 ? Array.from({ length: count }, () => 1) : { a: deep(levels - 1) }
  it.each([
    ['a list', Array.from({ length: count }, (_, at) => at)],
    ['an object', Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]))],
    ['a list deep down', deep(40)],
    ['lists within a list', Array.from({ length: count / 4 }, () => [{ a: 'b' }, ['c']])],
    ['texts of a hundred thousand letters', Array.from({ length: 128 }, () => 'x'.repeat(100_000))],
  ])('lets others have their turn: %s of thousands', (_, value) => {
    const { count: turns, text } = printed(encodeJsonInSteps(value))
    expect(turns).toBeGreaterThan(7)
    expect(text).toBe(printJson(value))
  })
})

describe('long texts bit by bit', () => {
  const mebibyte = 1024 * 1024
  const steps = <T>(of: Steps<T>) => {
    for (let count = 0; ; count++) {
      const step = of.next()
      if (step.done === true) return { count, value: step.value }
    }
  }
  const read = (text: string) => steps(parseJsonInSteps(Buffer.from(text)))

  it.each<[what: string, text: string]>([
    ['letters', 'a'.repeat(5 * mebibyte)],
    ['letters beyond ASCII', 'ä€'.repeat(2 * mebibyte)],
    ['letters of two halves', `x${'\u{1f600}'.repeat(2 * mebibyte)}`],
    ['letters that must be escaped', '"\\\n\u0001'.repeat(mebibyte)],
    ['letters, and one escape at the end', `${'a'.repeat(3 * mebibyte)}"`],
    ['letters, and one escape at the beginning', `"${'a'.repeat(3 * mebibyte)}`],
  ])('are printed and read as in one go: %s', (_, text) => {
    const printed = steps(encodeJsonInSteps({ text }))
    expect(printed.value.toString()).toBe(printJson({ text }))
    expect(printed.count).toBeGreaterThan(1)
    const { value, count } = read(printJson({ text, after: 1 }))
    expect((value as { text: string }).text === text).toBe(true)
    expect(value).toHaveProperty('after', 1)
    expect(count).toBeGreaterThan(2)
  })

  it.each([-7, -6, -5, -4, -3, -2, -1, 0, 1, 2])('are not cut within an escape, wherever it stands: %i', shift => {
    for (const escaped of ['\\u00e4', '\\ud83d\\ude00', '\\\\', '\\n']) {
      const text = `"\\n${'a'.repeat(mebibyte + shift)}${escaped.repeat(mebibyte / 4)}"`
      expect(read(text).value === JSON.parse(text)).toBe(true)
    }
  })

  it('are what they are read as in one go, short ones among them', () => {
    const long = fc
      .tuple(fc.string({ unit: 'binary' }), fc.constantFrom(1, 100, 2_000))
      .map(([one, n]) => one.repeat(n))
    fc.assert(
      fc.property(fc.array(long), texts => {
        const text = JSON.stringify(texts)
        const inOneGo = (() => {
          try {
            return parseJson(text)
          } catch {
            return 'refused'
          }
        })()
        const bitByBit = (() => {
          try {
            return read(text).value
          } catch {
            return 'refused'
          }
        })()
        expect(bitByBit).toEqual(inOneGo)
      }),
    )
  })

  it.each([
    ['without an end', `"${'a'.repeat(2 * mebibyte)}`],
    ['without an end, behind an escape', `"\\n${'a'.repeat(2 * mebibyte)}`],
    ['with a control character', `"${'a'.repeat(2 * mebibyte)}\n"`],
    ['with a control character behind an escape', `"\\n${'a'.repeat(2 * mebibyte)}\n"`],
    ['with a wrong escape', `"${'a'.repeat(2 * mebibyte)}\\x"`],
    ['with half an escape', `"${'a'.repeat(2 * mebibyte)}\\u12"`],
    ['with half a letter', `"${'a'.repeat(2 * mebibyte)}\\ud800"`],
    ['with a NUL', `"${'a'.repeat(2 * mebibyte)}\\u0000"`],
  ])('are refused %s', (_, text) => {
    expect(() => read(text)).toThrow('not JSON as FHIR wants it')
  })

  it.each([
    ['at the end', Buffer.concat([Buffer.from(`"${'a'.repeat(2 * mebibyte)}`), Buffer.from([0xc3, 0x22])])],
    ['in the middle', Buffer.concat([Buffer.from('"'), Buffer.alloc(2 * mebibyte, 0xe4), Buffer.from('"')])],
  ])('are refused where they are not UTF-8 %s', (_, bytes) => {
    expect(() => steps(parseJsonInSteps(bytes))).toThrow('not UTF-8')
  })
})
