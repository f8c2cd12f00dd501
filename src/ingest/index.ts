/**
 * ingest – files and feeds from outside: identify, read, map, commit in batches, report.
 * It must never know: HTTP, keys, how a store works; what it writes goes through a Writer and its Grant.
 * The one idea: a row's id is a fingerprint of its facts, so importing twice changes nothing and a crash resumes.
 * Its data: the tables in mappings/; sealed documents for jobs, checkpoints, messages and fingerprint keys.
 * Decisions: README.md beside this file.
 */
export type { ImportsElsewhere, ShareClaim, ShareVerdict, ShownJob } from './elsewhere.ts'
export type { Format } from './format.ts'
export { parseSenders, type Senders } from './hl7v2/senders.ts'
export type { Job } from './jobs.ts'
export type { IngestLimits } from './limits.ts'
export { checkMappings, type MappingReport } from './mappings/check-mappings.ts'
export type { Finding } from './mappings/read-table.ts'
export { type Ingest, type IngestOptions, openIngest } from './open-ingest.ts'
export type { Progress } from './reading-progress.ts'
export type { Report } from './report.ts'
