import type { CodeFacts } from '../codes.ts'
import { lazyTable } from '../tables.ts'

/** What a row of a mapping says of the thing it maps, whatever the source calls it. */
interface LikeFacts extends CodeFacts {
  readonly category: string
  readonly ucum?: string
}

interface TypeRow extends CodeFacts {
  readonly type: string
  readonly category: string
  readonly ucum?: string
  readonly value?: { readonly ucum: string }
}

const tables: Readonly<Record<string, readonly (() => { readonly rows: readonly TypeRow[] })[]>> = {
  'apple-health': [lazyTable('apple-health/quantity-types.json'), lazyTable('apple-health/category-types.json')],
  'google-fit': [lazyTable('google-fit/data-types.json')],
}

/**
 * The codes, the category and the unit of a row of another mapping: the same thing has the same codes, whoever measured it.
 *
 * @param name  mapping and type, `apple-health RestingHeartRate`
 * @throws Error when there is no such row, which a test of the mappings looks for
 */
export function factsLike(name: string): LikeFacts {
  const [mapping = '', type] = name.split(' ')
  const row = (tables[mapping] ?? []).flatMap(table => table().rows).find(one => one.type === type)
  if (row === undefined) throw new Error(`no mapping has the row ${name}`)
  const { text, loinc, snomed, pghd, category } = row
  const ucum = row.ucum ?? row.value?.ucum
  return {
    text,
    category,
    ...(loinc === undefined ? {} : { loinc }),
    ...(snomed === undefined ? {} : { snomed }),
    ...(pghd === undefined ? {} : { pghd }),
    ...(ucum === undefined ? {} : { ucum }),
  }
}
