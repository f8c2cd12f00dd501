import type { Shape } from '#fhir'
import { isNode } from '../walk.ts'
import { type Check, listOf } from './check.ts'

const texts: ReadonlySet<string> = new Set(['string', 'markdown'])

/** @see https://hl7.org/fhir/R4/datatypes.html#string */
export const warnOfBlanks: Check = ({ node, shape, at }, tell) => {
  for (const name in node)
    if (texts.has(shape.elements.get(name)?.type ?? ''))
      for (const text of listOf(node[name]))
        if (typeof text === 'string' && text.trim() === '') tell('blank', `${at}/${name}`)
}

/** Profiles, tags and labels are sets. @see https://hl7.org/fhir/R4/resource-operation-meta-add.html */
export const warnOfDoubles: Check = ({ node, at }, tell) => {
  for (const name of ['profile', 'tag', 'security']) {
    const keys = listOf(node[name]).map(each => (isNode(each) ? `${each.system}|${each.code}` : String(each)))
    if (new Set(keys).size !== keys.length) tell('doubled', `${at}/${name}`)
  }
}

export function hasTexts({ elements }: Shape): boolean {
  return elements.values().some(({ type }) => texts.has(type))
}
