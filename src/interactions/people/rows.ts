import type { Route } from '../types.ts'
import { matchParameters, matchPatient } from './match-patient.ts'

/** Who a description is about. */
// biome-ignore format: a table is read by its columns
export const matchRows: readonly Route[] = [
  { method: 'POST', path: '/Patient/$match', interaction: '$match', verb: 'none', query: matchParameters, summary: 'Find the Patient whom a description is about, the likeliest first', handler: matchPatient },
]
