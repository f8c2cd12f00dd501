import type { Resource } from '#fhir'
import { type Field, field, isNull, parsePlace, type Segment } from '../message.ts'
import { type FieldRule, rulesOf } from '../tables.ts'

type Node = { readonly [element: string]: unknown }

/** What a segment's `""` take away, and the places of those that nothing can be told from. */
export interface Nulls {
  readonly remove: (resource: Resource) => Resource
  /** The fields that take something away: `PID-11`. */
  readonly places: readonly string[]
  readonly ignored: readonly string[]
}

/** The nulls of segments that give one resource. Identifiers stay: they find it. */
export function nullsOf(segments: readonly (Segment | undefined)[], resource: string): Nulls {
  const found = segments.flatMap(segment => (segment === undefined ? [] : nullsIn(segment, resource)))
  const removals = found.flatMap(({ removal }) => removal ?? [])
  return {
    remove: before => removals.reduce<Resource>((next, removal) => removeFrom(next, removal) as Resource, before),
    places: found.flatMap(({ place, removal }) => (removal === undefined ? [] : [place])),
    ignored: found.flatMap(({ place, removal }) => (removal === undefined ? [place] : [])),
  }
}

/** An element to take away: all of it, or the entries of a list that have one of these marks. */
interface Removal {
  readonly path: readonly string[]
  readonly marks: readonly Node[]
}

/** Elements that code makes of fields, of Observations. */
export const codedElements: Readonly<Record<string, readonly string[]>> = {
  'OBX-5': [
    'valueQuantity',
    'valueCodeableConcept',
    'valueString',
    'valueRange',
    'valueRatio',
    'valueSampledData',
    'valueTime',
    'valueDateTime',
    'valuePeriod',
    'component',
  ],
  'OBX-7': ['referenceRange'],
}

function nullsIn(segment: Segment, resource: string): { place: string; removal: readonly Removal[] | undefined }[] {
  const rules = rulesOf(segment.name, resource)
  return segment.fields.flatMap((given, number) => {
    const place = `${segment.name}-${number}`
    if (given === undefined) return []
    if (!isNull(field(segment, number)))
      return nullRepetitions(place, given).map(one => ({ place: one, removal: undefined }))
    return [{ place, removal: removalsBy(place, number, rules) }]
  })
}

/** What is said of a resource without what these fields say; places that are no fields of it say nothing. */
export function withoutFields(said: Node, resource: string, places: readonly string[]): Node {
  const removals = places.flatMap(place => {
    const { segment, number } = parsePlace(place)
    return removalsBy(place, number, rulesOf(segment, resource)) ?? []
  })
  return removals.reduce<Node>((next, removal) => removeFrom(next, removal) ?? {}, said)
}

function removalsBy(place: string, number: number, rules: readonly FieldRule[]): readonly Removal[] | undefined {
  const coded = codedElements[place]
  if (coded !== undefined) return coded.map(element => ({ path: [element], marks: [] }))
  const rule = rules.find(({ from, to }) => parsePlace(from).number === number && to !== '$said')
  const removal = rule && removalOf(rule, rules)
  return removal && [removal]
}

/** A null among other repetitions does not say which of those that are known it means: `PID-13[1]`. */
export function nullRepetitions(place: string, given: Field): readonly string[] {
  return given.flatMap((repetition, at) => (given.length > 1 && isNull([repetition]) ? [`${place}[${at + 1}]`] : []))
}

function removalOf(rule: FieldRule, rules: readonly FieldRule[]): Removal | undefined {
  const path = rule.to.split('.')
  const [first = ''] = path
  const marks = marksOf(rule, rules)
  if (first.startsWith('identifier') || rule.needs !== undefined) return undefined
  // Who is contained is fed by other fields, too.
  if (path.slice(0, -1).some(step => step.includes('('))) return undefined
  if (!first.includes('[')) return { path: path.map(nameOf), marks: [] }
  // `""` for a home number says nothing of the one at work, nor PV1-7 of whom PV1-8 names.
  const isShared = rules.some(({ from, to }) => from !== rule.from && to === rule.to)
  if (marks.length === 0 && (isShared || /\[\d+\]/.test(first))) return undefined
  return { path: [nameOf(first)], marks }
}

/** By what the entries of a field are told from those of others: what stands beside them, or is put with them. */
function marksOf({ to, beside, with: constants }: FieldRule, rules: readonly FieldRule[]): readonly Node[] {
  const [entry] = beside === undefined ? [] : [beside].flat()
  if (entry !== undefined) return [entry]
  if (constants?.use !== undefined) return [{ use: constants.use }]
  const [named = ''] = to.split('.')
  const fixed = rules.filter(rule => rule.constant !== undefined && rule.to.startsWith(`${named}.`))
  return /\[[a-z]/.test(named) ? fixed.map(rule => ({ [rule.to.slice(named.length + 1)]: rule.constant })) : []
}

function nameOf(step: string): string {
  return step.replace(/[[(].*$/, '')
}

function removeFrom(node: Node, { path, marks }: Removal): Node | undefined {
  const [name = ''] = path
  // What was said of a primitive goes with it: `_birthDate` with `birthDate`.
  const { [`_${name}`]: _, ...bare } = node
  if (path.length === 1 && marks.length === 0) return withMember(bare, name, undefined)
  const list = node[name]
  if (list === undefined) return node
  if (Array.isArray(list) && marks.length > 0)
    return withMember(
      node,
      name,
      list.filter(entry => !marks.some(mark => isMarked(entry, mark))),
    )
  return withMember(node, name, withoutPath(list, path.slice(1)))
}

function isMarked(entry: Node, mark: Node): boolean {
  return Object.entries(mark).every(([name, value]) => JSON.stringify(entry[name]) === JSON.stringify(value))
}

function withoutPath(node: unknown, [name = '', ...rest]: readonly string[]): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined
  const child = (node as Node)[name]
  if (child === undefined) return node
  return withMember(node as Node, name, rest.length === 0 ? undefined : withoutPath(child, rest))
}

function withMember(node: Node, name: string, value: unknown): Node | undefined {
  const { [name]: _, ...others } = node
  const isNothing = value === undefined || (Array.isArray(value) && value.length === 0)
  const next = isNothing ? others : { ...node, [name]: value }
  return Object.keys(next).length === 0 ? undefined : next
}
