import { type Json, parseResource, type Resource, toResource } from '#fhir'
import { Problem, type ProblemIssue } from '#kernel'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import { allIsWell } from '../rest/stored-response.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

const modes: ReadonlySet<string> = new Set(['create', 'update'])

/**
 * Checks a resource, or the `resource` part of a Parameters, without storing it. What is found is the answer, not an error.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-validate.html
 */
export async function validate(request: FhirRequest, params: PathParams, { validator }: Rooms): Promise<FhirResponse> {
  const body = await readResource(request)
  const { mode, resource } =
    body.resourceType === 'Parameters' && params.type !== 'Parameters'
      ? unwrap(body)
      : { resource: body, mode: undefined }
  const asked = request.query.get('mode') ?? mode
  if (asked !== undefined && !modes.has(asked))
    throw new Problem('unsupported', 'validate.mode-unsupported', 'A resource can be validated for create or update.', {
      expression: 'mode',
    })
  if (resource.resourceType !== params.type)
    throw new Problem('invalid', 'body.type-differs', 'The body is of another resource type than the URL.', {
      expression: 'resourceType',
    })
  return { status: 200, headers: {}, body: outcomeOf(validator.validate(resource)) }
}

/** Checks what is stored. */
export async function validateStored(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const stored = await rooms.record.reader(granted(request).grant).read(type, id)
  return { status: 200, headers: {}, body: outcomeOf(rooms.validator.validate(parseResource(stored.json))) }
}

interface Part {
  readonly name?: unknown
  readonly resource?: unknown
  readonly valueCode?: unknown
}

const partNames: ReadonlySet<unknown> = new Set(['resource', 'mode'])

/** @throws Problem `invalid` · `validate.resource-missing`; `unsupported` · `validate.parameter-unknown` */
function unwrap(parameters: Resource): { resource: Resource; mode: string | undefined } {
  const parts: readonly Part[] = Array.isArray(parameters.parameter) ? parameters.parameter.map(toPart) : []
  if (!parts.every(part => partNames.has(part.name)))
    throw new Problem(
      'unsupported',
      'validate.parameter-unknown',
      '$validate knows the parameters resource and mode.',
      {
        expression: 'Parameters.parameter',
      },
    )
  const resource = parts.find(part => part.name === 'resource')?.resource
  if (!isJson(resource))
    throw new Problem('invalid', 'validate.resource-missing', '$validate needs a parameter resource.', {
      expression: 'Parameters.parameter',
    })
  const mode = parts.find(part => part.name === 'mode')?.valueCode
  return { resource: toResource(resource), mode: typeof mode === 'string' ? mode : undefined }
}

function toPart(value: unknown): Part {
  return typeof value === 'object' && value !== null ? value : {}
}

function isJson(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function outcomeOf(issues: readonly ProblemIssue[]): Resource {
  if (issues.length === 0) return allIsWell('No issues were found.')
  const issue = issues.map(({ severity, type, text, expression }) => ({
    severity,
    code: type,
    diagnostics: text,
    ...(expression === undefined ? {} : { expression: [expression] }),
  }))
  return { resourceType: 'OperationOutcome', issue }
}
