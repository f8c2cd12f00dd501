import { listOf } from '../content/check.ts'
import { isNode, type Node } from '../walk.ts'

/** An item of a Questionnaire, or the Questionnaire as the group of all of them. @see https://hl7.org/fhir/R4/questionnaire.html */
export interface Question {
  readonly node: Node
  /** `''` for the Questionnaire itself. */
  readonly linkId: string
  /** A code of https://hl7.org/fhir/R4/valueset-item-type.html */
  readonly type: string
  readonly isRequired: boolean
  readonly mayRepeat: boolean
  readonly parent: Question | undefined
  readonly items: readonly Question[]
  /** What the extensions of the item say, by their urls. */
  readonly said: ReadonlyMap<string, readonly unknown[]>
}

/** A Questionnaire made ready to judge answers by. Nothing is taken for granted of its shape: it may have been kept for long. */
export interface Form {
  readonly url: string | undefined
  /** The resource whose contained value sets `#id` names. */
  readonly container: Node
  readonly root: Question
  /** The first of each. */
  readonly byLinkId: ReadonlyMap<string, Question>
}

/** Reads a Questionnaire. @param container  itself, or what contains it */
export function readForm(questionnaire: Node, container: Node): Form {
  const byLinkId = new Map<string, Question>()
  const root = readQuestion({ ...questionnaire, linkId: '', type: 'group' }, undefined, byLinkId)
  const { url } = questionnaire
  return { url: typeof url === 'string' ? url : undefined, container, root, byLinkId }
}

function readQuestion(node: Node, parent: Question | undefined, byLinkId: Map<string, Question>): Question {
  const linkId = textOf(node.linkId)
  const items: Question[] = []
  const question: Question = {
    node,
    linkId,
    type: textOf(node.type),
    isRequired: node.required === true,
    mayRepeat: node.repeats === true,
    parent,
    items,
    said: extensionsOf(node),
  }
  if (parent !== undefined && !byLinkId.has(linkId)) byLinkId.set(linkId, question)
  for (const item of listOf(node.item).filter(isNode)) items.push(readQuestion(item, question, byLinkId))
  return question
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function extensionsOf({ extension }: Node): ReadonlyMap<string, readonly unknown[]> {
  const known = listOf(extension).filter(isNode)
  const byUrl = Map.groupBy(known, ({ url }) => textOf(url))
  return new Map([...byUrl].map(([url, list]) => [url, list.map(valueOrParts)]))
}

/** What an extension holds; the extension itself where it has parts. */
function valueOrParts(extension: Node): unknown {
  return valueIn(extension, 'value')?.value ?? extension
}

/** A value of any type, with the name that says its type: `valueString`, `answerCoding`. */
export interface Typed {
  readonly name: string
  /** Undefined for a primitive that has only extensions. */
  readonly value: unknown
}

/** The element of a choice such as `value[x]` that is there. @param choice  its name without `[x]` */
export function valueIn(node: Node, choice: string): Typed | undefined {
  const names = Object.keys(node)
  const name =
    names.find(each => each.startsWith(choice)) ?? names.find(each => each.startsWith(`_${choice}`))?.slice(1)
  return name === undefined ? undefined : { name, value: node[name] }
}

/** Whether a question is within another one, or the same. */
export function isWithin(question: Question, outer: Question): boolean {
  for (let each: Question | undefined = question; each !== undefined; each = each.parent)
    if (each === outer) return true
  return false
}

/** The first thing of a type that an item's extension says. */
export function saidOf({ said }: Question, url: string): unknown {
  return said.get(url)?.[0]
}
