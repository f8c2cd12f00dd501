import type { Draft } from '../imported/writing.ts'
import { fieldsOf } from './lines.ts'
import { fileLike, malformed, type ReadingHooks, type ReleaseFile, type ReleaseReader, versionFrom } from './release.ts'

const patterns = {
  names: /(?:^|\/)RXNCONSO\.RRF$/i,
  relations: /(?:^|\/)RXNREL\.RRF$/i,
} as const

/** Kinds of names by which RxNorm itself knows a concept; others are other names of it. */
const naming: ReadonlySet<string> = new Set([
  ...['IN', 'PIN', 'MIN', 'BN', 'DF', 'DFG', 'SCDC', 'SCDF', 'SCDFP', 'SCDG', 'SCDGP', 'SCD', 'GPCK'],
  ...['SBDC', 'SBDF', 'SBDFP', 'SBDG', 'SBD', 'BPCK'],
])

/**
 * RxNorm in Rich Release Format: its own names, and how its concepts stand to each other.
 *
 * @see https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html and https://hl7.org/fhir/R4/rxnorm.html
 */
export const rxnorm: ReleaseReader = {
  name: 'RxNorm (RRF)',
  find(files) {
    const [names, relations] = [fileLike(files, patterns.names), fileLike(files, patterns.relations)]
    return names === undefined ? undefined : [names, ...(relations === undefined ? [] : [relations])]
  },
  async read(files, draft, hooks) {
    const [names, relations] = files as readonly [ReleaseFile, ReleaseFile | undefined]
    await readNames(names, draft, hooks)
    const kinds = relations === undefined ? new Set<string>() : await readRelations(relations, draft, hooks)
    const properties = {
      TTY: 'string',
      ...Object.fromEntries([...kinds].map(kind => [kind, 'code' as const])),
    } as const
    const version = versionFrom(hooks, monthIn(names.path))
    const url = 'http://www.nlm.nih.gov/research/umls/rxnorm'
    return { url, version, name: 'RxNorm', properties, isCaseSensitive: true }
  },
}

/** `RxNorm_full_01062025/rrf/RXNCONSO.RRF` is of 6 January 2025. */
function monthIn(path: string): string | undefined {
  const [, month, day, year] = /RxNorm_\w+?_(\d{2})(\d{2})(\d{4})/i.exec(path) ?? []
  return month === undefined ? undefined : `${year}-${month}-${day}`
}

async function readNames(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<void> {
  const named = new Set<string>()
  for await (const fields of fieldsOf(file, '|', hooks)) {
    if (fields.length < 17) throw malformed(file, 'a line has fewer than 17 fields')
    const [code = '', language = '', , , , , , , , , , source, kind = '', , name = '', , suppressed] = fields
    if (source !== 'RXNORM') continue
    const isOwn = naming.has(kind)
    draft.concept({ code, display: name, isInactive: suppressed === 'O' })
    if (isOwn && !named.has(code)) {
      named.add(code)
      draft.rename(code, name)
      draft.property(code, 'TTY', kind)
    } else draft.name(code, { value: name, language: language === 'ENG' ? 'en' : language.toLowerCase(), use: kind })
  }
}

/** @returns the kinds of relations between concepts; `isa` is the hierarchy */
async function readRelations(file: ReleaseFile, draft: Draft, hooks: ReadingHooks): Promise<ReadonlySet<string>> {
  const kinds = new Set<string>()
  for await (const fields of fieldsOf(file, '|', hooks)) {
    // The second concept stands in the relation to the first.
    const [target = '', , by, , source = '', , , kind = '', , , from] = fields
    if (from !== 'RXNORM' || by !== 'CUI' || kind === '') continue
    if (kind === 'isa') draft.link(source, target)
    else if (kind !== 'inverse_isa') {
      kinds.add(kind)
      draft.property(source, kind, target)
    }
  }
  return kinds
}
