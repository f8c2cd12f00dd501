import type { Route } from '../types.ts'
import { explainAccess, explainParameters } from './explain-access.ts'
import { matchParameters, matchPatient } from './match-patient.ts'

/** Who a description is about, and what is withheld of whom. */
// biome-ignore format: a table is read by its columns
export const peopleRows: readonly Route[] = [
  { method: 'POST', path: '/Patient/$match', interaction: '$match', verb: 'none', query: matchParameters, summary: 'Find the Patient whom a description is about, the likeliest first', handler: matchPatient },
  { method: 'GET', path: '/Patient/:id/$explain-access', interaction: '$explain-access', verb: 'none', query: explainParameters, summary: 'What the Consents of a patient withhold from somebody, and which of them', handler: explainAccess },
  { method: 'POST', path: '/Patient/:id/$explain-access', interaction: '$explain-access', verb: 'none', query: explainParameters, bodyOptional: true, summary: 'What the Consents of a patient withhold from somebody, asked by Parameters', handler: explainAccess },
]
