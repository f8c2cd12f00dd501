/** Which patients' compartments can hold what a query asks for: a server of many patients need not open the others. */
import { shapeOf } from '#fhir'
import { type Criterion, criteriaWithin, leadsElsewhere, type Query, searchParameter } from '#search'

const owning = /^(subject|patient|beneficiary)$/

/**
 * The Patient ids to whom every match must belong, because the query names them by the element that decides the owner; each once,
 * in however many ways it is written.
 *
 * @returns undefined when the query does not say, or when chains, `_has` or includes may lead elsewhere
 */
export function patientsAsked(query: Query): readonly string[] | undefined {
  const [type] = query.types
  if (type === undefined || query.types.length > 1 || query.includes.length > 0) return undefined
  const criteria = query.criteriaByType.get(type) ?? query.criteria
  if (criteria.some(leadsElsewhere)) return undefined
  for (const criterion of criteria) {
    const patients = patientsOf(type, criterion)
    if (patients !== undefined) return patients
  }
  return undefined
}

function patientsOf(type: string, criterion: Criterion): readonly string[] | undefined {
  if (criterion.kind !== 'value' || criterion.modifier !== undefined || !namesOwner(type, criterion.name))
    return undefined
  const ids = criterion.operands.map(operand =>
    operand.kind === 'reference' && operand.id !== undefined && operand.types.includes('Patient')
      ? operand.id
      : undefined,
  )
  return ids.every(id => id !== undefined) ? [...new Set(ids)] : undefined
}

/** Whether the parameter is just the one single-valued element by which ownership is decided first. */
function namesOwner(type: string, name: string): boolean {
  const alternatives = (searchParameter(type, name)?.expression ?? '').split('|').map(text => text.trim())
  const own = alternatives.filter(text => text.startsWith(`${type}.`))
  const path = /^\w+\.(\w+)(?:\.where\(resolve\(\) is Patient\))?$/.exec(own.length === 1 ? (own[0] ?? '') : '')?.[1]
  if (path === undefined || !owning.test(path)) return false
  return shapeOf(type)?.elements.get(path)?.isList === false
}

/** Every Patient id that a query names, wherever it names one: to tell those whom it concerns that it was asked. */
export function patientsNamed({ types, criteria, criteriaByType }: Query): readonly string[] {
  const named = new Set<string>()
  for (const type of types)
    for (const criterion of criteriaByType.get(type) ?? criteria)
      for (const asked of criteriaWithin(type, criterion)) collectNamed(asked.type, asked.criterion, named)
  return [...named]
}

function collectNamed(type: string, criterion: Criterion, named: Set<string>): void {
  if (criterion.kind !== 'value') return
  const isOwnId = type === 'Patient' && criterion.name === '_id'
  for (const operand of criterion.operands) {
    if (operand.kind === 'reference' && operand.id !== undefined && operand.types.includes('Patient'))
      named.add(operand.id)
    if (isOwnId && operand.kind === 'token' && operand.code !== undefined) named.add(operand.code)
  }
}
