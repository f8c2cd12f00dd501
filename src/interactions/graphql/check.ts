import type { SelectionSetNode } from 'graphql'
import { isPrimitiveType, isResourceType } from '#fhir'
import { giveWay, Problem, spend } from '#kernel'
import { type Chosen, choose } from './chosen.ts'
import type { Question, Value } from './document.ts'
import { at, type Path, refused } from './faults.ts'
import { below, type Field, fieldOf, type Position, typeNameOf } from './fields.ts'
import { parsed, type Searcher, searchOf } from './searching.ts'

/** How deep fields may lie in one another, and how many there may be once fragments are gone into. */
const deepest = 30
const mostFields = 5_000
/** Of the budget, for a field on a position. */
const workOfField = 200

/** What is being checked. */
interface Checking {
  readonly question: Question
  readonly by: Searcher
  fields: number
}

/** What a field has below it, on all positions on which it is asked for. */
interface Below {
  readonly chosen: Chosen
  readonly sets: Set<SelectionSetNode>
  readonly positions: Map<string, Position>
  isKnown: boolean
}

/**
 * Refuses a question that asks for what is not there, whatever the data is. Where a reference may lead to several types, a field is
 * right that one of them has.
 *
 * @throws Problem `invalid` · `graphql.field-unknown`, `graphql.argument-unknown`, `graphql.argument-malformed`,
 *   `graphql.selection-malformed`, `graphql.directive-unknown`; `too-costly` · `graphql.too-large`; as `searchOf`
 * @see https://hl7.org/fhir/R4/graphql.html#errors
 */
export function checkQuestion(question: Question, root: Position, by: Searcher): Promise<void> {
  return checkSets({ question, by, fields: 0 }, [question.operation.selectionSet], [root], [])
}

async function checkSets(
  checking: Checking,
  sets: readonly SelectionSetNode[],
  positions: readonly Position[],
  path: Path,
): Promise<void> {
  if (path.length > deepest) throw at({ path }, tooLarge())
  const byKey = new Map<string, Below>()
  for (const position of positions) {
    for (const chosen of choose(sets, position, checking.question)) {
      spend('work', workOfField)
      await checkField(checking, chosen, position, { byKey, path })
    }
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  for (const [key, { chosen, isKnown, sets: inner, positions: next }] of byKey) {
    const place = { loc: chosen.node.loc, path: [...path, key] }
    if (!isKnown) throw refused(place, 'graphql.field-unknown', unknownText(positions))
    if (++checking.fields > mostFields) throw at(place, tooLarge())
    if (next.size > 0) await checkSets(checking, [...inner], [...next.values()], place.path)
  }
}

/** The names of types are FHIR's; that of the field may be anything. */
function unknownText(positions: readonly Position[]): string {
  const [position] = positions
  const name =
    positions.length === 1 && position !== undefined ? typeNameOf(position) : 'None of the types that this may be'
  return `${name} has no such field.`
}

interface Around {
  readonly byKey: Map<string, Below>
  readonly path: Path
}

async function checkField(
  { by }: Checking,
  chosen: Chosen,
  position: Position,
  { byKey, path }: Around,
): Promise<void> {
  const { key, name, node, sets } = chosen
  const place = { loc: node.loc, path: [...path, key] }
  const known = byKey.get(key) ?? { chosen, sets: new Set(), positions: new Map(), isKnown: false }
  byKey.set(key, known)
  const field = fieldOf(position, name)
  if (field === undefined) return
  known.isKnown = true
  await placed(place, () => checkArguments(field, chosen, position, by))
  const next = below(field, field.kind === 'target' || field.kind === 'inner' ? typesNamed(chosen) : undefined)
  if (next.length > 0 !== sets.length > 0)
    throw refused(
      place,
      'graphql.selection-malformed',
      next.length > 0
        ? 'A field with fields of its own needs a selection of them.'
        : 'The field has no fields of its own.',
    )
  for (const set of sets) known.sets.add(set)
  for (const each of next) known.positions.set(`${typeNameOf(each)} ${each.kind === 'element' && each.stored}`, each)
}

async function placed(place: { readonly path: Path }, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw error instanceof Problem ? at(place, error) : error
  }
}

/** The types that an argument or fragments name, so that not all of them are gone through; undefined for any. */
function typesNamed({ args, sets }: Chosen): readonly string[] | undefined {
  const given = args.get('type')
  if (given !== undefined) return textsOf(given)
  const selections = sets.flatMap(set => set.selections)
  const named = selections.map(each => (each.kind === 'InlineFragment' ? each.typeCondition?.name.value : undefined))
  return named.every(name => name !== undefined && isResourceType(name)) ? (named as string[]) : undefined
}

/** A value, or those of a list, as texts. */
export function textsOf(value: Value): readonly string[] {
  const values: readonly Value[] = Array.isArray(value) ? value : [value as Value]
  return values.map(String)
}

type ArgumentCheck = (value: Value) => boolean
const isText: ArgumentCheck = value => typeof value === 'string'
const isCount: ArgumentCheck = value => Number.isSafeInteger(value) && Number(value) >= 0
const isType: ArgumentCheck = value => textsOf(value).every(isResourceType)
const ofElements: Readonly<Record<string, ArgumentCheck>> = { fhirpath: isText, _offset: isCount, _count: isCount }
const ofTargets: Readonly<Record<string, ArgumentCheck>> = {
  optional: value => typeof value === 'boolean',
  type: isType,
}

async function checkArguments(field: Field, chosen: Chosen, position: Position, by: Searcher): Promise<void> {
  if (field.kind === 'list' || field.kind === 'connection') {
    const search = searchOf(chosen, field.type, field.isReverse ? `${typeNameOf(position)}/x` : undefined, by)
    await parsed(search, by)
    if (!ofElements.fhirpath?.(chosen.args.get('fhirpath') ?? '')) throw badArgument(chosen)
    return
  }
  if (field.kind === 'read' && !chosen.args.has('id')) throw badArgument(chosen)
  const known = argumentsOf(field)
  for (const [name, value] of chosen.args) {
    const check = Object.hasOwn(known, name) ? known[name] : filterOf(field, name)
    if (check === undefined)
      throw refused({ loc: chosen.node.loc }, 'graphql.argument-unknown', 'The field has no such argument.')
    if (!check(value)) throw badArgument(chosen)
  }
}

function argumentsOf(field: Field): Readonly<Record<string, ArgumentCheck>> {
  if (field.kind === 'element' || field.kind === 'inner') return ofElements
  if (field.kind === 'target') return ofTargets
  return field.kind === 'read' ? { id: value => !Array.isArray(value) } : {}
}

/** "the name of a sub-property with a specified value that must be matched" */
function filterOf(field: Field, name: string): ArgumentCheck | undefined {
  if (field.kind !== 'element') return undefined
  const element = field.shape.elements.get(name)
  return element !== undefined && isPrimitiveType(element.type) ? () => true : undefined
}

function badArgument({ node }: Chosen): Problem {
  return refused(
    { loc: node.loc },
    'graphql.argument-malformed',
    'An argument is missing, or has a value of another kind.',
  )
}

function tooLarge(): Problem {
  const text = `A query has at most ${mostFields.toLocaleString('en')} fields, ${deepest} within one another.`
  return new Problem('too-costly', 'graphql.too-large', text)
}
