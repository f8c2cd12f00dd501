import { toInstant } from '#fhir'
import { builtInCanonicals, joinCanonical, splitCanonical } from '#terminology'
import type { Rooms } from '../types.ts'
import { expandForms } from './expand.ts'

type Statement = { readonly [element: string]: unknown }

/**
 * What is answered about codes, and which code systems are held whoever asks. Those that are kept as resources depend on who asks:
 * a search for CodeSystems tells them.
 *
 * @see https://hl7.org/fhir/R4/terminologycapabilities.html
 */
export function terminologyCapabilities(baseUrl: string, { software, clock, shelf }: Rooms): Statement {
  return {
    resourceType: 'TerminologyCapabilities',
    name: software.name,
    status: 'active',
    date: toInstant(clock.nowMs()),
    kind: 'instance',
    software,
    implementation: {
      description: 'The code systems of FHIR R4, those that were imported, and those that are kept here as resources',
      url: baseUrl,
    },
    lockedDate: false,
    codeSystem: [...builtInCanonicals('CodeSystem'), ...importedCanonicals(shelf)].map(toCodeSystem),
    expansion: {
      hierarchical: false,
      paging: true,
      incomplete: false,
      parameter: Object.keys(expandForms)
        .filter(name => !aboutWhat.has(name))
        .map(name => ({ name })),
      textFilter: 'Each word of the filter begins a word of the display, of a designation, or the code.',
    },
    codeSearch: 'all',
    validateCode: { translations: true },
    translation: { needsMap: false },
  }
}

function importedCanonicals(shelf: Rooms['shelf']): readonly string[] {
  return shelf.heads().map(({ url, version }) => joinCanonical(url, version))
}

/** They say which value set is expanded, not how. */
const aboutWhat: ReadonlySet<string> = new Set(['url', 'valueSet', 'valueSetVersion'])

function toCodeSystem(canonical: string): Statement {
  const { url, version } = splitCanonical(canonical)
  return { uri: url, ...(version === undefined ? {} : { version: [{ code: version, isDefault: true }] }) }
}
