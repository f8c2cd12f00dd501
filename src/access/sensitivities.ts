/** Codes by which a resource is as good as labelled: `mappings/labels/sensitivities.json`. */
import { readFileSync } from 'node:fs'

type Column = 'icd10' | 'atc' | 'snomed' | 'loinc' | 'rxnorm'

type Row = { readonly label: string } & { readonly [column in Column]?: readonly string[] }

interface Table {
  readonly systems: readonly { readonly codes: Column; readonly urls: readonly string[] }[]
  readonly rows: readonly Row[]
}

const table = JSON.parse(
  readFileSync(new URL('../../mappings/labels/sensitivities.json', import.meta.url), 'utf8'),
) as Table

const sensitivity = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
/** What is of any kind of sensitivity is of this degree. */
const restricted = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R'

/** In these what begins alike is a kind of the same; elsewhere a code says nothing of another one. */
const byBeginning: ReadonlySet<Column> = new Set(['icd10', 'atc'])

/**
 * Tells whether a coding is of what some labels stand for; undefined where no code is.
 *
 * @param labels  `system|code`, as search values
 */
export function codedAs(labels: readonly string[]): ((system: string, code: string) => boolean) | undefined {
  const rows = table.rows.filter(({ label }) => labels.includes(`${sensitivity}|${label}`))
  const meant = labels.includes(restricted) ? table.rows : rows
  if (meant.length === 0) return undefined
  const tests = new Map<string, (code: string) => boolean>()
  for (const { codes: column, urls } of table.systems) {
    const codes = meant.flatMap(row => row[column] ?? [])
    const test = byBeginning.has(column) ? beginsWithAny(codes) : (code: string) => codes.includes(code)
    for (const system of urls) tests.set(system, test)
  }
  return (system, code) => tests.get(system)?.(code) ?? false
}

/** Some write a dot after the third character, some do not. */
function beginsWithAny(beginnings: readonly string[]): (code: string) => boolean {
  return code => {
    const plain = code.replaceAll('.', '').toUpperCase()
    return beginnings.some(beginning => plain.startsWith(beginning))
  }
}
