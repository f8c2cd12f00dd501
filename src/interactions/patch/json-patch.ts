import { applyPatch, type Operation, Pointer } from 'rfc6902'
import { Decimal, deepestJson, isSameDecimal, type Resource } from '#fhir'
import { giveWay, inSlices, type Problem, type Steps, spend } from '#kernel'
import { mapped } from './mapped.ts'
import { patchFailed, patchMalformed } from './patch-problems.ts'

type Members = { readonly [member: string]: unknown }

/** What each operation needs beside `path`. */
const needs: Readonly<Record<string, 'value' | 'from' | undefined>> = {
  add: 'value',
  replace: 'value',
  test: 'value',
  move: 'from',
  copy: 'from',
  remove: undefined,
}
const forbidden: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** So many are read in one go. */
const operationsAtATime = 1_024

/**
 * Reads a JSON Patch before anything is looked up. What a copy of the library would lose is put in other words: see `hold`.
 *
 * @throws Problem `invalid` · `patch.malformed`, with the number of the operation
 * @see https://www.rfc-editor.org/rfc/rfc6902
 */
export function* parseJsonPatch(json: unknown): Steps<readonly Operation[]> {
  if (!Array.isArray(json)) throw patchMalformed('A JSON Patch is an array of operations.')
  const operations: Operation[] = []
  for (const [index, operation] of json.entries()) {
    if (index % operationsAtATime === 0) yield
    operations.push(checkOperation(operation, index))
  }
  return operations
}

function checkOperation(operation: unknown, index: number): Operation {
  const { op, path, from, ...rest } = (typeof operation === 'object' ? (operation ?? {}) : {}) as Members
  if (typeof op !== 'string' || !Object.hasOwn(needs, op))
    throw patchMalformed('An operation is one of add, remove, replace, move, copy and test.', `[${index}].op`)
  checkPointer(path, `[${index}].path`)
  if (needs[op] === 'from') checkPointer(from, `[${index}].from`)
  if (needs[op] === 'value' && !Object.hasOwn(rest, 'value'))
    throw patchMalformed('The operation needs a value.', `[${index}].value`)
  return { op, path, ...(from === undefined ? {} : { from }), value: rest.value } as Operation
}

/** @see https://www.rfc-editor.org/rfc/rfc6901 */
function checkPointer(text: unknown, place: string): void {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/')) || /~(?![01])/.test(text))
    throw patchMalformed('A place is a JSON Pointer, such as /name/0/family.', place)
  const { tokens } = Pointer.fromJSON(text)
  if (tokens.some(token => forbidden.has(token))) throw patchMalformed('A place has a name that is not allowed.', place)
  if (tokens.length > deepestJson) throw patchMalformed('A place lies deeper than any resource goes.', place)
}

/** A copy multiplies what was sent, so each of its values, and each hundred letters, is charged as so many that are. */
const chargeOfCopied = 50
const lettersOfAValue = 100

/**
 * The resource as the operations leave it, all of them or none.
 *
 * @throws Problem `unprocessable` · `patch.failed`, with the number of the operation and without a value; `too-costly` ·
 *   `budget.parsed-exceeded` for what copies make
 */
export async function applyJsonPatch(resource: Resource, operations: readonly Operation[]): Promise<unknown> {
  // Within an object of its own, so that the whole resource has a place like every other value.
  const whole = { '': await inSlices(hold(resource)) }
  for (const [index, operation] of operations.entries()) {
    const pause = giveWay()
    if (pause !== undefined) await pause
    const problem = applied(whole, await heldOperation(operation), index)
    if (problem !== undefined) throw problem
  }
  return inSlices(restore(whole['']))
}

async function heldOperation(operation: Operation): Promise<Operation> {
  return {
    ...operation,
    path: `/${operation.path}`,
    ...('from' in operation ? { from: `/${operation.from}` } : {}),
    ...('value' in operation ? { value: await inSlices(hold(operation.value)) } : {}),
  } as Operation
}

function applied(whole: object, operation: Operation, index: number): Problem | undefined {
  const { op, path } = operation
  const fails = (text: string, member = 'path') => patchFailed(text, `[${index}].${member}`)
  if ('from' in operation && isMissing(whole, operation.from)) return fails('Nothing is there.', 'from')
  if (!makers.has(op) && isMissing(whole, path)) return fails('Nothing is there.')
  if (operation.op === 'test')
    return isEqual(Pointer.fromJSON(path).get(whole), operation.value) ? undefined : fails('The test fails.', 'value')
  if (!fitsParent(whole, path, operation)) return fails('There is no such place.')
  if (operation.op === 'copy') spend('parsed', valuesIn(Pointer.fromJSON(operation.from).get(whole)) * chargeOfCopied)
  const [error] = applyPatch(whole, [operation])
  return error === null ? undefined : fails('The operation cannot be done there.')
}

/** Operations whose place need not be there. */
const makers: ReadonlySet<string> = new Set(['add', 'copy', 'move'])

function valuesIn(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / lettersOfAValue
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, each) => sum + valuesIn(each), 1)
}

/** Of values that are held. Section 4.6: numbers are equal if they are so numerically. */
function isEqual(one: unknown, other: unknown): boolean {
  const [number, otherNumber] = [digitsOf(one), digitsOf(other)]
  if (number !== undefined && otherNumber !== undefined) return isSameDecimal(number, otherNumber)
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every(name => Object.hasOwn(other, name) && isEqual((one as Members)[name], (other as Members)[name]))
  )
}

function digitsOf(value: unknown): string | undefined {
  if (typeof value === 'symbol') return value.description
  return typeof value === 'number' ? String(value) : undefined
}

function isMissing(whole: object, path: string): boolean {
  const { parent, key } = Pointer.fromJSON(path).evaluate(whole)
  if (Array.isArray(parent)) return !isIndex(key) || Number(key) >= parent.length
  return typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, key)
}

/** Whether something can be put there: the library would write names into lists. */
function fitsParent(whole: object, path: string, operation: Operation): boolean {
  const { parent, key } = Pointer.fromJSON(path).evaluate(whole)
  if (Array.isArray(parent))
    return key === '-' || (isIndex(key) && Number(key) <= lengthBefore(whole, parent, operation))
  return typeof parent === 'object' && parent !== null
}

/** What is moved within a list is taken out of it before it is put in again. */
function lengthBefore(whole: object, list: readonly unknown[], operation: Operation): number {
  const isWithin = operation.op === 'move' && Pointer.fromJSON(operation.from).evaluate(whole).parent === list
  return isWithin ? list.length - 1 : list.length
}

function isIndex(key: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(key)
}

/**
 * The library copies objects member by member, and a Decimal would come out as an object with a text. Symbols it leaves as they
 * are; with the texts in their descriptions, digits come through.
 */
function hold(value: unknown): Steps<unknown> {
  return mapped(value, item => (item instanceof Decimal ? Symbol(item.text) : item))
}

function restore(value: unknown): Steps<unknown> {
  return mapped(value, item => (typeof item === 'symbol' ? new Decimal(item.description ?? '') : item))
}
