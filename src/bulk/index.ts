/**
 * bulk – exports of all that a token may search, as files of lines: begun, made aside, listed, fetched, removed.
 * It must never know: HTTP, parameters, how a version is sealed.
 * The one idea: an export holds no content but the places of versions, each of which its patient's own key alone opens.
 * Its data: sealed documents that say what was asked, and where what was found lies. Decisions: README.md beside this file.
 */
import { type ExportRooms, Exports } from './exports.ts'
import { type BulkLimits, defaultLimits } from './limits.ts'

export type { Exports } from './exports.ts'
export type { BulkLimits } from './limits.ts'

/** Opens the room. It holds the exports that are under way. */
export function openBulk(rooms: Omit<ExportRooms, 'limits'> & { readonly limits?: Partial<BulkLimits> }): Exports {
  return new Exports({ ...rooms, limits: { ...defaultLimits, ...rooms.limits } })
}
