/** The code systems that mappings name. */
export const systems = {
  loinc: 'http://loinc.org',
  snomed: 'http://snomed.info/sct',
  ucum: 'http://unitsofmeasure.org',
  /** HL7 Personal Health Records IG: one code for every HealthKit type, with or without a LOINC. */
  pghd: 'http://hl7.org/fhir/uv/phr/CodeSystem/observation-pghd-codes',
  healthKit: 'http://developer.apple.com/documentation/healthkit',
  googleFit: 'https://developers.google.com/fit/datatypes',
  fitbit: 'https://dev.fitbit.com/build/reference/web-api',
  healthConnect: 'https://developer.android.com/reference/android/health/connect/datatypes',
  category: 'http://terminology.hl7.org/CodeSystem/observation-category',
  dataAbsent: 'http://terminology.hl7.org/CodeSystem/data-absent-reason',
} as const

export interface Coding {
  readonly system?: string
  readonly code?: string
  readonly display?: string
}

export interface CodeableConcept {
  readonly coding?: readonly Coding[]
  readonly text?: string
}

/** The words of a table row that say what was measured. */
export interface CodeFacts {
  readonly text: string
  readonly loinc?: readonly string[]
  readonly snomed?: string
  readonly pghd?: string
}

/** LOINC first, then SNOMED CT, then the PGHD code that every type has. */
export function conceptOf(facts: CodeFacts): CodeableConcept {
  const coding: Coding[] = (facts.loinc ?? []).map(code => ({ system: systems.loinc, code }))
  if (facts.snomed !== undefined) coding.push({ system: systems.snomed, code: facts.snomed })
  if (facts.pghd !== undefined) coding.push({ system: systems.pghd, code: facts.pghd })
  return coding.length > 0 ? { coding, text: facts.text } : { text: facts.text }
}

/** `Observation.category` of one code of the HL7 observation categories. */
export function categoryOf(code: string): readonly CodeableConcept[] {
  return [{ coding: [{ system: systems.category, code }] }]
}
