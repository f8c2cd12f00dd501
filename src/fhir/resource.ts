import { inSlices, Problem } from '#kernel'
import { Decimal } from './decimal.ts'
import { isResourceType } from './definitions.ts'
import { type Json, type JsonLimits, parseJson, parseJsonInSteps } from './json.ts'

/** https://hl7.org/fhir/R4/datatypes.html#Coding */
export interface Coding {
  system?: string
  version?: string
  code?: string
  display?: string
  userSelected?: boolean
  [element: string]: unknown
}

/** https://hl7.org/fhir/R4/resource.html#Meta */
export interface Meta {
  versionId?: string
  lastUpdated?: string
  source?: string
  profile?: string[]
  security?: Coding[]
  tag?: Coding[]
  [element: string]: unknown
}

/** A FHIR resource as plain JSON. It may be changed; numbers may be `Decimal`. */
export interface Resource {
  resourceType: string
  id?: string
  meta?: Meta
  [element: string]: unknown
}

/**
 * Parses one resource; nothing but its type is looked at.
 *
 * @throws Problem `invalid` · `json.not-a-resource`, `fhir.type-unknown`, and those of `parseJson`
 */
export function parseResource(text: string | Uint8Array, limits: JsonLimits = {}): Resource {
  return toResource(parseJson(text, limits))
}

/** Of so many bytes a resource is parsed at once: some milliseconds at most. */
const shortBytes = 64 * 1024

/** A stored resource, a long one in slices. It is charged to nobody: what is stored was charged when it was sent. */
export async function parseStored(bytes: Uint8Array): Promise<Resource> {
  return bytes.length <= shortBytes ? parseResource(bytes) : toResource(await inSlices(parseJsonInSteps(bytes)))
}

/**
 * A parsed JSON value as a resource, e.g. one line of NDJSON or one entry of a Bundle.
 *
 * @throws Problem `invalid` · `json.not-a-resource`, `fhir.type-unknown`
 */
export function toResource(value: Json): Resource {
  if (!isTyped(value)) {
    throw new Problem('invalid', 'json.not-a-resource', 'The JSON is not a resource: it has no resourceType.', {
      expression: 'resourceType',
    })
  }
  if (!isResourceType(value.resourceType)) {
    throw new Problem('invalid', 'fhir.type-unknown', 'The resourceType is not one of FHIR R4.', {
      expression: 'resourceType',
    })
  }
  return value
}

function isTyped(value: unknown): value is Resource {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Decimal) &&
    typeof (value as { resourceType?: unknown }).resourceType === 'string'
  )
}

const idGrammar = /^[A-Za-z0-9\-.]{1,64}$/

/** Whether a text is a FHIR id: https://hl7.org/fhir/R4/datatypes.html#id */
export function isId(text: string): boolean {
  return idGrammar.test(text)
}
