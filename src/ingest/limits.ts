import type { QueueLimits } from './queue.ts'
import type { QuotaLimits } from './source/quota.ts'

/** What an import may cost. Figures are bytes unless their name says otherwise. */
export interface IngestLimits extends QueueLimits, QuotaLimits {
  /** The file as it arrives. */
  readonly maxFile: number
  /** All of an archive, unpacked. */
  readonly maxUnpacked: number
  /** Unpacked over packed size, of one entry and of all together; real exports are about 20, a bomb is about 1,000. */
  readonly maxRatio: number
  /** What unpacks to less than this may have any ratio: it cannot do harm. */
  readonly ratioFrom: number
  readonly maxEntries: number
  /** Files of an archive that are looked into to tell what it is. */
  readonly maxProbes: number
  /** One XML token, JSON string, NDJSON line or HL7 segment. */
  readonly maxToken: number
  /** One line of NDJSON, one entry of a Bundle, one resource; attachments are long. Characters. */
  readonly maxLine: number
  /** A file that has to be held whole: an HL7 batch. */
  readonly maxWhole: number
  /** One HL7 message. */
  readonly maxMessage: number
  readonly maxDepth: number
  /** Resources of a FHIR file, whose names are held while it is read: about 700 bytes each. */
  readonly maxResources: number
  /** Resources of all files of a bulk import, whose places are held: about 40 bytes each, and what nobody is named by some more. */
  readonly maxBulkRows: number
  /** Resources per transaction. */
  readonly batchSize: number
  /** What the resources of one transaction take in memory before it is begun: letters, images and routes are megabytes each. */
  readonly batchBytes: number
  /** Bodies up to this size stay in memory; larger ones are spooled to disk, sealed. */
  readonly spoolFrom: number
  /** A database up to this size is read in memory; a larger one lies on disk meanwhile, without a name and without a seal. */
  readonly databaseInMemory: number
  /** A file that waits for a person, and all that wait for one patient. */
  readonly maxHeldFile: number
  readonly maxHeld: number
  /** Refused messages that are kept for an account or a house, and their bytes. */
  readonly maxLetters: number
  readonly maxLetterBytes: number
  /** What stays free on the disk of the spool, for the record. */
  readonly keepFree: number
}

export const defaultLimits: IngestLimits = {
  maxFile: 16 * 1024 ** 3,
  maxUnpacked: 64 * 1024 ** 3,
  maxRatio: 200,
  ratioFrom: 16 * 1024 ** 2,
  maxEntries: 200_000,
  maxProbes: 200,
  maxToken: 1024 ** 2,
  maxLine: 64 * 1024 ** 2,
  maxWhole: 64 * 1024 ** 2,
  maxMessage: 4 * 1024 ** 2,
  maxDepth: 24,
  maxResources: 500_000,
  maxBulkRows: 2_000_000,
  batchSize: 200,
  batchBytes: 16 * 1024 ** 2,
  spoolFrom: 4 * 1024 ** 2,
  databaseInMemory: 64 * 1024 ** 2,
  maxHeldFile: 256 * 1024 ** 2,
  maxHeld: 1024 ** 3,
  maxLetters: 500,
  maxLetterBytes: 64 * 1024 ** 2,
  keepFree: 256 * 1024 ** 2,
  maxSpooled: 32 * 1024 ** 3,
  maxSpooledPerGrant: 16 * 1024 ** 3,
  maxImports: 16,
  maxImportsPerGrant: 8,
  maxRunning: 2,
}
