import { isUcum } from '#terminology'
import { systems } from '../codes.ts'
import { lazyTable, perEdition } from '../tables.ts'
import { codingSystem, isLocal } from './codings.ts'
import type { Used } from './ledger.ts'
import { below, part, type Repetition } from './message.ts'
import { lookUp } from './tables.ts'

interface UnitTable {
  readonly prefixes: readonly string[]
  readonly atoms: readonly string[]
  readonly whole: readonly string[]
  readonly ucum: Readonly<Record<string, string>>
  readonly byObservation: { readonly loinc: readonly string[]; readonly units: Readonly<Record<string, string>> }
}

const units = lazyTable<UnitTable>('hl7v2/units.json')

/** `unit`, `system` and `code` of a Quantity. */
export interface Unit {
  readonly unit?: string
  readonly system?: string
  readonly code?: string
}

/**
 * OBX-6, CQ.2: the code with the system that the sender names. Where none is named, a code only if the unit is certain
 * and fits what was measured.
 *
 * @param loinc  what was measured, when it is known
 * @see          https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-cwe-to-quantity.html
 */
export function toUnit(given: Repetition, loinc = ''): Unit {
  const from = startOf(given)
  const [code = '', words = '', name = ''] = [0, 1, 2].map(at => part(given, from + at))
  const power = powerOfTen(code, words)
  if (power !== undefined) return certain(power, loinc)
  const unit = words || part(given, 9) || code
  if (unit === '') return {}
  const system = codingSystem(name)
  if (code !== '' && system !== undefined && system !== systems.ucum && !isIso(name)) return { unit, system, code }
  const ucum = system === systems.ucum ? statedUcum(code) : (certainUcum(code, loinc) ?? certainUcum(unit, loinc))
  return ucum === undefined ? { unit } : { unit, system: systems.ucum, code: ucum }
}

/** `10^3/uL`, of which nobody has escaped the `^`: a code of 10 that is called 3/uL is none. */
function powerOfTen(code: string, words: string): string | undefined {
  return /^[xX*]?10$/.test(code) && /^-?\d{1,2}(\s*\/.*)?$/.test(words) ? `${code}^${words}` : undefined
}

function certain(unit: string, loinc: string): Unit {
  const code = certainUcum(unit, loinc)
  return code === undefined ? { unit } : { unit, system: systems.ucum, code }
}

/** The triplet that says it: the guide reads the first, and takes for granted that it is the one that is not empty. */
function startOf(given: Repetition): number {
  return [1, 4, 10].find(from => part(given, from) !== '' || part(given, from + 1) !== '') ?? 1
}

/**
 * Which components a unit says, from 1: its words, its code, and the name of its system. A code without an equivalent
 * beside other words is not among them.
 */
export function unitParts(given: Repetition, { unit, code }: Unit): readonly number[] {
  const from = startOf(given)
  const system = from + 2
  const isPower = unit !== undefined && powerOfTen(part(given, from), part(given, from + 1)) === unit
  if (isPower) return codingSystem(part(given, system)) === systems.ucum ? [from, from + 1, system] : [from, from + 1]
  const said = [from, from + 1, 9].filter(at => part(given, at) === unit || part(given, at) === code)
  // A code stands for the spelling that it was found by.
  if (code !== undefined) return [...new Set([...said, from, system])]
  return isLocal(part(given, system)) || isIso(part(given, system)) ? [...said, system] : said
}

/** The unit of a CQ, in the subcomponents of CQ.2 or, as of old, in what stands behind it; tells which parts say it. */
export function unitBehind(cq: Repetition, used: Used): Unit {
  const isDivided = (cq[1]?.length ?? 0) > 1
  return isDivided ? unitIn(below(cq, 2), at => used(2, at)) : unitIn(cq.slice(1, 4), at => used(at + 1))
}

/** A unit; tells which of its components say it. */
export function unitIn(given: Repetition, used: Used): Unit {
  const unit = toUnit(given)
  for (const at of unitParts(given, unit)) used(at)
  return unit
}

/** ISO 2955 and its American cousin spell units; they have no codes that FHIR can name. */
function isIso(name: string): boolean {
  return /^(ISO|ANS)\+?$/i.test(name)
}

/** The sender calls it UCUM: then it is, or is a spelling of it. */
export function statedUcum(code: string): string | undefined {
  if (isUcum(code)) return code
  const plain = inAscii(code)
  return lookUp(units().ucum, code) ?? (isUcum(plain) ? plain : undefined)
}

/** The UCUM code of a unit, where it is certain for what was measured. */
export function certainUcum(text: string, loinc: string): string | undefined {
  const { byObservation, ucum } = units()
  const plain = inAscii(text)
  const fitting = byObservation.loinc.includes(loinc) ? lookUp(byObservation.units, text) : undefined
  return (
    fitting ?? lookUp(ucum, text) ?? lookUp(ucum, plain) ?? (isMadeOfAtoms(plain) && isUcum(plain) ? plain : undefined)
  )
}

/** UCUM is written in ASCII: a micro, in either of its two characters, is `u`, a raised digit follows its unit, a power is `10*9`. */
function inAscii(text: string): string {
  return text
    .replace(/[\u00b5\u03bc]/g, 'u')
    .replace(/[\u00b2\u00b3]/g, digit => (digit === '\u00b2' ? '2' : '3'))
    .replace(/^[xX*]?10\^(?=\d)/, '10*')
}

/** `mmol/L`, `ug/24.h`, `mm[Hg]`, `/uL`, `10*3/uL`, `{score}`: nothing that could be another unit by another's spelling. */
function isMadeOfAtoms(text: string): boolean {
  const factors = text.split(/[./]/).filter(factor => factor !== '')
  // A number alone measures nothing; it is a code of somebody's.
  return factors.some(factor => !/^\d+$/.test(factor)) && factors.every(isFactor)
}

const factorPattern = perEdition(() => {
  const { prefixes, atoms } = units()
  return new RegExp(
    `^(?:\\d+|(?:${prefixes.join('|')})?(?:${atoms.join('|')}|\\[[^\\]]+\\])\\d?|\\{[^}]+\\})(?:\\{[^}]+\\})?$`,
  )
})

function isFactor(factor: string): boolean {
  return units().whole.includes(factor) || factorPattern().test(factor)
}
