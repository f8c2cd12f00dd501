import type { Shape } from '#fhir'
import { hasTwin, type ShapeName, shapeNamed } from './schema.ts'

/** A broken rule: which, and at which name of the object (empty for the object itself). */
export interface Breach {
  readonly rule: 'mandatory' | 'choice' | 'content' | 'extension' | 'twins'
  readonly name: string
}

type Check = (object: Readonly<Record<string, unknown>>) => readonly Breach[]

interface NameRule {
  /** Index among the choices of the shape, or -1. */
  readonly choice: number
  /** Index among the mandatory elements, or -1. */
  readonly mandatory: number
  readonly isPrimitiveList: boolean
}

const nothing: readonly Breach[] = []

/**
 * The rules over the names of one object that JSON Schema says badly: mandatory elements (a primitive may stand as its twin
 * alone), at most one type of each choice, ele-1 (something beside an id), ext-1, and nulls in lists of primitives.
 *
 * @see https://hl7.org/fhir/R4/json.html#primitive
 */
export function objectRules(name: ShapeName): Check {
  const shape = shapeNamed(name)
  const { rules, choices, mandatory } = rulesOf(shape)
  const isExtension = shape.type === 'Extension'
  const everyMandatory = 2 ** mandatory.length - 1
  return object => {
    const breaches: Breach[] = []
    let taken = 0
    let met = 0
    let content = 0
    for (const key in object) {
      if (key !== 'id') content++
      const rule = rules.get(key)
      if (rule === undefined) continue
      if (rule.mandatory >= 0) met |= 1 << rule.mandatory
      if (rule.choice >= 0 && !isSecondOfPair(key, object)) {
        if ((taken & (1 << rule.choice)) !== 0) breaches.push({ rule: 'choice', name: choices[rule.choice] ?? '' })
        taken |= 1 << rule.choice
      }
      if (rule.isPrimitiveList && !isPaired(key, object)) breaches.push({ rule: 'twins', name: key })
    }
    if (met !== everyMandatory) breaches.push(...missing(mandatory, met))
    if (content === 0) breaches.push({ rule: 'content', name: '' })
    if (isExtension && (taken !== 0) === (object.extension !== undefined))
      breaches.push({ rule: 'extension', name: '' })
    return breaches.length === 0 ? nothing : breaches
  }
}

function missing(mandatory: readonly string[], met: number): readonly Breach[] {
  return mandatory.flatMap((name, index) => ((met & (1 << index)) === 0 ? [{ rule: 'mandatory', name } as const] : []))
}

/** `_valueString` beside `valueString` is one choice, not two. */
function isSecondOfPair(key: string, object: Readonly<Record<string, unknown>>): boolean {
  return key.charCodeAt(0) === 0x5f && object[key.slice(1)] !== undefined
}

/** Position by position a value or extensions, never null in both. */
function isPaired(key: string, object: Readonly<Record<string, unknown>>): boolean {
  if (isSecondOfPair(key, object)) return true
  const list = object[key]
  const twin = key.charCodeAt(0) === 0x5f ? undefined : object[`_${key}`]
  if (!Array.isArray(list)) return true
  if (!Array.isArray(twin)) return !list.includes(null)
  return list.length === twin.length && list.every((item, index) => item !== null || twin[index] !== null)
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
      isPrimitiveList: element.isList && hasTwin(shape, element),
    }
    if (rule.choice < 0 && rule.mandatory < 0 && !rule.isPrimitiveList) continue
    rules.set(element.name, rule)
    if (hasTwin(shape, element)) rules.set(`_${element.name}`, rule)
  }
  return { rules, choices, mandatory }
}

function indexIn(list: string[], name: string): number {
  const known = list.indexOf(name)
  return known >= 0 ? known : list.push(name) - 1
}
