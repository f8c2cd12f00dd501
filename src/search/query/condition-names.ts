import type { Criterion, Query } from './types.ts'

/** Of more identifiers than this the whole question is the name. */
const mostIdentifiers = 32

/**
 * What a condition is known by, so that equal ones meet wherever they are judged. One that asks for identifiers is known by the
 * value of each, whatever its system and whatever else is asked: the same number is asked for in many ways, and each of them may
 * find what another one makes. Every other one is known by all that it asks, in whatever order.
 */
export function conditionNames({ types, criteria }: Pick<Query, 'types' | 'criteria'>): readonly string[] {
  const type = types.join()
  const values = criteria.map(identifiersIn).find(found => found !== undefined)
  if (values !== undefined) return [...new Set(values.map(value => JSON.stringify([type, value])))]
  return [JSON.stringify([type, ...criteria.map(textOf).toSorted()])]
}

function identifiersIn(criterion: Criterion): readonly string[] | undefined {
  if (criterion.kind !== 'value' || criterion.name !== 'identifier' || criterion.modifier !== undefined)
    return undefined
  const values = criterion.operands.map(operand => (operand.kind === 'token' ? operand.code?.toLowerCase() : undefined))
  const areNamed = values.length <= mostIdentifiers && values.every(value => value !== undefined && value !== '')
  return areNamed ? (values as readonly string[]) : undefined
}

function textOf(criterion: Criterion): string {
  if (criterion.kind !== 'value') return JSON.stringify(criterion)
  return JSON.stringify({ ...criterion, operands: criterion.operands.map(each => JSON.stringify(each)).toSorted() })
}
