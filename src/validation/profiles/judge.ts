import type { ErrorObject } from 'ajv'
import { isResourceType } from '#fhir'
import { isInSet } from '../content/bindings.ts'
import { listOf } from '../content/check.ts'
import { faultAt } from '../faults.ts'
import type { Extent } from '../invariants.ts'
import { isWarning } from '../issues.ts'
import { resourceAt, targetOf } from '../references.ts'
import { isNode, type Node, type Surroundings } from '../walk.ts'
import { elementsAt } from './build.ts'
import { type Asked, holds } from './constraints.ts'
import type { TypeText } from './definition.ts'
import { type Item, insideOf, isStub, itemOfResource, itemsIn, stubOf } from './items.ts'
import type { Members } from './members.ts'
import { type Profile, type Profiles, typeIn } from './profiles.ts'
import { tooCostly } from './refusals.ts'
import type { Rules } from './rules.ts'
import { discriminatorsOf, isInSlice, type SliceContext } from './slicing.ts'
import { any, type Standing } from './standing.ts'
import { compared, isExactly, isLike } from './values.ts'

/** More are of no use, and cost as much again. */
const mostFaults = 200

/** Kinds of a quantity are quantities. */
const kindOf: Readonly<Record<string, string>> = {
  Age: 'Quantity',
  Count: 'Quantity',
  Distance: 'Quantity',
  Duration: 'Quantity',
}

/** What R4 gives out as types of their own, and nothing in a resource tells. */
const alias: Readonly<Record<string, string>> = { SimpleQuantity: 'Quantity', MoneyQuantity: 'Quantity' }

const ofAll: ReadonlySet<string> = new Set(['Resource', 'DomainResource', 'Element', 'BackboneElement'])

/** Judges resources by profiles, which only add to what R4 says of a type: whoever asks has had that checked. */
export class Judge {
  readonly #profiles: Profiles
  readonly #members: Members
  readonly #extent: Extent
  #faults: ErrorObject[] = []
  /** What is being judged, and by which: profiles may lead in circles. */
  readonly #open = new Map<unknown, Set<Profile>>()
  /** Whose profile speaks. */
  #speaker: Profile | undefined

  constructor(profiles: Profiles, extent: Extent) {
    this.#profiles = profiles
    this.#members = profiles.members
    this.#extent = extent
  }

  /**
   * What a resource, or an element of one, breaks of a profile.
   *
   * @throws Problem `too-costly` · `validation.too-costly` for what is nested too deeply
   */
  faultsOf(item: Item, profile: Profile): readonly ErrorObject[] {
    try {
      return this.#collect(() => this.#against(item, profile))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw tooCostly(error)
    }
  }

  #collect(work: () => void): readonly ErrorObject[] {
    const before = this.#faults
    this.#faults = []
    try {
      work()
      return this.#faults
    } finally {
      this.#faults = before
    }
  }

  #tell(keyword: string, at: string, more: object = {}): void {
    if (this.#faults.length < mostFaults)
      this.#faults.push({ ...faultAt(keyword, at), params: { profile: this.#speaker?.url, ...more } })
  }

  #warn(keyword: string, at: string, more: object = {}): void {
    if (this.#extent === 'warnings-too') this.#tell(keyword, at, more)
  }

  #against(item: Item, profile: Profile): void {
    const object = item.value ?? item.twin
    const open = this.#open.get(object) ?? new Set()
    if (open.has(profile)) return
    const before = this.#speaker
    this.#open.set(object, open.add(profile))
    this.#speaker = profile
    try {
      if (isKind(item.type, profile.type)) this.#item(profile.rules, item)
      else this.#tell('profileOfOther', item.at)
    } finally {
      this.#speaker = before
      open.delete(profile)
      if (open.size === 0) this.#open.delete(object)
    }
  }

  #item(rules: Rules, item: Item): void {
    this.#values(rules, item)
    this.#instead(rules, item)
    this.#types(rules, item)
    this.#constraints(rules, item)
    this.#inside(rules, item)
  }

  #values({ fixed, patterns, least, most, minLength = 0, maxLength, bindings }: Rules, { value, at }: Item): void {
    if (!fixed.every(each => isExactly(value, each))) this.#tell('profileFixed', at)
    if (!patterns.every(each => isLike(value, each))) this.#tell('profilePattern', at)
    if (value === undefined) return
    if (least !== undefined && (compared(value, least) ?? 0) < 0) this.#tell('profileLeast', at)
    if (most !== undefined && (compared(value, most) ?? 0) > 0) this.#tell('profileMost', at)
    if (typeof value === 'string' && isTooLong(value, maxLength)) this.#tell('profileLength', at)
    if (typeof value === 'string' && minLength > 0 && [...value].length < minLength) this.#tell('profileShort', at)
    for (const { isRequired, valueSet } of bindings) this.#binding(isRequired, valueSet, value, at)
  }

  /** What stands in place of a value. */
  #instead({ withoutValue }: Rules, item: Item): void {
    if (withoutValue === undefined || item.value !== undefined || isStub(item)) return
    if (withoutValue === false) this.#tell('profileValue', item.at)
    else if (!listOf(item.twin?.extension).some(each => isNode(each) && withoutValue.includes(String(each.url))))
      this.#tell('profileValueOr', item.at)
  }

  #binding(isRequired: boolean, valueSet: string, value: unknown, at: string): void {
    if (!isRequired && this.#extent === 'errors') return
    const found = isInSet(valueSet, value, this.#members.ask)
    if (found === 'out') this.#tell(isRequired ? 'profileCode' : 'profileCodeWanted', at, { valueSet })
    else if (found === 'unknown' && isRequired) this.#warn('profileCodeUntold', at, { valueSet })
  }

  #types({ types }: Rules, item: Item): void {
    if (types.length === 0) return
    const fitting = types.filter(({ code = '' }) => isKind(item.type, code))
    if (fitting.length === 0) {
      this.#tell('profileType', item.at)
      return
    }
    if (fitting.every(({ profile = [] }) => profile.length > 0))
      this.#byProfiles(
        item,
        fitting.flatMap(({ profile = [] }) => profile),
      )
    if (fitting.every(({ targetProfile = [] }) => targetProfile.length > 0)) this.#target(item, fitting)
    const aggregation = new Set(fitting.flatMap(({ aggregation = [] }) => aggregation))
    if (aggregation.size > 0 && !fitsAggregation(item, aggregation)) this.#tell('profileAggregation', item.at)
  }

  /** A value conforms to one of the profiles of its type. What is not held may be conformed to. */
  #byProfiles(item: Item, canonicals: readonly string[]): void {
    const [only, ...others] = canonicals
    const profile = only === undefined || others.length > 0 ? undefined : this.#profiles.find(only)
    if (profile !== undefined) this.#against(item, profile)
    else if (!canonicals.every(canonical => this.#isHeld(canonical))) this.#warn('profileUnheld', item.at)
    else if (this.#conformsToOne(item, canonicals) === false) this.#tell('profileNone', item.at)
  }

  #isHeld(canonical: string): boolean {
    return typeIn(canonical) !== undefined || this.#profiles.find(canonical) !== undefined
  }

  #conforms(item: Item, profile: Profile): boolean {
    return this.#collect(() => this.#against(item, profile)).every(isWarning)
  }

  #target(item: Item, types: readonly TypeText[]): void {
    const allowed = this.#targetTypes(types)
    const target = this.#resolve(item)
    if (target === undefined || !isResourceType(target.type)) return
    const fitting = allowed.filter(({ code = 'Resource' }) => isKind(target.type, code))
    const profiles = fitting.flatMap(({ profile = [] }) => profile)
    const isFree = fitting.some(({ profile = [] }) => profile.length === 0)
    if (fitting.length === 0) this.#tell('profileTarget', item.at)
    else if (!isFree && this.#conformsToOne(target, profiles) === false) this.#tell('profileTarget', item.at)
  }

  /** What is not held may be of any type, and conform to what is not known. */
  #targetTypes(types: readonly TypeText[]): readonly TypeText[] {
    return types.flatMap(({ targetProfile = [] }) =>
      targetProfile.map(canonical => {
        const type = typeIn(canonical)
        if (type !== undefined) return { code: type }
        const profile = this.#profiles.find(canonical)
        return { code: profile?.type ?? 'Resource', profile: [canonical] }
      }),
    )
  }

  #conformsToOne(item: Item, canonicals: readonly string[]): Standing {
    return any(canonicals, canonical => {
      const type = typeIn(canonical)
      if (type !== undefined) return isOfKind(item, type)
      const profile = this.#profiles.find(canonical)
      if (profile === undefined) return undefined
      const isOf = isOfKind(item, profile.type)
      if (isOf === false) return false
      return isStub(item) ? undefined : this.#conforms(item, profile)
    })
  }

  /** What a reference leads to: a stub where only its type can be told, nothing where not even that. */
  #resolve({ value, at, around }: Item): Item | undefined {
    const reference = isNode(value) ? value.reference : value
    if (typeof reference !== 'string') return undefined
    const found = resourceAt(reference, around)
    if (found !== undefined) return itemOfResource(found, at, surrounding(found, around))
    const type = targetOf(reference, around) ?? (isNode(value) ? value.type : undefined)
    return typeof type === 'string' ? stubOf(type, at, around) : undefined
  }

  #constraints({ constraints }: Rules, item: Item): void {
    for (const constraint of constraints) {
      const { severity } = constraint
      if (severity === 'warning' && this.#extent === 'errors') continue
      const isSo = holds(constraint, item, this.#asked)
      if (isSo === false) this.#tell('profileConstraint', item.at, { constraint })
      else if (isSo === undefined) this.#warn('profileConstraintUntold', item.at, { constraint })
    }
  }

  readonly #asked: Asked = {
    isIn: (valueSet, value) => {
      const found = isInSet(valueSet, value, this.#members.ask)
      return found === 'unknown' ? undefined : found === 'in'
    },
    conforms: (resource, canonical, item) => {
      const type = typeIn(canonical)
      if (type !== undefined) return resource.resourceType === type
      const profile = this.#profiles.find(canonical)
      return profile && this.#conforms(itemOfResource(resource, item.at, surrounding(resource, item.around)), profile)
    },
    resolve: (reference, { around }) => resourceAt(reference, around) ?? resourceAt(reference, asBundle(around)),
  }

  readonly #slicing: SliceContext = {
    rulesOf: types =>
      types.flatMap(({ profile = [] }) => profile.flatMap(canonical => this.#profiles.find(canonical)?.rules ?? [])),
    targetTypes: types => this.#targetTypes(types),
    resolve: item => this.#resolve(item),
    isOfType: (item, types) =>
      any(types, ({ code = '', profile = [] }) => {
        const isOf = isOfKind(item, code)
        return isOf && code === 'Resource' && !profile.every(each => this.#isHeld(each)) ? undefined : isOf
      }),
    conformsToAny: (item, types) =>
      any(types, ({ code = '', profile = [] }) => {
        const isOf = isOfKind(item, code)
        return isOf === false || profile.length === 0 ? isOf : this.#conformsToOne(item, profile)
      }),
    isIn: (valueSet, value) => this.#asked.isIn(valueSet, value),
    areHeld: types => types.every(({ profile = [] }) => profile.every(each => this.#isHeld(each))),
    conforms: (rules, item) => this.#collect(() => this.#item(rules, item)).every(isWarning),
  }

  #inside(rules: Rules, item: Item): void {
    for (const child of rules.children.values()) this.#element(child, item)
  }

  #element(rules: Rules, parent: Item): void {
    const inside = insideOf(parent)
    if (inside === undefined || elementsAt(inside.shape, rules.name).length === 0) return
    const items = itemsIn(parent, rules.name)
    const at = `${parent.at}/${rules.name}`
    if (items.length < rules.min) this.#tell('profileMin', at, { min: rules.min })
    if (items.length > rules.max) this.#tell('profileMax', at, { max: rules.max })
    for (const item of items) this.#item(rules, item)
    this.#slices(rules, items, at)
  }

  #slices(rules: Rules, items: readonly Item[], at: string): void {
    if (rules.slices.size === 0) return
    const slices = [...rules.slices]
    const discriminators = discriminatorsOf(rules)
    const open = new Map<number, number>()
    const places = items.map(item => {
      let isOpen = false
      const place = slices.findIndex(([, slice], index) => {
        const isIn = isInSlice(item, slice, discriminators, this.#slicing)
        if (isIn !== undefined) return isIn
        isOpen = true
        open.set(index, (open.get(index) ?? 0) + 1)
        return false
      })
      return place < 0 && isOpen ? undefined : place
    })
    for (const [index, [name, slice]] of slices.entries()) {
      const own = items.filter((_, each) => places[each] === index)
      this.#slice(slice, name, own, { at, mayBe: open.get(index) ?? 0 })
    }
    this.#rest(rules, items, places)
  }

  /** @param mayBe  how many more may belong to the slice */
  #slice(rules: Rules, name: string, items: readonly Item[], { at, mayBe }: { at: string; mayBe: number }): void {
    if (items.length + mayBe < rules.min) this.#tell('profileSliceMin', at, { slice: name, min: rules.min })
    if (items.length > rules.max) this.#tell('profileSliceMax', at, { slice: name, max: rules.max })
    for (const item of items) this.#item(rules, item)
    this.#slices(rules, items, at)
  }

  /** What belongs to no slice, and the order of what does. @see https://hl7.org/fhir/R4/valueset-resource-slicing-rules.html */
  #rest({ slicing }: Rules, items: readonly Item[], places: readonly (number | undefined)[]): void {
    const lastSliced = places.findLastIndex(place => place !== undefined && place >= 0)
    let highest = 0
    for (const [index, item] of items.entries()) {
      const place = places[index]
      // It may belong to any.
      if (place === undefined) continue
      if (place < 0) {
        if (slicing?.rules === 'closed') this.#tell('profileUnsliced', item.at)
        if (slicing?.rules === 'openAtEnd' && index < lastSliced) this.#tell('profileOrder', item.at)
      } else if (slicing?.isOrdered && place < highest) this.#tell('profileOrder', item.at)
      highest = Math.max(highest, place)
    }
  }
}

/** Whether a type is a named one, or a kind of it. */
export function isKind(type: string, named: string): boolean {
  const wanted = alias[named] ?? named
  return type === wanted || ofAll.has(wanted) || kindOf[type] === wanted
}

function isOfKind({ type }: Item, named: string): Standing {
  return type === '' ? undefined : isKind(type, named)
}

function isTooLong(text: string, most: number | undefined): boolean {
  return most !== undefined && text.length > most && [...text].length > most
}

function fitsAggregation({ value, around }: Item, allowed: ReadonlySet<string>): boolean {
  const reference = isNode(value) ? value.reference : undefined
  if (typeof reference !== 'string') return true
  if (reference.startsWith('#')) return allowed.has('contained')
  if (allowed.has('referenced')) return true
  return allowed.has('bundled') && (around.bundle === undefined || resourceAt(reference, around) !== undefined)
}

/** What is asked of a Bundle itself may be about references in its entries. */
function asBundle({ container, ...around }: Surroundings): Surroundings {
  return { ...around, container, bundle: container.resourceType === 'Bundle' ? container : around.bundle }
}

/** A resource that is found by a reference: one that is contained shares its container. */
function surrounding(found: Node, around: Surroundings): Surroundings {
  const { container } = around
  const isContained = Array.isArray(container.contained) && container.contained.includes(found)
  return isContained ? { ...around, resource: found } : { ...around, resource: found, container: found }
}
