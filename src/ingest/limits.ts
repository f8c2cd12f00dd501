/** What an import may cost. Figures are bytes unless their name says otherwise. */
export interface IngestLimits {
  /** The file as it arrives. */
  readonly maxFile: number
  /** All of an archive, unpacked. */
  readonly maxUnpacked: number
  /** Unpacked over packed size of one entry; real exports are about 20, a bomb is about 1,000. */
  readonly maxRatio: number
  /** Entries smaller than this may have any ratio: they cannot do harm. */
  readonly ratioFrom: number
  readonly maxEntries: number
  /** One XML token, JSON string, NDJSON line or HL7 segment. */
  readonly maxToken: number
  /** One line of NDJSON, one entry of a Bundle, one resource; attachments are long. Characters. */
  readonly maxLine: number
  /** A file that has to be held whole: an HL7 batch. */
  readonly maxWhole: number
  readonly maxDepth: number
  /** Resources of a FHIR file, whose names are held while it is read: about 700 bytes each. */
  readonly maxResources: number
  /** Resources per transaction. */
  readonly batchSize: number
  /** Bodies up to this size stay in memory; larger ones are spooled to disk, sealed. */
  readonly spoolFrom: number
}

export const defaultLimits: IngestLimits = {
  maxFile: 16 * 1024 ** 3,
  maxUnpacked: 64 * 1024 ** 3,
  maxRatio: 200,
  ratioFrom: 16 * 1024 ** 2,
  maxEntries: 200_000,
  maxToken: 1024 ** 2,
  maxLine: 64 * 1024 ** 2,
  maxWhole: 64 * 1024 ** 2,
  maxDepth: 24,
  maxResources: 500_000,
  batchSize: 500,
  spoolFrom: 4 * 1024 ** 2,
}
