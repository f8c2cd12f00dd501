/**
 * interactions – what this server answers about FHIR: one table of routes, and a file for each interaction and operation.
 * It must never know: Express, sockets, stores, keys; how a request came or where bytes rest.
 * The one idea: `catalogue` is the only list of what is answered, and every answer passes `perform`, which asks the scope first.
 * Its data: none of its own; resources are the record's bytes, sent as they are.
 * Decisions: src/interactions/README.md.
 */
import { catalogue } from './catalogue.ts'
import { createMatcher, type Matcher } from './match.ts'

/** Finds the row of the catalogue that answers a path below the FHIR base. */
export const matcher: Matcher = createMatcher(catalogue.filter(route => route.root !== true))

/** The same for the rows whose path is below the origin. */
export const rootMatcher: Matcher = createMatcher(catalogue.filter(route => route.root === true))

export { auditCsv } from './audit/told.ts'
export { catalogue } from './catalogue.ts'
export type { Match, Matcher } from './match.ts'
export { patchTypes } from './patch/read-patch.ts'
export { perform } from './perform.ts'
export { type Format, fhirJson, formatOfError, mediaTypes } from './rest/negotiate.ts'
export { narrowToPatient, restrictToCompartments } from './search/compartment.ts'
export {
  defaultLimits,
  type ExportPort,
  type FhirRequest,
  type FhirResponse,
  type ImportPort,
  type IngestPort,
  type Job,
  type Limits,
  type PathParams,
  type PeoplePort,
  type Rooms,
  type Route,
  type SubscriptionsPort,
} from './types.ts'
