import { isNode } from '../walk.ts'
import type { Discriminator, TypeText } from './definition.ts'
import { urlOf } from './definition.ts'
import { type Item, itemsIn } from './items.ts'
import { Rules } from './rules.ts'
import { isExactly, isLike } from './values.ts'

/** What the slicing of an element has to ask of the profiles around it. */
export interface SliceContext {
  /** What the profiles of some types say. */
  rulesOf(types: readonly TypeText[]): readonly Rules[]
  /** Types that a target of a reference may have; each with its profile, where it is to conform to one. */
  targetTypes(types: readonly TypeText[]): readonly TypeText[]
  /** What a reference leads to: a stub without value where only its type is known. */
  resolve(item: Item): Item | undefined
  isOfType(item: Item, types: readonly TypeText[]): boolean
  conformsToOne(item: Item, profiles: readonly string[]): boolean
  isIn(valueSet: string, value: unknown): boolean
  /** Whether an item breaks nothing that a slice says. */
  conforms(rules: Rules, item: Item): boolean
}

const byUrl: readonly Discriminator[] = [{ type: 'value', path: 'url' }]
const byType: readonly Discriminator[] = [{ type: 'type', path: '$this' }]

/** What tells the slices of an element apart: those of choices and extensions need not say so. */
export function discriminatorsOf({ name, slicing }: Rules): readonly Discriminator[] {
  const said = slicing?.discriminators ?? []
  if (said.length > 0) return said
  if (name === 'extension' || name === 'modifierExtension') return byUrl
  return name.endsWith('[x]') ? byType : []
}

/**
 * Whether an item belongs to a slice.
 *
 * @see https://hl7.org/fhir/R4/profiling.html#discriminator
 */
export function isInSlice(
  item: Item,
  slice: Rules,
  discriminators: readonly Discriminator[],
  context: SliceContext,
): boolean {
  if (discriminators.length === 0) return context.conforms(slice, item)
  return discriminators.every(({ type = '', path = '$this' }) => {
    const steps = stepsOf(path)
    const rules = steps.reduce<readonly Rules[]>((found, step) => rulesAt(found, step, context), [slice])
    const items = steps.reduce<readonly Item[]>((found, step) => itemsAt(found, step, context), [item])
    return (tests[type] ?? hasValue)(items, rules, context, { slice, item })
  })
}

type Test = (
  items: readonly Item[],
  rules: readonly Rules[],
  context: SliceContext,
  whole: { readonly slice: Rules; readonly item: Item },
) => boolean

const hasValue: Test = (items, rules, context, { slice, item }) => {
  const telling = rules.flatMap(each => [each, ...context.rulesOf(each.types)]).filter(isTelling)
  if (telling.length > 0) return items.some(each => telling.every(one => isToldBy(one, each, context)))
  const urls = slice.types.flatMap(({ profile = [] }) => profile.map(urlOf))
  if (item.type === 'Extension' && urls.length > 0) return isNode(item.value) && urls.includes(String(item.value.url))
  return context.conforms(slice, item)
}

const tests: Readonly<Record<string, Test>> = {
  value: hasValue,
  pattern: hasValue,
  exists: (items, rules) => {
    if (rules.some(({ max }) => max === 0)) return items.length === 0
    return rules.some(({ min }) => min > 0) ? items.length > 0 : true
  },
  type: (items, rules, context) => {
    const typed = rules.map(typesOf).filter(types => types.length > 0)
    return items.some(item => typed.every(types => context.isOfType(item, types)))
  },
  profile: (items, rules, context) => {
    const profiles = rules.flatMap(({ types }) => types.flatMap(({ profile = [] }) => profile))
    return profiles.length === 0 || items.some(item => context.conformsToOne(item, profiles))
  },
}

/** A path such as `valueString` in a differential says a type as well. */
function typesOf({ types, slices }: Rules): readonly TypeText[] {
  return types.length > 0 ? types : [...slices.values()].flatMap(slice => (slice.min > 0 ? slice.types : []))
}

/** Whether rules say which values there are: a fixed one, a pattern, a required value set. */
function isTelling({ fixed, patterns, bindings, children }: Rules): boolean {
  return (
    fixed.length > 0 ||
    patterns.length > 0 ||
    bindings.some(({ isRequired }) => isRequired) ||
    children.values().some(child => isTelling(child) || child.slices.values().some(isNeeded))
  )
}

function isNeeded(slice: Rules): boolean {
  return slice.min > 0 && isTelling(slice)
}

function isToldBy(rules: Rules, item: Item, context: SliceContext): boolean {
  const { value } = item
  return (
    rules.fixed.every(fixed => isExactly(value, fixed)) &&
    rules.patterns.every(pattern => isLike(value, pattern)) &&
    rules.bindings.every(({ isRequired, valueSet }) => !isRequired || context.isIn(valueSet, value)) &&
    rules.children.values().every(child => isToldInside(child, item, context))
  )
}

function isToldInside(child: Rules, item: Item, context: SliceContext): boolean {
  const wanted = [...(isTelling(child) ? [child] : []), ...child.slices.values().filter(isNeeded)]
  if (wanted.length === 0) return true
  const items = itemsIn(item, child.name)
  return wanted.every(rules => items.some(each => isToldBy(rules, each, context)))
}

/** A step of a discriminator's path: a name, or one of the functions that are allowed there. */
interface Step {
  readonly name: string
  readonly argument: string | undefined
}

function stepsOf(path: string): readonly Step[] {
  const steps = path.match(/[^.(]+(?:\([^)]*\))?/g) ?? []
  return steps.map(toStep).filter(({ name }) => name !== '$this')
}

function toStep(text: string): Step {
  const [, name = text, argument] = /^([^(]+)\((.*)\)$/.exec(text) ?? []
  return { name, argument: argument?.replace(/^['"]|['"]$/g, '') }
}

function rulesAt(rules: readonly Rules[], { name, argument }: Step, context: SliceContext): readonly Rules[] {
  if (name === 'resolve') return rules.map(({ types }) => target(context.targetTypes(types)))
  const all = rules.flatMap(each => [each, ...context.rulesOf(each.types)])
  if (name === 'ofType') return all.flatMap(each => typed(each, argument))
  if (name === 'extension' && argument !== undefined)
    return all
      .flatMap(each => [...(each.children.get('extension')?.slices.values() ?? [])])
      .filter(each => isFor(each, argument))
  return all.flatMap(({ children }) => children.get(name) ?? children.get(`${name}[x]`) ?? [])
}

function target(types: readonly TypeText[]): Rules {
  const rules = new Rules('resolve()')
  rules.types = types
  return rules
}

function typed(rules: Rules, type: string | undefined): readonly Rules[] {
  const slices = [...rules.slices.values()].filter(({ types }) => types.some(({ code }) => code === type))
  return [rules, ...slices]
}

function isFor({ types, children }: Rules, url: string): boolean {
  const named = types.some(({ profile = [] }) => profile.some(each => urlOf(each) === url))
  return named || (children.get('url')?.fixed.includes(url) ?? false)
}

function itemsAt(items: readonly Item[], { name, argument }: Step, context: SliceContext): readonly Item[] {
  if (name === 'resolve') return items.flatMap(item => context.resolve(item) ?? [])
  if (name === 'ofType') return items.filter(({ type }) => type === argument)
  if (name === 'extension' && argument !== undefined)
    return items
      .flatMap(item => itemsIn(item, 'extension'))
      .filter(({ value }) => isNode(value) && value.url === argument)
  return items.flatMap(item => [...itemsIn(item, name), ...itemsIn(item, `${name}[x]`)])
}
