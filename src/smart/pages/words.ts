import type { Term, Verb } from '#access'

/** What people call the types of resources that apps most often ask for. */
const typeWords: Readonly<Record<string, string>> = {
  '*': 'Everything in the health record',
  AllergyIntolerance: 'Allergies and intolerances',
  Appointment: 'Appointments',
  CarePlan: 'Care plans',
  CareTeam: 'Care teams',
  Condition: 'Conditions and diagnoses',
  Coverage: 'Insurance',
  Device: 'Devices and implants',
  DiagnosticReport: 'Reports from laboratory and imaging',
  DocumentReference: 'Documents and letters',
  Encounter: 'Visits and hospital stays',
  Goal: 'Health goals',
  Immunization: 'Vaccinations',
  Location: 'Places of care',
  Medication: 'Medicines (names and contents)',
  MedicationRequest: 'Prescriptions',
  MedicationStatement: 'Medicines taken',
  Observation: 'Measurements and test results',
  Organization: 'Clinics and other organisations',
  Patient: 'Name, birth date, address and other personal details',
  Practitioner: 'Doctors, nurses and other professionals',
  PractitionerRole: 'Where professionals work',
  Procedure: 'Operations and other procedures',
  Provenance: 'Where data came from',
  QuestionnaireResponse: 'Answers to questionnaires',
  RelatedPerson: 'Family members and contacts',
  ServiceRequest: 'Referrals and orders',
  Specimen: 'Samples',
}

/** What an app may read of the person who sits here, once it knows who that is. */
export const wordsOfSelf = 'name, birth date, address and whatever else stands in the personal details'

/** The types that can be chosen in place of everything. */
export const choosableTypes: readonly string[] = [
  'Patient',
  'AllergyIntolerance',
  'CarePlan',
  'CareTeam',
  'Condition',
  'Device',
  'DiagnosticReport',
  'DocumentReference',
  'Encounter',
  'Goal',
  'Immunization',
  'Location',
  'Medication',
  'MedicationRequest',
  'Observation',
  'Organization',
  'Practitioner',
  'Procedure',
  'Provenance',
  'ServiceRequest',
]

/** A type in words; an unusual one keeps its FHIR name beside a description of what it is. */
export function wordsOfType(type: string): string {
  return typeWords[type] ?? `Other data: ${type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')}`
}

/** A type in words, with what narrows it: `Measurements and test results – vital-signs`. */
export function wordsOfTerm(term: Term): string {
  const narrowed = term.params.map(param => param.value.split('|').at(-1) ?? param.value)
  return [wordsOfType(term.type), ...narrowed].join(' – ')
}

/** What may be done, in the four words people know. Reading one thing and searching for many is the same to them. */
export const deeds: readonly { readonly name: string; readonly words: string; readonly verbs: readonly Verb[] }[] = [
  { name: 'read', words: 'read', verbs: ['r', 's'] },
  { name: 'add', words: 'add', verbs: ['c'] },
  { name: 'change', words: 'change', verbs: ['u'] },
  { name: 'delete', words: 'delete', verbs: ['d'] },
]

/** `read, add and change`. */
export function wordsOfDeeds(term: Term): string {
  const words = deeds.filter(deed => deed.verbs.some(verb => term.verbs.has(verb))).map(deed => deed.words)
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

/** How long an app may keep its access, by what the form says. `hour` gives no refresh token. */
export const durations: readonly { readonly name: string; readonly words: string; readonly ms: number }[] = [
  { name: 'hour', words: 'one hour, this time only', ms: 60 * 60_000 },
  { name: 'day', words: 'one day', ms: 24 * 60 * 60_000 },
  { name: 'month', words: 'one month', ms: 30 * 24 * 60 * 60_000 },
  { name: 'half-year', words: 'six months', ms: 182 * 24 * 60 * 60_000 },
  { name: 'year', words: 'one year', ms: 365 * 24 * 60 * 60_000 },
]
