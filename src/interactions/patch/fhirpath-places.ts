import { Decimal, type Resource } from '#fhir'
import { inSlices } from '#kernel'
import { mapped } from './mapped.ts'
import { patchFailed, patchMalformed } from './patch-problems.ts'

/** Where an element lies, as names of elements below the resource; `value` stands for `valueQuantity` and its like. */
export type Steps = readonly Step[]

export interface Step {
  readonly name: string
  /** Which of a list; undefined for what is no list. */
  readonly index: number | undefined
}

/** What a path of a patch may call: what selects elements. What computes texts, or goes down without end, is left out. */
const selecting: ReadonlySet<string> = new Set(
  'where first last tail skip take single exists empty not all count ofType as is extension hasValue'.split(' '),
)
const refusedNodes: ReadonlySet<string> = new Set([
  'ExternalConstantTerm',
  'UnionExpression',
  'AdditiveExpression',
  'MultiplicativeExpression',
  'IndexInvocation',
  'TotalInvocation',
])
const longestPath = 1_000
const deepestPath = 200

interface SyntaxNode {
  readonly type?: string
  readonly text?: string
  readonly children?: readonly SyntaxNode[]
}

/** FHIRPath of R4; loaded when the first such patch comes, because it takes as long as a hundred requests. */
async function load() {
  const [{ default: fhirpath }, { default: model }] = await Promise.all([
    import('fhirpath'),
    import('fhirpath/fhir-context/r4'),
  ])
  return { fhirpath, model }
}
let loading: ReturnType<typeof load> | undefined

/**
 * The elements that a path finds in a resource.
 *
 * @param expression  FHIRPath, without what computes anything but elements
 * @param at          where in the patch the path stands
 * @throws Problem `invalid` · `patch.malformed`; `unprocessable` · `patch.failed`
 * @see https://hl7.org/fhir/R4/fhirpatch.html and http://hl7.org/fhirpath/N1/
 */
export async function placesOf(expression: string, resource: Resource, at: string): Promise<readonly Steps[]> {
  loading ??= load()
  const { fhirpath, model } = await loading
  const path = withQuotedDiv(expression)
  if (path.length > longestPath) throw patchMalformed(`A path has at most ${longestPath} characters.`, at)
  checkSyntax(
    parsed(() => fhirpath.parse(path), at),
    at,
  )
  const evaluate = parsed(() => fhirpath.compile(path, model, { resolveInternalTypes: false, async: false }), at)
  // The library knows plain numbers, and may leave marks in what it is given.
  const plain = await inSlices(mapped(resource, value => (value instanceof Decimal ? Number(value) : value)))
  const found: readonly unknown[] = evaluated(() => evaluate(plain as object), at)
  return found.map(node => stepsOf(node, at))
}

/** `div` is a word of FHIRPath, and the name of what a narrative says; nobody writes the quotes that it would need. */
function withQuotedDiv(expression: string): string {
  return expression.replace(/('(?:\\.|[^'\\])*')|\.div\b/g, (_, text: string | undefined) => text ?? '.`div`')
}

function parsed<T>(work: () => T, at: string): T {
  try {
    return work()
  } catch (cause) {
    throw patchMalformed('A path is no FHIRPath.', at, cause)
  }
}

function evaluated<T>(work: () => T, at: string): T {
  try {
    return work()
  } catch (cause) {
    throw patchFailed('The path cannot be evaluated on the resource.', at, cause)
  }
}

function checkSyntax(node: SyntaxNode, at: string, depth = 0): void {
  const { type = '', children = [] } = node
  if (depth > deepestPath) throw patchMalformed('A path is nested too deep.', at)
  if (refusedNodes.has(type)) throw patchMalformed('A path of a patch selects elements and computes nothing.', at)
  if (type === 'Functn' && !selecting.has(children[0]?.text ?? ''))
    throw patchMalformed(`A path of a patch has these functions: ${[...selecting].join(', ')}.`, at)
  for (const child of children) checkSyntax(child, at, depth + 1)
}

function stepsOf(node: unknown, at: string): Steps {
  const { fullPropertyName } = (typeof node === 'object' ? (node ?? {}) : {}) as { fullPropertyName?: unknown }
  if (typeof fullPropertyName !== 'function') throw patchFailed('The path finds no element of the resource.', at)
  const [, ...names] = String(fullPropertyName.call(node)).split('.')
  return names.map(text => {
    const [, name = '', index] = /^(\w+)(?:\[(\d+)\])?$/.exec(text) ?? []
    return { name, index: index === undefined ? undefined : Number(index) }
  })
}
