import { listOf } from '../content/check.ts'
import { predicateOf } from '../library.ts'
import { all, any, type Standing } from '../profiles/standing.ts'
import { compared } from '../profiles/values.ts'
import { isNode, type Node } from '../walk.ts'
import { type Form, isWithin, type Question, saidOf, type Typed, valueIn } from './form.ts'

/** A question that has been answered on the way to where one is, from the outside in. */
export interface Frame {
  readonly question: Question
  /** The item of the response; the response itself for the outermost. */
  readonly item: Node
  /** The item, or that of its answers which one is in. */
  readonly within: Node
}

type Answers = ReadonlyMap<string, readonly Typed[]>

const none: readonly Typed[] = []

/** Decides which items of a Questionnaire are asked at all, by what was answered. */
export class Enabling {
  readonly #form: Form
  readonly #response: Node
  readonly #answers = new WeakMap<Node, Answers>()

  constructor(form: Form, response: Node) {
    this.#form = form
    this.#response = response
  }

  /**
   * Whether a question is asked; undefined where that cannot be told.
   *
   * @param frames  of the questions around it
   * @see https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen
   */
  isEnabled(question: Question, frames: readonly Frame[]): Standing {
    const expression = expressionOf(question)
    if (expression === null) return undefined
    if (expression !== undefined)
      return predicateOf(expression, undefined)(this.#response, this.#response, this.#response)
    const conditions = listOf(question.node.enableWhen).filter(isNode)
    if (conditions.length === 0) return true
    const over = question.node.enableBehavior === 'any' ? any : all
    return over(conditions, condition => this.#isMet(condition, frames))
  }

  #isMet(condition: Node, frames: readonly Frame[]): Standing {
    const expected = valueIn(condition, 'answer')
    const wanted = typeof condition.question === 'string' ? this.#form.byLinkId.get(condition.question) : undefined
    if (expected === undefined || wanted === undefined) return undefined
    const answers = this.#answersTo(wanted, frames)
    if (condition.operator === 'exists') return answers.length > 0 === (expected.value === true)
    return any(answers, answer => isSo(String(condition.operator), answer, expected))
  }

  /** Those within the nearest item around that has the question in it. */
  #answersTo(wanted: Question, frames: readonly Frame[]): readonly Typed[] {
    const frame = frames.findLast(({ question }) => isWithin(wanted, question))
    if (frame === undefined) return none
    const node = frame.question === wanted ? frame.item : frame.within
    return this.#answersIn(node).get(wanted.linkId) ?? none
  }

  #answersIn(node: Node): Answers {
    const known = this.#answers.get(node)
    if (known !== undefined) return known
    const found = new Map<string, Typed[]>()
    collect(node, found)
    this.#answers.set(node, found)
    return found
  }
}

function collect(node: Node, found: Map<string, Typed[]>): void {
  for (const answer of listOf(node.answer).filter(isNode)) {
    const value = valueIn(answer, 'value')
    if (value !== undefined && typeof node.linkId === 'string') {
      const known = found.get(node.linkId)
      if (known === undefined) found.set(node.linkId, [value])
      else known.push(value)
    }
    collect(answer, found)
  }
  for (const item of listOf(node.item).filter(isNode)) collect(item, found)
}

/** https://hl7.org/fhir/uv/sdc/STU3/expressions.html#enableWhenExpression, and what Finland had before. */
const expressionUrls = [
  'http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression',
  'http://phr.kanta.fi/StructureDefinition/fiphr-ext-questionnaire-enablewhen',
]

/** The expression that decides instead; null for one in another language. */
function expressionOf(question: Question): string | null | undefined {
  for (const url of expressionUrls) {
    const said = saidOf(question, url)
    if (said === undefined) continue
    if (typeof said === 'string') return said
    const isPath = isNode(said) && said.language === 'text/fhirpath' && typeof said.expression === 'string'
    return isPath ? String(said.expression) : null
  }
  return undefined
}

type Operator = (answer: Typed, expected: Typed) => Standing

const ordered =
  (holds: (order: number) => boolean): Operator =>
  (answer, expected) => {
    const order = compared(answer.value, expected.value)
    return order === undefined ? undefined : holds(order)
  }

/** https://hl7.org/fhir/R4/valueset-questionnaire-enable-operator.html */
const operators: Readonly<Record<string, Operator>> = {
  '=': (answer, expected) => isSame(answer, expected),
  '!=': (answer, expected) => {
    const same = isSame(answer, expected)
    return same === undefined ? undefined : !same
  },
  '>': ordered(order => order > 0),
  '<': ordered(order => order < 0),
  '>=': ordered(order => order >= 0),
  '<=': ordered(order => order <= 0),
}

function isSo(operator: string, answer: Typed, expected: Typed): Standing {
  return Object.hasOwn(operators, operator) ? operators[operator]?.(answer, expected) : undefined
}

const asText: ReadonlySet<string> = new Set(['String', 'Uri', 'Boolean'])

function isSame(answer: Typed, expected: Typed): Standing {
  const [one, other] = [answer.value, expected.value]
  const type = expected.name.slice('answer'.length)
  if (type === 'Coding') return isNode(one) && isNode(other) && isSameCoding(one, other)
  if (type === 'Reference') return isNode(one) && isNode(other) && one.reference === other.reference
  if (asText.has(type) || one === other) return one === other
  const order = compared(one, other)
  return order === undefined ? undefined : order === 0
}

/** A system that is not named may be any. */
function isSameCoding(answer: Node, expected: Node): boolean {
  return answer.code === expected.code && (expected.system === undefined || answer.system === expected.system)
}
