import type { Resource } from '#fhir'
import type { Left, Namesakes } from '../../outcome.ts'
import { stampOf } from '../said-at.ts'
import { isWithdrawn } from './action.ts'

interface Number {
  readonly type?: { readonly coding?: readonly { readonly code?: string }[] }
  readonly system?: string
  readonly value?: string
}

interface Coding {
  readonly system?: string
  readonly code?: string
}

/** What is said of a resource that its sender may know by another name than its number. */
export interface Numbered {
  /** Whether what it says is a change of what has the number: then one part of it may differ. */
  readonly isChange: boolean
  /** Parts of a resource by which it is told from others of the number: what of them is the same is counted. */
  readonly parts: readonly ((resource: Resource) => readonly string[])[]
  /** How many of them may differ where it is a change. */
  readonly mayDiffer: number
  readonly several: Left
  readonly none?: Left
}

/**
 * Looks for what has the number and is the same in all that tells it from others of that number; where a change is said, for the one
 * that differs in a part. Senders use one number for several: who cannot be told is another one, and that is said.
 */
export function ofNumber({ isChange, parts, mayDiffer, several, none }: Numbered): Namesakes {
  const differing = (other: Resource, anew: Resource) => parts.filter(part => !meet(part(other), part(anew))).length
  const isSame = (other: Resource, anew: Resource) => differing(other, anew) === 0
  const isChanged = (other: Resource, anew: Resource) =>
    isChange && sameNumbers(other, anew) && differing(other, anew) <= mayDiffer
  return {
    byNumber: true,
    isLikely: (_, { identifier }) => Array.isArray(identifier),
    isIt: (other, anew) =>
      stampOf(other, 'said') !== undefined && !isWithdrawn(other) && (isSame(other, anew) || isChanged(other, anew)),
    isRather: isSame,
    several,
    ...(none === undefined ? {} : { none }),
  }
}

/** "9999" stands for no order, whoever says it: CDC HL7 v2.5.1 Implementation Guide for Immunization Messaging 1.5, ORC-3. */
const noNumber = '|9999'

/** Whether two have a number in common, and no other of the same kind. */
export function sameNumbers(one: Resource, other: Resource): boolean {
  const [numbers, others] = [numbersOf(one), numbersOf(other)]
  const isNone = [...numbers.values(), ...others.values()].some(number => number.endsWith(noNumber))
  if (isNone) return false
  const kinds = [...numbers.keys()].filter(kind => others.has(kind))
  return kinds.length > 0 && kinds.every(kind => numbers.get(kind) === others.get(kind))
}

/** Placer's and filler's number, by their kind. */
function numbersOf({ identifier }: Resource): ReadonlyMap<string, string> {
  const all = (Array.isArray(identifier) ? identifier : []) as readonly Number[]
  return new Map(
    all.flatMap(({ type, system = '', value }) => {
      const kind = type?.coding?.map(({ code }) => code).find(code => code === 'PLAC' || code === 'FILL')
      return kind === undefined || value === undefined ? [] : [[kind, `${system}|${value}`]]
    }),
  )
}

/** Codes of a concept, to be compared; its words where it has none. */
export function codesOf(concept: unknown): readonly string[] {
  const { coding = [], text } = (concept ?? {}) as { readonly coding?: readonly Coding[]; readonly text?: string }
  const codes = coding.flatMap(({ system, code }) => (code === undefined ? [] : [`${system}|${code}`]))
  return codes.length > 0 || text === undefined ? codes : [text]
}

function meet(one: readonly string[], other: readonly string[]): boolean {
  return one.some(text => other.includes(text))
}
