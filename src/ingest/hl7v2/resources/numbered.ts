import type { Resource } from '#fhir'
import type { Left, Namesakes } from '../../outcome.ts'
import { senderOf, stampOf } from '../said-at.ts'
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
  const isSame = (other: Resource, anew: Resource) => parts.length > 0 && differing(other, anew) === 0
  const isChanged = (other: Resource, anew: Resource) =>
    isChange && isNumbered(other) && isNumbered(anew) && differing(other, anew) <= mayDiffer
  const isMeant = (other: Resource, anew: Resource) => isSame(other, anew) || isChanged(other, anew)
  return {
    byNumber: true,
    isLikely: (_, { identifier }) => Array.isArray(identifier),
    isIt: (other, anew) =>
      stampOf(other, 'said') !== undefined && !isWithdrawn(other) && isOfNumber(other, anew) && isMeant(other, anew),
    isRather: isSame,
    several,
    ...(none === undefined ? {} : { none }),
  }
}

/** "9999" stands for no order, whoever says it: CDC HL7 v2.5.1 Implementation Guide for Immunization Messaging 1.5, ORC-3. */
const noNumber = '|9999'

function isNumbered(resource: Resource): boolean {
  return ![...numbersOf(resource).values()].flat().some(number => number.endsWith(noNumber))
}

/** Numbers that say by themselves who gave them: HL7 v2.5.1, 2.A.28 and 2.A.33. All others each sender gives as it likes. */
const isWorldwide = /^(urn:oid:|urn:uuid:|https?:)/

/** Whether two have a number in common, no other of the same kind, and the number is one of both their senders. */
function isOfNumber(one: Resource, other: Resource): boolean {
  const [numbers, others] = [numbersOf(one), numbersOf(other)]
  const common = [...numbers].flatMap(([kind, own]) => {
    const theirs = others.get(kind)
    return theirs === undefined ? [] : [own.filter(number => theirs.includes(number))]
  })
  const isAgreed = common.length > 0 && common.every(some => some.length > 0)
  return isAgreed && (senderOf(one) === senderOf(other) || common.flat().every(number => isWorldwide.test(number)))
}

/** Those of a resource: many of a message are held against each of many that have their number. */
const read = new WeakMap<Resource, ReadonlyMap<string, readonly string[]>>()

function numbersOf(resource: Resource): ReadonlyMap<string, readonly string[]> {
  const known = read.get(resource) ?? numbersIn(resource)
  read.set(resource, known)
  return known
}

/** Placer's and filler's numbers, by their kind. */
function numbersIn({ identifier }: Resource): ReadonlyMap<string, readonly string[]> {
  const all = (Array.isArray(identifier) ? identifier : []) as readonly Number[]
  const numbers = new Map<string, string[]>()
  for (const { type, system = '', value } of all) {
    const kind = type?.coding?.map(({ code }) => code).find(code => code === 'PLAC' || code === 'FILL')
    if (kind !== undefined && value !== undefined)
      numbers.set(kind, [...(numbers.get(kind) ?? []), `${system}|${value}`])
  }
  return numbers
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
