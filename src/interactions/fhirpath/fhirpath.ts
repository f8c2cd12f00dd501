import type { Grant } from '#access'
import { type Json, parseStored, printJson, type Resource, toResource } from '#fhir'
import { Problem, spend } from '#kernel'
import { type Part, partsOf, textIn } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { evaluateWhole } from './evaluator.ts'
import { resultParts } from './results.ts'

/** The parameters of $fhirpath that a URL can have. */
export const fhirpathParameters = ['expression', 'context'] as const

/** What is asked. */
interface Question {
  readonly expression: string
  readonly context: string | undefined
  readonly resource: Resource | undefined
  /** Values by name. */
  readonly variables: { readonly [name: string]: unknown }
}

/**
 * Evaluates FHIRPath on the resource that is sent with it, or on none.
 *
 * @throws Problem `invalid` · `fhirpath.malformed`, `fhirpath.expression-missing`, `operation.parameter-malformed`,
 *   `body.type-differs`; `unprocessable` · `fhirpath.failed`; `unsupported` · `fhirpath.parameter-unknown`; `too-costly`
 * @see http://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html
 */
export async function fhirpathOfSent(request: FhirRequest, params: PathParams, _rooms: Rooms): Promise<FhirResponse> {
  const { type } = params
  const question = questionOf(await readResource(request, 'Parameters'), request)
  if (type !== undefined && question.resource !== undefined && question.resource.resourceType !== type)
    throw new Problem('invalid', 'body.type-differs', 'The resource is of another type than the URL.', {
      expression: 'Parameters.parameter.resource',
    })
  return answer(question, granted(request).grant)
}

/** Evaluates FHIRPath on what is stored. */
export async function fhirpathOfStored(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const sent = request.method === 'POST' ? await readResource(request, 'Parameters') : undefined
  const question = questionOf(sent, request)
  if (question.resource !== undefined) throw unknownParameter('The resource is the one that the URL names.')
  const { grant } = granted(request)
  const { json } = await rooms.record.reader(grant).read(type, id)
  return answer({ ...question, resource: await parseStored(json) }, grant)
}

async function answer({ expression, context, resource, variables }: Question, grant: Grant): Promise<FhirResponse> {
  const json = resource === undefined ? undefined : printJson(resource)
  const results = await evaluateWhole({ expression, context, resource: json, variables: printJson(variables) }, grant)
  const asked = { name: 'parameters', part: askedParts(expression, context) }
  const body = { resourceType: 'Parameters', id: 'fhirpath', parameter: [asked, ...results.map(resultParts)] }
  const text = printJson(body)
  spend('answered', text.length)
  return { status: 200, headers: {}, body: text }
}

function askedParts(expression: string, context: string | undefined) {
  const given = context === undefined ? [] : [{ name: 'context', valueString: context }]
  return [
    { name: 'evaluator', valueString: 'fhirpath.js (R4)' },
    ...given,
    { name: 'expression', valueString: expression },
  ]
}

function questionOf(sent: Resource | undefined, { query }: FhirRequest): Question {
  const parts = sent === undefined ? [] : partsOf(sent)
  for (const { name } of parts)
    if (!known.has(name)) throw unknownParameter('A parameter is none that $fhirpath knows.')
  const text = (name: string) =>
    textIn(
      parts.find(part => part.name === name),
      'valueString',
    ) ??
    query.get(name) ??
    undefined
  const expression = text('expression')
  if (expression === undefined)
    throw new Problem('invalid', 'fhirpath.expression-missing', '$fhirpath needs an expression.', {
      expression: 'expression',
    })
  return { expression, context: text('context'), resource: resourceIn(parts), variables: variablesIn(parts) }
}

const known: ReadonlySet<unknown> = new Set(['expression', 'context', 'resource', 'variables'])

function unknownParameter(text: string): Problem {
  return new Problem('unsupported', 'fhirpath.parameter-unknown', text, { expression: 'Parameters.parameter' })
}

function resourceIn(parts: readonly Part[]): Resource | undefined {
  const resource = parts.find(({ name }) => name === 'resource')?.resource
  return isObject(resource) ? toResource(resource as Json) : undefined
}

/** Names of variables are words; those of FHIR itself are not overwritten. */
const variableName = /^(?!(?:context|resource|rootResource|ucum|sct|loinc)$)[A-Za-z][\w-]{0,63}$/

/** @throws Problem `invalid` · `operation.parameter-malformed` */
function variablesIn(parts: readonly Part[]): { readonly [name: string]: unknown } {
  const variables = parts.find(({ name }) => name === 'variables')?.part
  const given = Array.isArray(variables) ? (variables as readonly unknown[]).filter(isObject) : []
  return Object.fromEntries(given.map(each => [nameOf(each), valueIn(each)]))
}

function nameOf({ name }: Part): string {
  if (typeof name === 'string' && variableName.test(name)) return name
  throw new Problem(
    'invalid',
    'operation.parameter-malformed',
    'A variable has a name, and no name of FHIRPath itself.',
    {
      expression: 'Parameters.parameter.part.name',
    },
  )
}

function valueIn(part: Part): unknown {
  const member = Object.keys(part).find(key => key === 'resource' || key.startsWith('value'))
  return member === undefined ? undefined : part[member]
}

function isObject(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
