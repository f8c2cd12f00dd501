import { readdirSync, readFileSync } from 'node:fs'
import { isLoincWellFormed, isUcum } from '#terminology'
import { converters } from '../../../src/ingest/hl7v2/data-types.ts'
import { factsLike } from '../../../src/ingest/measures/like.ts'

const mappings = new URL('../../../mappings/', import.meta.url)
const files = readdirSync(mappings, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.json'))
const tables = new Map(files.map(name => [name, JSON.parse(readFileSync(new URL(name, mappings), 'utf8'))]))

interface Row {
  readonly type?: string
  readonly category?: string
  readonly like?: string
  readonly values?: unknown
  readonly from?: string
  readonly as?: string
  readonly table?: string
}

/** Every value under a key, wherever it stands. */
function under(key: string, node: unknown): unknown[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, child]) =>
    name === 'sources' ? [] : [...(name === key ? [child] : []), ...under(key, child)],
  )
}

describe.each(files)('mappings/%s', name => {
  const table = tables.get(name)

  it('has well-formed LOINC codes', () => {
    const codes = under('loinc', table).flat()
    expect(codes.filter(code => typeof code !== 'string' || !isLoincWellFormed(code))).toEqual([])
  })

  it('has UCUM units', () => {
    const units = under('ucum', table).flatMap(unit =>
      typeof unit === 'object' && unit !== null ? Object.values(unit) : [unit],
    )
    expect(units.filter(unit => typeof unit !== 'string' || !isUcum(unit))).toEqual([])
  })

  it('has SNOMED CT identifiers with a right check digit', () => {
    expect(under('snomed', table).filter(code => !isSnomed(String(code)))).toEqual([])
  })

  it('says where each row is from', () => {
    const rows = under('rows', table).flat() as { source?: string }[]
    const known = new Set(Object.keys(table.sources ?? {}))
    for (const { source } of rows) {
      expect(source).toEqual(expect.any(String))
      if (known.size > 0 && !/^(v2-to-fhir |own: )/.test(source ?? '')) expect(known).toContain(source)
    }
  })
})

/** Verhoeff's check digit: https://confluence.ihtsdotools.org/display/DOCRELFMT/Appendix+C+-+Check-digit+computation */
function isSnomed(code: string): boolean {
  const permutation = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
  const permute = (digit: number, times: number): number =>
    times === 0 ? digit : permute(permutation[digit] ?? 0, times - 1)
  const times = (a: number, b: number): number =>
    a < 5 ? (b < 5 ? (a + b) % 5 : ((a + b) % 5) + 5) : b < 5 ? ((a - b + 5) % 5) + 5 : (a - b + 5) % 5
  const digits = [...code].reverse().map(Number)
  return /^\d{6,18}$/.test(code) && digits.reduce((sum, digit, i) => times(sum, permute(digit, i % 8)), 0) === 0
}

/** Data types with the first part of their components' names: `CX.` of `CX[Identifier]`. */
function named(types: readonly { type: string; rows: Row[] }[]) {
  return types.map(({ type, rows }) => ({ name: type.replace(/\[.*$/, ''), rows }))
}

describe('the tables together', () => {
  it('check what they check', () => {
    expect(isSnomed('22298006')).toBe(true)
    expect(isSnomed('22298007')).toBe(false)
  })

  it('have 120 quantity types and 69 category types, each once', () => {
    for (const [name, count] of [
      ['quantity', 120],
      ['category', 69],
    ] as const) {
      const rows = tables.get(`apple-health/${name}-types.json`).rows as Row[]
      expect(new Set(rows.map(({ type }) => type)).size).toBe(count)
      expect(rows).toHaveLength(count)
    }
  })

  it('name only categories that HL7 has', () => {
    const known = [
      'social-history',
      'vital-signs',
      'imaging',
      'laboratory',
      'procedure',
      'survey',
      'exam',
      'therapy',
      'activity',
    ]
    for (const name of [
      'apple-health/quantity-types.json',
      'apple-health/category-types.json',
      'google-fit/data-types.json',
    ])
      for (const { category } of tables.get(name).rows as Row[]) expect(known).toContain(category)
    for (const { category, like } of ['health-connect/record-types.json', 'fitbit/files.json'].flatMap(
      name => tables.get(name).rows as Row[],
    ))
      expect(known).toContain(category ?? factsLike(like ?? '').category)
  })

  it('are like rows that there are, in the unit of those', () => {
    const likes = files.flatMap(name => under('like', tables.get(name))) as string[]
    expect(likes.length).toBeGreaterThan(60)
    for (const like of likes) expect(factsLike(like).text).toEqual(expect.any(String))
    expect(() => factsLike('google-fit com.google.nothing')).toThrow('no mapping has the row')
  })

  it('give every category type a set of values that exists', () => {
    const sets = new Set(tables.get('apple-health/category-values.json').rows.map(({ set }: { set: string }) => set))
    for (const { values } of tables.get('apple-health/category-types.json').rows as Row[])
      if (values !== 'none') expect(sets).toContain(values)
  })

  it('read HL7 v2 fields only in ways there are, with tables there are', () => {
    const known = tables.get('hl7v2/code-tables.json').tables
    const types = tables.get('hl7v2/data-types.json').maps as { type: string; rows: Row[] }[]
    const segments = tables.get('hl7v2/segments.json').maps as { segment: string; rows: Row[] }[]
    const ways = new Set([...Object.keys(converters), ...types.map(({ type }) => type)])
    for (const { name, rows } of [...segments.map(map => ({ ...map, name: `${map.segment}-` })), ...named(types)])
      for (const { from, as = 'string', table } of rows) {
        expect(from?.startsWith(name)).toBe(true)
        expect(ways).toContain(as)
        if (table !== undefined && !/^\d{4}$/.test(table)) expect(known).toHaveProperty([table])
      }
  })
})
