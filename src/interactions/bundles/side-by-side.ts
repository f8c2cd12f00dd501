import { mapReferences, parseReference } from '#fhir'
import type { Steps } from '#kernel'
import type { BundleEntry } from './bundle-entry.ts'

/** As many writes wait for the disk together; each waits for it alone otherwise. */
const mostTogether = 32

/** Writes whose outcome depends on what is stored under one name at most. */
const plainWrites: ReadonlySet<string> = new Set(['create', 'update', 'delete'])

/**
 * Entries of a batch, in order, in groups whose members may be answered at the same time, because none of them writes what another
 * one writes or refers to: then no order shows. Whatever reads, or asks for a condition, is a group of its own.
 *
 * @see https://hl7.org/fhir/R4/http.html#brules – "there SHALL be no interdependencies between the different entries"
 */
export function* sideBySide(entries: readonly BundleEntry[]): Steps<readonly (readonly BundleEntry[])[]> {
  const groups: BundleEntry[][] = []
  let open = new Group()
  for (const entry of entries) {
    const touched = touchedBy(entry)
    if (touched === undefined || !open.takes(touched)) open = new Group()
    if (open.entries.length === 0) groups.push(open.entries)
    open.entries.push(entry)
    if (touched === undefined || open.entries.length === mostTogether) open = new Group()
    else open.add(touched)
    yield
  }
  return groups
}

/** Whether something is written; what an operation does counts as well. */
export function isWrite({ match: { route } }: BundleEntry): boolean {
  return route.method !== 'GET' && !route.interaction.startsWith('search-')
}

/** What a plain write is about, as `Type/id`. */
interface Touched {
  /** Undefined for what gets its id when it is created: nobody else can know it. */
  readonly written: string | undefined
  readonly named: readonly string[]
}

function touchedBy({ match, request }: BundleEntry): Touched | undefined {
  const { interaction } = match.route
  if (!plainWrites.has(interaction) || request.header('if-none-exist') !== undefined) return undefined
  const { type = '', id } = match.params
  const named: string[] = []
  if (request.resource !== undefined)
    mapReferences(request.resource, text => {
      const to = parseReference(text, request.baseUrl)
      named.push(`${to.type}/${to.id}`)
      return text
    })
  return { written: id === undefined ? undefined : `${type}/${id}`, named }
}

class Group {
  readonly entries: BundleEntry[] = []
  readonly #written = new Set<string>()
  readonly #named = new Set<string>()

  takes({ written, named }: Touched): boolean {
    if (written !== undefined && (this.#written.has(written) || this.#named.has(written))) return false
    return !named.some(name => this.#written.has(name))
  }

  add({ written, named }: Touched): void {
    if (written !== undefined) this.#written.add(written)
    for (const name of named) this.#named.add(name)
  }
}
