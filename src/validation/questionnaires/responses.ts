import type { ErrorObject } from 'ajv'
import { listOf } from '../content/check.ts'
import { faultAt } from '../faults.ts'
import type { Extent } from '../invariants.ts'
import { isWarning } from '../issues.ts'
import { predicateOf } from '../library.ts'
import type { Ask, Members } from '../profiles/members.ts'
import { tooCostly } from '../profiles/refusals.ts'
import { resourceAt } from '../references.ts'
import { isNode, type Node, type Surroundings } from '../walk.ts'
import { faultsOfAnswer, mixesExclusive } from './answers.ts'
import { Enabling, type Frame } from './enabling.ts'
import { type Form, type Question, readForm, saidOf, type Typed, valueIn } from './form.ts'

/** What responses are judged by. */
export interface Questionnaires {
  /** A Questionnaire that was handed over. */
  questionnaire(canonical: string): Node | undefined
  readonly members: Members
  readonly extent: Extent
}

/** More are of no use. */
const mostFaults = 200

/** Whose answers need not be whole. @see https://hl7.org/fhir/R4/valueset-questionnaire-answers-status.html */
const unfinished: ReadonlySet<unknown> = new Set(['in-progress', 'stopped', 'entered-in-error'])

const core = 'http://hl7.org/fhir/StructureDefinition/'

/**
 * What a QuestionnaireResponse breaks of the Questionnaire that it answers, contained, in the same Bundle, or handed over.
 *
 * @throws Problem `too-costly` · `validation.too-costly` for what is nested too deeply
 * @see https://hl7.org/fhir/R4/questionnaireresponse.html
 */
export function responseFaults(
  response: Node,
  at: string,
  around: Surroundings,
  questionnaires: Questionnaires,
): readonly ErrorObject[] {
  const { questionnaire } = response
  if (typeof questionnaire !== 'string') return []
  const form = formOf(questionnaire, around, questionnaires)
  if (form !== undefined) return new Responding(form, response, around, questionnaires).faultsAt(at)
  if (questionnaire.startsWith('#')) return [faultAt('questionnaireMissing', `${at}/questionnaire`)]
  return questionnaires.extent === 'errors' ? [] : [faultAt('questionnaireUnknown', `${at}/questionnaire`)]
}

function formOf(canonical: string, around: Surroundings, { questionnaire }: Questionnaires): Form | undefined {
  const found = canonical.startsWith('#')
    ? resourceAt(canonical, around)
    : (questionnaire(canonical) ?? bundled(canonical, around))
  if (found?.resourceType !== 'Questionnaire') return undefined
  return readForm(found, canonical.startsWith('#') ? around.container : found)
}

function bundled(canonical: string, { bundle }: Surroundings): Node | undefined {
  const entries = listOf(bundle?.entry).filter(isNode)
  const resources = entries.map(({ resource }) => resource).filter(isNode)
  return resources.find(
    ({ resourceType, url, version }) =>
      resourceType === 'Questionnaire' && (url === canonical || `${url}|${version}` === canonical),
  )
}

/** An item with where it stands. */
interface Placed {
  readonly node: Node
  readonly at: string
}

class Responding {
  readonly #form: Form
  readonly #response: Node
  readonly #around: Surroundings
  readonly #ask: Ask
  readonly #extent: Extent
  readonly #enabling: Enabling
  readonly #faults: ErrorObject[] = []

  constructor(form: Form, response: Node, around: Surroundings, { members, extent }: Questionnaires) {
    this.#form = form
    this.#response = response
    this.#around = around
    this.#ask = members.askWithin(form.container)
    this.#extent = extent
    this.#enabling = new Enabling(form, response)
  }

  faultsAt(at: string): readonly ErrorObject[] {
    const { root } = this.#form
    try {
      this.#items(root, { node: this.#response, at }, [
        { question: root, item: this.#response, within: this.#response },
      ])
      this.#constraints(root, { node: this.#response, at })
    } catch (error) {
      if (error instanceof RangeError) throw tooCostly(error)
      throw error
    }
    return this.#faults
  }

  #tell(keyword: string, at: string, question?: Question, more: object = {}): void {
    if (this.#faults.length >= mostFaults) return
    const fault = {
      ...faultAt(keyword, at),
      params: {
        questionnaire: this.#form.url,
        ...(question === undefined ? {} : { question: question.linkId }),
        ...more,
      },
    }
    if (this.#extent === 'warnings-too' || !isWarning(fault)) this.#faults.push(fault)
  }

  /** The items in a group, in an answer, or in the response. */
  #items(question: Question, { node, at }: Placed, frames: readonly Frame[]): void {
    const given = this.#sorted(question, { node, at })
    for (const asked of question.items) {
      const own = given.get(asked) ?? []
      const isEnabled = this.#enabling.isEnabled(asked, frames)
      if (own.length === 0) {
        if (isEnabled === true) this.#missing(asked, `${at}/item`)
        continue
      }
      if (isEnabled === false) for (const each of own) this.#tell('answerDisabled', each.at, asked)
      if (own.length > 1 && !asked.mayRepeat) this.#tell('answerRepeated', own[1]?.at ?? at, asked)
      this.#count(asked, own, at)
      for (const each of own) this.#item(asked, each, frames)
    }
  }

  #missing(question: Question, at: string): void {
    const least = saidOf(question, `${core}questionnaire-minOccurs`)
    if (question.isRequired || (typeof least === 'number' && least > 0)) this.#incomplete('answerMissing', at, question)
  }

  #incomplete(keyword: 'answerMissing' | 'answerFew', at: string, question: Question): void {
    this.#tell(unfinished.has(this.#response.status) ? `${keyword}Yet` : keyword, at, question)
  }

  /** @see https://hl7.org/fhir/R4/extension-questionnaire-minoccurs.html */
  #count(question: Question, items: readonly Placed[], at: string): void {
    const isGroup = question.type === 'group'
    const count = isGroup ? items.length : items.reduce((sum, { node }) => sum + listOf(node.answer).length, 0)
    const [least, most] = [
      saidOf(question, `${core}questionnaire-minOccurs`),
      saidOf(question, `${core}questionnaire-maxOccurs`),
    ]
    const place = items[0]?.at ?? at
    if (typeof least === 'number' && count < least) this.#incomplete('answerFew', place, question)
    if (typeof most === 'number' && count > most) this.#tell('answerMany', place, question)
  }

  /** The items that are there by their questions. One that says nothing counts as not there. */
  #sorted(question: Question, { node, at }: Placed): ReadonlyMap<Question, readonly Placed[]> {
    const places = new Map(question.items.map((each, index) => [each.linkId, { question: each, index }]))
    const given = new Map<Question, Placed[]>()
    let last = -1
    for (const [index, item] of listOf(node.item).entries()) {
      if (!isNode(item) || typeof item.linkId !== 'string') continue
      const place = places.get(item.linkId)
      const placed = { node: item, at: `${at}/item/${index}` }
      if (place === undefined) {
        this.#tell(this.#form.byLinkId.has(item.linkId) ? 'answerPlace' : 'answerUnasked', `${placed.at}/linkId`)
        continue
      }
      if (place.index < last) this.#tell('answerOrder', placed.at, place.question)
      last = Math.max(last, place.index)
      this.#text(place.question, placed)
      if (item.answer === undefined && item.item === undefined) continue
      const known = given.get(place.question)
      if (known === undefined) given.set(place.question, [placed])
      else known.push(placed)
    }
    return given
  }

  #text(question: Question, { node, at }: Placed): void {
    const { text } = question.node
    if (typeof node.text === 'string' && typeof text === 'string' && node.text !== text)
      this.#tell('answerText', `${at}/text`, question)
  }

  #item(question: Question, placed: Placed, frames: readonly Frame[]): void {
    const { node, at } = placed
    const answers = listOf(node.answer).flatMap((answer, index) =>
      isNode(answer) ? [{ node: answer, at: `${at}/answer/${index}` }] : [],
    )
    if (question.type === 'group') {
      if (answers.length > 0) this.#tell('answerOfGroup', `${at}/answer`, question)
      this.#items(question, placed, [...frames, { question, item: node, within: node }])
    } else if (question.type === 'display') this.#tell('answerOfDisplay', at, question)
    else {
      if (node.item !== undefined) this.#tell('answerNesting', `${at}/item`, question)
      if (answers.length === 0 && question.isRequired) this.#incomplete('answerMissing', at, question)
      this.#answers(question, node, answers, frames)
    }
    this.#constraints(question, placed)
  }

  #answers(question: Question, item: Node, answers: readonly Placed[], frames: readonly Frame[]): void {
    if (answers.length > 1 && !question.mayRepeat) this.#tell('answerRepeated', answers[1]?.at ?? '', question)
    const context = { around: this.#around, ask: this.#ask }
    const values: Typed[] = []
    for (const { node, at } of answers) {
      const value = valueIn(node, 'value')
      if (value !== undefined) {
        values.push(value)
        for (const keyword of faultsOfAnswer(value, question, context)) this.#tell(keyword, at, question)
      }
      if (question.items.length > 0 || node.item !== undefined)
        this.#items(question, { node, at }, [...frames, { question, item, within: node }])
    }
    if (mixesExclusive(values, question)) this.#tell('answerExclusive', answers[0]?.at ?? '', question)
  }

  /** @see https://hl7.org/fhir/R4/extension-questionnaire-constraint.html */
  #constraints(question: Question, { node, at }: Placed): void {
    for (const said of question.said.get(`${core}questionnaire-constraint`) ?? []) {
      const constraint = isNode(said) ? constraintOf(said) : undefined
      if (constraint === undefined || (constraint.severity === 'warning' && this.#extent === 'errors')) continue
      const base = question === this.#form.root ? undefined : 'QuestionnaireResponse.item'
      const isSo = predicateOf(constraint.expression, base)(node, this.#response, this.#around.container)
      if (isSo === false) this.#tell('answerConstraint', at, question, { constraint })
    }
  }
}

function constraintOf(
  extension: Node,
):
  | { readonly key: string; readonly severity: string; readonly human: string; readonly expression: string }
  | undefined {
  const parts = new Map(
    listOf(extension.extension)
      .filter(isNode)
      .map(part => [part.url, valueIn(part, 'value')?.value]),
  )
  const expression = parts.get('expression')
  if (typeof expression !== 'string') return undefined
  const [key, severity, human] = ['key', 'severity', 'human'].map(name => String(parts.get(name) ?? ''))
  return { key: key ?? '', severity: severity === 'warning' ? 'warning' : 'error', human: human ?? '', expression }
}
