import type { Shape } from '#fhir'
import { appendAll } from '#kernel'
import { hasTwin, type ShapeName, shapeNamed } from './schema.ts'

/** A broken rule: which, and at which name of the object (empty for the object itself). */
export interface Breach {
  readonly rule: 'mandatory' | 'choice' | 'content' | 'extension'
  readonly name: string
}

type Check = (object: Readonly<Record<string, unknown>>) => readonly Breach[]

interface NameRule {
  /** Index among the choices of the shape, or -1. */
  readonly choice: number
  /** Index among the mandatory elements, or -1. */
  readonly mandatory: number
  readonly isPrimitive: boolean
  readonly isList: boolean
}

const nothing: readonly Breach[] = []

/**
 * The rules over the names of one object that JSON Schema says badly: mandatory elements (a primitive may stand as its twin
 * alone), at most one type of each choice, ele-1 (something beside an id; of a primitive value and twin together), and ext-1.
 *
 * @see https://hl7.org/fhir/R4/json.html#primitive
 */
export function objectRules(name: ShapeName): Check {
  const shape = shapeNamed(name)
  const { rules, choices, mandatory } = rulesOf(shape)
  const isExtension = shape.type === 'Extension'
  // A twin may be nothing but an id, beside a value: that is for the object that holds both.
  const isTwin = name === 'Element'
  const everyMandatory = 2 ** mandatory.length - 1
  return object => {
    const breaches: Breach[] = []
    let taken = 0
    let met = 0
    let content = 0
    for (const key in object) {
      if (key !== 'id' || isTwin) content++
      const rule = rules.get(key)
      if (rule === undefined) continue
      if (rule.mandatory >= 0) met |= 1 << rule.mandatory
      if (rule.choice >= 0 && !isSecondOfPair(key, object)) {
        if ((taken & (1 << rule.choice)) !== 0) breaches.push({ rule: 'choice', name: choices[rule.choice] ?? '' })
        taken |= 1 << rule.choice
      }
      if (mayBeEmpty(key, rule) && !isSecondOfPair(key, object))
        appendAll(breaches, emptyPrimitives(key, object, rule.isList))
    }
    if (met !== everyMandatory) appendAll(breaches, missing(mandatory, met))
    if (content === 0) breaches.push({ rule: 'content', name: '' })
    if (isExtension && (taken !== 0) === (object.extension !== undefined))
      breaches.push({ rule: 'extension', name: '' })
    return breaches.length === 0 ? nothing : breaches
  }
}

function missing(mandatory: readonly string[], met: number): readonly Breach[] {
  return mandatory.flatMap((name, index) => ((met & (1 << index)) === 0 ? [{ rule: 'mandatory', name } as const] : []))
}

/** A single value that is there is something; what may be missing is a twin's value, or an item of a list. */
function mayBeEmpty(key: string, { isPrimitive, isList }: NameRule): boolean {
  return isPrimitive && (isList || key.charCodeAt(0) === 0x5f)
}

/** `_valueString` beside `valueString` is one choice, not two. */
function isSecondOfPair(key: string, object: Readonly<Record<string, unknown>>): boolean {
  return key.charCodeAt(0) === 0x5f && object[key.slice(1)] !== undefined
}

/**
 * Places where a primitive has neither a value nor extensions. Lists are read as the public validators read them: what the
 * shorter of the two lacks at its end counts as null.
 *
 * @see https://hl7.org/fhir/R4/json.html#primitive
 */
function emptyPrimitives(key: string, object: Readonly<Record<string, unknown>>, isList: boolean): readonly Breach[] {
  const plain = key.charCodeAt(0) === 0x5f ? key.slice(1) : key
  const value = object[plain]
  const twin = object[`_${plain}`]
  if (!isList) return isMute(twin) ? [{ rule: 'content', name: plain }] : nothing
  const values = listOf(value)
  // Nearly every list has values alone, and none of them null.
  if (twin === undefined && !values.includes(null)) return nothing
  const twins = listOf(twin)
  const breaches: Breach[] = []
  for (let i = 0; i < Math.max(values.length, twins.length); i++)
    if ((values[i] ?? null) === null && isMute(twins[i])) breaches.push({ rule: 'content', name: `${plain}/${i}` })
  return breaches
}

/** What is no list is refused as such elsewhere. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** An id alone gives a primitive no content; a twin without anything is a fault of its own. */
function isMute(twin: unknown): boolean {
  if (typeof twin !== 'object') return twin === undefined
  return twin === null || ('id' in twin && !('extension' in twin))
}

interface ShapeRules {
  readonly rules: ReadonlyMap<string, NameRule>
  /** `value[x]` … in the order of their bits. */
  readonly choices: readonly string[]
  readonly mandatory: readonly string[]
}

/** @NOTE no R4 type has more than 31 choices or mandatory elements in one object, so that bits of one integer suffice. */
function rulesOf(shape: Shape): ShapeRules {
  const choices: string[] = []
  const mandatory: string[] = []
  const rules = new Map<string, NameRule>()
  for (const element of shape.elements.values()) {
    const written = element.path.slice(element.path.lastIndexOf('.') + 1)
    const rule = {
      choice: written.endsWith('[x]') ? indexIn(choices, written) : -1,
      mandatory: element.min > 0 ? indexIn(mandatory, written) : -1,
      isPrimitive: hasTwin(shape, element),
      isList: element.isList,
    }
    if (rule.isPrimitive) rules.set(`_${element.name}`, rule)
    if (rule.choice >= 0 || rule.mandatory >= 0 || (rule.isPrimitive && rule.isList)) rules.set(element.name, rule)
  }
  return { rules, choices, mandatory }
}

function indexIn(list: string[], name: string): number {
  const known = list.indexOf(name)
  return known >= 0 ? known : list.push(name) - 1
}
