import { type Grant, permits, requirePermission } from '#access'
import { diagnosticsOf, type Json, parseStored, type Resource, toResource } from '#fhir'
import { Problem, type ProblemIssue } from '#kernel'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import { readOptionalResource, readResource } from '../rest/body.ts'
import { allIsWell } from '../rest/stored-response.ts'
import { idDiffers } from '../rest/update.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** The parameters of $validate beside the resource, in a URL or in Parameters. */
export const validateParameters = ['mode', 'profile'] as const

/** `profile`: against what `profile` names. */
const modes: ReadonlySet<string> = new Set(['create', 'update', 'delete', 'profile'])

/** What is to be checked, and how. */
interface Question {
  readonly resource: Resource | undefined
  readonly mode: string | undefined
  readonly profiles: readonly string[]
}

/**
 * Checks a resource, or the `resource` part of a Parameters, without storing it. What is found is the answer, not an error.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-validate.html
 */
export async function validate(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '' } = params
  const asking = granted(request)
  requireAny(asking.grant, type)
  const { resource, ...how } = questionOf(request, await readResource(request), type)
  if (how.mode === 'delete')
    throw new Problem(
      'unsupported',
      'validate.mode-unsupported',
      'Whether a resource can be deleted is asked of that resource.',
      {
        expression: 'mode',
      },
    )
  if (resource === undefined)
    throw new Problem('invalid', 'validate.resource-missing', '$validate needs a parameter resource.', {
      expression: 'Parameters.parameter',
    })
  const asked = checked(resource, type, how)
  return answerOf(asked, how.profiles, new Judging(asking, rooms), refusals(asking.grant, how.mode, type))
}

/** Whoever may do nothing with a type has no resource of it to check. @throws Problem `forbidden` · `scope.missing` */
function requireAny(grant: Grant, type: string): void {
  if (!(['c', 'r', 'u', 'd', 's'] as const).some(verb => permits(grant, verb, type)))
    requirePermission(grant, 'r', type)
}

/** Checks what is stored, or by POST what would replace it. */
export async function validateStored(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const asking = granted(request)
  const { grant } = asking
  const stored = await rooms.record.reader(grant).read(type, id)
  const { resource, ...how } = questionOf(request, await readOptionalResource(request), type)
  const refused = refusals(grant, how.mode, type)
  // What is there can be deleted by whoever may delete it: nothing else stands against it here.
  if (how.mode === 'delete') return { status: 200, headers: {}, body: outcomeOf(refused) }
  const asked = checked(resource ?? (await parseStored(stored.json)), type, how)
  const replacing = how.mode === 'update' ? againstStanding(asked, id) : []
  return answerOf(asked, how.profiles, new Judging(asking, rooms), [...refused, ...replacing])
}

/** What stands against it that a resource replaces the one that is there. */
function againstStanding(resource: Resource, id: string): readonly ProblemIssue[] {
  if (resource.id === id) return []
  const { text } = idDiffers()
  return [{ severity: 'error', type: 'invalid', text, expression: `${resource.resourceType}.id` }]
}

/** What would be done in a mode, by scope and by word. */
const done: Readonly<Record<string, readonly [verb: 'c' | 'u' | 'd', word: string]>> = {
  create: ['c', 'create'],
  update: ['u', 'update'],
  delete: ['d', 'delete'],
}

/** That who asks may not do it at all. @see https://hl7.org/fhir/R4/valueset-resource-validation-mode.html */
function refusals(grant: Grant, mode: string | undefined, type: string): readonly ProblemIssue[] {
  const [verb, word] = (mode === undefined ? undefined : done[mode]) ?? []
  if (verb === undefined || permits(grant, verb, type)) return []
  return [{ severity: 'error', type: 'forbidden', text: `This access may not ${word} resources of this type.` }]
}

/** @throws Problem `unsupported` · `validate.mode-unsupported`; `invalid` · `body.type-differs`, `validate.profile-missing` */
function checked(resource: Resource, type: string, { mode, profiles }: Omit<Question, 'resource'>): Resource {
  if (mode !== undefined && !modes.has(mode))
    throw new Problem(
      'unsupported',
      'validate.mode-unsupported',
      'A resource can be validated for create, update and delete, and against a profile.',
      {
        expression: 'mode',
      },
    )
  if (mode === 'profile' && profiles.length === 0)
    throw new Problem(
      'invalid',
      'validate.profile-missing',
      'In mode profile, $validate needs the parameter profile.',
      {
        expression: 'profile',
      },
    )
  if (resource.resourceType !== type)
    throw new Problem('invalid', 'body.type-differs', 'The body is of another resource type than the URL.', {
      expression: 'resourceType',
    })
  return resource
}

/** A body of Parameters wraps what is asked, unless Parameters are what is to be checked. */
function questionOf({ query }: FhirRequest, body: Resource | undefined, type: string): Question {
  const asked = { mode: query.get('mode') ?? undefined, profiles: query.getAll('profile') }
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
    mode: asked.mode ?? textsOf(parts, 'mode')[0],
    profiles: [...asked.profiles, ...textsOf(parts, 'profile')],
  }
}

/** `mode` is a code and `profile` a uri; senders confuse the types of texts. */
function textsOf(parts: readonly Part[], name: string): readonly string[] {
  return parts
    .filter(part => part.name === name)
    .flatMap(
      part => Object.values(part).find((value): value is string => typeof value === 'string' && value !== name) ?? [],
    )
}

function toPart(value: unknown): Part {
  return typeof value === 'object' && value !== null ? (value as Part) : {}
}

function isJson(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** By R4 first: what that says of a resource profiles only add to. @throws Problem `unsupported` · `validate.profile-unknown` */
async function answerOf(
  resource: Resource,
  profiles: readonly string[],
  judging: Judging,
  beside: readonly ProblemIssue[] = [],
): Promise<FhirResponse> {
  const byType = await judging.rooms.validator.validateSent(resource, 'warnings-too', judging.owner)
  const byProfiles = await judging.issues(resource, profiles, 'warnings-too')
  return { status: 200, headers: {}, body: outcomeOf([...beside, ...byType, ...byProfiles]) }
}

/** What is only unwise comes after that nothing is wrong. */
function outcomeOf(issues: readonly ProblemIssue[]): Resource {
  const isValid = !issues.some(({ severity }) => severity === 'error')
  const allWell = allIsWell(issues.length === 0 ? 'No issues were found.' : 'No errors were found.')
  const found = issues.map(issueOf)
  return isValid ? { ...allWell, issue: [...listOf(allWell.issue), ...found] } : { ...allWell, issue: found }
}

function listOf(issue: unknown): readonly Json[] {
  return Array.isArray(issue) ? issue : []
}

function issueOf({ severity, type, text, expression }: ProblemIssue): Json {
  return {
    severity,
    code: type,
    details: { text },
    diagnostics: diagnosticsOf(text, expression === undefined ? [] : [expression]),
    ...(expression === undefined ? {} : { expression: [expression] }),
  }
}
