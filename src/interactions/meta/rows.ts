import type { Route } from '../types.ts'
import { addMeta, deleteMeta, metaInUse, metaOfOne } from './meta.ts'

function bothWays(row: Omit<Route, 'method'>): readonly Route[] {
  return [
    { ...row, method: 'GET' },
    { ...row, method: 'POST', bodyOptional: true, summary: `${row.summary}, asked by POST` },
  ]
}

const meta = { interaction: '$meta', query: [] } as const
const changing = { method: 'POST', verb: 'u', query: [] } as const

/** Profiles, security labels and tags: those in use, and those of one resource. */
// biome-ignore format: a table is read by its columns
export const metaRows: readonly Route[] = [
  ...bothWays({ ...meta, path: '/$meta', verb: 'none', summary: 'Profiles, security labels and tags in use', handler: metaInUse }),
  ...bothWays({ ...meta, path: '/:type/$meta', verb: 's', summary: 'Profiles, security labels and tags in use with one type', handler: metaInUse }),
  ...bothWays({ ...meta, path: '/:type/:id/$meta', verb: 'r', summary: 'The meta of a resource', handler: metaOfOne }),
  ...bothWays({ ...meta, path: '/:type/:id/_history/:vid/$meta', verb: 'r', summary: 'The meta of one version', handler: metaOfOne }),
  { ...changing, path: '/:type/:id/$meta-add', interaction: '$meta-add', summary: 'Add profiles, security labels and tags to a resource: a new version', handler: addMeta },
  { ...changing, path: '/:type/:id/$meta-delete', interaction: '$meta-delete', summary: 'Take profiles, security labels and tags from a resource: a new version', handler: deleteMeta },
]
