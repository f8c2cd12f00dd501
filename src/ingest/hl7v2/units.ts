import { isUcum } from '#terminology'
import { systems } from '../codes.ts'
import { lazyTable, perEdition } from '../tables.ts'
import { codingSystem, isLocal } from './codings.ts'
import { part, type Repetition } from './message.ts'
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
  const [code = '', words = '', name = ''] = [1, 2, 3].map(at => part(given, at))
  const unit = words || part(given, 9) || code
  if (unit === '') return {}
  const system = codingSystem(name)
  if (code !== '' && system !== undefined && system !== systems.ucum && !isIso(name)) return { unit, system, code }
  const ucum = system === systems.ucum ? statedUcum(code) : (certainUcum(code, loinc) ?? certainUcum(unit, loinc))
  return ucum === undefined ? { unit } : { unit, system: systems.ucum, code: ucum }
}

/**
 * Which components a unit says, from 1: its words, its code, and the name of its system. A code without an equivalent
 * beside other words is not among them.
 */
export function unitParts(given: Repetition, { unit, code }: Unit): readonly number[] {
  const said = [1, 2, 9].filter(at => part(given, at) === unit || part(given, at) === code)
  // A code stands for the spelling that it was found by.
  if (code !== undefined) return [...new Set([...said, 1, 3])]
  return isLocal(part(given, 3)) || isIso(part(given, 3)) ? [...said, 3] : said
}

/** ISO 2955 and its American cousin spell units; they have no codes that FHIR can name. */
function isIso(name: string): boolean {
  return /^(ISO|ANS)\+?$/i.test(name)
}

/** The sender calls it UCUM: then it is, or is a spelling of it. */
export function statedUcum(code: string): string | undefined {
  return isUcum(code) ? code : lookUp(units().ucum, code)
}

function certainUcum(text: string, loinc: string): string | undefined {
  const { byObservation, ucum } = units()
  const fitting = byObservation.loinc.includes(loinc) ? lookUp(byObservation.units, text) : undefined
  return fitting ?? lookUp(ucum, text) ?? (isMadeOfAtoms(text) && isUcum(text) ? text : undefined)
}

/** `mmol/L`, `ug/24.h`, `mm[Hg]`, `/uL`, `10*3/uL`, `{score}`: nothing that could be another unit by another's spelling. */
function isMadeOfAtoms(text: string): boolean {
  const factors = text.split(/[./]/).filter(factor => factor !== '')
  return factors.length > 0 && factors.every(isFactor)
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
