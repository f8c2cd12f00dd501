import { auditRows } from './audit/rows.ts'
import { bulkRows } from './bulk/rows.ts'
import { batchOrTransaction } from './bundles/batch-or-transaction.ts'
import { compartmentRows } from './compartments/rows.ts'
import { documentRows } from './documents/rows.ts'
import { fhirpathRows } from './fhirpath/rows.ts'
import { graphqlRows } from './graphql/rows.ts'
import { createMatcher } from './match.ts'
import { metaRows } from './meta/rows.ts'
import { observationRows } from './observations/rows.ts'
import { capabilities } from './operations/capabilities.ts'
import { everythingOfAll, everythingOfOne, everythingParameters } from './operations/everything.ts'
import { er7, receiveHl7v2 } from './operations/hl7v2.ts'
import { ingest, pollJob } from './operations/ingest.ts'
import { decideLetter, listLetters, showLetter } from './operations/letters.ts'
import { mergePatients, unmergeNamed, unmergePatient } from './operations/merge.ts'
import { purge, purgeParameters } from './operations/purge.ts'
import { decideReview, listReview, showReview } from './operations/review.ts'
import { smartConfiguration } from './operations/smart-configuration.ts'
import { summaryByIdentifier, summaryOfOne, summaryParameters } from './operations/summary/summary.ts'
import { validate, validateParameters, validateStored } from './operations/validate.ts'
import { patch, patchConditionally } from './patch/patch.ts'
import { peopleRows } from './people/rows.ts'
import { subsetNames } from './rest/answered-subset.ts'
import { create } from './rest/create.ts'
import { deleteConditionally, deleteResource } from './rest/delete.ts'
import { history } from './rest/history.ts'
import { read, vread } from './rest/read.ts'
import { update, updateConditionally } from './rest/update.ts'
import { searchCompartment } from './search/compartment-search.ts'
import { search } from './search/search.ts'
import { subscriptionRows } from './subscriptions/rows.ts'
import { type Forms, queryNames } from './terminology/asked.ts'
import { expandForms, expandValueSet } from './terminology/expand.ts'
import { lookup, lookupForms } from './terminology/lookup.ts'
import { subsumesForms, subsumption } from './terminology/subsumes.ts'
import { translateCode, translateForms } from './terminology/translate.ts'
import {
  validateInCodeSystem,
  validateInCodeSystemForms,
  validateInValueSet,
  validateInValueSetForms,
} from './terminology/validate-code.ts'
import type { Route } from './types.ts'

/** Operations of terminology are asked in four ways, or two where there is no single resource to ask. */
function ofTerminology(
  row: Pick<Route, 'path' | 'interaction' | 'summary' | 'handler'>,
  forms: Forms,
): readonly Route[] {
  const shared = { ...row, verb: 'none', query: queryNames(forms) } as const
  return [
    { ...shared, method: 'GET' },
    { ...shared, method: 'POST', bodyOptional: true, summary: `${row.summary}, asked by Parameters` },
  ]
}

// biome-ignore format: a table is read by its columns
const terminology: readonly Route[] = [
  ...ofTerminology({ path: '/CodeSystem/$lookup', interaction: '$lookup', summary: 'What is known of a code', handler: lookup }, lookupForms),
  ...ofTerminology({ path: '/CodeSystem/$validate-code', interaction: '$validate-code', summary: 'Whether a code is in a code system', handler: validateInCodeSystem }, validateInCodeSystemForms),
  ...ofTerminology({ path: '/CodeSystem/:id/$validate-code', interaction: '$validate-code', summary: 'Whether a code is in this code system', handler: validateInCodeSystem }, validateInCodeSystemForms),
  ...ofTerminology({ path: '/CodeSystem/$subsumes', interaction: '$subsumes', summary: 'How two codes stand to each other', handler: subsumption }, subsumesForms),
  ...ofTerminology({ path: '/CodeSystem/:id/$subsumes', interaction: '$subsumes', summary: 'How two codes of this code system stand to each other', handler: subsumption }, subsumesForms),
  ...ofTerminology({ path: '/ValueSet/$expand', interaction: '$expand', summary: 'The codes of a value set', handler: expandValueSet }, expandForms),
  ...ofTerminology({ path: '/ValueSet/:id/$expand', interaction: '$expand', summary: 'The codes of this value set', handler: expandValueSet }, expandForms),
  ...ofTerminology({ path: '/ValueSet/$validate-code', interaction: '$validate-code', summary: 'Whether a code is in a value set', handler: validateInValueSet }, validateInValueSetForms),
  ...ofTerminology({ path: '/ValueSet/:id/$validate-code', interaction: '$validate-code', summary: 'Whether a code is in this value set', handler: validateInValueSet }, validateInValueSetForms),
  ...ofTerminology({ path: '/ConceptMap/$translate', interaction: '$translate', summary: 'A code in another system', handler: translateCode }, translateForms),
  ...ofTerminology({ path: '/ConceptMap/:id/$translate', interaction: '$translate', summary: 'A code in another system, by this map', handler: translateCode }, translateForms),
]

const page = ['_count', '_since', '_at', '_sort', '_cursor'] as const
const form = 'application/x-www-form-urlencoded'
const json = 'application/json'
const file = 'application/octet-stream'

/** All but the Bundle of interactions itself: these may stand in a Bundle's entries. Where two fit, the earlier answers. */
// biome-ignore format: a table is read by its columns
const single: readonly Route[] = [
  { method: 'GET', path: '/metadata', interaction: 'capabilities', verb: 'none', public: true, query: ['mode'], summary: 'What this server can do (CapabilityStatement, or TerminologyCapabilities)', handler: capabilities(() => catalogue) },
  { method: 'GET', path: '/.well-known/smart-configuration', interaction: 'smart-configuration', verb: 'none', public: true, produces: json, summary: 'Where and how to ask for access (SMART App Launch)', handler: smartConfiguration },

  { method: 'GET', path: '/', interaction: 'search-system', verb: 'none', query: 'search', summary: 'Search several types at once: those of _type, or all', handler: search },
  { method: 'POST', path: '/_search', interaction: 'search-system', verb: 'none', query: 'search', consumes: form, summary: 'Search several types at once, parameters in the body', handler: search },
  { method: 'GET', path: '/_history', interaction: 'history-system', verb: 'none', query: page, summary: 'Versions of everything within reach', handler: history },

  { method: 'GET', path: '/Patient/$everything', interaction: '$everything', verb: 'none', query: everythingParameters, summary: 'Everything about each patient within reach', handler: everythingOfAll },
  { method: 'GET', path: '/Patient/:id/$everything', interaction: '$everything', verb: 'none', query: everythingParameters, summary: 'Everything about one patient', handler: everythingOfOne },
  { method: 'POST', path: '/Patient/$everything', interaction: '$everything', verb: 'none', query: everythingParameters, bodyOptional: true, summary: 'Everything about each patient within reach, asked by Parameters', handler: everythingOfAll },
  { method: 'POST', path: '/Patient/:id/$everything', interaction: '$everything', verb: 'none', query: everythingParameters, bodyOptional: true, summary: 'Everything about one patient, asked by Parameters', handler: everythingOfOne },
  { method: 'GET', path: '/Patient/$summary', interaction: '$summary', verb: 'none', query: summaryParameters, summary: 'International Patient Summary of the one with an identifier', handler: summaryByIdentifier },
  { method: 'GET', path: '/Patient/:id/$summary', interaction: '$summary', verb: 'none', query: summaryParameters, summary: 'International Patient Summary of one patient: a document for whoever treats them', handler: summaryOfOne },
  { method: 'POST', path: '/Patient/$summary', interaction: '$summary', verb: 'none', query: summaryParameters, bodyOptional: true, summary: 'International Patient Summary of the one with an identifier, asked by Parameters', handler: summaryByIdentifier },
  { method: 'POST', path: '/Patient/:id/$summary', interaction: '$summary', verb: 'none', query: summaryParameters, bodyOptional: true, summary: 'International Patient Summary of one patient, asked by Parameters', handler: summaryOfOne },
  { method: 'POST', path: '/Patient/:id/$ingest', interaction: '$ingest', verb: 'none', query: ['source', 'force'], consumes: file, summary: 'Import a file from outside; the body is the file', handler: ingest },
  { method: 'POST', path: '/Patient/$merge', interaction: '$merge', verb: 'none', summary: 'Merge two Patients who are one person', handler: mergePatients },
  { method: 'POST', path: '/Patient/$unmerge', interaction: '$unmerge', verb: 'none', summary: 'Undo the merge of two Patients, named as $merge has them', handler: unmergeNamed },
  { method: 'POST', path: '/Patient/:id/$unmerge', interaction: '$unmerge', verb: 'none', bodyOptional: true, summary: 'Undo the merge in which this Patient lost', handler: unmergePatient },
  { method: 'POST', path: '/Patient/:id/$purge', interaction: '$purge', verb: 'none', query: purgeParameters, bodyOptional: true, summary: 'Erase a patient for good: the key is destroyed; confirm with the id', handler: purge },
  { method: 'GET', path: '/$review', interaction: '$review', verb: 'none', query: ['_count', '_cursor'], summary: 'What waits until a person says whom it is about', handler: listReview },
  { method: 'GET', path: '/$review/:job', interaction: '$review', verb: 'none', summary: 'One of what waits, with what it says of the person', handler: showReview },
  { method: 'POST', path: '/$review/:job', interaction: '$review', verb: 'none', summary: 'Decide: accept for a patient, take in as new, or reject', handler: decideReview },
  { method: 'GET', path: '/$letters', interaction: '$letters', verb: 'none', summary: 'What was refused and is kept', handler: listLetters },
  { method: 'GET', path: '/$letters/:job', interaction: '$letters', verb: 'none', summary: 'One of what was refused, as it came', handler: showLetter },
  { method: 'POST', path: '/$letters/:job', interaction: '$letters', verb: 'none', summary: 'Decide: send it again, or drop it', handler: decideLetter },
  { method: 'GET', path: '/$job/:job', interaction: '$job', verb: 'none', summary: 'Progress or report of an import', handler: pollJob },
  { method: 'POST', path: '/:type/$validate', interaction: '$validate', verb: 'none', query: validateParameters, summary: 'Check a resource without storing it', handler: validate },
  { method: 'GET', path: '/:type/:id/$validate', interaction: '$validate', verb: 'r', query: validateParameters, summary: 'Check a stored resource', handler: validateStored },
  { method: 'POST', path: '/:type/:id/$validate', interaction: '$validate', verb: 'r', query: validateParameters, bodyOptional: true, summary: 'Check what would replace a stored resource, or what is stored', handler: validateStored },

  ...fhirpathRows,
  ...metaRows,
  ...peopleRows,
  ...documentRows,
  ...terminology,
  ...subscriptionRows,
  ...observationRows,
  ...compartmentRows,

  { method: 'GET', path: '/Patient/:id/*', interaction: 'search-compartment', verb: 'none', query: 'search', summary: "Search all of one patient's compartment", handler: searchCompartment },
  { method: 'GET', path: '/Patient/:id/:type', interaction: 'search-compartment', verb: 's', query: 'search', summary: "Search one type in one patient's compartment", handler: searchCompartment },
  { method: 'POST', path: '/Patient/:id/:type/_search', interaction: 'search-compartment', verb: 's', query: 'search', consumes: form, summary: "Search one type in one patient's compartment, parameters in the body", handler: searchCompartment },

  { method: 'GET', path: '/:type', interaction: 'search-type', verb: 's', query: 'search', summary: 'Search one type', handler: search },
  { method: 'POST', path: '/:type/_search', interaction: 'search-type', verb: 's', query: 'search', consumes: form, summary: 'Search one type, parameters in the body', handler: search },
  { method: 'POST', path: '/:type', interaction: 'create', verb: 'c', content: true, summary: 'Create; with If-None-Exist only if nothing matches', handler: create },
  { method: 'PUT', path: '/:type', interaction: 'conditional-update', verb: 'u', content: true, query: 'search', summary: 'Update what a search finds, or create it', handler: updateConditionally },
  { method: 'PATCH', path: '/:type', interaction: 'conditional-patch', verb: 'u', query: 'search', summary: 'Change a part of the one that a search finds', handler: patchConditionally },
  { method: 'DELETE', path: '/:type', interaction: 'conditional-delete', verb: 'd', query: 'search', summary: 'Delete the one that a search finds', handler: deleteConditionally },
  { method: 'GET', path: '/:type/_history', interaction: 'history-type', verb: 's', query: page, summary: 'Versions of all resources of one type', handler: history },

  { method: 'GET', path: '/:type/:id', interaction: 'read', verb: 'r', content: true, query: subsetNames, summary: 'Read the current version', handler: read },
  { method: 'PUT', path: '/:type/:id', interaction: 'update', verb: 'u', content: true, summary: 'Write a new version, or the first one under your own id', handler: update },
  { method: 'PATCH', path: '/:type/:id', interaction: 'patch', verb: 'u', summary: 'Change a part: JSON Patch, FHIRPath Patch or merge patch', handler: patch },
  { method: 'DELETE', path: '/:type/:id', interaction: 'delete', verb: 'd', summary: 'Delete; earlier versions stay readable', handler: deleteResource },
  { method: 'GET', path: '/:type/:id/_history', interaction: 'history-instance', verb: 'r', query: page, summary: 'All versions of one resource', handler: history },
  { method: 'GET', path: '/:type/:id/_history/:vid', interaction: 'vread', verb: 'r', content: true, query: subsetNames, summary: 'Read one version', handler: vread },

  { method: 'POST', path: '/hl7v2', root: true, interaction: 'hl7v2', verb: 'none', consumes: er7, produces: er7, summary: 'Receive HL7 v2 messages, one or a batch; the answer is an ACK, or a batch of them', handler: receiveHl7v2 },
]

/**
 * Everything this server answers about FHIR, one row each: routes, scope checks, CapabilityStatement and OpenAPI derive
 * from it.
 *
 * @see https://hl7.org/fhir/R4/http.html
 */
// biome-ignore format: a table is read by its columns
export const catalogue: readonly Route[] = [
  ...single,
  ...graphqlRows,
  ...bulkRows,
  ...auditRows,
  { method: 'POST', path: '/', interaction: 'transaction', verb: 'none', summary: 'Batch or transaction: many interactions in one Bundle', handler: batchOrTransaction(createMatcher(single.filter(row => row.root !== true))) },
]
