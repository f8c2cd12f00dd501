/**
 * The narrower scopes a person may give instead of a whole type.
 * Which ones must be offered for Condition and Observation: ONC certification § 170.315(g)(10), companion guide.
 */
import { composeTerm } from './scope.ts'
import type { Term } from './term.ts'

/** One narrower choice, with a label for a consent page. */
export interface GranularChoice {
  readonly label: string
  readonly name: string
  readonly value: string
}

const conditionCategory = 'http://terminology.hl7.org/CodeSystem/condition-category'
const observationCategory = 'http://terminology.hl7.org/CodeSystem/observation-category'
const usCore = 'http://hl7.org/fhir/us/core/CodeSystem'

/** By resource type, in the order a page should show them. */
export const granularChoices: Readonly<Record<string, readonly GranularChoice[]>> = {
  Condition: [
    { label: 'Encounter diagnoses', name: 'category', value: `${conditionCategory}|encounter-diagnosis` },
    { label: 'Problem list', name: 'category', value: `${conditionCategory}|problem-list-item` },
    { label: 'Health concerns', name: 'category', value: `${usCore}/condition-category|health-concern` },
  ],
  Observation: [
    { label: 'Clinical tests', name: 'category', value: `${usCore}/us-core-observation-category|clinical-test` },
    { label: 'Laboratory results', name: 'category', value: `${observationCategory}|laboratory` },
    { label: 'Social history', name: 'category', value: `${observationCategory}|social-history` },
    { label: 'Living conditions (SDOH)', name: 'category', value: `${usCore}/us-core-category|sdoh` },
    { label: 'Surveys', name: 'category', value: `${observationCategory}|survey` },
    { label: 'Vital signs', name: 'category', value: `${observationCategory}|vital-signs` },
  ],
}

/** A narrower term with its label. */
export interface LabelledTerm {
  readonly label: string
  readonly term: Term
}

/**
 * The narrower terms that may be given in place of a type-level one, with the same level and verbs.
 * Empty for types without choices, for `*`, and for terms that are granular already.
 */
export function substitutesFor(term: Term): readonly LabelledTerm[] {
  if (term.params.length > 0 || !Object.hasOwn(granularChoices, term.type)) return []
  return (granularChoices[term.type] ?? []).map(({ label, name, value }) => ({
    label,
    term: composeTerm(term.level, term.type, term.verbs, [{ name, value }]),
  }))
}
