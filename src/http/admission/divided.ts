import { type ConnectionLimits, connectionLimits } from './connections.ts'
import { type HoldingLimits, holdingLimits } from './holdings.ts'
import { type Lane, type LaneRow, type LaneTable, laneTable } from './lanes.ts'

const mebibyte = 1024 * 1024
/** A body of the largest size that is held in memory goes alone, however many processes there are; and two of them at once. */
const leastHeld = { ofOne: 32 * mebibyte, all: 64 * mebibyte } as const

/** What one of several processes has of what they have together. */
interface Portion {
  readonly lanes: LaneTable
  readonly held: HoldingLimits
  readonly connections: ConnectionLimits
  readonly sockets: SocketLimits
}

/** How many websockets there may be. */
export interface SocketLimits {
  readonly total: number
  readonly ofNetwork: number
}

const socketLimits: SocketLimits = { total: 1024, ofNetwork: 64 }

/**
 * What waits, is held and is open is divided by the number of processes. How much goes on at once is not: it is as much as one event
 * loop carries, and each process has its own.
 */
export function portionOf(processes: number): Portion {
  const part = (whole: number, least = 1) => Math.max(least, Math.ceil(whole / processes))
  const rows = Object.entries(laneTable).map(([lane, row]: [string, LaneRow]) => [
    lane as Lane,
    { ...row, waiting: part(row.waiting, row.standing) },
  ])
  const { all, ofOne, keptMs } = holdingLimits
  return {
    lanes: Object.fromEntries(rows) as LaneTable,
    held: { all: part(all, leastHeld.all), ofOne: part(ofOne, leastHeld.ofOne), keptMs },
    connections: {
      ...connectionLimits,
      total: part(connectionLimits.total),
      ofNetwork: part(connectionLimits.ofNetwork),
    },
    sockets: { total: part(socketLimits.total), ofNetwork: part(socketLimits.ofNetwork) },
  }
}
