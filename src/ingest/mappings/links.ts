import { kinds } from '../ccda/map-entry.ts'
import { converters } from '../hl7v2/data-types.ts'
import { codeSets } from './bindings.ts'
import { isNode, memberOf, partsOf, rowsOf, type Tables, type Tell, textsAt, valuesAt } from './tables.ts'

/** Where a column of one table names something of another. */
interface Link {
  readonly from: readonly [file: string, path: string]
  readonly to: readonly [file: string, path: string]
  /** What it names, in words. */
  readonly what: string
  /** What it may say besides. */
  readonly or?: RegExp
  /** Whether the keys are meant, not the values. */
  readonly keys?: true
}

const quantities = ['apple-health/quantity-types.json', 'rows/*/type'] as const
const sets = ['health-connect/exercise-types.json', 'rows/*/set'] as const
const valueCodes = ['apple-health/category-values.json', 'rows/*/code'] as const
const groups = ['hl7v2/structures.json', 'groups/*'] as const
const fitTypes = ['google-fit/data-types.json', 'rows/*/type'] as const

const links: readonly Link[] = [
  {
    from: ['apple-health/category-types.json', 'rows/*/values'],
    to: ['apple-health/category-values.json', 'rows/*/set'],
    what: 'set',
    or: /^none$/,
  },
  { from: ['apple-health/workout-types.json', 'rows/*/distance'], to: quantities, what: 'type' },
  { from: ['auto-export/metrics.json', 'rows/*/type'], to: quantities, what: 'type' },
  { from: ['auto-export/metrics.json', 'sums/*'], to: quantities, what: 'type' },
  {
    from: ['auto-export/metrics.json', 'units/*'],
    to: ['apple-health/units.json', 'rows/*/unit'],
    what: 'unit',
    or: /^count$/,
  },
  {
    from: ['auto-export/metrics.json', 'workouts/*'],
    to: ['apple-health/workout-types.json', 'rows/*/type'],
    what: 'type',
  },
  { from: ['google-fit/daily-columns.json', '*/*/type'], to: fitTypes, what: 'type' },
  { from: ['google-fit/daily-columns.json', 'summaries/*/of'], to: fitTypes, what: 'type' },
  { from: ['auto-export/metrics.json', 'symptomValues/*'], to: valueCodes, what: 'code' },
  { from: ['health-connect/record-types.json', '**/set'], to: sets, what: 'set' },
  {
    from: ['identity.json', 'systemTypes/rows/*/type'],
    to: ['identity.json', 'identifierTypes/rows/*/code'],
    what: 'type',
  },
  {
    from: ['hl7v2/messages.json', 'rows/*/structure'],
    to: ['hl7v2/structures.json', 'structures/*'],
    what: 'structure',
    keys: true,
  },
  { from: ['hl7v2/structures.json', 'structures/*/patient/*'], to: groups, what: 'group', keys: true },
  { from: ['hl7v2/structures.json', 'groups/*/groups/*'], to: groups, what: 'group', keys: true },
  {
    from: ['hl7v2/segments.json', 'maps/*/rows/*/table'],
    to: ['hl7v2/code-tables.json', 'tables/*'],
    what: 'table',
    keys: true,
    or: /^\d{4}$/,
  },
  {
    from: ['hl7v2/own-segments.json', 'maps/*/rows/*/table'],
    to: ['hl7v2/code-tables.json', 'tables/*'],
    what: 'table',
    keys: true,
    or: /^\d{4}$/,
  },
  {
    from: ['hl7v2/data-types.json', 'maps/*/rows/*/table'],
    to: ['hl7v2/code-tables.json', 'tables/*'],
    what: 'table',
    keys: true,
    or: /^\d{4}$/,
  },
]

/** References from table to table, and names that code must know. */
export function checkLinks(tables: Tables, tell: Tell): void {
  for (const { from, to, what, or, keys } of links) {
    if (!tables.has(to[0])) continue
    const known = keys === true ? new Set(valuesAt(tables, ...to).map(({ key }) => key)) : textsAt(tables, ...to)
    for (const found of valuesAt(tables, ...from))
      if (!known.has(String(found.value)) && !or?.test(String(found.value)))
        tell(found, `${to[0]} has no ${what} ${String(found.value)}.`, to[0])
  }
  checkLikes(tables, tell)
  checkSources(tables, tell)
  checkReaders(tables, tell)
  checkKnownNames(tables, tell)
}

const likened: Readonly<Record<string, readonly string[]>> = {
  'apple-health': ['apple-health/quantity-types.json', 'apple-health/category-types.json'],
  'google-fit': ['google-fit/data-types.json'],
}

/** `like` names a row of another table. */
function checkLikes(tables: Tables, tell: Tell): void {
  const types = new Map(
    Object.values(likened)
      .flat()
      .map(file => [file, textsAt(tables, file, 'rows/*/type')]),
  )
  for (const file of tables.keys())
    for (const found of valuesAt(tables, file, '**').filter(({ key }) => key === 'like')) {
      const [folder = '', type = ''] = String(found.value).split(' ')
      const files = likened[folder] ?? []
      if (!files.every(one => tables.has(one)) || files.some(one => types.get(one)?.has(type))) continue
      tell(found, `${files.join(' and ')} have no type ${type}.`.replace(/^(\S+) have/, '$1 has'), files[0])
    }
}

/** `source` names one of `sources`, unless it is the guide's row or a reason. */
function checkSources(tables: Tables, tell: Tell): void {
  for (const [file, table] of tables) {
    const sources = memberOf(table, 'sources')
    if (!isNode(sources)) continue
    for (const found of valuesAt(tables, file, '**').filter(
      ({ key, pointer }) => key === 'source' && pointer !== '/source',
    ))
      if (!Object.hasOwn(sources, String(found.value)) && !/^(v2-to-fhir |own: |https:\/\/)/.test(String(found.value)))
        tell(found, `sources has no ${String(found.value)}.`)
  }
}

const typeFile = 'hl7v2/data-types.json'

/** Fields are read in ways that there are, and stand in the map of their segment or data type. */
function checkReaders(tables: Tables, tell: Tell): void {
  const ways = new Set([...Object.keys(converters), ...textsAt(tables, typeFile, 'maps/*/type')])
  for (const file of ['hl7v2/segments.json', 'hl7v2/own-segments.json', typeFile])
    for (const map of valuesAt(tables, file, 'maps/*')) {
      const name = String(memberOf(map.value, 'segment') ?? memberOf(map.value, 'type')).replace(/\[.*$/, '')
      for (const column of rowsOf(map).flatMap(partsOf)) {
        const text = String(column.value)
        if (column.key === 'as' && tables.has(typeFile) && !ways.has(text))
          tell(column, `${typeFile} has no type ${text}, and no code reads it.`, typeFile)
        if (column.key === 'from' && text.split(/[-.]/)[0] !== name) tell(column, `${text} is nothing of ${name}.`)
      }
    }
}

/** What code knows by name: mappers of entries, sets of codes. */
function checkKnownNames(tables: Tables, tell: Tell): void {
  const mappers = ['ccda/entries.json', 'ccda/sections.json']
  for (const file of mappers)
    for (const found of valuesAt(tables, file, '**'))
      if ((found.key === 'as' || /\/fallback\/[a-zA-Z]+$/.test(found.pointer)) && typeof found.value === 'string')
        if (!Object.hasOwn(kinds, found.value)) tell(found, `No code makes anything of ${found.value}.`)
  const file = 'ccda/code-sets.json'
  if (!tables.has(file)) return
  const present = new Set(valuesAt(tables, file, 'sets/*').map(({ key }) => key))
  for (const name of Object.keys(codeSets))
    if (!present.has(name))
      tell({ file, pointer: '/sets' }, `The set ${name} is missing, which documents are read with.`)
  for (const found of valuesAt(tables, file, 'sets/*'))
    if (!Object.hasOwn(codeSets, found.key)) tell(found, `Nothing reads a set ${found.key}.`)
}
