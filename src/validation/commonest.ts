import { Decimal, type Resource } from '#fhir'
import type { ShapeName } from './schema.ts'

/** What nearly every resource is made of, from the smallest on. */
export const commonest: readonly ShapeName[] = [
  'Period',
  'Extension',
  'Coding',
  'Reference',
  'CodeableConcept',
  'Quantity',
  'Identifier',
  'Meta',
  'Narrative',
  'HumanName',
  'ContactPoint',
  'Address',
  'Condition',
  'Patient',
  'Observation',
]

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'a' } }
const category = { system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }

/** Each needs rules, tables and code systems that those before it do not: they are read when they are first asked for. */
export const examples: readonly Resource[] = [
  { resourceType: 'Basic', code: { text: 'a' } },
  observation,
  { ...observation, category: [{ coding: [category] }] },
  { ...observation, code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] } },
  { ...observation, subject: { reference: 'Patient/a' }, effectiveDateTime: '2026-01-01T00:00:00Z' },
  {
    ...observation,
    valueQuantity: { value: new Decimal('1'), unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' },
  },
]
