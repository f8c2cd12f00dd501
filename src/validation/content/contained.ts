import { isNode } from '../walk.ts'
import type { Check } from './check.ts'

/** Contained resources are told apart by their ids. @see https://hl7.org/fhir/R4/references.html#contained */
export const checkContained: Check = ({ node: { contained }, at }, tell) => {
  if (!Array.isArray(contained) || contained.length < 2) return
  const seen = new Set<unknown>()
  for (const [index, each] of contained.entries()) {
    if (!isNode(each) || each.id === undefined) continue
    if (seen.has(each.id)) tell('containedTwice', `${at}/contained/${index}/id`)
    seen.add(each.id)
  }
}
