/** What a file can be. */
export type Format =
  | 'apple-health'
  | 'auto-export'
  | 'ccda'
  | 'fitbit'
  | 'google-fit'
  | 'health-connect'
  | 'hl7v2'
  | 'fhir-bundle'
  | 'fhir-ndjson'

/** The names a caller may give as `source`, and the formats each stands for. */
export const sources: Readonly<Record<string, readonly Format[]>> = {
  'apple-health': ['apple-health'],
  'auto-export': ['auto-export'],
  ccda: ['ccda'],
  fitbit: ['fitbit'],
  'google-fit': ['google-fit'],
  'health-connect': ['health-connect'],
  hl7v2: ['hl7v2'],
  fhir: ['fhir-bundle', 'fhir-ndjson'],
}
