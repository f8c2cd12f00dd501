/** The few values that random resources hold, so that random questions hit them. */
export const vitalSigns = 'http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'

const loinc = 'http://loinc.org'
const snomed = 'http://snomed.info/sct'
const category = 'http://terminology.hl7.org/CodeSystem/observation-category'
const ucum = 'http://unitsofmeasure.org'

export const identifierSystem = 'urn:ietf:rfc:3986'
export const exampleSystem = 'http://example.org/mrn'

/** `system|code` of what Observations measure, and in which unit. */
export const measures = [
  { system: loinc, code: '29463-7', unit: 'kg', text: 'Body weight' },
  { system: loinc, code: '8867-4', unit: '/min', text: 'Heart rate' },
  { system: loinc, code: '2823-3', unit: 'mmol/L', text: 'Potassium' },
  { system: loinc, code: '8302-2', unit: 'cm', text: 'Body height' },
] as const

export const conditions = [
  { system: snomed, code: '73211009', text: 'Diabetes mellitus' },
  { system: snomed, code: '38341003', text: 'Hypertension' },
  { system: snomed, code: '195967001', text: 'Asthma' },
] as const

export const categories = ['vital-signs', 'laboratory', 'survey'] as const
export const categorySystem = category
export const unitSystem = ucum

export const dates = ['2025-11-30', '2026-01-05', '2026-02-11T08:30:00Z', '2026-02-12', '2026-03'] as const
export const instants = ['2026-01-05T10:00:00Z', '2026-02-11T08:30:00.123Z', '2026-02-28T23:59:59+01:00'] as const
export const values = [1, 5.4, 60, 72, 120, 140] as const
export const cities = ['Aachen', 'Bonn', 'Celle'] as const
export const profile = 'http://example.org/StructureDefinition/family'
export const labels = ['marked', 'private'] as const
export const texts = ['seen at home', 'told by Birch', 'never'] as const
