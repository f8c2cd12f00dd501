import { readdirSync, readFileSync } from 'node:fs'
import { toCode, Uncoded } from '../../../src/ingest/hl7v2/codings.ts'
import { checkTables } from '../../../src/ingest/mappings/check.ts'
import { checkMappings } from '../../../src/ingest/mappings/check-mappings.ts'
import { type Finding, readTable, type Table } from '../../../src/ingest/mappings/read-table.ts'
import { shippedTables, tableNames } from '../../../src/ingest/mappings/table-files.ts'
import { factsLike } from '../../../src/ingest/measures/like.ts'
import { randomFrom } from '../../random.ts'

const mappings = new URL('../../../mappings/', import.meta.url)
const shipped = shippedTables()
const said = ({ file, pointer, text }: Finding) => `${file} ${pointer} ${text}`

describe('the mapping tables', () => {
  it('have nothing wrong in them', () => {
    const { findings, tables, rows } = checkMappings()
    expect(findings.map(said)).toEqual([])
    expect(tables).toBe(31)
    expect(rows).toBeGreaterThan(4000)
  })

  it.each(tableNames)('%s names its schema, which stands beside it and says what each part is', name => {
    const [, file = ''] = /([^/]+)\.json$/.exec(name) ?? []
    expect(shipped.tables.get(name)?.value).toMatchObject({
      $schema: `./${file}.schema.json`,
      about: expect.any(String),
    })
    const schema = JSON.parse(readFileSync(new URL(name.replace(/json$/, 'schema.json'), mappings), 'utf8'))
    expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', title: expect.any(String) })
    expect(undescribed(schema)).toEqual([])
  })

  it('have no schema without a table', () => {
    const files = readdirSync(mappings, { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.schema.json'),
    )
    const tables = files.map(name => name.replace('.schema.json', '.json')).filter(name => name !== 'common.json')
    expect(tables.sort()).toEqual([...tableNames].sort())
  })

  it('have 120 quantity types and 69 category types', () => {
    for (const [name, count] of [
      ['quantity', 120],
      ['category', 69],
    ] as const)
      expect(shipped.tables.get(`apple-health/${name}-types.json`)?.value).toMatchObject({ rows: { length: count } })
  })

  it('are like rows in the unit of those', () => {
    expect(factsLike('apple-health RestingHeartRate')).toMatchObject({ ucum: '/min', category: 'exam' })
    expect(() => factsLike('google-fit com.google.nothing')).toThrow('no mapping has the row')
  })

  // https://hl7.org/fhir/R4/valueset-event-timing.html has no codes for the times between meals.
  it.each([
    ['HS', 'HS'],
    ['IC', new Uncoded({ system: 'http://terminology.hl7.org/CodeSystem/v2-0528', code: 'IC' })],
    ['ICV', new Uncoded({ system: 'http://terminology.hl7.org/CodeSystem/v2-0528', code: 'ICV' })],
    ['XX', new Uncoded({ system: 'http://terminology.hl7.org/CodeSystem/v2-0528', code: 'XX' })],
  ])('keep a code beside an element that has no word for it: %s', (code, expected) => {
    expect(toCode(code, 'EventRelatedPeriod')).toEqual(expected)
  })
})

/** Pointers of properties without a description, their own or that of the part they refer to. */
function undescribed(schema: unknown, pointer = ''): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([key, part]) => {
    const properties = key === 'properties' ? Object.entries(part as object) : []
    const bare = properties.filter(([, one]) => !('description' in one || '$ref' in one))
    return [...bare.map(([name]) => `${pointer}/${name}`), ...undescribed(part, `${pointer}/${key}`)]
  })
}

/** A table made wrong in one place, and what is said of it. */
type Case = readonly [what: string, file: string, right: string, wrong: string, finding: string]

/** What no schema can say. Each place is one of the tables as they are. */
const faults: readonly Case[] = [
  ['a LOINC check digit', 'apple-health/quantity-types.json', '"8867-4"', '"8867-5"', 'no LOINC number'],
  [
    'a SNOMED CT check digit',
    'apple-health/quantity-types.json',
    '"50373000"',
    '"50373001"',
    'no SNOMED CT identifier',
  ],
  ['a unit', 'apple-health/units.json', '"ucum": "[stone_av]"', '"ucum": "stone"', 'stone is no unit of UCUM'],
  [
    'a unit to convert to',
    'apple-health/units.json',
    '"ucum": "cm", "factor": 100,',
    '"ucum": "centi", "factor": 100,',
    'no unit of UCUM',
  ],
  ['a unit of senders', 'hl7v2/units.json', '"F": "[degF]"', '"F": "Fahrenheit"', 'no unit of UCUM'],
  ['a unit as it is stored', 'fitbit/files.json', '"stored": "[lb_av]"', '"stored": "pound"', 'no unit of UCUM'],
  ['a LOINC number of a template', 'ccda/entries.json', '"82810-3"', '"82810-4"', 'no LOINC number'],
  [
    'a SNOMED CT code that is made',
    'ccda/code-sets.json',
    '"to": "429625007"',
    '"to": "429625008"',
    'no SNOMED CT identifier',
  ],
  [
    'a SNOMED CT code beside',
    'hl7v2/segments.json',
    '"code": "88189002"',
    '"code": "88189003"',
    'no SNOMED CT identifier',
  ],
  ['a SNOMED CT code of a table', 'hl7v2/code-tables.json', '"446050000"', '"446050001"', 'no SNOMED CT identifier'],
  [
    'a row it is like',
    'health-connect/record-types.json',
    '"like": "google-fit com.google.distance.delta"',
    '"like": "google-fit com.google.distance"',
    'no type com.google.distance',
  ],
  [
    'a row of the other table it is like',
    'fitbit/files.json',
    '"like": "apple-health RestingHeartRate"',
    '"like": "apple-health RestHeartRate"',
    'no type RestHeartRate',
  ],
  ['a set of values', 'apple-health/category-types.json', '"values": "sleep"', '"values": "sleeps"', 'no set sleeps'],
  [
    'a set of exercises',
    'health-connect/record-types.json',
    '"set": "segment"',
    '"set": "segments"',
    'no set segments',
  ],
  [
    'the type of a distance',
    'apple-health/workout-types.json',
    '"distance": "DistanceCycling"',
    '"distance": "DistanceBiking"',
    'no type DistanceBiking',
  ],
  ['the type of a metric', 'auto-export/metrics.json', '"type": "VO2Max"', '"type": "VO3Max"', 'no type VO3Max'],
  ['the type of a register', 'identity.json', '"type": "SS"', '"type": "SSX"', 'no type SSX'],
  ['a structure', 'hl7v2/messages.json', '"structure": "ADT_A02"', '"structure": "ADT_A00"', 'no structure ADT_A00'],
  [
    'a group',
    'hl7v2/structures.json',
    '"ADT_A02": {"repeats": false, "patient": ["VISIT"',
    '"ADT_A02": {"repeats": false, "patient": ["VISITS"',
    'no group VISITS',
  ],
  ['a table of codes', 'hl7v2/segments.json', '"table": "MaritalStatus"', '"table": "Married"', 'no table Married'],
  [
    'a data type',
    'hl7v2/segments.json',
    '"from": "PID-3", "to": "identifier[]", "as": "CX[Identifier]"',
    '"from": "PID-3", "to": "identifier[]", "as": "CX[Ident]"',
    'no type CX[Ident]',
  ],
  [
    'a field of another segment',
    'hl7v2/segments.json',
    '"from": "PID-4"',
    '"from": "PV1-4"',
    'PV1-4 is nothing of PID',
  ],
  [
    'a source',
    'google-fit/activities.json',
    '"headings": ["Inactive"], "kind": "other", "source": "types"',
    '"headings": ["Inactive"], "kind": "other", "source": "typos"',
    'sources has no typos',
  ],
  [
    'a type of Google Fit',
    'google-fit/daily-columns.json',
    '"type": "com.google.distance.delta", "field": 0',
    '"type": "com.google.distance.dleta", "field": 0',
    'data-types.json has no type com.google.distance.dleta',
  ],
  ['two rows for a name', 'google-fit/activities.json', '"name": "zumba"', '"name": "yoga"', 'Another row'],
  ['two rows for a number', 'google-fit/activities.json', '"code": 8,', '"code": 7,', 'Another row'],
  [
    'two rows for a type',
    'apple-health/category-types.json',
    '"type": "ToothbrushingEvent"',
    '"type": "HandwashingEvent"',
    'Another row',
  ],
  ['two rows for an event', 'hl7v2/messages.json', '"event": "A29"', '"event": "A28"', 'Another row'],
  ['two rows for a code', 'ccda/code-sets.json', '"snomed": "277022003"', '"snomed": "263855007"', 'Another row'],
  ['two rows for a file', 'fitbit/files.json', '"files": ["body_fat"]', '"files": ["weight"]', 'Another row'],
  ['an element', 'hl7v2/segments.json', '"to": "birthDate"', '"to": "birthday"', 'R4 has no element Patient.birthday'],
  [
    'an element below',
    'hl7v2/segments.json',
    '"to": "address[0].district"',
    '"to": "address[0].county"',
    'R4 has no element Address.county',
  ],
  [
    'a list that is not added to',
    'hl7v2/segments.json',
    '"from": "PID-5", "to": "name[]", "as": "XPN[HumanName]"',
    '"from": "PID-5", "to": "name", "as": "XPN[HumanName]"',
    'Patient.name is a list',
  ],
  [
    'an element of a data type',
    'hl7v2/data-types.json',
    '"to": "period.start"',
    '"to": "period.begin"',
    'R4 has no element Period.begin',
  ],
  [
    'what a reference leads to',
    'hl7v2/segments.json',
    '"to": "location(Location).address"',
    '"to": "location(Patient).address"',
    'leads to no Patient',
  ],
  [
    'an element beside',
    'hl7v2/segments.json',
    '"beside": {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"}',
    '"beside": {"uri": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"}',
    'R4 has no element Extension.uri',
  ],
  [
    'a condition',
    'hl7v2/segments.json',
    '"when": "RXC-3 VALUED"',
    '"when": "RXC-3 VALUED AND more"',
    'is no condition',
  ],
  [
    'a status of a visit',
    'hl7v2/messages.json',
    '"status": "finished"',
    '"status": "ended"',
    'ended is no code of Encounter.status',
  ],
  [
    'a code of a table',
    'hl7v2/code-tables.json',
    '"F": ["female", "Female"]',
    '"F": ["woman", "Female"]',
    'woman is no code of Patient.gender',
  ],
  [
    'a status that is made',
    'ccda/code-sets.json',
    '"to": "relapse"',
    '"to": "relapsed"',
    'relapsed is no code of Condition.clinicalStatus',
  ],
]

/** What a schema says. */
const misfits: readonly Case[] = [
  [
    'a name that there is not',
    'apple-health/quantity-types.json',
    '"fraction": true',
    '"fractions": true',
    'There is no "fractions" here; what there is: type,',
  ],
  [
    'a word of a list',
    'health-connect/record-types.json',
    '"as": "member"',
    '"as": "part"',
    'This must be one of: component, member.',
  ],
  [
    'a category',
    'google-fit/data-types.json',
    '"category": "vital-signs"',
    '"category": "vitals"',
    'This must be one of: social-history,',
  ],
  ['what is missing', 'google-fit/activities.json', '"code": 8, ', '', 'code is missing.'],
  ['a kind of value', 'google-fit/activities.json', '"code": 9,', '"code": "9",', 'This must be a whole number.'],
  [
    'the form of a LOINC number',
    'hl7v2/vital-signs.json',
    '"8867-4"',
    '"88674"',
    'This has not the form that it needs. What it is: A LOINC number',
  ],
  ['the form of a path', 'hl7v2/segments.json', '"to": "birthDate"', '"to": "birth date"', 'This has not the form'],
  ['neither of two', 'ccda/code-sets.json', '"snomed": "263855007", ', '', 'This needs one of: snomed, code.'],
  [
    'a like that leads in a circle',
    'fitbit/files.json',
    '"like": "google-fit com.google.weight"',
    '"like": "fitbit weight"',
    'This has not the form',
  ],
  ['junk', 'apple-health/units.json', '"rows": [', '"rows": [1, [], null, "x", ', 'This must be an object.'],
]

/** The tables with all of the faults in them, read and checked once. */
function foundWith(all: readonly Case[]): readonly Finding[] {
  const texts = new Map(tableNames.map(name => [name, readFileSync(new URL(name, mappings), 'utf8')]))
  for (const [, file, right, wrong] of all)
    texts.set(
      file,
      (texts.get(file) ?? '').replace(right, () => wrong),
    )
  const read = [...texts].map(([file, text]) => ({ file, ...readTable(file, text) }))
  expect(read.flatMap(({ findings }) => findings)).toEqual([])
  return checkTables(new Map(read.map(({ file, table }) => [file, table as Table])))
}

describe.each([
  ['what no schema can say', faults],
  ['what a schema says', misfits],
] as const)('a table made wrong: %s', (_, all) => {
  let found: readonly Finding[]
  beforeAll(() => {
    found = foundWith(all)
  })

  it.each(all)('%s', (_what, file, right, wrong, finding) => {
    const line = lineOf(file, right)
    expect(right).not.toBe(wrong)
    const here = found.filter(one => one.file === file && one.line === line && one.text.includes(finding))
    expect(here.map(said)).not.toEqual([])
  })

  it('and nothing else is found', () => {
    const places = new Set(all.map(([, file, right]) => `${file} ${lineOf(file, right)}`))
    expect(found.filter(({ file, line }) => !places.has(`${file} ${line}`)).map(said)).toEqual([])
  })
})

/** The line in which a text first stands in a table as it is. */
function lineOf(file: string, right: string): number {
  const text = readFileSync(new URL(file, mappings), 'utf8')
  const at = text.indexOf(right)
  expect(at).toBeGreaterThan(0)
  return text.slice(0, at).split('\n').length
}

describe('a text that is no table', () => {
  it.each([
    ['', ':1:1 The text ends where a value was expected.'],
    ['{"a": 1,}', ':1:9 A name in double quotes was expected here.'],
    ['{\n  "a": [1,\n  2 3]}', ':3:5 A comma or ] was expected here.'],
    ['{"a" 1}', ':1:6 A colon was expected here, behind a name.'],
    ['{"a": "b\n"}', ':1:9 A line break or another control character stands within a text.'],
    ['{"a": "b', ':1:7 A text begins here and does not end.'],
    ['{"a": "\\x"}', ':1:7 A text has a backslash before something that JSON does not know.'],
    ['[1', ':1:3 The text ends within a list.'],
    ['{"a": 1', ':1:8 The text ends within an object.'],
    ['{} {}', ':1:4 Something follows where the table has ended.'],
    ['[1e999]', ':1:2 A number is larger than any that can be kept.'],
    ['{"rows": {"__proto__": {}}}', ':1:11 No table has a member of the name __proto__.'],
    ['{"constructor": 1}', ':1:2 No table has a member of the name constructor.'],
    ['{"a": 1,\n "a": 2}', ':2 /a This name stands twice in its object; only the last would count.'],
    ['['.repeat(100_000), ':1:34 More than 32 objects and lists lie within one another.'],
    [`[${'1,'.repeat(200_000)}1]`, ':1:200000 The table has more than 100000 values; none is as large.'],
  ])('%.40s', (text, expected) => {
    const { findings } = readTable('t.json', text)
    expect(
      findings.map(
        one =>
          `:${one.line}${one.column === undefined ? '' : `:${one.column}`} ${one.pointer}${one.pointer && ' '}${one.text}`,
      ),
    ).toEqual([expected])
  })

  it('is read as JSON.parse reads it, where it is one', () => {
    for (const name of tableNames) {
      const text = readFileSync(new URL(name, mappings), 'utf8')
      expect(readTable(name, text).table?.value).toEqual(JSON.parse(text))
    }
    const odd = '{"":[-0,1.5e-3,"\\u00e9\\n\\/",true,false,null,{}],"~/":[[]]}'
    expect(readTable('t.json', odd).table?.value).toEqual(JSON.parse(odd))
  })

  it('ends in findings and never otherwise, whatever is put into it', () => {
    const random = randomFrom(11)
    const pick = <T>(list: readonly T[] | string) => list[Math.floor(random() * list.length)] as T
    for (const name of tableNames)
      for (let times = 0; times < 6; times++) {
        const text = readFileSync(new URL(name, mappings), 'utf8')
        const at = Math.floor(random() * text.length)
        const put = pick(['', '"', '{', ']', 'null', '0', ',', '\\', '"a":', '\u0000'])
        const { table } = readTable(name, text.slice(0, at) + put + text.slice(at + pick([0, 1, 5])))
        if (table !== undefined) expect(checkTables(new Map([[name, table]]))).toEqual(expect.any(Array))
      }
  })
})
