import { isDeepStrictEqual } from 'node:util'
import { converters, type FieldContext, timeConverters } from './data-types.ts'
import type { Ledger } from './ledger.ts'
import { field, isEmpty, parsePlace, type Segment } from './message.ts'
import type { FieldRule } from './tables.ts'

type Node = { [element: string]: unknown }

/** What the rules made of a segment. */
export interface Applied {
  readonly elements: Readonly<Record<string, unknown>>
  /** Fields that had a value which could not be read: `PID-7`. */
  readonly lost: readonly string[]
}

/** What rules are applied with: the zone of times that carry none, and who notes what was read. */
interface Reading {
  readonly zone: string
  readonly ledger: Ledger
}

/** Applies the rules of one segment map, in their order. What a rule puts into an element counts as read. */
export function applyRules(rules: readonly FieldRule[], segment: Segment, { zone, ledger }: Reading): Applied {
  const elements: Node = {}
  const lost: string[] = []
  for (const rule of rules) {
    const { number } = parsePlace(rule.from)
    if (isEmpty(field(segment, number)) || !isWanted(rule, segment, elements)) continue
    const { field: given, keep } = ledger.look(segment, number)
    const converted = converters[rule.as]?.(given, contextOf(rule, zone))
    if (converted === undefined) {
      if (timeConverters.has(rule.as)) lost.push(rule.from)
    } else if (put(elements, rule.to.split('.'), converted, rule.beside)) keep()
  }
  return { elements, lost }
}

function contextOf({ table, use, type }: FieldRule, zone: string): FieldContext {
  return {
    zone,
    ...(table === undefined ? {} : { table }),
    ...(use === undefined ? {} : { use }),
    ...(type === undefined ? {} : { type }),
  }
}

function isWanted(rule: FieldRule, segment: Segment, elements: Node): boolean {
  const has = (place: string) => !isEmpty(field(segment, parsePlace(place).number))
  if (rule.when !== undefined && !has(rule.when)) return false
  if (rule.unless !== undefined && has(rule.unless)) return false
  return rule.needs === undefined || reach(elements, rule.needs.split('.')) !== undefined
}

function reach(node: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return node
  const name = step.replace(/\[.*$/, '')
  const child = typeof node === 'object' && node !== null ? (node as Node)[name] : undefined
  return reach(step.endsWith('[0]') && Array.isArray(child) ? child[0] : child, rest)
}

/**
 * Puts a value at a path. An element that is there already stays: the field that comes first in the map wins.
 *
 * @returns whether the value stands there now
 */
function put(node: Node, [step = '', ...rest]: readonly string[], value: unknown, beside?: object): boolean {
  const name = step.replace(/\[.*$/, '')
  if (step.endsWith('[]')) {
    const entries = (Array.isArray(value) ? value : [value]).map(entry => wrapped(rest, entry, beside))
    node[name] = [...(Array.isArray(node[name]) ? node[name] : []), ...entries]
    return true
  }
  if (rest.length === 0) {
    node[name] ??= value
    return isDeepStrictEqual(node[name], value)
  }
  const first = step.endsWith('[0]')
  node[name] ??= first ? [{}] : {}
  const child: unknown = first && Array.isArray(node[name]) ? node[name][0] : node[name]
  return typeof child === 'object' && child !== null && put(child as Node, rest, value, beside)
}

function wrapped(rest: readonly string[], entry: unknown, beside?: object): unknown {
  if (rest.length === 0) return entry
  const node: Node = { ...beside }
  put(node, rest, entry)
  return node
}
