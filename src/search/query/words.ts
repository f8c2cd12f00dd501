import { isProblem, Problem, spend } from '#kernel'
import {
  ancestorsOf,
  builtIn,
  type CodeSystem,
  type Definitions,
  descendantsOf,
  Membership,
  setsWithin,
} from '#terminology'

/** Whether a coding is among those that are meant. */
export type CodeTest = (system: string, code: string) => boolean

/** What a search asks of terminology. Each throws a Problem when what it names is not known. */
export interface Words {
  /** Codings that belong to a value set; those of which that cannot be told belong where `unknown` says so. */
  within(valueSet: string, unknown: boolean, parameter: string): CodeTest
  /** A code and all that stands below it. */
  below(system: string, code: string, parameter: string): CodeTest
  /** A code and all that stands above it. */
  above(system: string, code: string, parameter: string): CodeTest
}

/**
 * Terminology that is at hand, as a search asks it.
 *
 * @throws Problem (its methods) `invalid` · `search.value-set-unknown`, `search.code-system-unknown`; what filters of value sets throw
 */
export function wordsOf(definitions: Definitions): Words {
  return {
    within: (valueSet, unknown, parameter) => inValueSet(definitions, { valueSet, unknown, parameter }),
    below: (system, code, parameter) => kinOf(definitions, { system, code, parameter }, descendantsOf),
    above: (system, code, parameter) => kinOf(definitions, { system, code, parameter }, ancestorsOf),
  }
}

/** What R4 itself defines. */
export const builtInWords: Words = wordsOf(builtIn)

interface AskedSet {
  readonly valueSet: string
  readonly unknown: boolean
  readonly parameter: string
}

function inValueSet(definitions: Definitions, { valueSet, unknown, parameter }: AskedSet): CodeTest {
  const definition = definitions.valueSet(valueSet)
  const sets = definition === undefined ? noSuchSet : setsWithin(definition, definitions)
  if (definition === undefined || isProblem(sets)) throw unaskable(isProblem(sets) ? sets.text : '', parameter)
  const membership = new Membership(definitions)
  // What is wrong with it is told before anything is looked at, so that the refusal tells nothing of what is stored.
  for (const each of sets) membership.find(each, { system: 'urn:kinhold:none', code: 'none' })
  return (system, code) => {
    if (system === '') return false
    const { is } = membership.find(definition, { system, code })
    return is === 'in' || (unknown && is === 'unknown')
  }
}

const noSuchSet = new Problem('invalid', 'search.value-set-unknown', 'None of that name is known here.')

function unaskable(why: string, parameter: string): Problem {
  const text = `The value set cannot be asked. ${why}`
  return new Problem('invalid', 'search.value-set-unknown', text, { expression: parameter })
}

interface AskedCode {
  readonly system: string
  readonly code: string
  readonly parameter: string
}

function kinOf(definitions: Definitions, { system, code, parameter }: AskedCode, next: typeof ancestorsOf): CodeTest {
  const known = definitions.codeSystem(system)
  if (known === undefined)
    throw new Problem('invalid', 'search.code-system-unknown', 'The hierarchy of that code system is not known here.', {
      expression: parameter,
    })
  const concept = known.find(code)
  const kin = concept === undefined || !known.isSubsumptive ? undefined : next(known, concept)
  spend('work', kin?.size ?? 0)
  const sought = codeIn(known, code)
  return (other, coded) => other === system && isAmong(codeIn(known, coded), sought, kin)
}

function isAmong(code: string, sought: string, kin: ReadonlySet<string> | undefined): boolean {
  return code === sought || kin?.has(code) === true
}

/** As the code system writes it. */
function codeIn(system: CodeSystem, code: string): string {
  return system.isCaseSensitive ? code : (system.find(code)?.code ?? code.toLowerCase())
}
