import { setImmediate as nextTurn } from 'node:timers/promises'
import { SealingTurns } from '../../../src/record/transaction/sealing-turns.ts'

/** Commits of which each takes so long to be sealed; time stands still otherwise. */
function scene(sealMs: number) {
  let nowMs = 0
  let turn = 0
  const turns = new SealingTurns(() => nowMs)
  const sealed: string[] = []
  const sent: string[] = []
  const commit = (name: string, documents = false) =>
    turns.run(async () => {
      sealed.push(`${turn} ${name}`)
      nowMs += sealMs
      const send = async () => void sent.push(`${turn} ${name}`)
      await (documents ? turns.handOverNow(send) : turns.handOver(send))
    })
  // It is counted before whatever else was to be done in the same turn.
  const all = async (commits: () => readonly Promise<unknown>[]) => {
    let isDone = false
    const counting = (async () => {
      for (; !isDone; turn++) await nextTurn()
    })()
    await Promise.allSettled(commits())
    isDone = true
    await counting
  }
  return { turns, sealed, sent, commit, all }
}

const names = (count: number) => Array.from({ length: count }, (_, at) => `${at}`)
const turnOf = (told: string) => told.split(' ')[0] ?? ''
const nameOf = (told: string) => told.split(' ')[1] ?? ''
const inEachTurn = (told: readonly string[]) => Object.values(Object.groupBy(told, turnOf)).map(of => of?.length)

describe('commits that come together', () => {
  it('are sealed some milliseconds in a turn, and handed over together', async () => {
    const { sealed, sent, commit, all } = scene(1)
    await all(() => names(32).map(name => commit(name)))
    expect(inEachTurn(sealed)).toEqual([5, 5, 5, 5, 5, 5, 2])
    expect(inEachTurn(sent)).toEqual([5, 27])
    expect(sent.map(nameOf)).toEqual(names(32))
  })

  it('wait for sixty-four others at most', async () => {
    const { sealed, sent, commit, all } = scene(6)
    await all(() => names(100).map(name => commit(name)))
    expect(new Set(inEachTurn(sealed))).toEqual(new Set([1]))
    expect(inEachTurn(sent)).toEqual([1, 65, 34])
    expect(sent.map(nameOf)).toEqual(names(100))
  })

  it('are handed over at once where they are few', async () => {
    const { sent, commit, all } = scene(1)
    await all(() => names(5).map(name => commit(name)))
    expect(inEachTurn(sent)).toEqual([5])
  })

  it('are handed over in the order in which they were sealed, whoever hands over alone', async () => {
    const { sealed, sent, commit, all } = scene(3)
    await all(() => names(12).map(name => commit(name, name === '7')))
    expect(sent.map(nameOf)).toEqual(sealed.map(nameOf))
    expect(sealed.map(nameOf)).toEqual(names(12))
  })

  it('are handed over though the last that waits has come in vain', async () => {
    const { turns, sent, commit, all } = scene(6)
    const inVain = () => turns.run(async () => undefined)
    await all(() => [...names(3).map(name => commit(name)), inVain()])
    expect(sent.map(nameOf)).toEqual(names(3))
  })

  it('each hear of what became of them', async () => {
    const { turns, commit, all } = scene(6)
    const refused = () => turns.run(() => turns.handOver(() => Promise.reject(new Error('full'))))
    const outcomes: Promise<unknown>[] = []
    await all(() => {
      outcomes.push(commit('0'), refused(), refused(), commit('1'))
      return outcomes
    })
    expect((await Promise.allSettled(outcomes)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
  })
})
