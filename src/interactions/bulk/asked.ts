import { isResourceType, parseReference, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { type Part, partsOf } from '../operations/parameters.ts'
import { readOptionalResource } from '../rest/body.ts'
import { parseSince } from '../rest/history.ts'
import { parsePrefer } from '../rest/prefer.ts'
import type { FhirRequest } from '../types.ts'

/** One `_typeFilter`: a search of one type. */
export interface TypeFilter {
  readonly type: string
  readonly params: URLSearchParams
}

/** What a kick-off asks for. */
export interface AskedExport {
  /** Undefined: all that may be searched. */
  readonly types: readonly string[] | undefined
  readonly filters: readonly TypeFilter[]
  readonly elements: readonly string[]
  readonly sinceMs: number | undefined
  readonly untilMs: number | undefined
  /** Patient ids; undefined where none were named. */
  readonly patients: readonly string[] | undefined
  /** Names of parameters, or of what they name, that lenient handling left out. */
  readonly ignored: readonly string[]
}

/** Parameters that a URL may have, as Parameters may; `patient` comes in Parameters alone. */
export const exportParameters = ['_outputFormat', '_since', '_until', '_type', '_elements', '_typeFilter'] as const

const known: ReadonlySet<string> = new Set([...exportParameters, 'patient', '_format', '_pretty'])

const formats: ReadonlySet<string> = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson'])

/**
 * Reads a kick-off, from its URL and, by POST, from Parameters. What is not known or not supported is refused, or left out for
 * whoever is lenient.
 *
 * @throws Problem `invalid` · `request.parameter-unknown`, `request.since-malformed`, `export.type-unknown`,
 *   `export.filter-malformed`, `export.patient-malformed`, `operation.parameter-malformed`; `unsupported` ·
 *   `export.format-unsupported`
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
 */
export async function askedExport(request: FhirRequest, ofPatients: boolean): Promise<AskedExport> {
  const leniency = new Leniency(parsePrefer(request).lenient)
  const given = await parametersOf(request)
  for (const name of given.keys()) if (!known.has(name)) leniency.leave(name, unknownParameter)
  const values = (name: string) =>
    given
      .getAll(name)
      .flatMap(text => text.split(','))
      .filter(text => text !== '')
  checkFormat(given.get('_outputFormat'), leniency)
  const types = given.has('_type') ? typesOf(values('_type'), leniency) : undefined
  return {
    types,
    filters: filtersOf(given.getAll('_typeFilter'), types, leniency),
    elements: values('_elements'),
    sinceMs: parseSince(given.get('_since')),
    untilMs: parseSince(given.get('_until'), '_until'),
    patients: given.has('patient') ? patientsOf(given.getAll('patient'), request.baseUrl, ofPatients) : undefined,
    ignored: leniency.left,
  }
}

/** What is left out for whoever is lenient, and refused for all others. */
class Leniency {
  readonly #isLenient: boolean
  readonly left: string[] = []

  constructor(isLenient: boolean) {
    this.#isLenient = isLenient
  }

  /** @throws Problem of `refusal` unless who asks is lenient */
  leave(name: string, refusal: (name: string) => Problem): void {
    if (!this.#isLenient) throw refusal(name)
    this.left.push(name)
  }
}

async function parametersOf(request: FhirRequest): Promise<URLSearchParams> {
  const given = new URLSearchParams(request.query)
  const body = request.method === 'POST' ? await readOptionalResource(request, 'Parameters') : undefined
  for (const part of partsOf(body ?? emptyParameters)) given.append(String(part.name), textOf(part))
  return given
}

const emptyParameters: Resource = { resourceType: 'Parameters' }

/** Patients come as References, all else as primitives. */
function textOf(part: Part): string {
  const [name, ...more] = Object.keys(part).filter(key => key.startsWith('value'))
  const value = name === undefined || more.length > 0 ? undefined : part[name]
  if (typeof value === 'string' || typeof value === 'boolean') return String(value)
  const { reference } = (value ?? {}) as { readonly reference?: unknown }
  if (name === 'valueReference' && typeof reference === 'string') return reference
  throw new Problem(
    'invalid',
    'operation.parameter-malformed',
    'Each parameter of this operation has a name and one text, instant or reference.',
    { expression: 'Parameters.parameter.value' },
  )
}

function checkFormat(text: string | null, leniency: Leniency): void {
  // A literal plus sign of a URL reads as a space.
  if (text === null || formats.has(text.replace(' ', '+'))) return
  leniency.leave(
    '_outputFormat',
    name =>
      new Problem('unsupported', 'export.format-unsupported', 'Exports are told as application/fhir+ndjson alone.', {
        expression: name,
      }),
  )
}

function typesOf(names: readonly string[], leniency: Leniency): readonly string[] {
  const refusal = () =>
    new Problem('invalid', 'export.type-unknown', '_type must name resource types of FHIR R4.', { expression: '_type' })
  if (names.length === 0) throw refusal()
  for (const name of names) if (!isResourceType(name)) leniency.leave('_type', refusal)
  return [...new Set(names.filter(isResourceType))]
}

/** Commas part filters, but also the values of one: only a comma before the next `Type?` does the former. */
const betweenFilters = /,(?=[A-Z][A-Za-z]+\?)/

function filtersOf(
  texts: readonly string[],
  types: readonly string[] | undefined,
  leniency: Leniency,
): readonly TypeFilter[] {
  const filters: TypeFilter[] = []
  for (const text of texts.flatMap(each => each.split(betweenFilters))) {
    const filter = filterOf(text)
    if (filter !== undefined && types?.includes(filter.type) !== false) filters.push(filter)
    else leniency.leave('_typeFilter', filterMalformed)
  }
  return filters
}

/** What asks how an answer looks has no meaning here. https://hl7.org/fhir/uv/bulkdata/STU2/export.html#_typefilter-query-parameter */
const ofAnswers =
  /^_(include|revinclude|sort|count|offset|summary|elements|total|contained|containedType|format|pretty|type|cursor)(:|$)/

function filterOf(text: string): TypeFilter | undefined {
  const at = text.indexOf('?')
  const type = text.slice(0, Math.max(0, at))
  if (!isResourceType(type)) return undefined
  const params = new URLSearchParams(text.slice(at + 1))
  const isPlain = params.size > 0 && ![...params.keys()].some(name => ofAnswers.test(name))
  return isPlain ? { type, params } : undefined
}

function filterMalformed(name: string): Problem {
  const text =
    '_typeFilter is a search of one type that _type names, such as Observation?code=…, with criteria and nothing that shapes an answer.'
  return new Problem('invalid', 'export.filter-malformed', text, { expression: name })
}

function unknownParameter(name: string): Problem {
  const expression = /^[_$A-Za-z][\w.:-]{0,63}$/.test(name) ? name : '(malformed name)'
  return new Problem('invalid', 'request.parameter-unknown', 'This interaction does not know a parameter.', {
    expression,
  })
}

function patientsOf(texts: readonly string[], baseUrl: string, ofPatients: boolean): readonly string[] {
  const ids = texts.map(text => localPatient(text, baseUrl))
  if (ofPatients && ids.every(id => id !== undefined)) return [...new Set(ids)]
  throw new Problem(
    'invalid',
    'export.patient-malformed',
    'patient is a reference to a Patient of this server, for exports of Patients and Groups alone.',
    { expression: 'patient' },
  )
}

/** The Patient of this server that a reference means, if it does. */
export function localPatient(text: string, baseUrl: string): string | undefined {
  const { kind, type, id } = parseReference(text, baseUrl)
  return kind === 'local' && type === 'Patient' ? id : undefined
}
