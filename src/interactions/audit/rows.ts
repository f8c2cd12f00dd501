import type { Route } from '../types.ts'
import { auditExport, auditParameters, csv } from './audit-export.ts'

/** Who did what. Single records are AuditEvents, read and searched as all resources are. */
// biome-ignore format: a table is read by its columns
export const auditRows: readonly Route[] = [
  { method: 'GET', path: '/Patient/:id/$audit-export', interaction: '$audit-export', verb: 'none', query: auditParameters, produces: csv, summary: 'Who did what with the data of a patient, as a table (CSV)', handler: auditExport },
]
