import { isResourceType, resourceTypes } from '#fhir'
import { isProblem, Problem } from '#kernel'
import { parseNearOperand } from '../kinds/position.ts'
import { parseQuantityOperand } from '../kinds/quantity.ts'
import { parseDateOperand, parseNumberOperand } from '../kinds/range.ts'
import { parseReferenceOperand } from '../kinds/reference.ts'
import { parseStringOperand } from '../kinds/string.ts'
import { parseTokenOperand } from '../kinds/token.ts'
import { componentsOf, hierarchyOf, type ParameterType, type SearchParameter, searchParameter } from '../parameters.ts'
import { type Comparing, comparingBy, criterionOf, isComparison, operandText, operatorUnfit } from './filter.ts'
import { type FilterTest, parseFilter } from './filter-syntax.ts'
import { limits, tooCostly } from './limits.ts'
import { isTextParameter, modifiersOf } from './modifiers.ts'
import { splitAt, unescaped } from './split.ts'
import { parseTextSearch, type TextSearch } from './text-syntax.ts'
import type { Criterion, Modifier, Operand, Prefix, ReferenceOperand } from './types.ts'
import { builtInWords, type Words } from './words.ts'

/** What the parsing of one query shares: where it is, what time it is, and how much it may still unfold. */
export interface ParseContext {
  readonly baseUrl: string
  readonly nowMs: number
  readonly words: Words
  /** Counts down. */
  readonly budget: { values: number; scanned: number; unfolded: number }
}

export function newContext(baseUrl: string, nowMs: number, words: Words = builtInWords): ParseContext {
  return {
    baseUrl,
    nowMs,
    words,
    budget: { values: limits.values, scanned: limits.scanned, unfolded: limits.unfolded },
  }
}

/** Modifiers that R4 knows and this server does not answer for some or all kinds. */
const knownModifiers: ReadonlySet<string> = new Set(['in', 'not-in', 'above', 'below', 'text', 'identifier', 'of-type'])
const unsupported: ReadonlySet<string> = new Set(['_query'])

function parameterOf(type: string, name: string, whole: string): SearchParameter {
  if (unsupported.has(name))
    throw new Problem('unsupported', 'search.parameter-unsupported', 'The server does not answer this parameter.', {
      expression: whole,
    })
  const parameter = searchParameter(type, name)
  if (parameter === undefined)
    throw new Problem('invalid', 'search.parameter-unknown', `${type} has no such search parameter.`, {
      expression: nameForm.test(whole) ? whole : '(malformed name)',
    })
  return parameter
}

/** A name that is no name might be a value in the wrong place, which no error may show. */
const nameForm = /^[_A-Za-z][\w:.-]{0,127}$/

function checkModifier(modifier: string, parameter: SearchParameter, whole: string): Modifier {
  if (modifiersOf(parameter).some(each => each === modifier)) return modifier as Modifier
  if (knownModifiers.has(modifier)) throw modifierUnsupported(whole)
  throw new Problem('invalid', 'search.modifier-unknown', 'The modifier does not fit the search parameter.', {
    expression: whole,
  })
}

/** What is named by `:above` or `:below` must be a part of something, or a canonical. */
function withinLineage(operand: ReferenceOperand, name: string, modifier: Modifier | undefined): ReferenceOperand {
  if (modifier !== 'above' && modifier !== 'below') return operand
  const types = operand.types.filter(type => hierarchyOf(type) !== undefined)
  const isCanonical = operand.id === undefined && modifier === 'below'
  if (!isCanonical && (operand.id === undefined || types.length === 0)) throw modifierUnsupported(`${name}:${modifier}`)
  return { ...operand, types }
}

function modifierUnsupported(whole: string): Problem {
  return new Problem('unsupported', 'search.modifier-unsupported', 'The server does not answer this modifier here.', {
    expression: whole,
  })
}

type OperandParser = (
  text: string,
  parameter: SearchParameter,
  modifier: Modifier | undefined,
  context: ParseContext,
) => Operand

function parseComposite(text: string, parameter: SearchParameter, context: ParseContext): Operand {
  const texts = splitAt(text, '$')
  const components = componentsOf(parameter)
  if (texts.length !== components.length)
    throw new Problem(
      'invalid',
      'search.composite-malformed',
      'A composite takes one value for each component, by $.',
      {
        expression: parameter.name,
      },
    )
  const parts = components.map((component, i) => {
    const inner = { ...component.parameter, name: parameter.name }
    return parseOperand(texts[i] as string, inner, undefined, context)
  })
  return { kind: 'composite', parts }
}

const operandParsers: Readonly<Record<ParameterType, OperandParser>> = {
  string: text => parseStringOperand(text),
  token: (text, { name }, modifier, { words }) => parseTokenOperand(text, name, modifier, words),
  reference: (text, { name, target }, modifier, { baseUrl, words }) => {
    if (modifier === 'identifier') return parseTokenOperand(text, name, undefined, words)
    if (modifier === 'text') return parseStringOperand(text)
    return withinLineage(parseReferenceOperand(text, name, target ?? resourceTypes, baseUrl), name, modifier)
  },
  date: (text, { name }, _modifier, { nowMs }) => parseDateOperand(text, name, nowMs),
  number: (text, { name }) => parseNumberOperand(text, name),
  quantity: (text, { name }) => parseQuantityOperand(text, name),
  uri: text => ({ kind: 'uri', text: unescaped(text) }),
  composite: (text, parameter, _modifier, context) => parseComposite(text, parameter, context),
  // What is special but near is read before it comes to values.
  special: (text, { name }) => parseNearOperand(text, name),
}

function valueMissing(name: string): Problem {
  return new Problem('invalid', 'search.value-missing', 'The search parameter has no value.', { expression: name })
}

function parseOperand(
  text: string,
  parameter: SearchParameter,
  modifier: Modifier | undefined,
  context: ParseContext,
): Operand {
  if (text === '') throw valueMissing(parameter.name)
  return operandParsers[parameter.type](text, parameter, modifier, context)
}

/** Kinds whose values are looked up; a thousand of them cost no more than one. */
const lookedUp: ReadonlySet<ParameterType> = new Set(['token', 'reference'])

function spendValues({ budget }: ParseContext, values: number, isLookedUp: boolean, name: string): void {
  budget.values -= values
  if (!isLookedUp) budget.scanned -= values
  for (const kind of ['values', 'scanned'] as const) if (budget[kind] < 0) throw tooCostly(kind, name)
}

function parseMissing(name: string, value: string): Criterion {
  if (value !== 'true' && value !== 'false')
    throw new Problem('invalid', 'search.missing-malformed', ':missing takes true or false.', { expression: name })
  return { kind: 'missing', name, missing: value === 'true' }
}

interface Step {
  readonly type: string
  /** What is left of the parameter's name. */
  readonly name: string
  readonly value: string
  readonly depth: number
  /** The whole name, for messages. */
  readonly whole: string
}

function parseValue(step: Step, context: ParseContext): Criterion {
  const [name = '', ...rest] = step.name.split(':')
  const modifier = rest.length === 0 ? undefined : rest.join(':')
  const found = parameterOf(step.type, name, step.whole)
  if (modifier === 'missing' && (found.type !== 'special' || found.expression !== undefined))
    return parseMissing(name, step.value)
  if (modifier === undefined && isTextParameter(name)) return parseText(step, context)
  const isType = modifier !== undefined && found.type === 'reference' && isResourceType(modifier)
  const parameter = isType ? { ...found, target: [modifier] } : found
  const checked = modifier === undefined || isType ? undefined : checkModifier(modifier, found, step.whole)
  const texts = splitAt(step.value, ',')
  const isLookedUp = lookedUp.has(parameter.type) && (checked === undefined || checked === 'not')
  spendValues(context, texts.length, isLookedUp, step.whole)
  return {
    kind: 'value',
    name,
    parameter: parameter.type,
    modifier: checked,
    operands: texts.map(text => parseOperand(text, parameter, checked, context)),
    baseUrl: context.baseUrl,
  }
}

/** Each word is a criterion of its own: in the narrative may stand what the rest does not say. */
function parseText(step: Step, context: ParseContext): Criterion {
  if (step.value === '') throw valueMissing(step.name)
  return soughtIn(parseTextSearch(step.value, step.whole), step, context)
}

function soughtIn(search: TextSearch, step: Step, context: ParseContext): Criterion {
  if (search.kind === 'not') return { kind: 'not', criterion: soughtIn(search.part, step, context) }
  if (search.kind === 'words') {
    spendValues(context, 1, false, step.whole)
    const [name = ''] = step.name.split(':')
    const { baseUrl } = context
    return { kind: 'value', name, parameter: 'special', modifier: undefined, operands: [search], baseUrl }
  }
  const parts = search.parts.map(part => soughtIn(part, step, context))
  return { kind: 'any', anyOf: search.kind === 'and' ? [parts] : parts.map(part => [part]) }
}

function isUnknownParameter(error: unknown): boolean {
  return isProblem(error) && error.code === 'search.parameter-unknown'
}

/** `subject.name`: of the types a subject may be of, those that have a parameter `name`. */
function parseTargets(
  types: readonly string[],
  parse: (type: string) => Criterion,
): readonly { type: string; criterion: Criterion }[] {
  const targets: { type: string; criterion: Criterion }[] = []
  let unknown: unknown
  for (const type of types) {
    try {
      targets.push({ type, criterion: parse(type) })
    } catch (error) {
      if (!isUnknownParameter(error)) throw error
      unknown = error
    }
  }
  if (targets.length === 0) throw unknown
  return targets
}

/** Through the reference that a step names, whose target must fulfil what is parsed for its type. */
function chainThrough(step: Step, parse: (step: Step) => Criterion, { baseUrl }: ParseContext): Criterion {
  const [name = '', modifier, ...more] = step.name.split(':')
  const parameter = parameterOf(step.type, name, step.whole)
  const isTyped = modifier !== undefined && isResourceType(modifier) && more.length === 0
  if (parameter.type !== 'reference' || (modifier !== undefined && !isTyped))
    throw new Problem('invalid', 'search.chain-malformed', 'Only references can be chained, by type at most.', {
      expression: step.whole,
    })
  const types = isTyped ? [modifier] : (parameter.target ?? resourceTypes)
  const targets = parseTargets(types, type => parse({ ...step, type, depth: step.depth + 1 }))
  return { kind: 'chain', name, targets, baseUrl }
}

function parseChain(step: Step, dot: number, context: ParseContext): Criterion {
  const rest = step.name.slice(dot + 1)
  const first = { ...step, name: step.name.slice(0, dot) }
  return chainThrough(first, inner => parseStep({ ...inner, name: rest }, context), context)
}

function parseHas(step: Step, context: ParseContext): Criterion {
  const [, type = '', name = '', ...rest] = step.name.split(':')
  const isKnown = isResourceType(type) && searchParameter(type, name)?.type === 'reference' && rest.length > 0
  if (!isKnown)
    throw new Problem('invalid', 'search.has-malformed', '_has takes a type, a reference parameter and a parameter.', {
      expression: step.whole,
    })
  const criterion = parseStep({ ...step, type, name: rest.join(':'), depth: step.depth + 1 }, context)
  return { kind: 'has', type, name, criterion, baseUrl: context.baseUrl }
}

/** `_list=42` asks for the items of that List, which is `_has:List:item:_id=42`. */
function parseList(step: Step, context: ParseContext): Criterion {
  return parseHas({ ...step, name: '_has:List:item:_id' }, context)
}

/**
 * `_filter=given eq "peter" and birthdate ge 2014-10-10`.
 *
 * @see https://hl7.org/fhir/R4/search_filter.html
 */
function parseFiltering({ type, value, depth, whole }: Step, context: ParseContext): Criterion {
  return criterionOf(
    parseFilter(value),
    { type, depth },
    {
      test: (place, name, test) => {
        const step = { type: place.type, depth: place.depth, name, value: test.value, whole }
        spendStep(step, context)
        return name === '_list' && test.operator === 'eq' ? parseList(step, context) : parseTest(step, test, context)
      },
      chain: (place, name, target) => {
        const step = { type: place.type, depth: place.depth, name, value, whole }
        spendStep(step, context)
        return chainThrough(step, target, context)
      },
    },
  )
}

function parseTest(step: Step, { operator }: FilterTest, context: ParseContext): Criterion {
  const { type, name, whole } = step
  const parameter = parameterOf(type, name, whole)
  if (operator === 'pr') return parseMissing(name, step.value.toLowerCase() === 'true' ? 'false' : presence(step.value))
  if (isTextParameter(name)) return parseTextTest(step, operator, context)
  const comparing = comparingBy(operator, parameter.type)
  const criterion = parseComparison(step, parameter, comparing, context)
  // A resource has one id, so that another one is unequal where this one is not.
  return comparing.modifier === 'is-not' && name === '_id' ? { kind: 'not', criterion } : criterion
}

/** What a text says is asked by `co` alone, as what the parameter itself would be asked. */
function parseTextTest(step: Step, operator: FilterTest['operator'], context: ParseContext): Criterion {
  if (operator !== 'co') throw operatorUnfit(operator, 'of words')
  return parseText(step, context)
}

function presence(value: string): string {
  return value.toLowerCase() === 'false' ? 'true' : ''
}

function parseComparison(
  { name, value, whole }: Step,
  parameter: SearchParameter,
  { prefix, modifier }: Comparing,
  context: ParseContext,
): Criterion {
  const offered = modifiersOf(parameter).find(each => each === modifier)
  if (modifier !== undefined && offered === undefined && !isComparison(modifier)) throw modifierUnsupported(whole)
  spendValues(context, 1, lookedUp.has(parameter.type) && modifier === undefined, whole)
  const text = operandText(value)
  const operand =
    prefix === undefined
      ? parseOperand(text, parameter, offered, context)
      : parsePrefixed(prefix, text, parameter, context)
  return { kind: 'value', name, parameter: parameter.type, modifier, operands: [operand], baseUrl: context.baseUrl }
}

/** With a prefix before it a value can have none of its own. */
function parsePrefixed(prefix: Prefix, text: string, parameter: SearchParameter, context: ParseContext): Operand {
  const isOwn = prefix === 'po' || prefix === 'co'
  const operand = parseOperand(`${isOwn ? 'eq' : prefix}${text}`, parameter, undefined, context)
  return isOwn && operand.kind === 'range' ? { ...operand, prefix } : operand
}

function spendStep(step: Step, context: ParseContext): void {
  if (step.depth > limits.chain) throw tooCostly('chain', step.whole)
  context.budget.unfolded--
  if (context.budget.unfolded < 0) throw tooCostly('unfolded', step.whole)
}

function parseStep(step: Step, context: ParseContext): Criterion {
  spendStep(step, context)
  if (step.name === '_filter') return parseFiltering(step, context)
  if (step.name.startsWith('_has:')) return parseHas(step, context)
  if (step.name === '_list') return parseList(step, context)
  const dot = step.name.indexOf('.')
  return dot < 0 ? parseValue(step, context) : parseChain(step, dot, context)
}

/**
 * One criterion of a query, with the context that the whole query shares.
 *
 * @throws Problem `invalid` · `search.*`
 */
export function parseCriterionWithin(type: string, name: string, value: string, context: ParseContext): Criterion {
  return parseStep({ type, name, value, depth: 0, whole: name }, context)
}

/**
 * One criterion by itself, as granular scopes have them: `category` = `vital-signs`.
 *
 * @param name   with modifier or chain, e.g. `code:not`, `subject:Patient.name`
 * @param value  unescaped from the URL, OR by comma
 * @throws Problem `invalid` · `search.parameter-unknown`, `search.modifier-unknown`, `search.value-missing` and those of the kinds
 */
export function parseCriterion(type: string, name: string, value: string, baseUrl: string): Criterion {
  return parseCriterionWithin(type, name, value, newContext(baseUrl, Date.now()))
}
