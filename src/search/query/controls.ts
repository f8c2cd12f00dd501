import { isResourceType } from '#fhir'
import { Problem } from '#kernel'
import { searchParameter } from '../parameters.ts'
import type { Contained } from './contained.ts'
import { limits, tooCostly } from './limits.ts'
import type { Include, Query, SortKey } from './types.ts'

/** The query while its parameters are being read. */
export interface Draft {
  types: readonly string[]
  includes: Include[]
  sort: readonly SortKey[]
  count: number | undefined
  offset: number
  total: Query['total']
  summary: Query['summary']
  elements: readonly string[]
  contained: Contained
  containedType: 'container' | 'contained'
}

function malformed(name: string, text: string): Problem {
  return new Problem('invalid', 'search.control-malformed', text, { expression: name })
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(each => each === value)
  if (found === undefined) throw malformed(name, `${name} takes one of: ${allowed.join(', ')}.`)
  return found
}

function readCount(draft: Draft, value: string): void {
  if (!/^[0-9]{1,9}$/.test(value)) throw malformed('_count', '_count takes a whole number.')
  draft.count = Math.min(Number(value), limits.largestCount)
}

const notSortable: ReadonlySet<string> = new Set(['composite', 'special'])

function sortKey(text: string, types: readonly string[]): SortKey {
  const descending = text.startsWith('-')
  const name = descending ? text.slice(1) : text
  for (const type of types) {
    const parameter = searchParameter(type, name)
    if (parameter === undefined || notSortable.has(parameter.type) || parameter.expression === undefined)
      throw new Problem('invalid', 'search.sort-unknown', `${type} cannot be sorted by that.`, { expression: '_sort' })
  }
  return { name, descending }
}

function readSort(draft: Draft, value: string): void {
  const keys = value.split(',')
  if (keys.length > limits.sortKeys) throw tooCostly('sortKeys', '_sort')
  draft.sort = keys.map(key => sortKey(key, draft.types))
}

function readOffset(draft: Draft, value: string): void {
  if (!/^[0-9]{1,9}$/.test(value)) throw malformed('_offset', '_offset takes a whole number.')
  draft.offset = Number(value)
}

function readElements(draft: Draft, value: string): void {
  const names = value.split(',').map(name => name.slice(name.indexOf('.') + 1))
  if (!names.every(name => /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)))
    throw malformed('_elements', '_elements takes names of top-level elements.')
  draft.elements = names
}

/** Parameters that say how the answer is to look; each may be given once. */
export const controls: Readonly<Record<string, (draft: Draft, value: string) => void>> = {
  _count: readCount,
  _sort: readSort,
  _total: (draft, value) => {
    draft.total = oneOf('_total', value, ['none', 'estimate', 'accurate'])
  },
  _summary: (draft, value) => {
    draft.summary = oneOf('_summary', value, ['true', 'text', 'data', 'count', 'false'])
  },
  _elements: readElements,
  _contained: (draft, value) => {
    draft.contained = oneOf('_contained', value, ['false', 'true', 'both'])
  },
  _containedType: (draft, value) => {
    draft.containedType = oneOf('_containedType', value, ['container', 'contained'])
  },
  _offset: readOffset,
}

/** The types of a search of the whole system. */
export function readTypes(values: readonly string[]): readonly string[] {
  const [value, ...more] = values
  if (value === undefined)
    throw new Problem('invalid', 'search.type-missing', 'A search of the whole system needs _type.', {
      expression: '_type',
    })
  if (more.length > 0) throw repeated('_type')
  const types = [...new Set(value.split(','))]
  if (!types.every(isResourceType)) throw malformed('_type', '_type takes resource types of FHIR R4.')
  return types
}

/** @returns a Problem `invalid` · `search.parameter-repeated` */
export function repeated(name: string): Problem {
  return new Problem('invalid', 'search.parameter-repeated', 'The parameter may be given only once.', {
    expression: name,
  })
}

const includeName = /^(_include|_revinclude)(?::(iterate|recurse))?$/

/** Whether a parameter's name is `_include` or `_revinclude`, with or without `:iterate`. */
export function isInclude(name: string): boolean {
  return includeName.test(name)
}

function unknownInclude(name: string): Problem {
  return new Problem('invalid', 'search.include-unknown', 'An include is Type:reference-parameter[:Type], or *.', {
    expression: name,
  })
}

/** `_include=Observation:subject:Patient`: https://hl7.org/fhir/R4/search.html#include */
export function readInclude(draft: Draft, name: string, value: string): void {
  const [, direction, iterate] = includeName.exec(name) ?? []
  const [type = '', parameter = '*', target, ...more] = value.split(':')
  const isSound =
    more.length === 0 &&
    (type === '*' ? value === '*' : isResourceType(type)) &&
    (parameter === '*'
      ? type === '*' || value.includes(':')
      : searchParameter(type, parameter)?.type === 'reference') &&
    (target === undefined || isResourceType(target))
  if (!isSound) throw unknownInclude(name)
  if (draft.includes.length >= limits.includes) throw tooCostly('includes', name)
  draft.includes.push({
    reverse: direction === '_revinclude',
    iterate: iterate !== undefined,
    type,
    name: parameter,
    target,
  })
}
