import type { ErrorObject } from 'ajv'
import {
  type ElementDefinition,
  type Invariant,
  invariantsOf,
  isPrimitiveType,
  type Shape,
  shapeOfElement,
} from '#fhir'
import { type Sign, signOf } from './certainty.ts'
import { handmade, handmadeOfText } from './handmade.ts'
import { type Predicate, predicateOf } from './library.ts'
import { isNode, type Node, type Surroundings } from './walk.ts'

/** Warnings are what is unwise and yet valid; they cost as much again, and only `$validate` shows them. */
export type Extent = 'errors' | 'warnings-too'

/** What takes longer than a look: an invariant that only the library can tell, one about a long text, an expression to read. */
export interface OpenQuestion {
  /** How many values and texts may have to be looked at to answer, of a resource of so many. */
  effort(values: number): number
  answer(): ErrorObject | undefined
}

interface Rule {
  readonly invariant: Invariant
  readonly isCertain: Sign
  readonly evaluate: Predicate
}

/** Invariants of what an object holds under some names. */
interface InnerRules {
  readonly names: readonly string[]
  readonly rules: readonly Rule[]
}

interface ShapeRules {
  readonly own: readonly Rule[]
  readonly inner: readonly InnerRules[]
}

/** Checked with the structure and the references. */
const elsewhere: ReadonlySet<string> = new Set(['dom-2', 'dom-4', 'dom-5', 'ref-1'])

/**
 * Asks the invariants of what a walk meets, errors alone or warnings too. What can be told at once is; the rest is left open.
 *
 * @see https://hl7.org/fhir/R4/conformance-rules.html#constraints
 */
export class Invariants {
  readonly faults: ErrorObject[] = []
  readonly open: OpenQuestion[] = []
  private readonly isWanted: (rule: Rule) => boolean

  constructor(extent: Extent) {
    this.isWanted = ({ invariant }) => extent === 'warnings-too' || invariant.severity === 'error'
  }

  meet(node: Node, shape: Shape, at: string, around: Surroundings): void {
    const { own, inner } = rulesOf(shape)
    for (const rule of own) this.ask(rule, node, at, around)
    for (const { names, rules } of inner)
      for (const name of names) if (node[name] !== undefined) this.askInner(rules, node[name], `${at}/${name}`, around)
  }

  private askInner(rules: readonly Rule[], value: unknown, at: string, around: Surroundings): void {
    const items = Array.isArray(value)
      ? value.map((item, index) => [item, `${at}/${index}`] as const)
      : [[value, at] as const]
    for (const [item, place] of items) for (const rule of rules) this.ask(rule, item, place, around)
  }

  private ask(rule: Rule, context: unknown, at: string, around: Surroundings): void {
    if (!this.isWanted(rule) || (isNode(context) && rule.isCertain(context))) return
    const told = isLong(context) ? undefined : tellByHand(rule, context, around)
    if (told === undefined) this.open.push(questionOf(rule, context, at, around))
    else if (!told) this.faults.push(faultOf(rule, at))
  }
}

/** Read letter by letter; as many take a millisecond. */
const longestText = 16_384

function isLong(context: unknown): boolean {
  return typeof context === 'string' && context.length > longestText
}

function questionOf(rule: Rule, context: unknown, at: string, around: Surroundings): OpenQuestion {
  return {
    effort: values => values + (isLong(context) ? String(context).length : 0),
    answer: () => {
      const told = tellByHand(rule, context, around) ?? rule.evaluate(context, around.resource, around.container)
      return told === false ? faultOf(rule, at) : undefined
    },
  }
}

/** As `OpenQuestion.effort`, of all. */
export function effortOf(open: readonly OpenQuestion[], values: number): number {
  return open.reduce((sum, question) => sum + question.effort(values), 0)
}

/** The faults among what was left open. */
export function answered(open: readonly OpenQuestion[]): readonly ErrorObject[] {
  return open.flatMap(question => question.answer() ?? [])
}

function tellByHand({ invariant: { key } }: Rule, context: unknown, around: Surroundings): boolean | undefined {
  return isNode(context) ? handmade[key]?.(context, around) : handmadeOfText[key]?.(context)
}

function faultOf({ invariant }: Rule, instancePath: string): ErrorObject {
  return { keyword: 'invariant', instancePath, schemaPath: '', params: { invariant } }
}

const known = new WeakMap<Shape, ShapeRules>()

function rulesOf(shape: Shape): ShapeRules {
  const made = known.get(shape) ?? { own: ownRules(shape), inner: innerRules(shape) }
  known.set(shape, made)
  return made
}

function ownRules(shape: Shape): readonly Rule[] {
  const place = shape.path === '' ? shape.type : `${shape.type}.${shape.path}`
  const ofAll = shape.elements.has('contained') ? invariantsOf('DomainResource') : []
  return [...ofAll, ...invariantsOf(place)]
    .filter(({ key }) => !elsewhere.has(key))
    .map(invariant => ruleOf(invariant, shape, isResource(shape) ? undefined : place))
}

function isResource({ path, elements }: Shape): boolean {
  return path === '' && elements.has('implicitRules')
}

/** What is said of an element where it is used, and not of its type or of the element it is like: `Organization.address`. */
function innerRules(shape: Shape): readonly InnerRules[] {
  return [...shape.elements.values()].flatMap(element => {
    const isOwnPlace = element.nested === element.path
    const invariants = isOwnPlace ? [] : invariantsOf(`${shape.type}.${element.path}`)
    const rules = invariants.map(invariant => innerRule(invariant, shape, element))
    return rules.length === 0 ? [] : [{ names: [element.name], rules }]
  })
}

function innerRule(invariant: Invariant, shape: Shape, element: ElementDefinition): Rule {
  const isOfType = element.nested === undefined && !isPrimitiveType(element.type)
  const base = isOfType ? element.type : `${shape.type}.${element.path}`
  return ruleOf(invariant, shapeOfElement(shape, element) ?? shape, base)
}

function ruleOf(invariant: Invariant, shape: Shape, base: string | undefined): Rule {
  return {
    invariant,
    isCertain: signOf(invariant.certain, shape),
    evaluate: predicateOf(invariant.expression, base),
  }
}
