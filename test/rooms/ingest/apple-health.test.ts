import { readdirSync, readFileSync } from 'node:fs'
import { printJson } from '#fhir'
import { createValidator } from '#validation'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { appleCase, bytesOf, cases, observationsOf, plain, readApple, resourcesOf } from './reading.ts'

const pairs = readdirSync(new URL('apple-health/', cases)).filter(name => name.endsWith('.in.xml'))
const validator = createValidator()

const document = (body: string) => `<?xml version="1.0"?>\n<HealthData locale="en_US">\n${body}\n</HealthData>`
const record = (type: string, value: string, unit: string, rest = '') =>
  `<Record type="HKQuantityTypeIdentifier${type}" sourceName="Watch" unit="${unit}" value="${value}" startDate="2026-02-03 08:15:30 +0100" endDate="2026-02-03 08:15:30 +0100"${rest}/>`

describe('an Apple Health export, as pairs of files – HealthKit Export Version 14', () => {
  it.each(pairs)('%s', async name => {
    const expected = JSON.parse(
      readFileSync(new URL(`apple-health/${name.replace('.in.xml', '.out.json')}`, cases), 'utf8'),
    )
    const outcomes = await appleCase(name)
    expect(plain(outcomes)).toEqual(expected)
    for (const resource of resourcesOf(outcomes)) expect(validator.validate(resource)).toEqual([])
  })

  it('is read the same whatever the sizes of the pieces it comes in', async () => {
    const whole = await appleCase('workout.in.xml', 1 << 20)
    for (const size of [1, 2, 7, 64]) expect(plain(await appleCase('workout.in.xml', size))).toEqual(plain(whole))
  })

  it('keeps the digits it was given', async () => {
    const [weight] = observationsOf(await readApple(bytesOf(document(record('BodyMass', '62.40', 'kg')))))
    expect(printJson(weight)).toContain('"value":62.40,')
  })

  it('gives a row the same id when only the device pointer or the offset of the export changed', async () => {
    const device = (pointer: string) => ` device="&lt;&lt;HKDevice: ${pointer}&gt;, name:Watch&gt;"`
    const ids = await Promise.all(
      [
        record('StepCount', '5', 'count', device('0x1')),
        record('StepCount', '5', 'count', device('0x2')).replaceAll('08:15:30 +0100', '09:15:30 +0200'),
      ].map(async text => observationsOf(await readApple(bytesOf(document(text))))[0]?.id),
    )
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(ids[1]).toBe(ids[0])
  })

  it('gives rows that differ in source, value, unit or type different ids', async () => {
    const rows = [
      record('StepCount', '5', 'count'),
      record('StepCount', '6', 'count'),
      record('FlightsClimbed', '5', 'count'),
      record('StepCount', '5', 'count').replace('"Watch"', '"iPhone"'),
      record('BodyMass', '5', 'kg'),
      record('BodyMass', '5', 'lb'),
    ]
    const outcomes = observationsOf(await readApple(bytesOf(document(rows.join('\n')))))
    expect(new Set(outcomes.map(({ id }) => id)).size).toBe(rows.length)
  })

  it.each(['iphone6s.xml', 'workouts-units.xml', 'correlation.xml'])(
    'reads %s from the wild without an invalid resource',
    async name => {
      const outcomes = await appleCase(name)
      const resources = resourcesOf(outcomes)
      expect(resources.length).toBeGreaterThan(3)
      for (const resource of resources) expect(validator.validate(resource)).toEqual([])
    },
  )
})

describe('hostile XML', () => {
  const refused = (text: string) => readApple(bytesOf(text))

  it('refuses entities of any kind (A66)', async () => {
    const doctypes = [
      '<!DOCTYPE HealthData [<!ENTITY a "b">]>',
      '<!DOCTYPE HealthData [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
      '<!DOCTYPE HealthData SYSTEM "http://127.0.0.1:1/x.dtd">',
      '<!DOCTYPE HealthData PUBLIC "a" "file:///etc/passwd" []>',
      '<!DOCTYPE HealthData [<!ELEMENT HealthData ANY><!ENTITY a SYSTEM "file:///etc/passwd">]>',
      '<!DOCTYPE HealthData [<![INCLUDE[<!ENTITY a "b">]]>]>',
      '<!DOCTYPE HealthData [<!entity a "b">]>',
    ]
    for (const doctype of doctypes)
      await expect(refused(`${doctype}<HealthData/>`)).rejects.toMatchObject({ code: 'ingest.xml-entity' })
  })

  it('refuses two document types and a prolog without end', async () => {
    const twice = '<!DOCTYPE HealthData []><!DOCTYPE HealthData []><HealthData/>'
    await expect(refused(twice)).rejects.toMatchObject({ code: 'ingest.xml-malformed' })
    await expect(refused(`<?xml version="1.0"?>${'<!ELEMENT x>'.repeat(40_000)}`)).rejects.toMatchObject({
      code: 'ingest.xml-malformed',
    })
  })

  it('does not expand what it does not know', async () => {
    const [first] = observationsOf(
      await refused(document(record('StepCount', '5', 'count').replace('Watch', '&lol9;'))),
    )
    expect(first?.device).toMatchObject({ display: '&lol9;' })
  })

  it('says so when the file ends too early', async () => {
    await expect(refused('<HealthData><Record type="x"/>')).rejects.toMatchObject({ code: 'ingest.truncated' })
    await expect(refused('<HealthData><Record type="x')).rejects.toMatchObject({ code: 'ingest.truncated' })
  })

  it('ignores what follows the root element', async () => {
    const outcomes = await refused(`${document(record('StepCount', '5', 'count'))}<HealthData>junk & </x>`)
    expect(observationsOf(outcomes)).toHaveLength(1)
  })

  it('holds no element longer than the limit, and no nesting deeper', async () => {
    async function* endless() {
      yield Buffer.from('<HealthData><Record type="')
      for (;;) yield Buffer.alloc(65_536, 0x61)
    }
    await expect(readApple(endless())).rejects.toMatchObject({ code: 'ingest.token-too-long', kind: 'too-large' })
    const deep = `<HealthData>${'<a>'.repeat(100)}`
    await expect(refused(deep)).rejects.toMatchObject({ code: 'ingest.too-deep' })
  })

  it('stops at a file that is faults all over', async () => {
    // Faults that cost nothing, a repeated attribute for one, are no reason to stop; rows that are lost are.
    const noise = '<Record a="1" <b "c"/>'.repeat(2000)
    await expect(refused(document(noise))).rejects.toMatchObject({ code: 'ingest.xml-malformed' })
  })

  it('takes attribute names of Object.prototype as any other', async () => {
    const outcomes = await refused(
      document('<Record type="HKQuantityTypeIdentifierStepCount" __proto__="x" constructor="y"/>'),
    )
    expect(outcomes).toMatchObject([
      { kind: 'unread', place: 'Record.__proto__' },
      { kind: 'unread', place: 'Record.constructor' },
      { kind: 'rejected', reason: 'date-malformed' },
    ])
    expect(defaultLimits).not.toHaveProperty('x')
  })
})
