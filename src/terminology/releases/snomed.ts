import type { Draft } from '../imported/writing.ts'
import { fieldsOf } from './lines.ts'
import {
  fileLike,
  malformed,
  type ReadHead,
  type ReadingHooks,
  type ReleaseFile,
  type ReleaseReader,
  versionFrom,
} from './release.ts'

const system = 'http://snomed.info/sct'
const isA = '116680003'
const preferred = '900000000000548007'
const fullName = '900000000000003001'
const fullNameUse = `${system}|${fullName}|Fully specified name`
const synonymUse = `${system}|900000000000013009|Synonym`
/** What is not yet defined by all it needs; a value of the property `sufficientlyDefined` otherwise. */
const defined = '900000000000073002'

const patterns = {
  concepts: /(?:^|\/)x?sct2_Concept_Snapshot_[^/]*\.txt$/,
  descriptions: /(?:^|\/)x?sct2_Description_Snapshot[^/]*\.txt$/,
  relationships: /(?:^|\/)x?sct2_Relationship_Snapshot_[^/]*\.txt$/,
  languages: /(?:^|\/)x?der2_cRefset_Language[^/]*Snapshot[^/]*\.txt$/,
} as const

interface Files {
  readonly concepts: ReleaseFile
  readonly descriptions: readonly ReleaseFile[]
  readonly relationships: ReleaseFile
  readonly languages: readonly ReleaseFile[]
}

function filesIn(files: readonly ReleaseFile[]): Files | undefined {
  const [concepts, relationships] = [fileLike(files, patterns.concepts), fileLike(files, patterns.relationships)]
  const like = (pattern: RegExp) => files.filter(({ path }) => pattern.test(path))
  const descriptions = like(patterns.descriptions)
  if (concepts === undefined || relationships === undefined || descriptions.length === 0) return undefined
  return { concepts, relationships, descriptions, languages: like(patterns.languages) }
}

/**
 * SNOMED CT in Release Format 2, its snapshot files.
 *
 * @see https://confluence.ihtsdotools.org/display/DOCRELFMT and https://hl7.org/fhir/R4/snomedct.html
 */
export const snomed: ReleaseReader = {
  name: 'SNOMED CT (RF2)',
  find(files) {
    const found = filesIn(files)
    if (found === undefined) return undefined
    return [found.concepts, ...found.languages, ...found.descriptions, found.relationships]
  },
  async read(all, draft, hooks) {
    const files = filesIn(all) as Files
    const version = await readConcepts(files.concepts, draft, hooks)
    await readNames(files, draft, hooks)
    const names = await readRelationships(files.relationships, draft, hooks)
    return headOf(versionFrom(hooks, version), names)
  },
}

function headOf(version: string, attributes: ReadonlySet<string>): ReadHead {
  const own = { effectiveTime: 'string', moduleId: 'code', sufficientlyDefined: 'string' } as const
  const properties = { ...own, ...Object.fromEntries([...attributes].map(code => [code, 'code' as const])) }
  return { url: system, version, name: 'SNOMED CT', properties, isCaseSensitive: true }
}

/** The version is that of the newest module: `http://snomed.info/sct/[module]/version/[time]`. */
async function readConcepts(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<string | undefined> {
  let newest = { time: '', module: '' }
  for await (const [code = '', time = '', active, module = '', status] of fieldsOf(file, '\t', hooks)) {
    if (code === 'id') continue
    if (!/^\d{6,18}$/.test(code) || !/^\d{8}$/.test(time)) throw malformed(file, 'a line has no concept and time')
    draft.concept({ code, isInactive: active !== '1' })
    draft.property(code, 'effectiveTime', time)
    draft.property(code, 'moduleId', module)
    draft.property(code, 'sufficientlyDefined', String(status === defined))
    if (time > newest.time) newest = { time, module }
  }
  return newest.time === '' ? undefined : `${system}/${newest.module}/version/${newest.time}`
}

/** The preferred term is the display: in English where there is one, since R4's own value sets are written with it. */
async function readNames({ languages, descriptions }: Files, draft: Draft, hooks: ReadingHooks): Promise<void> {
  const preferences = new Set<string>()
  for (const file of languages)
    for await (const [, , active, , , described = '', acceptability] of fieldsOf(file, '\t', hooks))
      if (active === '1' && acceptability === preferred) preferences.add(described)
  const named = new Set<string>()
  for (const file of descriptions)
    for await (const fields of fieldsOf(file, '\t', hooks)) readName(fields, { draft, preferences, named })
}

interface Naming {
  readonly draft: Draft
  readonly preferences: ReadonlySet<string>
  /** Concepts that have their preferred term. */
  readonly named: Set<string>
}

function readName(
  [id = '', , active, , code = '', language = '', type, value = '']: readonly string[],
  { draft, preferences, named }: Naming,
): void {
  if (active !== '1' || id === 'id') return
  const isFull = type === fullName
  draft.name(code, { value, language, use: isFull ? fullNameUse : synonymUse })
  if (named.has(code)) return
  const isPreferred = !isFull && preferences.has(id) && language === 'en'
  if (isPreferred) named.add(code)
  // Until the preferred term comes, the full name stands in its place.
  if (isPreferred || isFull) draft.rename(code, value)
}

/** @returns the attributes that concepts have */
async function readRelationships(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<ReadonlySet<string>> {
  const attributes = new Set<string>()
  for await (const [, , active, , source = '', target = '', , type = ''] of fieldsOf(file, '\t', hooks)) {
    if (active !== '1') continue
    if (type === isA) draft.link(source, target)
    else {
      attributes.add(type)
      draft.property(source, type, target)
    }
  }
  return attributes
}
