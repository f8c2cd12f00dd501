import { createRequire } from 'node:module'
import { Problem, spend } from '#kernel'
import type { FilterDefinition } from '../definitions.ts'
import { ancestorsOf, type CodeSystem, type Concept, descendantsOf } from '../systems/code-system.ts'
import { readingOf } from '../systems/properties.ts'

/** Whether a concept passes a filter. */
export type Test = (concept: Concept) => boolean

type Make = (system: CodeSystem, filter: FilterDefinition) => Test

/** Whether a concept stands below another; `self`: or is it. All below are gone through once, by the first question. */
function below(system: CodeSystem, value: string, self: boolean): Test {
  const root = system.find(value.trim())
  if (root === undefined) return () => false
  let found: ReadonlySet<string> | undefined
  return concept => {
    if (concept.code === root.code) return self
    if (!system.isSubsumptive) return false
    if (system.isBelow !== undefined) return system.isBelow(concept.code, root.code)
    found ??= descendantsOf(system, root)
    return found.has(concept.code)
  }
}

function above(system: CodeSystem, value: string): Test {
  const start = system.find(value.trim())
  if (start === undefined) return () => false
  const ancestors = system.isSubsumptive ? ancestorsOf(system, start) : new Set<string>()
  return concept => concept.code === start.code || ancestors.has(concept.code)
}

/** A test of the values that a concept has of a property. */
function byValue(test: (filter: FilterDefinition) => (values: readonly string[]) => boolean): Make {
  return (system, filter) => {
    const read = readingOf(system, filter.property)
    if (read === undefined)
      throw new Problem(
        'unprocessable',
        'terminology.property-unknown',
        'A filter asks for a property that its code system does not define.',
        { expression: 'ValueSet.compose.include.filter.property' },
      )
    const passes = test({ ...filter, value: system.plain?.(filter.property, filter.value) ?? filter.value })
    return concept => passes(read(concept))
  }
}

/** A filter of the hierarchy is about the concept itself. */
function byPlace(make: (system: CodeSystem, value: string) => Test): Make {
  return (system, { property, value }) => {
    if (property === 'concept' || property === 'code') return make(system, value)
    throw new Problem(
      'unsupported',
      'terminology.filter-unsupported',
      'A filter by place in a hierarchy is about the property concept.',
      { expression: 'ValueSet.compose.include.filter.property' },
    )
  }
}

const listed = (value: string): ReadonlySet<string> => new Set(value.split(',').map(text => text.trim()))

/** @see https://hl7.org/fhir/R4/valueset-filter-operator.html */
const operators: Readonly<Record<string, Make>> = {
  '=': byValue(
    ({ value }) =>
      values =>
        values.includes(value),
  ),
  'is-a': byPlace((system, value) => below(system, value, true)),
  'descendent-of': byPlace((system, value) => below(system, value, false)),
  'is-not-a': byPlace((system, value) => {
    const isA = below(system, value, true)
    return concept => !isA(concept)
  }),
  generalizes: byPlace(above),
  regex: byValue(({ value }) => {
    const matches = compile(value)
    return values => values.some(matches)
  }),
  in: byValue(({ value }) => {
    const wanted = listed(value)
    return values => values.some(each => wanted.has(each))
  }),
  'not-in': byValue(({ value }) => {
    const unwanted = listed(value)
    return values => !values.some(each => unwanted.has(each))
  }),
  exists: byValue(({ value }) => {
    const wanted = value.trim() !== 'false'
    return values => values.length > 0 === wanted
  }),
}

/**
 * What a filter of a value set asks of a concept.
 *
 * @throws Problem `unsupported` · `terminology.filter-unsupported`; `unprocessable` · `terminology.property-unknown`;
 *   `invalid` · `terminology.pattern-malformed`
 */
export function testOf(system: CodeSystem, filter: FilterDefinition): Test {
  const make = Object.hasOwn(operators, filter.op) ? operators[filter.op] : undefined
  // A primitive may have extensions alone.
  if (filter.value === undefined || filter.property === undefined) throw unsupported()
  if (make !== undefined) return make(system, filter)
  throw unsupported()
}

function unsupported(): Problem {
  return new Problem('unsupported', 'terminology.filter-unsupported', 'This server does not know a filter operator.', {
    expression: 'ValueSet.compose.include.filter.op',
  })
}

/** The operators that are known. */
export const filterOperators: readonly string[] = Object.keys(operators)

interface Pattern {
  matches(text: string): boolean
  /** In instructions. */
  programSize(): number
}

const longestPattern = 500
/** Of what repeats, each repetition written out: more takes longer to compile than others should wait. */
const longestWrittenOut = 10_000
const largestProgram = 2_000
/** Instructions times characters of one text: some 30 ms at worst, which nothing interrupts. */
const mostOfOneText = 100_000
/** To compile one takes some milliseconds at worst. */
const workOfPattern = 1_000_000
let library: { readonly RE2JS: { compile(pattern: string): Pattern } } | undefined

/**
 * Patterns come from strangers, and V8's engine can be made to try for ever; RE2 takes a time that grows with the text and with the
 * program alone. That program grows with each counted repetition, so both have their bounds. The whole value must match, as XML Schema
 * has it.
 */
function compile(pattern: string): (text: string) => boolean {
  library ??= createRequire(import.meta.url)('re2js') as NonNullable<typeof library>
  spend('work', workOfPattern)
  const compiled = tryCompile(library.RE2JS, pattern)
  if (compiled === undefined)
    throw new Problem('invalid', 'terminology.pattern-malformed', 'A filter holds no regular expression.', {
      expression: 'ValueSet.compose.include.filter.value',
    })
  const size = compiled.programSize()
  if (size > largestProgram) throw tooLarge()
  return text => {
    const steps = text.length * size
    if (steps > mostOfOneText) throw tooLarge()
    // Each character is held against every part of the pattern.
    spend('work', Math.max(text.length * 100, steps * 10))
    return compiled.matches(text)
  }
}

function tooLarge(): Problem {
  return new Problem(
    'too-costly',
    'terminology.pattern-too-large',
    'A regular expression of a filter, or a text that it is held against, is too large.',
    { expression: 'ValueSet.compose.include.filter.value' },
  )
}

function tryCompile(library: { compile(pattern: string): Pattern }, pattern: string): Pattern | undefined {
  if (pattern.length > longestPattern) return undefined
  if (writtenOut(pattern) > longestWrittenOut) throw tooLarge()
  try {
    return library.compile(pattern)
  } catch {
    // Whatever RE2 does not take is no pattern here.
    return undefined
  }
}

/** RE2 takes no nested repetitions beyond it. */
const mostRepeated = 1_000

/** Where case does not count, RE2 looks at each letter of a range by itself; those of ASCII are few. */
const foldsCase = /\(\?[a-z]*i/i
const wideRange = /-(?:\\x\{|[^\0-\x7f])/g
const partsOfWideRange = 1_000

/** At most so many parts a pattern has once its counted repetitions are written out: a part's own are added, those of groups multiply. */
function writtenOut(pattern: string): number {
  let [parts, groups] = [pattern.length, 1]
  if (foldsCase.test(pattern)) parts += partsOfWideRange * (pattern.match(wideRange)?.length ?? 0)
  for (const [, before, least = '0', most = ''] of pattern.matchAll(/(?<=([\s\S]))\{(\d+)(?:,(\d*))?\}/g)) {
    const times = Math.min(mostRepeated, Math.max(Number(least), Number(most), 1))
    if (before === ')' || before === '}') groups = Math.min(mostRepeated, groups * times)
    else parts += times
  }
  return parts * groups
}
