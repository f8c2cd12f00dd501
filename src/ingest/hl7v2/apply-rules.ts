import { holds } from './conditions.ts'
import { putRow, type Reading } from './data-types.ts'
import { settled } from './drafts.ts'
import { Elements } from './element-paths.ts'
import type { Ledger, Used } from './ledger.ts'
import { below, field, isEmpty, parsePlace, part, type Repetition, type Segment } from './message.ts'
import type { FieldRule } from './tables.ts'

/** What the rules made of a segment. */
export interface Applied {
  readonly elements: Readonly<Record<string, unknown>>
  /** Places that had a value which could not be read: `PID-7`, `PID-3[2].7`. */
  readonly lost: readonly string[]
  /** Places with a code for which R4 has no word; it is kept beside. */
  readonly uncoded: readonly string[]
}

/** What rules know beside their segment. */
export interface RuleContext {
  readonly zone: string
  /** Notes what was made use of. */
  readonly ledger: Ledger
  /** Segments that conditions name beside the one the rules are for: the ORC of an OBR. */
  readonly beside?: readonly Segment[]
  /** The one repetition of a field, from 0, that is read in this turn; all of those that are not named. */
  readonly turn?: ReadonlyMap<number, number>
}

/**
 * Applies the rules of one segment map, in their order.
 *
 * @param elements  what another segment has said of the same resource, which is gone on with
 */
export function applyRules(
  rules: readonly FieldRule[],
  segment: Segment,
  context: RuleContext,
  elements = new Elements(),
): Applied {
  const lost: string[] = []
  const uncoded: string[] = []
  const texts = textsOf([segment, ...(context.beside ?? [])])
  for (const rule of rules) {
    // Most fields are empty in most messages: those cost nothing.
    if (field(segment, parsePlace(rule.from).number).length === 0) continue
    if (rule.when !== undefined && !holds(rule.when, texts)) continue
    if (rule.needs !== undefined && !elements.has(rule.needs)) continue
    if (rule.unless !== undefined && elements.has(rule.unless)) continue
    if (rule.to === '$said') context.ledger.keep(segment, parsePlace(rule.from).number)
    else applyRule(rule, segment, elements, { ...context, lost, uncoded })
  }
  return { elements: settled(elements.node), lost: [...new Set(lost)], uncoded: [...new Set(uncoded)] }
}

/** The context with the places at which rules failed. */
interface Failing extends RuleContext {
  readonly lost: string[]
  readonly uncoded: string[]
}

/** Reads a rule's field, all of its repetitions where the element is a list. */
function applyRule(rule: FieldRule, segment: Segment, elements: Elements, context: Failing): void {
  const { number, component } = parsePlace(rule.from)
  const given = field(segment, number)
  const isRepeating = rule.to.includes('[]') || rule.to.includes('[each]')
  const only = context.turn?.get(number) ?? (isRepeating ? undefined : 0)
  for (const [at, raw] of given.entries()) {
    if ((only !== undefined && at !== only) || (rule.further === true && at === 0)) continue
    const whole = component === undefined ? raw : below(raw, component)
    if (isEmpty([whole])) continue
    const place = `${rule.from}${at === 0 ? '' : `[${at + 1}]`}`
    const look = context.ledger.look(segment, number)
    if (putRepetition(rule, { raw, used: look.note(at), place }, elements, context)) look.keep()
  }
}

interface Given {
  readonly raw: Repetition
  /** Notes what was made use of. */
  readonly used: Used
  readonly place: string
}

function putRepetition(
  rule: FieldRule,
  { raw, used, place }: Given,
  elements: Elements,
  { zone, lost, uncoded }: Failing,
): boolean {
  const { component } = parsePlace(rule.from)
  const reading: Reading = { zone, place, isComponent: component !== undefined, lost, uncoded, used }
  if (component === undefined) return putRow(elements, rule, raw, reading)
  return putRow(elements, rule, below(raw, component), { ...reading, used: at => used(component, at) })
}

/** The texts at places of segments; a field counts as valued when anything stands in it, and `""` is nothing. */
function textsOf(segments: readonly Segment[]): (place: string) => string {
  return place => {
    const { segment, number, component, repetition = 1 } = parsePlace(place)
    const one = field(
      segments.find(({ name }) => name === segment),
      number,
    )[repetition - 1]
    if (one === undefined) return ''
    return component === undefined
      ? part(one, 1) || textIn(one.flat())
      : part(one, component) || textIn(below(one, component).flat())
  }
}

function textIn(texts: readonly string[]): string {
  return texts.filter(text => text !== '""').join('')
}
