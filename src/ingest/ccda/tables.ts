import type { Coding } from '../codes.ts'
import { lazyTable, perEdition } from '../tables.ts'
import type { CdaElement } from './element.ts'

/** What a section says of its entries. */
export interface SectionRow {
  readonly text: string
  readonly loinc?: readonly string[]
  readonly templates: readonly string[]
  readonly condition?: string
  readonly observation?: string
  readonly fallback?: Readonly<Record<string, string>>
}

/** What an entry becomes. */
export interface EntryRow {
  readonly text: string
  /** Name of the mapper. */
  readonly as: string
  readonly templates: readonly string[]
  readonly condition?: string
  readonly observation?: string
  readonly code?: string
}

interface CodeRow {
  readonly snomed?: string
  readonly code?: string
  readonly to: string
  readonly text?: string
}

interface CodeSet {
  readonly system?: string
  readonly rows: readonly CodeRow[]
}

interface SystemRow {
  readonly oid: string
  readonly uri: string
  readonly names?: readonly string[]
}

const sectionFile = lazyTable<{ rows: SectionRow[] }>('ccda/sections.json')
const entryFile = lazyTable<{
  rows: EntryRow[]
  elements: { fallback: { rows: { element: string; as: string }[] } }
}>('ccda/entries.json')
const setFile = lazyTable<{ sets: Record<string, CodeSet> }>('ccda/code-sets.json')
const systemFile = lazyTable<{
  rows: SystemRow[]
  identifiers: { registers: { rows: SystemRow[] } }
}>('ccda/code-systems.json')

interface CcdaTables {
  readonly sections: ReadonlyMap<string, SectionRow>
  readonly entries: ReadonlyMap<string, EntryRow>
  readonly byElement: ReadonlyMap<string, string>
  /** By set and code. */
  readonly codes: ReadonlyMap<string, Coding>
  readonly systems: ReadonlyMap<string, string>
  readonly systemsByName: ReadonlyMap<string, string>
  readonly registers: ReadonlyMap<string, string>
}

/** The tables of `mappings/ccda`, indexed. Read when the first document arrives. */
export const ccdaTables = perEdition(load)

function load(): CcdaTables {
  const systems = systemFile()
  return {
    sections: new Map(sectionFile().rows.flatMap(row => keysOf(row).map(key => [key, row] as const))),
    entries: new Map(entryFile().rows.flatMap(row => row.templates.map(template => [template, row] as const))),
    byElement: new Map(entryFile().elements.fallback.rows.map(({ element, as }) => [element, as])),
    codes: new Map(Object.entries(setFile().sets).flatMap(codesOf)),
    systems: new Map(systems.rows.map(({ oid, uri }) => [oid, uri])),
    systemsByName: new Map(
      systems.rows.toReversed().flatMap(({ names = [], uri }) => names.map(name => [name.toUpperCase(), uri] as const)),
    ),
    registers: new Map(systems.identifiers.registers.rows.map(({ oid, uri }) => [oid, uri])),
  }
}

function keysOf({ templates, loinc = [] }: SectionRow): readonly string[] {
  return [...templates, ...loinc]
}

function codesOf([set, { system, rows }]: [string, CodeSet]): [string, Coding][] {
  return rows.map(({ snomed, code, to, text }) => [
    `${set} ${snomed ?? code}`,
    { ...(system === undefined ? {} : { system }), code: to, ...(text === undefined ? {} : { display: text }) },
  ])
}

/** What a code becomes in a set of `code-sets.json`; of a coded element its own code counts first, then its translations. */
export function inSet(set: string, coded: CdaElement | string | undefined): Coding | undefined {
  if (coded === undefined) return undefined
  const { codes } = ccdaTables()
  if (typeof coded === 'string') return codes.get(`${set} ${coded}`)
  for (const one of [coded, ...coded.all('translation')]) {
    const found = codes.get(`${set} ${one.attribute('code')}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** The row of a section, by its templates or its code. */
export function sectionRow(section: CdaElement): SectionRow | undefined {
  const { sections } = ccdaTables()
  for (const { attributes } of section.all('templateId')) {
    const row = sections.get(attributes.root ?? '')
    if (row !== undefined) return row
  }
  const code = section.find('code')
  const isLoinc = (code?.attribute('codeSystem') ?? '2.16.840.1.113883.6.1') === '2.16.840.1.113883.6.1'
  return isLoinc ? sections.get(code?.attribute('code') ?? '') : undefined
}

/** The row of an entry, by its templates. */
export function entryRow(statement: CdaElement): EntryRow | undefined {
  const { entries } = ccdaTables()
  for (const { attributes } of statement.all('templateId')) {
    const row = entries.get(attributes.root ?? '')
    if (row !== undefined) return row
  }
  return undefined
}
