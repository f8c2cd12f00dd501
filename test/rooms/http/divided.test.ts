import { connectionLimits } from '../../../src/http/admission/connections.ts'
import { portionOf } from '../../../src/http/admission/divided.ts'
import { Holdings, holdingLimits } from '../../../src/http/admission/holdings.ts'
import { type Lane, laneTable } from '../../../src/http/admission/lanes.ts'

const mebibyte = 1024 * 1024

describe('what one of several processes may have in memory', () => {
  it('is all of it where there is one', () => {
    const sockets = { total: 1024, ofNetwork: 64 }
    expect(portionOf(1)).toEqual({ lanes: laneTable, held: holdingLimits, connections: connectionLimits, sockets })
  })

  it.each([2, 3, 4, 16, 64])('is a part of what waits and is open where there are %i, and never nothing', processes => {
    const { lanes, connections, sockets } = portionOf(processes)
    expect(sockets).toEqual({ total: Math.ceil(1024 / processes), ofNetwork: Math.ceil(64 / processes) })
    expect(connections.total).toBe(Math.ceil(connectionLimits.total / processes))
    expect(connections.ofNetwork).toBeLessThanOrEqual(connections.total)
    for (const lane of Object.keys(lanes) as Lane[]) {
      expect(lanes[lane].waiting).toBeGreaterThanOrEqual(lanes[lane].standing)
      expect(lanes[lane].waiting).toBeLessThan(laneTable[lane].waiting)
      // As much goes on at once as one event loop carries, and each has its own.
      expect({ ...lanes[lane], waiting: 0 }).toEqual({ ...laneTable[lane], waiting: 0 })
    }
  })

  it.each([2, 4, 64])(
    'has room for the longest body of somebody, and of somebody else beside, where there are %i',
    of => {
      const holdings = new Holdings(portionOf(of).held)
      for (const caller of ['one', 'other'])
        for (let taken = 0; taken < 32 * mebibyte; taken += mebibyte) holdings.take(caller, mebibyte)
      expect(holdings.all).toBe(64 * mebibyte)
      expect(() => holdings.take('one', 1)).toThrow(expect.objectContaining({ code: 'request.queue-full' }))
    },
  )
})
