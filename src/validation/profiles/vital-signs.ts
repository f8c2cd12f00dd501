import { listOf } from '../content/check.ts'
import { isNode, type Node } from '../walk.ts'

const loinc = 'http://loinc.org'
const core = 'http://hl7.org/fhir/StructureDefinition/'

/** What R4 wants of an Observation with one of these codes of LOINC. @see https://hl7.org/fhir/R4/observation-vitalsigns.html#vitals-table */
const profileOf: ReadonlyMap<unknown, string> = new Map([
  ['85353-1', 'vitalspanel'],
  ['9279-1', 'resprate'],
  ['8867-4', 'heartrate'],
  ['2708-6', 'oxygensat'],
  ['8310-5', 'bodytemp'],
  ['8302-2', 'bodyheight'],
  ['9843-4', 'headcircum'],
  ['29463-7', 'bodyweight'],
  ['39156-5', 'bmi'],
  ['85354-9', 'bp'],
])

/** Canonicals of the profiles of vital signs that an Observation is of by its code. */
export function vitalSignsOf({ resourceType, code }: Node): readonly string[] {
  if (resourceType !== 'Observation' || !isNode(code)) return []
  return listOf(code.coding).flatMap(each => {
    const name = isNode(each) && each.system === loinc ? profileOf.get(each.code) : undefined
    return name === undefined ? [] : [`${core}${name}`]
  })
}
