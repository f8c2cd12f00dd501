import type { Reason } from './outcome.ts'

/** What a person reads about a rejected row. */
export const reasonTexts: Readonly<Record<Reason, string>> = {
  'date-malformed': 'The date is missing, malformed, or ends before it begins.',
  'value-missing': 'The value is missing.',
  'value-malformed': 'The value is not of the kind its type needs.',
  'value-unknown': 'The value is none that the type knows.',
  'value-out-of-range': 'The value is impossible for its type.',
  'unit-missing': 'The unit is missing.',
  'unit-unknown': 'The unit is unknown or does not fit the type.',
  'element-missing': 'A part without which the row means nothing is missing.',
  'structure-unknown': 'The row is not built as its kind is.',
  'not-supported': 'Messages of this type or event are not taken in.',
  'not-valid': 'The resource would not be valid FHIR R4.',
  'too-costly': 'To validate the resource takes more time or memory than one may have.',
  'not-permitted': 'The grant does not permit to write this.',
  'other-patient': 'The row belongs to another patient.',
  'doubtful-patient': 'It is doubtful whether the row is about this patient.',
  'without-effect': 'A Consent that rules who may see what is not taken from a file: who keeps the patient writes it.',
  refused: 'The record refused it.',
}
