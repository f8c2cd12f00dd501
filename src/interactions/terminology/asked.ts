import { ownerOf } from '#access'
import { isResourceType, type Json, type Resource, toResource } from '#fhir'
import { Problem } from '#kernel'
import type { CodingFact, DependencyDefinition } from '#terminology'
import { checkSentResource, type Validator } from '#validation'
import { type Part, partsOf } from '../operations/parameters.ts'
import { checkQuery, granted } from '../perform.ts'
import { readOptionalResource } from '../rest/body.ts'
import type { FhirRequest } from '../types.ts'

/** How a parameter is written; those that are no primitive come in a body alone. */
type Form = 'text' | 'texts' | 'flag' | 'count' | 'Coding' | 'CodeableConcept' | 'dependencies' | 'resource'

/** The parameters of an operation, by name. */
export type Forms = { readonly [name: string]: Form }

const primitive: ReadonlySet<Form> = new Set(['text', 'texts', 'flag', 'count'])

/** Names of the parameters that may stand in a URL. */
export function queryNames(forms: Forms): readonly string[] {
  return Object.keys(forms).filter(name => primitive.has(forms[name] as Form))
}

type Given = ReadonlyMap<string, readonly unknown[]>

/** What an operation of terminology was asked, whichever way it was written. */
export class Asked {
  readonly #given: Given

  constructor(given: Given) {
    this.#given = given
  }

  has(name: string): boolean {
    return this.#given.has(name)
  }

  /** As they were read, whatever their form. */
  all(name: string): readonly unknown[] {
    return this.#given.get(name) ?? []
  }

  texts(name: string): readonly string[] {
    return (this.#given.get(name) ?? []) as readonly string[]
  }

  text(name: string): string | undefined {
    return this.texts(name)[0]
  }

  flag(name: string): boolean | undefined {
    return this.#given.get(name)?.[0] as boolean | undefined
  }

  count(name: string): number | undefined {
    return this.#given.get(name)?.[0] as number | undefined
  }

  coding(name: string): CodingFact | undefined {
    return this.#given.get(name)?.[0] as CodingFact | undefined
  }

  /** The codings of a CodeableConcept. */
  concept(name: string): readonly CodingFact[] | undefined {
    return this.#given.get(name)?.[0] as readonly CodingFact[] | undefined
  }

  dependencies(name: string): readonly DependencyDefinition[] {
    return (this.#given.get(name) ?? []) as readonly DependencyDefinition[]
  }

  /** A definition that came along; it has been validated. */
  resource(name: string): Resource | undefined {
    return this.#given.get(name)?.[0] as Resource | undefined
  }
}

/**
 * Reads the parameters of an operation: those of the URL and, by POST, those of a Parameters resource. Where one parameter is a
 * resource, it may be the body by itself.
 *
 * @throws Problem `invalid` · `request.parameter-unknown`, `operation.parameter-malformed`; `unprocessable` · `validation.failed`
 * @see https://hl7.org/fhir/R4/operations.html#executing
 */
export async function readAsked(request: FhirRequest, forms: Forms, validator: Validator): Promise<Asked> {
  const given = new Map<string, unknown[]>()
  for (const [name, text] of request.query)
    if (Object.hasOwn(forms, name)) note(given, forms, name, fromText(forms, name, text))
  const body = request.method === 'POST' ? await readOptionalResource(request) : undefined
  for (const part of body === undefined ? [] : bodyParts(body, forms)) {
    const name = part.name as string
    checkQuery({ query: Object.keys(forms) }, request, new URLSearchParams([[name, '']]))
    note(given, forms, name, fromPart(forms[name], name, part))
  }
  for (const [name, form] of Object.entries(forms))
    if (form === 'resource')
      for (const value of given.get(name) ?? [])
        await checkSentResource(validator, value as Resource, ownerOf(granted(request).grant))
  return new Asked(given)
}

/** @throws Problem `invalid` · `body.type-differs` */
function bodyParts(body: Resource, forms: Forms): readonly Part[] {
  if (body.resourceType === 'Parameters') return partsOf(body)
  const name = Object.keys(forms).find(each => forms[each] === 'resource')
  if (name?.toLowerCase() === body.resourceType.toLowerCase()) return [{ name, resource: body }]
  throw new Problem('invalid', 'body.type-differs', 'The body is neither Parameters nor what the operation is about.', {
    expression: 'resourceType',
  })
}

const repeated: ReadonlySet<Form | undefined> = new Set(['texts', 'dependencies'])

function note(given: Map<string, unknown[]>, forms: Forms, name: string, value: unknown): void {
  const before = given.get(name)
  if (before === undefined) given.set(name, [value])
  else if (repeated.has(forms[name])) before.push(value)
  else throw malformed(name)
}

const readers: Readonly<Record<Form, (value: unknown) => unknown>> = {
  text: textOf,
  texts: textOf,
  flag: value => (typeof value === 'boolean' ? value : undefined),
  count: value => (Number.isSafeInteger(Number(value)) && Number(value) >= 0 ? Number(value) : undefined),
  Coding: codingOf,
  CodeableConcept: codingsOf,
  dependencies: () => undefined,
  resource: () => undefined,
}

function fromText(forms: Forms, name: string, text: string): unknown {
  const form = forms[name] as Form
  const value = form === 'flag' ? booleans.get(text) : form === 'count' && !/^\d{1,9}$/.test(text) ? undefined : text
  return primitive.has(form) ? checked(readers[form](value), name) : checked(undefined, name)
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
])

function fromPart(form: Form | undefined, name: string, part: Part): unknown {
  if (form === 'resource') return checked(resourceOf(part.resource, name), name)
  if (form === 'dependencies') return checked(dependencyOf(part.part), name)
  const [value, ...more] = Object.keys(part).filter(key => key.startsWith('value'))
  const isOfForm = form !== 'Coding' && form !== 'CodeableConcept' ? value !== undefined : value === `value${form}`
  const given = value === undefined || !isOfForm || more.length > 0 || form === undefined ? undefined : part[value]
  return checked(form === undefined ? undefined : readers[form](given), name)
}

function checked<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw malformed(name)
  return value
}

function malformed(expression: string): Problem {
  return new Problem(
    'invalid',
    'operation.parameter-malformed',
    'A parameter is not written as the operation needs it, or comes twice.',
    {
      expression,
    },
  )
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

type Members = { readonly [member: string]: unknown }

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const codingMembers = ['system', 'version', 'code', 'display'] as const

function codingOf(value: unknown): CodingFact | undefined {
  if (!isObject(value)) return undefined
  const given = codingMembers.filter(member => value[member] !== undefined)
  if (!given.every(member => typeof value[member] === 'string')) return undefined
  return Object.fromEntries(given.map(member => [member, value[member]]))
}

function codingsOf(value: unknown): readonly CodingFact[] | undefined {
  if (!isObject(value)) return undefined
  const { coding = [] } = value
  if (!Array.isArray(coding)) return undefined
  const codings = coding.map(codingOf)
  return codings.every(each => each !== undefined) ? codings : undefined
}

function resourceOf(value: unknown, name: string): Resource | undefined {
  if (!isObject(value) || typeof value.resourceType !== 'string' || !isResourceType(value.resourceType))
    return undefined
  if (value.resourceType.toLowerCase() !== name.toLowerCase()) return undefined
  return toResource(value as { readonly [member: string]: Json })
}

/** `element` is what the mapping depends on, `concept` what it is. @see https://hl7.org/fhir/R4/conceptmap-operation-translate.html */
function dependencyOf(parts: unknown): DependencyDefinition | undefined {
  const given = Array.isArray(parts) ? parts.filter(isObject) : []
  const property = textOf(given.find(({ name }) => name === 'element')?.valueUri)
  const concept = codingsOf(given.find(({ name }) => name === 'concept')?.valueCodeableConcept)?.[0]
  if (property === undefined || concept?.code === undefined) return undefined
  return { property, value: concept.code, ...(concept.system === undefined ? {} : { system: concept.system }) }
}
