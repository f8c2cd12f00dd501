import { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '#config'
import type { CountSheet } from '#http'
import type { ShareClaim } from '#ingest'
import { colleaguesOver } from '../../../src/commands/workers/colleagues.ts'
import { Counts } from '../../../src/commands/workers/counts.ts'
import { endWhatWasNotTaken } from '../../../src/commands/workers/handed.ts'
import { Shares } from '../../../src/commands/workers/shares.ts'
import type { Beginning, Blocked, ToPrimary, ToWorker } from '../../../src/commands/workers/topics.ts'
import { fellSilent } from '../../../src/commands/workers/watchdog.ts'
import { Wire } from '../../../src/commands/workers/wire.ts'

/** Two ends of one channel, which hands messages on a moment later, as a real one does. */
function channel(): { primary: Wire<ToWorker, ToPrimary>; worker: Wire<ToPrimary, ToWorker> } {
  const listeners: ((message: unknown) => void)[][] = [[], []]
  const port = (own: number) => ({
    send: (message: object) => {
      const sent = structuredClone(message)
      setImmediate(() => {
        for (const listener of listeners[1 - own] ?? []) listener(sent)
      })
    },
    listen: (listener: (message: unknown) => void) => void listeners[own]?.push(listener),
  })
  return { primary: new Wire(port(0)), worker: new Wire(port(1)) }
}

describe('what workers and their primary say to each other', () => {
  it('is answered, also with nothing, and what is only told is heard', async () => {
    const { primary, worker } = channel()
    const told: unknown[] = []
    primary.on('job', id => (id === 'known' ? { grant: 'g', progress: { bytesRead: 1, rows: 2 } } : undefined))
    worker.on('lead', leads => told.push(leads))
    expect(await worker.ask('job', 'known')).toEqual({ grant: 'g', progress: { bytesRead: 1, rows: 2 } })
    expect(await worker.ask('job', 'other')).toBeUndefined()
    primary.tell('lead', true)
    // What is said is heard in its order.
    worker.on('beat', () => true as const)
    await primary.ask('beat', undefined)
    expect(told).toEqual([true])
  })

  it('is refused when the other one fails at it, is gone, or says nothing', async () => {
    const { primary, worker } = channel()
    worker.on('figures', () => Promise.reject(new Error('no')))
    await expect(primary.ask('figures', undefined)).rejects.toThrow('no answer to: figures')
    worker.on('figures', () => new Promise(() => undefined))
    await expect(primary.ask('figures', undefined, 5)).rejects.toThrow('no answer')
    const asked = primary.ask('figures', undefined)
    primary.close()
    await expect(asked).rejects.toThrow('no answer')
  })
})

describe('a worker that stands still', () => {
  const rhythm = { everyMs: 1, mostMissed: 3 }

  it('is known by so many questions in a row without an answer', async () => {
    let asked = 0
    const beat = async () => {
      if (++asked !== 3) throw new Error('late')
    }
    expect(await fellSilent(beat, new AbortController().signal, rhythm)).toBe(true)
    expect(asked).toBe(6)
  })

  it('is not one that answers, nor one that has ended', async () => {
    const { primary, worker } = channel()
    const over = new AbortController()
    let asked = 0
    worker.on('beat', () => {
      if (++asked === 5) over.abort()
      return true as const
    })
    expect(await fellSilent(() => primary.ask('beat', undefined), over.signal, rhythm)).toBe(false)
    expect(asked).toBe(5)
  })
})

describe('shares of what all workers have together', () => {
  const claim = (owner: string, amount: number): ShareClaim => ({
    kind: 'spool',
    owner,
    amount,
    mostOfOne: 60,
    most: 100,
  })

  it('are bounded for each and for all, whichever worker asks, and given back', () => {
    const shares = new Shares()
    expect([shares.claim(1, claim('a', 40)), shares.claim(2, claim('a', 20))]).toEqual(['granted', 'granted'])
    expect(shares.claim(3, claim('a', 1))).toBe('own')
    expect([shares.claim(3, claim('b', 40)), shares.claim(1, claim('c', 1))]).toEqual(['granted', 'all'])
    expect(shares.claim(1, { ...claim('a', 8), kind: 'imports' })).toBe('granted')
    shares.release(2, claim('a', 20))
    expect(shares.claim(1, claim('c', 20))).toBe('granted')
  })

  it('of a worker that has ended are free', () => {
    const shares = new Shares()
    shares.claim(1, claim('a', 60))
    shares.claim(2, claim('b', 40))
    shares.forget(1)
    expect([shares.claim(2, claim('a', 60)), shares.claim(2, claim('a', 1))]).toEqual(['granted', 'own'])
  })
})

describe('what workers count together', () => {
  const { config } = loadConfig({}, { cwd: '/' })
  const beginning = (number: number): Beginning => ({ config, number, count: 2, leads: number === 1, alarms: [] })

  it('is blocked in all of them once it is too much in all', async () => {
    const channels = [channel(), channel()]
    const counts = new Counts(blocked => {
      for (const { primary } of channels) primary.tell('blocked', blocked)
    })
    const blocked: string[][] = [[], []]
    const counting = channels.map(({ primary, worker }, at) => {
      primary.on('counts', sheets => counts.add(sheets))
      const { counts: shared } = colleaguesOver(worker, beginning(at + 1))
      return shared?.counter('misses', { points: 40, seconds: 60 }, key => blocked[at]?.push(key))
    })
    for (let time = 0; time < 18; time++) for (const count of counting) count?.('calm')
    for (let time = 0; time < 24; time++) for (const count of counting) count?.('greedy')
    while (blocked.some(keys => keys.length === 0)) await sleep(5)
    expect(blocked.map(keys => [...new Set(keys)])).toEqual([['greedy'], ['greedy']])
  })

  it('is refused no longer than the window lasts', async () => {
    const told: Blocked[] = []
    const counts = new Counts(blocked => told.push(blocked))
    const sheet = (times: number): CountSheet[] => [
      { counter: 'strangers', limit: { points: 5, seconds: 600 }, counted: new Map([['network', times]]) },
    ]
    counts.add(sheet(5))
    await sleep(1)
    expect(told).toEqual([])
    counts.add(sheet(1))
    while (told.length === 0) await sleep(1)
    expect(told).toEqual([{ counter: 'strangers', key: 'network', forMs: expect.any(Number) }])
    expect(told[0]?.forMs).toBeLessThanOrEqual(600_000)
  })
})

describe('a worker that could not be started', () => {
  it('has no channel, and none of its connections is waited for', () => {
    // As node:cluster has it where no file handle is left.
    expect(() => endWhatWasNotTaken({ process: new ChildProcess() })).not.toThrow()
  })
})
