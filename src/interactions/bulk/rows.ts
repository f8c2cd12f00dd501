import type { Route } from '../types.ts'
import { exportParameters } from './asked.ts'
import { exportFile, ndjson } from './file.ts'
import { beginImport } from './import-kick-off.ts'
import { importFaults, importRemoval, importStatus } from './import-status.ts'
import { kickOff } from './kick-off.ts'
import { exportRemoval, exportStatus } from './status.ts'

function begins(path: string, summary: string, level: Parameters<typeof kickOff>[0]): readonly Route[] {
  const row = { path, interaction: '$export', verb: 'none', query: exportParameters, handler: kickOff(level) } as const
  return [
    { ...row, method: 'GET', summary },
    { ...row, method: 'POST', bodyOptional: true, summary: `${summary}, asked by Parameters` },
  ]
}

/**
 * Bulk Data Access. None of these stands in a Bundle: an export is begun by a header, and its files are no resources.
 *
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html
 */
// biome-ignore format: a table is read by its columns
export const bulkRows: readonly Route[] = [
  ...begins('/$export', 'Begin an export of all that may be searched', 'system'),
  ...begins('/Patient/$export', 'Begin an export of what lies with the patients within reach', 'patients'),
  ...begins('/Group/:id/$export', 'Begin an export of what lies with the patients of a Group', 'group'),
  { method: 'GET', path: '/$export-status/:job', interaction: '$export-status', verb: 'none', produces: 'application/json', summary: 'Progress of an export, or its manifest', handler: exportStatus },
  { method: 'DELETE', path: '/$export-status/:job', interaction: '$export-removal', verb: 'none', summary: 'End an export, and remove its files', handler: exportRemoval },
  { method: 'GET', path: '/$export-file/:job/:file', interaction: '$export-file', verb: 'none', produces: ndjson, summary: 'A file of an export: a resource in each line', handler: exportFile },
  { method: 'POST', path: '/$import', interaction: '$import', verb: 'none', summary: 'Begin an import of files about any number of patients', handler: beginImport },
  { method: 'GET', path: '/$import-status/:job', interaction: '$import-status', verb: 'none', produces: 'application/json', summary: 'Progress of an import, or what became of each of its files', handler: importStatus },
  { method: 'DELETE', path: '/$import-status/:job', interaction: '$import-removal', verb: 'none', summary: 'End an import, and forget what became of it; what was taken in stays', handler: importRemoval },
  { method: 'GET', path: '/$import-file/:job/:file', interaction: '$import-file', verb: 'none', produces: ndjson, summary: 'Why rows of a file are not in: an OperationOutcome in each line', handler: importFaults },
]
