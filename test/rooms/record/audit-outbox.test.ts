import { createLog, isProblem, Problem, silentLog, storageProblem } from '#kernel'
import { AuditOutbox, type AuditWork } from '../../../src/record/audit/audit-outbox.ts'

const work = (id: string): AuditWork => ({
  holder: { compartment: 'a'.repeat(32), kind: 'audit' },
  event: { resourceType: 'AuditEvent', id },
})

/** A disk that takes records or does not, and what it has taken. */
function disk(problem?: Problem) {
  const state = { problem, taken: [] as string[], urgent: [] as boolean[] }
  const write = async (events: readonly AuditWork[], urgent: boolean) => {
    if (state.problem !== undefined) throw state.problem
    for (const { event } of events) state.taken.push(event.id ?? '')
    state.urgent.push(urgent)
  }
  return { state, write }
}

describe('records of audit on a full disk', () => {
  it.each([
    storageProblem('full'),
    storageProblem('failing'),
    storageProblem('read-only'),
    new Problem('full', 'store.reserved', 'Full.'),
    new Problem('busy', 'store.busy', 'Busy.'),
  ])('wait, and are written in their order when there is room ($code)', async problem => {
    const { state, write } = disk(problem)
    const outbox = new AuditOutbox(write, silentLog)
    await outbox.put([work('1'), work('2')])
    await outbox.put([work('3')], true)
    await outbox.retry()
    expect(state.taken).toEqual([])
    state.problem = undefined
    await outbox.retry()
    await outbox.retry()
    expect(state.taken).toEqual(['1', '2', '3'])
  })

  it('what is wrong beside the disk is told at once', async () => {
    const outbox = new AuditOutbox(disk(new Problem('fault', 'other', 'Else.')).write, silentLog)
    await expect(outbox.put([work('1')])).rejects.toThrow('Else.')
  })

  it('what is wrong with one audit costs the others nothing, and those wait that a full disk does not take', async () => {
    const taken: string[] = []
    const of = (compartment: string, id: string) => ({ ...work(id), holder: { compartment, kind: 'audit' as const } })
    let full = true
    const outbox = new AuditOutbox(async events => {
      if (events.some(({ holder }) => holder.compartment === 'broken')) throw new Problem('fault', 'other', 'Else.')
      if (full && events.some(({ event }) => event.id === '3')) throw storageProblem('full')
      taken.push(...events.map(({ event }) => event.id ?? ''))
    }, silentLog)
    const events = [of('one', '1'), of('broken', '2'), of('two', '3'), of('one', '4')]
    await expect(outbox.put(events)).rejects.toThrow('Else.')
    expect(taken).toEqual(['1', '4'])
    full = false
    await outbox.retry()
    expect(taken).toEqual(['1', '4', '3'])
  })

  it('refuse further reads when no more of them can wait, until there is room', async () => {
    const { state, write } = disk(storageProblem('full'))
    const outbox = new AuditOutbox(write, silentLog, 60)
    await outbox.put([work('1')])
    outbox.check()
    await outbox.put([work('2')])
    let refusal: unknown
    try {
      outbox.check()
    } catch (error) {
      refusal = error
    }
    expect(isProblem(refusal, 'full') && refusal.code).toBe('record.audit-waiting')
    state.problem = undefined
    await outbox.retry()
    outbox.check()
    expect(state.taken).toEqual(['1', '2'])
  })

  it('are counted in the log when the process ends before there is room', async () => {
    const lines: string[] = []
    const log = createLog('error', { write: line => void lines.push(line) })
    const outbox = new AuditOutbox(disk(storageProblem('full')).write, log)
    outbox.close()
    await outbox.put([work('1'), work('2')])
    outbox.close()
    expect(lines.map(line => JSON.parse(line).count)).toEqual([2, 2])
  })
})
