import { atOnce, inSlices, type Steps } from '#kernel'
import { identityTables } from './tables.ts'

/** A number of a person, with the authority that gave it. */
export interface IdentifierClaim {
  /** URI of the assigning authority; a number without one says nothing. */
  readonly system?: string
  readonly value: string
  /** Code of v2-0203, e.g. `MR`; undefined when the sender did not say. */
  readonly type?: string
  /** No longer in use: it still finds the person, but a newer one does not contradict it. */
  readonly old?: true
}

/** A name as it was given; `text` alone where the sender did not take it apart. */
export interface NameClaim {
  readonly family?: string
  readonly given: readonly string[]
  readonly text?: string
}

/** What somebody says of a person: only what can tell people apart. Placeholders are left out. */
export interface PersonClaims {
  readonly identifiers: readonly IdentifierClaim[]
  readonly names: readonly NameClaim[]
  /** `YYYY[-MM[-DD]]` */
  readonly birthDate?: string
  /** `other` and `unknown` contradict nothing and are not here. */
  readonly gender?: 'male' | 'female'
  /** Which of those born together: 2 for the second twin. */
  readonly birthOrder?: number
}

/** Names that are looked at, the same ones among them. */
const mostNames = 200
/** Letters of a part of a name, and of all its given names together: what follows is no part of anybody's name. */
const mostLetters = 200

/** Nobody's names have more, each counted once; each word is compared with each of everybody who may be meant. */
const mostWords = 24

type Node = { readonly [element: string]: unknown }

/**
 * The claims of a FHIR Patient, or of the elements of one. Takes what comes: what is malformed claims nothing.
 *
 * @param patient  elements of https://hl7.org/fhir/R4/patient.html
 */
export function claimsOf(patient: Node): PersonClaims {
  return atOnce(claimsInSteps(patient))
}

/** As `claimsOf`, in slices: for a Patient that somebody has sent or stored, who may have very many numbers. */
export function claimsInSlices(patient: Node): Promise<PersonClaims> {
  return inSlices(claimsInSteps(patient))
}

function* claimsInSteps(patient: Node): Steps<PersonClaims> {
  const birthDate = birthDateOf(patient.birthDate)
  const gender = patient.gender
  const birthOrder = Number(patient.multipleBirthInteger)
  return {
    identifiers: yield* identifiersIn(patient.identifier),
    names: fewNames(nodesIn(patient.name).slice(0, mostNames).flatMap(nameOf)),
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === 'male' || gender === 'female' ? { gender } : {}),
    ...(Number.isInteger(birthOrder) && birthOrder > 0 ? { birthOrder } : {}),
  }
}

/** The first of the names. */
function fewNames(names: readonly NameClaim[]): readonly NameClaim[] {
  const distinct = [...new Map(names.map(name => [JSON.stringify(name), name])).values()]
  let words = 0
  return distinct.filter((name, at) => {
    words += at < mostWords ? wordsOf(name) : mostWords
    return at === 0 || words <= mostWords
  })
}

/** Words are counted where they are read: a text stands for a name that is not taken apart. */
function wordsOf({ family = '', given, text = '' }: NameClaim): number {
  return (family === '' && given.length === 0 ? [text] : [family, ...given])
    .join(' ')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(word => word !== '').length
}

/** Numbers that are read in one go. */
const numbersAtATime = 256

function* identifiersIn(value: unknown): Steps<readonly IdentifierClaim[]> {
  const found: IdentifierClaim[] = []
  for (const [at, node] of nodesIn(value).entries()) {
    if (at % numbersAtATime === numbersAtATime - 1) yield
    found.push(...identifierOf(node))
  }
  return found
}

function identifierOf(node: Node): readonly IdentifierClaim[] {
  const { system, use } = node
  const value = textOf(node.value)
  if (value === undefined || isPlaceholderNumber(value)) return []
  const type = typeOf(node.type) ?? (typeof system === 'string' ? identityTables().typeOfSystem.get(system) : undefined)
  if (type === 'SS' && isPlaceholderSocialSecurity(value)) return []
  return [
    {
      value,
      ...(typeof system === 'string' && system !== '' ? { system } : {}),
      ...(type === undefined ? {} : { type }),
      ...(use === 'old' ? { old: true as const } : {}),
    },
  ]
}

/** The first coding of the table for identifier types, else the first local code. */
function typeOf(type: unknown): string | undefined {
  const codings = isNode(type) ? nodesIn(type.coding) : []
  const ofTable = codings.find(({ system }) => typeof system === 'string' && /v2[-/]0203$/.test(system))
  const code = (ofTable ?? codings[0])?.code
  return typeof code === 'string' && code !== '' ? code.toUpperCase() : undefined
}

/** `0000`, `99999999` and words for "not known" are written where a number is asked for and there is none. */
function isPlaceholderNumber(value: string): boolean {
  return /^(\w)\1{3,}$/.test(value) || /^[0\W_]+$/.test(value) || isIn('placeholderIdentifiers', value)
}

/** Areas 000, 666 and 9xx, group 00 and serial 0000 are never given: https://www.ssa.gov/employer/randomization.html */
function isPlaceholderSocialSecurity(value: string): boolean {
  const digits = value.replace(/[\s-]/g, '')
  const isAmerican = /^\d{9}$/.test(digits)
  const isGiven = /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits)
  return isAmerican && (!isGiven || identityTables().placeholderSocialSecurity.has(digits))
}

function isIn(table: 'placeholderIdentifiers' | 'placeholderBirthDates', text: string): boolean {
  return identityTables()[table].has(text.toLowerCase())
}

function nameOf(node: Node): readonly NameClaim[] {
  const family = namePartOf(node.family)
  const given = givenOf(node.given)
  const text = namePartOf(node.text)
  if (family === undefined && given.length === 0 && text === undefined) return []
  return [{ given, ...(family === undefined ? {} : { family }), ...(text === undefined ? {} : { text }) }]
}

function namePartOf(value: unknown): string | undefined {
  return textOf(typeof value === 'string' ? value.slice(0, mostLetters) : value)
}

function givenOf(value: unknown): readonly string[] {
  const given: string[] = []
  let letters = 0
  for (const one of Array.isArray(value) ? value.slice(0, mostWords) : []) {
    const part = namePartOf(one)
    if (part === undefined) continue
    letters += part.length
    if (letters > mostLetters && given.length > 0) break
    given.push(part)
  }
  return given
}

function birthDateOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^\d{4}(-\d{2}(-\d{2})?)?$/.test(value)) return undefined
  return isIn('placeholderBirthDates', value) ? undefined : value
}

/** A text that says something: HL7's null `""` does not. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' || text === '""' ? undefined : text
}

function nodesIn(value: unknown): readonly Node[] {
  return (Array.isArray(value) ? value : []).filter(isNode)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
