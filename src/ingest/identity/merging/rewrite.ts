import { mapReferences, parseJson, parseReference, printJson, type Resource, toResource } from '#fhir'

/** A resource with its references turned, and where they stood. */
interface Turned {
  readonly resource: Resource
  /** Paths of the references that were turned, e.g. `Observation.performer[1]`. */
  readonly turned: readonly string[]
  /** Whether it names the other patient as well: then not every reference to them may be turned back. */
  readonly namesBoth: boolean
}

/**
 * Turns the references to one patient into references to another, wherever they stand.
 *
 * @param only  paths to be turned; all when it is not given
 */
export function turnReferences(
  resource: Resource,
  from: string,
  to: string,
  baseUrl: string,
  only?: ReadonlySet<string>,
): Turned {
  const copy = toResource(parseJson(printJson(resource)))
  const turned: string[] = []
  let namesBoth = false
  mapReferences(copy, (text, path) => {
    const patient = patientOf(text, baseUrl)
    if (patient === to) namesBoth = true
    if (patient !== from || only?.has(path) === false) return text
    turned.push(path)
    return `Patient/${to}`
  })
  return { resource: copy, turned, namesBoth }
}

function patientOf(text: string, baseUrl: string): string | undefined {
  const { kind, type, id } = parseReference(text, baseUrl)
  return kind === 'local' && type === 'Patient' ? id : undefined
}
