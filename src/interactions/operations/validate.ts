import { type Grant, permits, requirePermission } from '#access'
import { diagnosticsOf, type Json, parseResource, type Resource, toResource } from '#fhir'
import { Problem, type ProblemIssue } from '#kernel'
import type { Validator } from '#validation'
import { granted } from '../perform.ts'
import { readOptionalResource, readResource } from '../rest/body.ts'
import { allIsWell } from '../rest/stored-response.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** The parameters of $validate beside the resource, in a URL or in Parameters. */
export const validateParameters = ['mode', 'profile'] as const

/** `profile`: against what `profile` names, which here can only be the type's own definition. */
const modes: ReadonlySet<string> = new Set(['create', 'update', 'profile'])
const definitionUrl = 'http://hl7.org/fhir/StructureDefinition/'

/** What is to be checked, and how. */
interface Question {
  readonly resource: Resource | undefined
  readonly mode: string | undefined
  readonly profile: string | undefined
}

/**
 * Checks a resource, or the `resource` part of a Parameters, without storing it. What is found is the answer, not an error.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-validate.html
 */
export async function validate(request: FhirRequest, params: PathParams, { validator }: Rooms): Promise<FhirResponse> {
  const { type = '' } = params
  requireAny(granted(request).grant, type)
  const { resource, ...how } = questionOf(request, await readResource(request), type)
  if (resource === undefined)
    throw new Problem('invalid', 'validate.resource-missing', '$validate needs a parameter resource.', {
      expression: 'Parameters.parameter',
    })
  return answerOf(checked(resource, type, how), validator)
}

/** Whoever may do nothing with a type has no resource of it to check. @throws Problem `forbidden` · `scope.missing` */
function requireAny(grant: Grant, type: string): void {
  if (!(['c', 'r', 'u', 'd', 's'] as const).some(verb => permits(grant, verb, type)))
    requirePermission(grant, 'r', type)
}

/** Checks what is stored, or by POST what would replace it. */
export async function validateStored(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const stored = await rooms.record.reader(granted(request).grant).read(type, id)
  const { resource, ...how } = questionOf(request, await readOptionalResource(request), type)
  return answerOf(checked(resource ?? parseResource(stored.json), type, how), rooms.validator)
}

/** @throws Problem `unsupported` · `validate.mode-unsupported`, `validate.profile-unknown`; `invalid` · `body.type-differs` */
function checked(resource: Resource, type: string, { mode, profile }: Omit<Question, 'resource'>): Resource {
  if (mode !== undefined && !modes.has(mode))
    throw new Problem('unsupported', 'validate.mode-unsupported', 'A resource can be validated for create or update.', {
      expression: 'mode',
    })
  if (profile !== undefined && profile !== definitionUrl + type)
    throw new Problem(
      'unsupported',
      'validate.profile-unknown',
      'This server validates against the definitions of FHIR R4 alone, not against that profile.',
      { expression: 'profile' },
    )
  if (resource.resourceType !== type)
    throw new Problem('invalid', 'body.type-differs', 'The body is of another resource type than the URL.', {
      expression: 'resourceType',
    })
  return resource
}

/** A body of Parameters wraps what is asked, unless Parameters are what is to be checked. */
function questionOf({ query }: FhirRequest, body: Resource | undefined, type: string): Question {
  const asked = { mode: query.get('mode') ?? undefined, profile: query.get('profile') ?? undefined }
  if (body?.resourceType !== 'Parameters') return { resource: body, ...asked }
  const parts = Array.isArray(body.parameter) ? body.parameter.map(toPart) : []
  if (type === 'Parameters' && !parts.some(isWrapped)) return { resource: body, ...asked }
  return unwrap(parts, asked)
}

interface Part {
  readonly name?: unknown
  readonly resource?: unknown
  readonly [value: `value${string}`]: unknown
}

function isWrapped({ name, resource }: Part): boolean {
  return name === 'resource' && isJson(resource) && resource.resourceType === 'Parameters'
}

const partNames: ReadonlySet<unknown> = new Set(['resource', ...validateParameters])

/** @throws Problem `unsupported` · `validate.parameter-unknown` */
function unwrap(parts: readonly Part[], asked: Omit<Question, 'resource'>): Question {
  if (!parts.every(part => partNames.has(part.name)))
    throw new Problem('unsupported', 'validate.parameter-unknown', 'A parameter is none that $validate knows.', {
      expression: 'Parameters.parameter',
    })
  const resource = parts.find(part => part.name === 'resource')?.resource
  return {
    resource: isJson(resource) ? toResource(resource) : undefined,
    mode: asked.mode ?? textOf(parts, 'mode'),
    profile: asked.profile ?? textOf(parts, 'profile'),
  }
}

/** `mode` is a code and `profile` a uri; senders confuse the types of texts. */
function textOf(parts: readonly Part[], name: string): string | undefined {
  const part = parts.find(each => each.name === name) ?? {}
  return Object.values(part).find((value): value is string => typeof value === 'string' && value !== name)
}

function toPart(value: unknown): Part {
  return typeof value === 'object' && value !== null ? (value as Part) : {}
}

function isJson(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function answerOf(resource: Resource, validator: Validator): Promise<FhirResponse> {
  return { status: 200, headers: {}, body: outcomeOf(await validator.validateSent(resource)) }
}

function outcomeOf(issues: readonly ProblemIssue[]): Resource {
  if (issues.length === 0) return allIsWell('No issues were found.')
  const issue = issues.map(({ severity, type, text, expression }) => ({
    severity,
    code: type,
    details: { text },
    diagnostics: diagnosticsOf(text, expression === undefined ? [] : [expression]),
    ...(expression === undefined ? {} : { expression: [expression] }),
  }))
  return { resourceType: 'OperationOutcome', issue }
}
