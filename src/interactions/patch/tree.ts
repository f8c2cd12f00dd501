import { type ElementDefinition, isPrimitiveType, isResourceType, type Shape, shapeOf, shapeOfElement } from '#fhir'
import type { Step, Steps } from './fhirpath-places.ts'

/** An element with its children, as JSON has it. */
export interface Tree {
  [name: string]: unknown
}

/** A value for an element, and for a primitive what JSON keeps beside it: id and extensions, under `_name`. */
export interface Value {
  /** FHIR type where the sender named one, e.g. `Quantity`. */
  readonly type: string | undefined
  readonly value: unknown
  readonly beside: unknown
}

/** An element that has children, and what it may have. */
export interface Parent {
  readonly tree: Tree
  readonly shape: Shape
}

/** The root of a resource. */
export function rootOf(resource: Tree): Parent | undefined {
  const { resourceType } = resource
  return typeof resourceType === 'string' && isResourceType(resourceType)
    ? { tree: resource, shape: shapeOf(resourceType) }
    : undefined
}

/** The element in which the last step lies. */
export function parentOf(root: Parent, steps: Steps): Parent | undefined {
  return steps.slice(0, -1).reduce<Parent | undefined>((parent, step) => parent && childOf(parent, step), root)
}

/** The element at a step; of a primitive what lies beside it, which is made if there is nothing yet. */
export function childOf({ tree, shape }: Parent, step: Step): Parent | undefined {
  const element = elementIn({ tree, shape }, step.name)
  if (element === undefined) return undefined
  if (isPrimitiveType(element.type)) return { tree: besideOf(tree, element, step), shape: shapeOf('Element') }
  const child = at(tree[element.name], step.index)
  if (!isTree(child)) return undefined
  const within = shapeOfElement(shape, element)
  return within === undefined ? rootOf(child) : { tree: child, shape: within }
}

function besideOf(tree: Tree, { name, isList }: ElementDefinition, { index = 0 }: Step): Tree {
  const twin = `_${name}`
  if (!isList) {
    if (!isTree(tree[twin])) tree[twin] = {}
    return tree[twin] as Tree
  }
  const list = listOf(tree, twin)
  padTo(list, index + 1)
  if (!isTree(list[index])) list[index] = {}
  return list[index] as Tree
}

/** The definition of what stands there under a name: of `value` the one whose type is there. */
export function elementIn({ tree, shape }: Parent, name: string): ElementDefinition | undefined {
  const plain = shape.elements.get(name)
  return plain ?? choicesOf(shape, name).find(each => each.name in tree || `_${each.name}` in tree)
}

/** The definition that takes a value of a type under a name: `value`, `value[x]` and `valueQuantity` are one. */
export function elementFor(shape: Shape, name: string, type: string | undefined): ElementDefinition | undefined {
  return shape.elements.get(name) ?? choicesOf(shape, name.replace(/\[x\]$/, '')).find(each => each.type === type)
}

/** All that one choice might be called. */
export function choicesOf(shape: Shape, name: string): readonly ElementDefinition[] {
  return [...shape.elements.values()].filter(({ path }) => path.slice(path.lastIndexOf('.') + 1) === `${name}[x]`)
}

/** Everything that stands under a definition's name, or under another one of the same choice. */
export function namesOf(shape: Shape, element: ElementDefinition): readonly string[] {
  const all = [...shape.elements.values()].filter(({ path }) => path === element.path)
  return all.flatMap(({ name }) => [name, `_${name}`])
}

/** Puts a value in the place of whatever a single element holds. */
export function setSingle({ tree, shape }: Parent, element: ElementDefinition, { value, beside }: Value): void {
  for (const name of namesOf(shape, element)) delete tree[name]
  if (value !== undefined) tree[element.name] = value
  if (beside !== undefined) tree[`_${element.name}`] = beside
}

/** As `Array.splice` on a list and on what lies beside its primitives. */
export function splice(
  tree: Tree,
  { name }: ElementDefinition,
  from: number,
  remove: number,
  add: readonly Value[],
): void {
  const twin = `_${name}`
  const hasBeside = Array.isArray(tree[twin]) || add.some(({ beside }) => beside !== undefined)
  const list = listOf(tree, name)
  if (hasBeside) {
    const beside = listOf(tree, twin)
    const length = Math.max(list.length, beside.length)
    padTo(list, length)
    padTo(beside, length)
    beside.splice(from, remove, ...add.map(each => each.beside ?? null))
    if (beside.every(item => item === null)) delete tree[twin]
  }
  list.splice(from, remove, ...add.map(each => each.value ?? null))
  if (list.every(item => item === null)) delete tree[name]
}

/** How many a list has, counting what has a value and what has only something beside it. */
export function lengthOf(tree: Tree, { name }: ElementDefinition): number {
  return Math.max(...[tree[name], tree[`_${name}`]].map(list => (Array.isArray(list) ? list.length : 0)))
}

/** One of a list, with what lies beside it. */
export function itemOf(tree: Tree, { name }: ElementDefinition, index: number): Value {
  return {
    type: undefined,
    value: at(tree[name], index) ?? undefined,
    beside: at(tree[`_${name}`], index) ?? undefined,
  }
}

function listOf(tree: Tree, name: string): unknown[] {
  if (!Array.isArray(tree[name])) tree[name] = []
  return tree[name] as unknown[]
}

function padTo(list: unknown[], length: number): void {
  while (list.length < length) list.push(null)
}

function at(value: unknown, index: number | undefined): unknown {
  if (index === undefined) return value
  return Array.isArray(value) ? value[index] : undefined
}

/** Whether a value has children. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
