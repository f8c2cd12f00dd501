/** Elements that say nothing to a reader: names of things and places, and what is encoded. */
const unread: ReadonlySet<string> = new Set([
  'id',
  'reference',
  'url',
  'uri',
  'system',
  'fullUrl',
  'versionId',
  'lastUpdated',
  'resourceType',
  'contentType',
  'language',
  'data',
  'hash',
  'div',
  'query',
])

const machineMade =
  /^(?:\d{4}-\d\d\S*|\d\d:\d\d:\d\d\S*|[A-Za-z][A-Za-z\d+.-]*:\/\/\S*|urn:\S*|#\S*|[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12})$/i
const longestName = 256
/** More of it than this without a space is no text. */
const encoded = /^[\w+/=-]{200}/

/** Whether a text of a resource has words that people read: not a date, an address or something encoded. */
export function isReadable(text: string): boolean {
  return !encoded.test(text) && (text.length > longestName || !machineMade.test(text))
}

/** Whose words nobody has written before are read within some milliseconds; and a commit may have dozens of them. */
const lettersOfATurn = 4_096

/** Whether a resource has so much text that others would notice if its words were read in one turn of the event loop. */
export function isWordy(resource: object): boolean {
  return lettersLeft(resource, lettersOfATurn) < 0
}

/** Looks no further than it must. */
function lettersLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return encoded.test(value) ? left : left - value.length
  if (typeof value !== 'object' || value === null) return left
  let rest = left
  for (const child of Object.values(value)) {
    rest = lettersLeft(child, rest)
    if (rest < 0) return rest
  }
  return rest
}

interface Node {
  readonly [element: string]: unknown
}

/**
 * Whether people read what an element says. Identifiers are sought by parameters of their own, and each of them is another; the value
 * of a ContactPoint is told from theirs by its system, which is a code.
 */
export function isRead(name: string, node: Node): boolean {
  if (name === 'value') return typeof node.system === 'string' && !node.system.includes(':')
  return !unread.has(name)
}
