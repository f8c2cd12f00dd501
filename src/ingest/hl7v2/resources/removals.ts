import type { Resource } from '#fhir'
import { withContained } from '../../contained.ts'
import { covers } from '../../standing.ts'
import { perEdition } from '../../tables.ts'
import { Draft, settled } from '../drafts.ts'
import { parsePlace } from '../message.ts'
import { type FieldRule, ownSegments, rulesBeside, rulesOf, segmentsFor } from '../tables.ts'

type Node = { readonly [element: string]: unknown }

/** An element on the way to what is taken away, perhaps the resource that it refers to. */
interface Step {
  readonly name: string
  readonly type?: string
}

/** An element to take away: all of it, or the entries of a list that have one of these marks. */
export interface Removal {
  readonly path: readonly Step[]
  readonly marks: readonly Node[]
  /** The type of the resource that the field names, where it names one. */
  readonly of?: string
  readonly isList?: true
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

const removalsByMap = perEdition(() => new Map<string, ReadonlyMap<string, readonly Removal[]>>())

/** What the fields of a segment take away of a resource by their `""`, by place; a field of which that cannot be told is not there. */
export function removalsOf(segment: string, resource: string): ReadonlyMap<string, readonly Removal[]> {
  const name = `${segment} ${resource}`
  const known = removalsByMap()
  const found = known.get(name) ?? new Map(removals(segment, resource))
  known.set(name, found)
  return found
}

function removals(segment: string, resource: string): readonly (readonly [string, readonly Removal[]])[] {
  const rules = rulesOf(segment, resource).filter(({ to }) => to !== '$said')
  const beside = rulesBeside(segment, resource)
  const isOwn = ownSegments(resource).includes(segment)
  const byField = Map.groupBy(rules, ({ from }) => `${segment}-${parsePlace(from).number}`)
  const coded = resource === 'Observation' && segment === 'OBX' ? Object.entries(codedElements) : []
  const plain = [...byField].flatMap(([place, of]) => {
    // What a sender's own segment gives, and others too, goes by nobody's null but by one that can be told.
    const isTold = (one: Removal) => one.marks.length > 0 || !beside.some(({ to }) => sharesWith(one, to, isOwn))
    const found = removalsBy(of, rules).filter(isTold)
    return found.length === 0 ? [] : [[place, found] as const]
  })
  return [...plain, ...coded.map(([place, names]) => [place, names.map(whole)] as const)]
}

/** What one field gives in several ways; nothing where its first way does not tell. What it says besides in constants stays. */
function removalsBy(of: readonly FieldRule[], rules: readonly FieldRule[]): readonly Removal[] {
  const [first, ...others] = of.map(rule => removalOf(rule, rules))
  if (first === undefined && of[0]?.to.includes('(') !== true) return []
  const further = others.filter((one, at) => of[at + 1]?.constant === undefined && !isOfAll(one))
  return [first, ...further].filter(one => one !== undefined)
}

/** Whether what another segment's rule gives would go too: of a list, and of a single element where the null is the sender's own. */
function sharesWith({ path: [step], isList }: Removal, to: string, isOwn: boolean): boolean {
  return step?.name === listOf(to) && (isOwn || isList === true)
}

/** Whether all entries of a list would go, whichever field they are of. */
function isOfAll(removal: Removal | undefined): boolean {
  return removal?.marks.length === 0 && removal.path.length === 1 && removal.isList === true
}

function whole(name: string): Removal {
  return { path: [{ name }], marks: [] }
}

function removalOf(rule: FieldRule, rules: readonly FieldRule[]): Removal | undefined {
  const path = rule.to.split('.').map(stepOf)
  const [first = ''] = rule.to.split('.')
  const isReferring = path.slice(0, -1).some(({ type }) => type !== undefined)
  if (first.startsWith('identifier') || (rule.needs !== undefined && !isReferring)) return undefined
  const of = /\[(\w+)\]$/.exec(rule.as ?? '')?.[1]
  const named = of === undefined ? {} : { of }
  if (!first.includes('[')) return { path, marks: [], ...named }
  const marks = marksOf(rule, rules)
  // `""` for a home number says nothing of the one at work, nor PV1-7 of whom PV1-8 names.
  const isShared = rules.some(({ from, to }) => from !== rule.from && (to === rule.to || isReferredIn(to, rule.to)))
  if (marks.length === 0 && (isShared || /\[\d+\]/.test(first))) return undefined
  return { path: isReferring ? path : path.slice(0, 1), marks, isList: true, ...named }
}

/** Whether a path leads through a reference in the list to which another one adds. */
function isReferredIn(path: string, other: string): boolean {
  return listOf(path) === listOf(other) && /^\w+\[[^\]]*\]\(/.test(path)
}

function stepOf(text: string): Step {
  const type = /\((\w+)\)$/.exec(text)?.[1]
  return { name: listOf(text), ...(type === undefined ? {} : { type }) }
}

function listOf(path: string): string {
  return path.replace(/[[(.].*$/, '')
}

/** By what the entries of a field are told from those of others: what stands beside them, or is put with them. */
function marksOf({ to, beside, with: constants }: FieldRule, rules: readonly FieldRule[]): readonly Node[] {
  const [entry, within] = beside === undefined ? [] : [beside].flat()
  // Extensions of one kind are told from each other by what is within them.
  if (entry !== undefined) return [within?.url === undefined ? entry : { ...entry, extension: [within] }]
  if (constants?.use !== undefined) return [{ use: constants.use }]
  const [named = ''] = to.split('.')
  if (!/\[[a-z]/.test(named)) return []
  const alike = rules.filter(rule => rule.to.startsWith(`${named}.`))
  const [shared] = alike.flatMap(rule => rule.beside ?? [])
  const fixed = alike.filter(({ constant }) => constant !== undefined)
  return shared === undefined ? fixed.map(rule => ({ [rule.to.slice(named.length + 1)]: rule.constant })) : [shared]
}

/** Whether what two fields give is, or may be, the same: of `requester` and `requester.practitioner` for one. */
export function overlap(one: Removal, other: Removal): boolean {
  const [short, long] = one.path.length < other.path.length ? [one, other] : [other, one]
  if (!short.path.every(({ name }, at) => name === long.path[at]?.name)) return false
  if (one.marks.length === 0 || other.marks.length === 0) return true
  return one.marks.some(mark => other.marks.some(it => JSON.stringify(it) === JSON.stringify(mark)))
}

/** A resource without what a removal takes away; the very same where nothing of it is there. */
export function removeFrom<T extends Node>(resource: T, removal: Removal): T {
  const held = heldBy(resource)
  const next = without(resource, removal.path, removal, held)
  if (next === resource || held.size === 0) return next as T
  const { contained, ...rest } = next
  const { contained: made, ...elements } = settled({ ...rest })
  const all = [...held.values(), ...(Array.isArray(made) ? made : [])]
  return withContained<Node>({ ...elements, contained: all }, { contained: all }) as T
}

/** The elements of a resource in which a field gives something. */
export function elementsOf(resource: string, place: string): readonly string[] {
  const removals = removalsOf(parsePlace(place).segment, resource).get(place) ?? []
  return removals.flatMap(({ path: [step] }) => (step === undefined ? [] : [step.name, `_${step.name}`]))
}

/** Whether anything is there that a removal takes away. */
export function isThere(resource: Node, removal: Removal): boolean {
  return without(resource, removal.path, removal, heldBy(resource)) !== resource
}

/**
 * The entries of a list that fields have given of which a message says nothing. Only what is told from the entries of other fields by a
 * mark is known to be of its own.
 *
 * @param said  the fields that the message says: `OBR-35`
 */
export function entriesOfOthers(resource: Resource, list: string, said: readonly string[]): readonly unknown[] {
  const entries = resource[list]
  if (!Array.isArray(entries)) return []
  const fields = segmentsFor(resource.resourceType).flatMap(segment => [...removalsOf(segment, resource.resourceType)])
  const [spoken, silent] = [true, false].map(isSaid =>
    fields
      .filter(([place]) => said.includes(place) === isSaid)
      .flatMap(([, removals]) => removals.filter(({ path: [step], marks }) => step?.name === list && marks.length > 0)),
  )
  if (silent === undefined || silent.length === 0) return []
  const held = heldBy(resource)
  const isOf = (removals: readonly Removal[] | undefined, entry: unknown) =>
    removals?.some(removal => isMarked(referent(entry, removal.path[0] as Step, held), removal)) === true
  return entries.filter(entry => isOf(silent, entry) && !isOf(spoken, entry))
}

function heldBy({ contained }: Node): Held {
  return new Map((Array.isArray(contained) ? (contained as Contained[]) : []).map(one => [one.id, one]))
}

interface Contained extends Node {
  readonly resourceType: string
  readonly id: string
}

type Held = ReadonlyMap<string, Contained>

/** The node without what a path leads to. */
function without(node: Node, [step, ...rest]: readonly Step[], removal: Removal, held: Held): Node {
  const value = step && node[step.name]
  if (step === undefined || value === undefined) return node
  if (rest.length === 0 && removal.marks.length === 0) {
    const part = Array.isArray(value) ? undefined : partOf(value, removal, held)
    return part === undefined ? withoutMember(node, step.name) : { ...node, [step.name]: part }
  }
  const inner = { ...removal, marks: [] }
  const each = (entry: unknown) => withoutWithin(entry, step, rest, inner, held)
  if (!Array.isArray(value)) return changed(node, step.name, value, each(value))
  const left = value.map(entry => {
    if (!isMarked(referent(entry, step, held), removal)) return entry
    return rest.length === 0 ? undefined : each(entry)
  })
  if (left.every((entry, at) => entry === value[at])) return node
  const kept = left.filter(entry => entry !== undefined && !saysOnly(entry, removal))
  return kept.length === 0 ? withoutMember(node, step.name) : { ...node, [step.name]: kept }
}

function changed(node: Node, name: string, before: unknown, after: unknown): Node {
  if (after === before) return node
  return after === undefined ? withoutMember(node, name) : { ...node, [name]: after }
}

/** What was said of a primitive goes with it: `_birthDate` with `birthDate`. */
function withoutMember(node: Node, name: string): Node {
  const { [name]: _, [`_${name}`]: __, ...others } = node
  return others
}

function withoutWithin(entry: unknown, step: Step, rest: readonly Step[], removal: Removal, held: Held): unknown {
  if (!isNode(entry) && !(entry instanceof Draft)) return entry
  if (step.type === undefined) {
    if (entry instanceof Draft) return entry
    const next = without(entry, rest, removal, held)
    return next === entry ? entry : Object.keys(next).length === 0 ? undefined : next
  }
  const draft = entry instanceof Draft ? entry : opened(entry, held)
  if (draft === undefined) return entry
  // Whom a field names in the role of another one's is referred to without one where no other field says the role.
  if (draft.resourceType !== step.type)
    return rest.length === 1 && rest[0]?.name === draft.resourceType.toLowerCase() ? undefined : entry
  const next = without(draft.elements, rest, removal, held)
  return next === draft.elements ? entry : new Draft(draft.resourceType, next, undefined, draft.beside)
}

/** The resource that is referred to without the one that the field names, where it holds more: a role without its practitioner. */
function partOf(reference: unknown, { of = '' }: Removal, held: Held): Draft | undefined {
  const draft = isNode(reference) ? opened(reference, held) : undefined
  const name = of.toLowerCase()
  if (draft === undefined || draft.resourceType === of || draft.elements[name] === undefined) return undefined
  const { [name]: _, ...elements } = draft.elements
  return Object.keys(elements).length === 0
    ? undefined
    : new Draft(draft.resourceType, elements, undefined, draft.beside)
}

/** What a reference to a contained resource refers to, and so do those in it. */
function opened({ reference, type: _, identifier: __, display, ...beside }: Node, held: Held): Draft | undefined {
  const found = typeof reference === 'string' && reference.startsWith('#') ? held.get(reference.slice(1)) : undefined
  if (found === undefined) return undefined
  const { resourceType, id, ...elements } = found
  const words = typeof display === 'string' ? display : undefined
  return new Draft(resourceType, openedWithin(elements, held) as Record<string, unknown>, words, beside)
}

function openedWithin(value: unknown, held: Held): unknown {
  if (Array.isArray(value)) return value.map(entry => openedWithin(entry, held))
  if (!isNode(value)) return value
  const draft = opened(value, held)
  return draft ?? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, openedWithin(part, held)]))
}

/** An entry, or the resource to which it refers, by which it is told whose it is. */
function referent(entry: unknown, { type }: Step, held: Held): Node {
  if (!isNode(entry)) return {}
  const name = type === undefined ? '' : String(entry.reference ?? '').replace(/^#/, '')
  return held.get(name) ?? entry
}

function isMarked(entry: Node, { marks }: Removal): boolean {
  if (marks.length === 0) return true
  return marks.some(mark => covers(entry, mark))
}

/** A role of which only its kind is left says nothing. */
function saysOnly(entry: unknown, { marks }: Removal): boolean {
  if (!(entry instanceof Draft)) return false
  return marks.some(mark => covers(mark, entry.elements))
}

/** A Decimal prints itself; it is not taken apart. */
function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
