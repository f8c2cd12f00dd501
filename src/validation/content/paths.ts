import type { Shape } from '#fhir'
import { faultAt } from '../faults.ts'
import type { OpenQuestion } from '../invariants.ts'
import { isPath } from '../library.ts'
import type { Node } from '../walk.ts'
import { listOf } from './check.ts'

/** Where R4 has FHIRPath, by what it is in. */
const places: Readonly<Record<string, string>> = {
  'ElementDefinition.constraint': 'expression',
  StructureDefinition: 'contextInvariant',
  SearchParameter: 'expression',
  Expression: 'expression',
}

const names = new WeakMap<Shape, string>()

/** Which element of a shape is FHIRPath; `''` for none. */
function nameIn(shape: Shape): string {
  const known = names.get(shape)
  if (known !== undefined) return known
  const made = places[shape.path === '' ? shape.type : `${shape.type}.${shape.path}`] ?? ''
  names.set(shape, made)
  return made
}

/** To read a letter takes as long as to look at some values: a hundred letters take two milliseconds. */
const effortOfLetter = 5

/** What has been read well is read once: snapshots repeat what R4 says of its types. */
const known = new Set<string>()
const none: readonly OpenQuestion[] = []
const mostKnown = 2_000
const longestKept = 1_000

/**
 * Expressions that are to be read: each is FHIRPath.
 *
 * @see https://hl7.org/fhir/R4/fhirpath.html
 */
export function pathsIn(node: Node, shape: Shape, at: string): readonly OpenQuestion[] {
  const name = nameIn(shape)
  if (name === '' || node[name] === undefined || isOfOtherLanguage(node, shape)) return none
  return listOf(node[name]).flatMap((expression, index) => {
    if (typeof expression !== 'string' || known.has(expression)) return []
    const place = `${at}/${name}${Array.isArray(node[name]) ? `/${index}` : ''}`
    return [
      {
        effort: () => expression.length * effortOfLetter,
        answer: () => (isRead(expression) ? undefined : faultAt('path', place)),
      },
    ]
  })
}

function isOfOtherLanguage({ language }: Node, { type }: Shape): boolean {
  return type === 'Expression' && language !== 'text/fhirpath'
}

/** What cannot be told is no fault. */
function isRead(expression: string): boolean {
  if (isPath(expression) === false) return false
  if (known.size >= mostKnown) known.clear()
  if (expression.length <= longestKept) known.add(expression)
  return true
}
