import { Problem } from '#kernel'
import { childPlaces, type Place, rootPlace } from './elements.ts'
import type { Expression } from './parse.ts'

/** One step down: the JSON keys it may take, and what an element must satisfy. */
export interface PathStep {
  readonly places: readonly Place[]
  /** Only elements whose `name` is `value`, from `where(name='value')`. */
  readonly filter?: { readonly name: string; readonly value: string }
  readonly index?: number
}

/** One alternative of an expression as a straight line of keys. */
export interface ElementPath {
  readonly steps: readonly PathStep[]
  /** From `where(resolve() is Patient)`: only references to that type. */
  readonly resolves: string | undefined
  /** Starts at the whole resource although the expression's focus is an element (`%resource…`). */
  readonly absolute: boolean
  /** The same text for the same steps, whatever expression they came from. */
  readonly text: string
}

/** `a.exists() and a != false`: a truth about the whole resource rather than a place in it. */
export interface Statement {
  readonly exists: readonly ElementPath[]
  readonly differs: readonly { readonly path: ElementPath; readonly value: string }[]
}

interface Walk {
  readonly steps: readonly PathStep[]
  readonly resolves: string | undefined
  readonly absolute: boolean
  readonly at: readonly Place[]
}

const abstractTypes: ReadonlySet<string> = new Set(['Resource', 'DomainResource'])

function unknown(detail: string): Problem {
  return new Problem(
    'fault',
    'search.expression-unknown',
    'A search parameter names an element that R4 does not have.',
    {
      detail,
    },
  )
}

function startOf(name: string, focus: Walk, type: string): readonly Walk[] {
  if (name === type || abstractTypes.has(name))
    return [{ steps: [], resolves: undefined, absolute: false, at: [rootPlace(type)] }]
  // @NOTE an expression covers all its base types; alternatives of other types say nothing about this one.
  if (/^[A-Z]/.test(name)) return []
  return [down(focus, name)]
}

function down(walk: Walk, name: string): Walk {
  const places = walk.at.flatMap(place => childPlaces(place, name))
  if (places.length === 0) throw unknown(name)
  return { ...walk, steps: [...walk.steps, { places }], at: places }
}

function replaceLast(walk: Walk, change: (step: PathStep) => PathStep): Walk {
  const last = walk.steps.at(-1)
  if (last === undefined) throw unknown('filter on the resource itself')
  const step = change(last)
  return { ...walk, steps: [...walk.steps.slice(0, -1), step], at: step.places }
}

/** What is also of another type: https://hl7.org/fhir/R4/datatypes.html – of types that a choice of elements may have. */
const specialized: Readonly<Record<string, readonly string[]>> = {
  integer: ['positiveInt', 'unsignedInt'],
  Quantity: ['Age', 'Count', 'Distance', 'Duration', 'MoneyQuantity', 'SimpleQuantity'],
  string: ['code', 'id', 'markdown'],
  uri: ['canonical', 'oid', 'url', 'uuid'],
}

/**
 * `as` keeps what is of the type or of one that specializes it. `DateTime` in one expression means `dateTime`: names of types are
 * compared without case.
 *
 * @see http://hl7.org/fhirpath/N1/#as-type-specifier
 */
function narrowed(step: PathStep, type: string): PathStep {
  const meant = new Set([type, ...(specialized[type] ?? [])].map(each => each.toLowerCase()))
  return { ...step, places: step.places.filter(place => meant.has(place.type.toLowerCase())) }
}

type Nodes = { [Op in Expression['op']]: Extract<Expression, { op: Op }> }
type Walker<Op extends Expression['op']> = (node: Nodes[Op], focus: Walk, type: string) => readonly Walk[]

const walkers: { readonly [Op in Exclude<Expression['op'], 'and' | 'exists' | 'differs'>]: Walker<Op> } = {
  name: (node, focus, type) => startOf(node.name, focus, type),
  resource: (_node, _focus, type) => [{ steps: [], resolves: undefined, absolute: true, at: [rootPlace(type)] }],
  child: (node, focus, type) => walks(node.of, focus, type).map(walk => down(walk, node.name)),
  as: (node, focus, type) =>
    walks(node.of, focus, type).map(walk => replaceLast(walk, step => narrowed(step, node.type))),
  index: (node, focus, type) =>
    walks(node.of, focus, type).map(walk => replaceLast(walk, step => ({ ...step, index: node.index }))),
  equals: (node, focus, type) =>
    walks(node.of, focus, type).map(walk => replaceLast(walk, step => ({ ...step, filter: node }))),
  resolves: (node, focus, type) => walks(node.of, focus, type).map(walk => ({ ...walk, resolves: node.type })),
  extension: (node, focus, type) =>
    walks(node.of, focus, type).map(walk =>
      replaceLast(down(walk, 'extension'), step => ({ ...step, filter: { name: 'url', value: node.url } })),
    ),
  union: (node, focus, type) => node.items.flatMap(item => walks(item, focus, type)),
}

function walks(node: Expression, focus: Walk, type: string): readonly Walk[] {
  const walker = walkers[node.op as keyof typeof walkers] as Walker<typeof node.op> | undefined
  if (walker === undefined) throw unknown(node.op)
  return walker(node as never, focus, type)
}

function stepText(step: PathStep): string {
  const keys = step.places.map(place => place.key).join('/')
  const filter = step.filter === undefined ? '' : `?${step.filter.name}=${step.filter.value}`
  return keys + filter + (step.index === undefined ? '' : `[${step.index}]`)
}

function toPath(walk: Walk): ElementPath {
  const { steps, resolves, absolute } = walk
  return { steps, resolves, absolute, text: steps.map(stepText).join('.') }
}

/**
 * The element paths that an expression means for one resource type.
 *
 * @param focus  for a composite's component: the path its expression starts from
 * @throws Problem `fault` · `search.expression-unknown`
 */
export function elementPaths(expression: Expression, type: string, focus?: ElementPath): readonly ElementPath[] {
  const start: Walk = {
    steps: focus?.steps ?? [],
    resolves: undefined,
    absolute: false,
    at: focus?.steps.at(-1)?.places ?? [rootPlace(type)],
  }
  return walks(expression, start, type).map(toPath)
}

/** The statement that an `and` of `exists()` and `!=` makes; undefined when the expression is a path. */
export function statementOf(expression: Expression, type: string): Statement | undefined {
  if (expression.op !== 'and') return undefined
  const exists: ElementPath[] = []
  const differs: { path: ElementPath; value: string }[] = []
  for (const item of expression.items) {
    if (item.op === 'exists') exists.push(...elementPaths(item.of, type))
    else if (item.op === 'differs')
      differs.push(...elementPaths(item.of, type).map(path => ({ path, value: item.value })))
    else throw unknown(item.op)
  }
  return { exists, differs }
}
