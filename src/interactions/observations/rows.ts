import type { Route } from '../types.ts'
import { lastObservations } from './lastn.ts'
import { observationStatistics } from './stats.ts'
import { statsParameters } from './stats-asked.ts'

const latest = { path: '/Observation/$lastn', interaction: '$lastn', verb: 'none', query: 'search' } as const
const stats = { path: '/Observation/$stats', interaction: '$stats', verb: 'none', query: statsParameters } as const

/** Operations on observations. */
// biome-ignore format: a table is read by its columns
export const observationRows: readonly Route[] = [
  { ...latest, method: 'GET', handler: lastObservations, summary: 'The latest observations of each code' },
  { ...latest, method: 'POST', bodyOptional: true, handler: lastObservations, summary: 'The latest observations of each code, asked by Parameters' },
  { ...stats, method: 'GET', handler: observationStatistics, summary: 'Statistics over measurements of one subject' },
  { ...stats, method: 'POST', bodyOptional: true, handler: observationStatistics, summary: 'Statistics over measurements of one subject, asked by Parameters' },
]
