import { lazyTable, perEdition } from '../tables.ts'

/** What an identifier of a type names; see `about` in mappings/identity.json. */
export type Names = 'single' | 'several' | 'shared' | 'thing' | 'unsaid'

interface Thresholds {
  /** Jaro-Winkler similarity (0 to 1) from which two names are alike. */
  readonly alike: number
  /** The same for names that sound the same. */
  readonly alikeWhenSoundsSame: number
}

interface File {
  readonly identifierTypes: { readonly rows: readonly { readonly code: string; readonly names: Names }[] }
  readonly systemTypes: { readonly rows: readonly { readonly system: string; readonly type: string }[] }
  readonly thresholds: { readonly rows: readonly ({ readonly part: 'family' | 'given' } & Thresholds)[] }
  readonly particles: readonly string[]
  readonly titles: readonly string[]
  readonly placeholders: {
    readonly names: readonly string[]
    readonly newborn: readonly string[]
    readonly birthDates: readonly string[]
    readonly identifiers: readonly string[]
    readonly socialSecurity: readonly string[]
  }
  readonly shortNames: { readonly rows: readonly { readonly names: readonly string[] }[] }
}

interface IdentityTables {
  readonly namesOfType: ReadonlyMap<string, Names>
  readonly typeOfSystem: ReadonlyMap<string, string>
  readonly thresholds: ReadonlyMap<string, Thresholds>
  readonly particles: ReadonlySet<string>
  readonly titles: ReadonlySet<string>
  readonly placeholderNames: ReadonlySet<string>
  readonly newborn: ReadonlySet<string>
  readonly placeholderBirthDates: ReadonlySet<string>
  readonly placeholderIdentifiers: ReadonlySet<string>
  /** Digits of social security numbers that forms, cards and trial data show. */
  readonly placeholderSocialSecurity: ReadonlySet<string>
  /** A name → the rows of `shortNames` in which it stands. */
  readonly shortNames: ReadonlyMap<string, ReadonlySet<number>>
}

const file = lazyTable<File>('identity.json')

/** `mappings/identity.json`, by what is looked up in it. */
export const identityTables = perEdition(() => tablesOf(file()))

function tablesOf(read: File): IdentityTables {
  return {
    namesOfType: new Map(read.identifierTypes.rows.map(({ code, names }) => [code, names])),
    typeOfSystem: new Map(read.systemTypes.rows.map(({ system, type }) => [system, type])),
    thresholds: new Map(read.thresholds.rows.map(row => [row.part, row])),
    particles: new Set(read.particles),
    titles: new Set(read.titles),
    placeholderNames: new Set(read.placeholders.names),
    newborn: new Set(read.placeholders.newborn),
    placeholderBirthDates: new Set(read.placeholders.birthDates),
    placeholderIdentifiers: new Set(read.placeholders.identifiers),
    placeholderSocialSecurity: new Set(read.placeholders.socialSecurity),
    shortNames: shortNamesOf(read.shortNames.rows),
  }
}

function shortNamesOf(rows: File['shortNames']['rows']): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>()
  for (const [at, { names }] of rows.entries())
    for (const name of names) found.set(name, (found.get(name) ?? new Set()).add(at))
  return found
}
