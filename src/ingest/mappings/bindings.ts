import { requiredCodes, shapeOf } from '#fhir'
import { codesOfTable, type TableCode } from './codes.ts'
import { type Found, memberOf, partsNamed, rowsOf, type Tables, type Tell, valuesAt } from './tables.ts'

/** An element whose codes R4 lists, below a type: `['Encounter', 'status']`. */
export type Bound = readonly [type: string, path: string]

/** The sets of `ccda/code-sets.json` that documents are read with, and the elements that their codes go to. */
export const codeSets: Readonly<Record<string, readonly Bound[]>> = {
  'allergy-status': [['AllergyIntolerance', 'clinicalStatus']],
  'concern-allergy-status': [['AllergyIntolerance', 'clinicalStatus']],
  'problem-status': [['Condition', 'clinicalStatus']],
  'concern-problem-status': [['Condition', 'clinicalStatus']],
  'allergy-type': [['AllergyIntolerance', 'type']],
  'allergy-category': [['AllergyIntolerance', 'category']],
  'no-known-allergy': [],
  'no-known-problem': [],
  severity: [['AllergyIntolerance', 'reaction.severity']],
  criticality: [['AllergyIntolerance', 'criticality']],
  'medication-status': [['MedicationStatement', 'status']],
  'medication-request-status': [['MedicationRequest', 'status']],
  'dispense-status': [['MedicationDispense', 'status']],
  'immunization-status': [['Immunization', 'status']],
  'procedure-status': [['Procedure', 'status']],
  'request-status': [
    ['ServiceRequest', 'status'],
    ['DeviceRequest', 'status'],
  ],
  'encounter-status': [['Encounter', 'status']],
  'result-status': [['Observation', 'status']],
  'report-status': [['DiagnosticReport', 'status']],
  'goal-status': [['Goal', 'lifecycleStatus']],
  'goal-achievement': [],
  'care-team-status': [['CareTeam', 'status']],
  'device-use-status': [['DeviceUseStatement', 'status']],
  'null-flavor': [],
  intent: [
    ['ServiceRequest', 'intent'],
    ['MedicationRequest', 'intent'],
  ],
  gender: [['Patient', 'gender']],
  'name-use': [['HumanName', 'use']],
  'address-use': [['Address', 'use']],
  'telecom-use': [['ContactPoint', 'use']],
  'telecom-system': [['ContactPoint', 'system']],
  'encounter-participant': [],
  'timing-event': [['Timing', 'repeat.when']],
  'timing-unit': [['Timing', 'repeat.durationUnit']],
  priority: [['ServiceRequest', 'priority']],
  participation: [],
}

const columns: readonly (readonly [file: string, path: string, bound: Bound])[] = [
  ['hl7v2/messages.json', 'rows/*/status', ['Encounter', 'status']],
  ['hl7v2/messages.json', 'rows/*/appointment', ['Appointment', 'status']],
  ['hl7v2/messages.json', 'rows/*/document', ['DocumentReference', 'status']],
  ['apple-health/characteristics.json', 'genders/*/gender', ['Patient', 'gender']],
]

/** Codes of columns that go to an element whose codes R4 lists. */
export function checkBindings(tables: Tables, tell: Tell): void {
  for (const [file, path, bound] of columns)
    for (const found of valuesAt(tables, file, path)) checkCode({ code: found, system: undefined }, bound, tell)
  for (const set of valuesAt(tables, 'ccda/code-sets.json', 'sets/*'))
    for (const bound of Object.hasOwn(codeSets, set.key) ? (codeSets[set.key] ?? []) : [])
      for (const row of rowsOf(set))
        for (const code of partsNamed(row, 'to'))
          checkCode({ code, system: memberOf(set.value, 'system') }, bound, tell)
}

/** Whether R4 lets the code stand in the element, told where it does not. */
function checkCode(code: TableCode, [type, path]: Bound, tell: Tell): void {
  const names = path.split('.')
  const within = names.slice(0, -1).join('.')
  const element = shapeOf(type, within).elements.get(names.at(-1) ?? '')
  checkBound(code, { valueSet: element?.valueSet, name: `${type}.${path}` }, tell)
}

/** An element with the value set that its codes must be of. */
export interface BoundElement {
  readonly valueSet: string | undefined
  /** As people know it: `Encounter.status`. */
  readonly name: string
}

/** Tells a code that the value set of an element does not have; one without a system may be of any of its systems. */
export function checkBound({ code, system }: TableCode, { valueSet, name }: BoundElement, tell: Tell): void {
  const bySystem = valueSet === undefined ? undefined : requiredCodes(valueSet)
  if (bySystem === undefined) return
  const lists = Object.entries(bySystem).filter(([one]) => system === undefined || one === system)
  const known = lists.flatMap(([, codes]) => codes)
  if (!known.includes(String(code.value)))
    tell(
      code,
      `${String(code.value)} is no code of ${name}; those are: ${Object.values(bySystem).flat().slice(0, 30).join(', ')}.`,
    )
}

/** Tells codes of an HL7 table that the element into which a row puts them does not have. */
export function checkTableCodes(table: Found, element: BoundElement, isCoding: boolean, tell: Tell): void {
  const own = `http://terminology.hl7.org/CodeSystem/v2-${memberOf(table.value, 'hl7')}`
  // A code that stays one of the HL7 table is kept beside an element that has codes of its own.
  const isKept = ({ system }: TableCode) => system === own && memberOf(table.value, 'system') !== own
  for (const code of codesOfTable(table))
    if (isCoding) checkBound(code, element, tell)
    else if (!isKept(code)) checkBound({ ...code, system: undefined }, element, tell)
}
