import { isNode, type Node } from '../walk.ts'
import { type Check, listOf, type Tell } from './check.ts'

/** An item with the linkIds around it. */
interface Item {
  readonly node: Node
  readonly at: string
  readonly linkId: string
}

/**
 * A condition asks for a question of the same Questionnaire that does not depend on it: neither the item itself nor one within it.
 *
 * @see https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen.question
 */
export const checkQuestionnaire: Check = ({ node, at }, tell) => {
  const items = [...itemsIn(node, at)]
  const known = new Map(items.map(item => [item.linkId, item]))
  for (const item of items)
    for (const [index, condition] of listOf(item.node.enableWhen).entries())
      if (isNode(condition) && typeof condition.question === 'string')
        checkCondition(condition.question, item, known, `${item.at}/enableWhen/${index}/question`, tell)
}

function* itemsIn(node: Node, at: string): Generator<Item> {
  for (const [index, item] of listOf(node.item).entries()) {
    if (!isNode(item)) continue
    const place = `${at}/item/${index}`
    yield { node: item, at: place, linkId: String(item.linkId) }
    yield* itemsIn(item, place)
  }
}

function checkCondition(question: string, item: Item, known: ReadonlyMap<string, Item>, at: string, tell: Tell): void {
  const wanted = known.get(question)
  if (wanted === undefined) tell('conditionUnknown', at)
  else if (`${wanted.at}/`.startsWith(`${item.at}/`)) tell('conditionWithin', at)
}
