import type { Resource } from '#fhir'

/** One question that fills a section: asked of one patient, and which of the answers belong there. */
export interface Source {
  readonly type: string
  /** Search parameters beside the patient. */
  readonly search?: string
  /** Only the newest of each code: what was measured many times is told once. */
  readonly newestOfEach?: true
  /** Values that `status` must not have. */
  readonly without?: readonly string[]
  keeps?(resource: Resource): boolean
}

/** A section of the International Patient Summary. */
export interface Section {
  /** LOINC. */
  readonly code: string
  readonly display: string
  readonly title: string
  /** Three sections stand in every summary, also with nothing to tell. */
  readonly isRequired?: true
  readonly sources: readonly Source[]
}

const wrong = ['entered-in-error'] as const
const notDone = ['entered-in-error', 'not-done', 'cancelled'] as const

interface Concept {
  readonly coding?: readonly { readonly code?: string }[]
}

function hasCode(concept: unknown, codes: ReadonlySet<string>): boolean {
  const { coding = [] } = (concept ?? {}) as Concept
  return coding.some(({ code }) => code !== undefined && codes.has(code))
}

const mistaken: ReadonlySet<string> = new Set(['entered-in-error', 'refuted'])
const past: ReadonlySet<string> = new Set(['inactive', 'remission', 'resolved'])

const isBelieved = ({ verificationStatus }: Resource) => !hasCode(verificationStatus, mistaken)
const isPast = ({ clinicalStatus }: Resource) => hasCode(clinicalStatus, past)

/** Vital signs of the R4 profiles, https://hl7.org/fhir/R4/observation-vitalsigns.html, and both codes of oxygen saturation. */
const vitalSigns = [
  '85353-1',
  '9279-1',
  '8867-4',
  '2708-6',
  '59408-5',
  '8310-5',
  '8302-2',
  '9843-4',
  '29463-7',
  '39156-5',
  '85354-9',
]

/** Status, expected date, and outcomes: value sets of the guide's profiles of pregnancy Observations. */
const pregnancy = [
  '82810-3',
  '11778-8',
  '11779-6',
  '11780-4',
  '11612-9',
  '11613-7',
  '11614-5',
  '11636-8',
  '11637-6',
  '11638-4',
  '11639-2',
  '11640-0',
  '33065-4',
]

const loinc = 'http://loinc.org'
/** The newest one that was not taken back. */
const newest = 'status:not=entered-in-error&status:not=cancelled&_sort=-date&_count=1'
const measured = { type: 'Observation', newestOfEach: true, without: notDone } as const
const byCode = (code: string): Source => ({ ...measured, search: `code=${loinc}|${code}&${newest}` })

/**
 * Sections in the order of the document, and what fills them.
 *
 * @see https://hl7.org/fhir/uv/ips/STU1.1/StructureDefinition-Composition-uv-ips.html
 */
export const sections: readonly Section[] = [
  {
    code: '11450-4',
    display: 'Problem list - Reported',
    title: 'Problems',
    isRequired: true,
    sources: [{ type: 'Condition', keeps: condition => isBelieved(condition) && !isPast(condition) }],
  },
  {
    code: '48765-2',
    display: 'Allergies and adverse reactions Document',
    title: 'Allergies and intolerances',
    isRequired: true,
    sources: [{ type: 'AllergyIntolerance', keeps: isBelieved }],
  },
  {
    code: '10160-0',
    display: 'History of Medication use Narrative',
    title: 'Medicines',
    isRequired: true,
    sources: [
      { type: 'MedicationStatement', without: [...wrong, 'completed', 'stopped', 'not-taken'] },
      { type: 'MedicationRequest', without: [...notDone, 'completed', 'stopped', 'draft'] },
    ],
  },
  {
    code: '104605-1',
    display: 'Alert',
    title: 'Alerts',
    sources: [{ type: 'Flag', without: [...wrong, 'inactive'] }],
  },
  {
    code: '11369-6',
    display: 'History of Immunization Narrative',
    title: 'Immunizations',
    sources: [{ type: 'Immunization', without: notDone }],
  },
  {
    code: '30954-2',
    display: 'Relevant diagnostic tests/laboratory data Narrative',
    title: 'Results',
    sources: [
      { ...measured, search: 'category=laboratory,imaging&_sort=-date' },
      { type: 'DiagnosticReport', search: '_sort=-date', newestOfEach: true, without: notDone },
    ],
  },
  { code: '8716-3', display: 'Vital signs', title: 'Vital signs', sources: vitalSigns.map(byCode) },
  {
    code: '47519-4',
    display: 'History of Procedures Document',
    title: 'Procedures',
    sources: [{ type: 'Procedure', without: [...notDone, 'preparation'] }],
  },
  {
    code: '46264-8',
    display: 'History of medical device use',
    title: 'Medical devices',
    sources: [{ type: 'DeviceUseStatement', without: wrong }],
  },
  {
    code: '11348-0',
    display: 'History of Past illness Narrative',
    title: 'Past illnesses',
    sources: [{ type: 'Condition', keeps: condition => isBelieved(condition) && isPast(condition) }],
  },
  {
    code: '29762-2',
    display: 'Social history Narrative',
    title: 'Social history',
    sources: [{ ...measured, search: 'category=social-history&_sort=-date' }],
  },
  {
    code: '10162-6',
    display: 'History of pregnancies Narrative',
    title: 'Pregnancies',
    sources: [{ ...measured, search: `code=${pregnancy.map(code => `${loinc}|${code}`).join()}&_sort=-date` }],
  },
  {
    code: '47420-5',
    display: 'Functional status assessment note',
    title: 'Functional status',
    sources: [{ type: 'ClinicalImpression', without: [...wrong, 'in-progress'] }],
  },
  {
    code: '18776-5',
    display: 'Plan of care note',
    title: 'Plan of care',
    sources: [{ type: 'CarePlan', without: [...wrong, 'draft', 'revoked', 'completed'] }],
  },
  {
    code: '42348-3',
    display: 'Advance directives',
    title: 'Advance directives',
    sources: [
      {
        type: 'Consent',
        search: 'scope=adr',
        without: [...wrong, 'draft', 'proposed', 'rejected', 'inactive'],
      },
    ],
  },
]
