import { isNode } from '../walk.ts'
import type { Discriminator, TypeText } from './definition.ts'
import { urlOf } from './definition.ts'
import { type Item, isStub, itemsIn, untold } from './items.ts'
import { Rules } from './rules.ts'
import { all, any, type Standing } from './standing.ts'
import { isExactly, isLike } from './values.ts'

/** What the slicing of an element has to ask of the profiles around it. */
export interface SliceContext {
  /** What the profiles of some types say. */
  rulesOf(types: readonly TypeText[]): readonly Rules[]
  /** Types that a target of a reference may have; each with its profile, where it is to conform to one. */
  targetTypes(types: readonly TypeText[]): readonly TypeText[]
  /** What a reference leads to: a stub without value where only its type is known. */
  resolve(item: Item): Item | undefined
  /** As `isInSlice`. */
  isOfType(item: Item, types: readonly TypeText[]): Standing
  /** As `isInSlice`: without profiles any will do. */
  conformsToAny(item: Item, types: readonly TypeText[]): Standing
  isIn(valueSet: string, value: unknown): Standing
  /** Whether all profiles that types name are held. */
  areHeld(types: readonly TypeText[]): boolean
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
 * Whether an item belongs to a slice. What turns on what is not held, or on a target that lies elsewhere, cannot be told.
 *
 * @see https://hl7.org/fhir/R4/profiling.html#discriminator
 */
export function isInSlice(
  item: Item,
  slice: Rules,
  discriminators: readonly Discriminator[],
  context: SliceContext,
): Standing {
  if (discriminators.length === 0) return context.conforms(slice, item)
  return all(discriminators, ({ type = '', path = '$this' }) => {
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
) => Standing

const hasValue: Test = (items, rules, context, { slice, item }) => {
  const telling = rules.flatMap(each => [each, ...context.rulesOf(each.types)]).filter(isTelling)
  if (telling.length > 0) return any(items, each => all(telling, one => isToldBy(one, each, context)))
  const urls = slice.types.flatMap(({ profile = [] }) => profile.map(urlOf))
  if (item.type === 'Extension' && urls.length > 0) return isNode(item.value) && urls.includes(String(item.value.url))
  if (!context.conforms(slice, item)) return false
  return items.some(isStub) || ![slice, ...rules].every(({ types }) => context.areHeld(types)) ? undefined : true
}

const tests: Readonly<Record<string, Test>> = {
  value: hasValue,
  pattern: hasValue,
  exists: (items, rules) => {
    if (items.some(isStub)) return undefined
    if (rules.some(({ max }) => max === 0)) return items.length === 0
    return rules.some(({ min }) => min > 0) ? items.length > 0 : true
  },
  type: (items, rules, context) => {
    const typed = rules.map(typesOf).filter(types => types.length > 0)
    return any(items, item => all(typed, types => context.isOfType(item, types)))
  },
  profile: (items, rules, context) => {
    const types = rules.flatMap(each => each.types)
    return types.length === 0 || any(items, item => context.conformsToAny(item, types))
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

function isToldBy(rules: Rules, item: Item, context: SliceContext): Standing {
  const { value } = item
  if (isStub(item)) return undefined
  if (!rules.fixed.every(fixed => isExactly(value, fixed))) return false
  if (!rules.patterns.every(pattern => isLike(value, pattern))) return false
  const sets = rules.bindings.filter(({ isRequired }) => isRequired)
  const isIn = all(sets, ({ valueSet }) => context.isIn(valueSet, value))
  return isIn === false ? false : all([isIn, ...insideOf(rules, item, context)], each => each)
}

function* insideOf({ children }: Rules, item: Item, context: SliceContext): Generator<Standing> {
  for (const child of children.values()) yield isToldInside(child, item, context)
}

function isToldInside(child: Rules, item: Item, context: SliceContext): Standing {
  const wanted = [...(isTelling(child) ? [child] : []), ...child.slices.values().filter(isNeeded)]
  if (wanted.length === 0) return true
  const items = itemsIn(item, child.name)
  return all(wanted, rules => any(items, each => isToldBy(rules, each, context)))
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
  const stubs = items.filter(isStub).map(untold)
  if (stubs.length > 0)
    return [
      ...stubs,
      ...itemsAt(
        items.filter(item => !isStub(item)),
        { name, argument },
        context,
      ),
    ]
  if (name === 'resolve') return items.map(item => context.resolve(item) ?? untold(item))
  if (name === 'ofType') return items.filter(({ type }) => type === argument)
  if (name === 'extension' && argument !== undefined)
    return items
      .flatMap(item => itemsIn(item, 'extension'))
      .filter(({ value }) => isNode(value) && value.url === argument)
  return items.flatMap(item => [...itemsIn(item, name), ...itemsIn(item, `${name}[x]`)])
}
