import { isLoincWellFormed, isUcum } from '#terminology'
import { systems } from '../codes.ts'
import {
  type Found,
  isNode,
  memberOf,
  partsNamed,
  partsOf,
  rowsOf,
  type Tables,
  type Tell,
  valuesAt,
} from './tables.ts'

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

type Faults = (code: string) => string | undefined

const loinc: Faults = code =>
  isLoincWellFormed(code) ? undefined : `${code} is no LOINC number: its check digit is wrong.`
const snomed: Faults = code =>
  isSnomed(code) ? undefined : `${code} is no SNOMED CT identifier: its check digit is wrong.`
const ucum: Faults = code => (isUcum(code) ? undefined : `${code} is no unit of UCUM.`)

/** Columns that hold codes, in whatever table. */
const columns: ReadonlyMap<string, Faults> = new Map([
  ['loinc', loinc],
  ['snomed', snomed],
  ['ucum', ucum],
  ['stored', ucum],
])
/** Columns that hold codes in one table. */
const special: readonly (readonly [file: string, path: string, faults: Faults])[] = [
  ['ccda/entries.json', 'rows/*/code', loinc],
  ['hl7v2/units.json', 'byObservation/units/*', ucum],
]
const bySystem: ReadonlyMap<unknown, Faults> = new Map([
  [systems.loinc, loinc],
  [systems.snomed, snomed],
  [systems.ucum, ucum],
])

/** Check digits and units, wherever they stand. */
export function checkCodes(tables: Tables, tell: Tell): void {
  const check = (found: Found, faults: Faults | undefined) => {
    const text = typeof found.value === 'string' ? faults?.(found.value) : undefined
    if (text !== undefined) tell(found, text)
  }
  for (const file of tables.keys())
    for (const found of valuesAt(tables, file, '**')) {
      if (found.pointer.startsWith('/sources')) continue
      const faults = columns.get(found.key)
      for (const one of typeof found.value === 'string' ? [found] : partsOf(found)) check(one, faults)
      if (isNode(found.value))
        for (const one of partsNamed(found, 'code')) check(one, bySystem.get(memberOf(found.value, 'system')))
    }
  for (const [file, path, faults] of special) for (const found of valuesAt(tables, file, path)) check(found, faults)
  for (const set of valuesAt(tables, 'ccda/code-sets.json', 'sets/*'))
    for (const row of rowsOf(set))
      for (const one of partsNamed(row, 'to')) check(one, bySystem.get(memberOf(set.value, 'system')))
  for (const table of valuesAt(tables, 'hl7v2/code-tables.json', 'tables/*'))
    for (const { code, system } of codesOfTable(table)) check(code, bySystem.get(system))
}

/** A code that an HL7 table gives. */
export interface TableCode {
  readonly code: Found
  readonly system: unknown
}

/** The codes that an HL7 table of `code-tables.json` gives. */
export function codesOfTable(table: Found): readonly TableCode[] {
  const system = memberOf(table.value, 'system')
  const guided = partsNamed(table, 'codes').flatMap(partsOf)
  return [
    ...guided.flatMap(row =>
      partsNamed(row, '0').map(code => ({
        code,
        system: Array.isArray(row.value) && row.value.length > 2 ? row.value[2] : system,
      })),
    ),
    ...partsNamed(table, 'own')
      .flatMap(own => partsNamed(own, 'codes'))
      .flatMap(partsOf)
      .map(code => ({ code, system })),
  ]
}
