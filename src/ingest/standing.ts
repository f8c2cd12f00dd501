import { printJson, type Resource } from '#fhir'

type Node = { readonly [element: string]: unknown }

/** Whether what stands says all that is said anew: the same, or more. */
export function covers(standing: unknown, said: unknown): boolean {
  if (said === undefined) return true
  if (Array.isArray(said)) return Array.isArray(standing) && coversAll(standing, said)
  if (!isNode(said)) return standing !== undefined && printJson(standing) === printJson(said)
  return isNode(standing) && Object.entries(said).every(([name, part]) => covers(standing[name], part))
}

/** In longer lists an entry is sought as it is: each with each would be too many. */
const mostCompared = 200

function coversAll(standing: readonly unknown[], said: readonly unknown[]): boolean {
  if (standing.length <= mostCompared) return said.every(one => standing.some(it => covers(it, one)))
  const texts = new Set(standing.map(one => printJson(one)))
  return said.every(one => texts.has(printJson(one)))
}

/** A Decimal prints itself. */
function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** What every version has of its own, and what other elements refer to. */
const apart = new Set(['resourceType', 'id', 'meta', 'contained', 'status', '_status'])

/** The elements that say something else than what stands, or more: what was said came late, or only fills what is absent. */
export function notTaken(standing: Resource, said: Node): readonly string[] {
  return Object.keys(said).filter(name => !apart.has(name) && !covers(standing[name], said[name]))
}
