import { type ElementDefinition, type Resource, type Shape, shapeOfElement } from '#fhir'
import { giveWay } from '#kernel'
import { placesOf, type Steps } from './fhirpath-places.ts'
import { patchFailed, patchMalformed } from './patch-problems.ts'
import {
  childOf,
  elementFor,
  elementIn,
  isTree,
  itemOf,
  lengthOf,
  namesOf,
  type Parent,
  parentOf,
  rootOf,
  setSingle,
  splice,
  type Tree,
  type Value,
} from './tree.ts'

type Part = { readonly [member: string]: unknown }

/** One operation of a FHIRPath Patch. */
export interface PathOperation {
  readonly type: keyof typeof operations
  readonly path: string
  readonly name: string | undefined
  readonly index: number | undefined
  readonly source: number | undefined
  readonly destination: number | undefined
  /** The part with the value, as it was sent. */
  readonly value: Part | undefined
  /** Where in the Parameters it stands. */
  readonly place: string
}

/**
 * Reads a FHIRPath Patch before anything is looked up.
 *
 * @throws Problem `invalid` · `patch.malformed`, naming the parameter
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
export function parsePathPatch({ parameter = [] }: Resource): readonly PathOperation[] {
  if (!Array.isArray(parameter)) throw patchMalformed('Parameters.parameter must be an array.', 'Parameters.parameter')
  return parameter.map((each: unknown, index) => parseOperation(each, `Parameters.parameter[${index}]`))
}

function parseOperation(parameter: unknown, place: string): PathOperation {
  const { name, part } = isTree(parameter) ? parameter : {}
  if (name !== 'operation' || !Array.isArray(part) || !part.every(isTree))
    throw patchMalformed('Each parameter of a patch is an operation with parts.', place)
  const parts = new Map(part.map((each: Part) => [each.name, each]))
  const type = primitiveIn(parts.get('type'))
  const path = primitiveIn(parts.get('path'))
  if (typeof type !== 'string' || !Object.hasOwn(operations, type))
    throw patchMalformed('An operation is one of add, insert, delete, replace and move.', `${place}.part`)
  if (typeof path !== 'string') throw patchMalformed('An operation needs a path.', `${place}.part`)
  const whole = (which: string) => wholeNumber(parts.get(which), place)
  const called = primitiveIn(parts.get('name'))
  const operation: PathOperation = {
    type: type as PathOperation['type'],
    path,
    name: typeof called === 'string' ? called : undefined,
    index: whole('index'),
    source: whole('source'),
    destination: whole('destination'),
    value: parts.get('value'),
    place,
  }
  for (const needed of operations[operation.type].needs)
    if (operation[needed] === undefined) throw patchMalformed(`The operation needs a part ${needed}.`, `${place}.part`)
  return operation
}

function primitiveIn(part: Part | undefined): unknown {
  const name = Object.keys(part ?? {}).find(key => key.startsWith('value'))
  return name === undefined ? undefined : part?.[name]
}

function wholeNumber(part: Part | undefined, place: string): number | undefined {
  const value = primitiveIn(part)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw patchMalformed('An index is a whole number from 0 on.', `${place}.part`)
}

/**
 * Changes a resource, in place, as the operations say.
 *
 * @throws Problem `invalid` · `patch.malformed`; `unprocessable` · `patch.failed`, naming the operation and no value
 */
export async function applyPathPatch(resource: Resource, all: readonly PathOperation[]): Promise<Resource> {
  const root = rootOf(resource)
  if (root === undefined) throw new TypeError('a stored resource has a type')
  for (const operation of all) {
    const pause = giveWay()
    if (pause !== undefined) await pause
    const places = await placesOf(operation.path, resource, operation.place)
    await operations[operation.type].apply(root, places, operation)
  }
  return resource
}

interface OperationRow {
  readonly needs: readonly ('name' | 'value' | 'index' | 'source' | 'destination')[]
  apply(root: Parent, places: readonly Steps[], operation: PathOperation): Promise<void> | void
}

const operations = {
  add: { needs: ['name', 'value'], apply: add },
  insert: { needs: ['value', 'index'], apply: insert },
  delete: { needs: [], apply: remove },
  replace: { needs: ['value'], apply: replace },
  move: { needs: ['source', 'destination'], apply: move },
} as const satisfies Readonly<Record<string, OperationRow>>

function add(root: Parent, places: readonly Steps[], operation: PathOperation): void {
  const place = onlyOne(places, operation)
  const parent = place.length === 0 ? root : within(root, place, operation)
  put(parent, operation, lengthAfter)
}

const lengthAfter = (parent: Parent, element: ElementDefinition) => lengthOf(parent.tree, element)

/** Puts the value under the operation's name: into a list, or where nothing is yet. */
function put(
  parent: Parent,
  operation: PathOperation,
  where: (parent: Parent, element: ElementDefinition) => number,
): void {
  const { name = '', place } = operation
  const element = elementFor(parent.shape, name, typeIn(operation.value)) ?? elementIn(parent, name)
  if (element === undefined) throw patchFailed('The element has no child of that name and type.', place)
  const value = valueFor(operation, parent.shape, element)
  if (element.isList) {
    splice(parent.tree, element, where(parent, element), 0, [value])
    return
  }
  if (isThere(parent, element)) throw patchFailed('The element is there already; replace changes it.', place)
  setSingle(parent, element, value)
}

function isThere({ tree, shape }: Parent, element: ElementDefinition): boolean {
  return namesOf(shape, element).some(name => name in tree)
}

async function insert(root: Parent, places: readonly Steps[], operation: PathOperation): Promise<void> {
  const { index = 0, place } = operation
  if (places.length === 0) return insertFirst(root, operation)
  const { parent, element } = listAt(root, places, operation)
  if (index > places.length) throw patchFailed('The index lies beyond the end of the list.', place)
  splice(parent.tree, element, index, 0, [valueFor(operation, parent.shape, element)])
}

/** A list without items is not there to be found; where it would be is told by the path's last name. */
async function insertFirst(root: Parent, operation: PathOperation): Promise<void> {
  const { index, path, place } = operation
  const [, above = '', name = ''] = /^(.+)\.(\w+)$/s.exec(path) ?? []
  if (index !== 0 || above === '') throw patchFailed('The path finds no list.', place)
  const [steps, ...more] = await placesOf(above, root.tree as Resource, place)
  if (steps === undefined || more.length > 0) throw patchFailed('The path finds no list.', place)
  const parent = steps.length === 0 ? root : within(root, steps, operation)
  if (parent.shape.elements.get(name)?.isList !== true) throw patchFailed('The path finds no list.', place)
  put(parent, { ...operation, name }, () => 0)
}

/** What is not there need not be deleted. */
function remove(root: Parent, places: readonly Steps[], operation: PathOperation): void {
  if (places.length === 0) return
  const { parent, element, index } = elementAt(root, onlyOne(places, operation), operation)
  if (element.isList) splice(parent.tree, element, index, 1, [])
  else setSingle(parent, element, { type: undefined, value: undefined, beside: undefined })
}

function replace(root: Parent, places: readonly Steps[], operation: PathOperation): void {
  const { parent, element, index } = elementAt(root, onlyOne(places, operation), operation)
  if (element.isList) {
    splice(parent.tree, element, index, 1, [valueFor(operation, parent.shape, element)])
    return
  }
  const isChoice = element.path.endsWith('[x]')
  const choice = element.path.slice(element.path.lastIndexOf('.') + 1, -3)
  const next = isChoice ? elementFor(parent.shape, choice, typeIn(operation.value)) : element
  if (next === undefined) throw patchFailed('The element has no such type.', operation.place)
  setSingle(parent, next, valueFor(operation, parent.shape, next))
}

function move(root: Parent, places: readonly Steps[], operation: PathOperation): void {
  const { source = 0, destination = 0, place } = operation
  const { parent, element } = listAt(root, places, operation)
  if (source >= places.length || destination >= places.length)
    throw patchFailed('An index lies beyond the end of the list.', place)
  const item = itemOf(parent.tree, element, source)
  splice(parent.tree, element, source, 1, [])
  splice(parent.tree, element, destination, 0, [item])
}

function onlyOne(places: readonly Steps[], { place }: PathOperation): Steps {
  const [first, ...more] = places
  if (first === undefined) throw patchFailed('The path finds nothing.', place)
  if (more.length > 0) throw patchFailed('The path finds more than one element.', place)
  return first
}

function within(root: Parent, steps: Steps, { place }: PathOperation): Parent {
  const parent = parentOf(root, steps)
  const last = steps.at(-1)
  const child = parent === undefined || last === undefined ? undefined : childOf(parent, last)
  if (child === undefined) throw patchFailed('The path finds nothing that has children.', place)
  return child
}

interface Located {
  readonly parent: Parent
  readonly element: ElementDefinition
  readonly index: number
}

function elementAt(root: Parent, steps: Steps, { place }: PathOperation): Located {
  const parent = parentOf(root, steps)
  const last = steps.at(-1)
  const element = parent === undefined || last === undefined ? undefined : elementIn(parent, last.name)
  if (parent === undefined || element === undefined) throw patchFailed('The path finds the resource itself.', place)
  return { parent, element, index: last?.index ?? 0 }
}

/** The list whose items, all of them, were found. */
function listAt(root: Parent, places: readonly Steps[], operation: PathOperation): Located {
  const [first] = places
  if (first === undefined) throw patchFailed('The path finds no list.', operation.place)
  const found = elementAt(root, first, operation)
  const isWhole = found.element.isList && lengthOf(found.parent.tree, found.element) === places.length
  const isOne = places.every((steps, index) => isSame(steps, first, index))
  if (!isWhole || !isOne) throw patchFailed('The path must find all items of one list.', operation.place)
  return found
}

function isSame(steps: Steps, first: Steps, index: number): boolean {
  if (steps.length !== first.length || steps.at(-1)?.index !== index) return false
  return steps.every(({ name, index: own }, at) => {
    const other = first[at]
    return name === other?.name && (at === steps.length - 1 || own === other.index)
  })
}

/** `valueQuantity` → `Quantity`, `valueDateTime` → `dateTime`. */
function typeIn(part: Part | undefined): string | undefined {
  const member = valueMember(part)
  if (part === undefined || member === undefined) return undefined
  const type = member.replace(/^_?value/, '')
  const primitive = type.charAt(0).toLowerCase() + type.slice(1)
  return isTree(part[`value${type}`]) ? type : primitive
}

function valueMember(part: Part | undefined): string | undefined {
  return Object.keys(part ?? {}).find(key => /^_?value[A-Z]/.test(key))
}

function valueFor({ value: part, place }: PathOperation, shape: Shape, element: ElementDefinition): Value {
  return valueIn(part ?? {}, shape, element, place)
}

/** A value of a type of its own, a resource, or – for what has no type of its own – one put together from parts. */
function valueIn(part: Part, shape: Shape, element: ElementDefinition, place: string): Value {
  const member = valueMember(part)
  if (member !== undefined) {
    const name = member.replace(/^_/, '')
    return { type: typeIn(part), value: part[name], beside: part[`_${name}`] }
  }
  if (isTree(part.resource)) return { type: 'Resource', value: part.resource, beside: undefined }
  const inner = shapeOfElement(shape, element)
  if (!Array.isArray(part.part) || inner === undefined) throw patchMalformed('An operation has an empty value.', place)
  const tree: Tree = {}
  for (const each of part.part as readonly unknown[]) assemble({ tree, shape: inner }, isTree(each) ? each : {}, place)
  return { type: element.type, value: tree, beside: undefined }
}

function assemble(parent: Parent, part: Part, place: string): void {
  const element = elementFor(parent.shape, String(part.name), typeIn(part))
  if (element === undefined) throw patchFailed('The value has a child of a name that is not known.', place)
  const value = valueIn(part, parent.shape, element, place)
  if (element.isList) splice(parent.tree, element, lengthOf(parent.tree, element), 0, [value])
  else setSingle(parent, element, value)
}
