import { mapFew } from '#kernel'

const turn = () => new Promise(resolve => setImmediate(resolve))
const numbers = Array.from({ length: 20 }, (_, at) => at)

describe('a few at once', () => {
  it.each([1, 3, 16, 99])('are never more than %i, and what comes of them keeps its order', async atOnce => {
    let [running, most] = [0, 0]
    const made = await mapFew(numbers, atOnce, async number => {
      most = Math.max(most, ++running)
      for (let turns = 0; turns < 20 - number; turns++) await turn()
      running--
      return number * 2
    })
    expect(made).toEqual(numbers.map(number => number * 2))
    expect(most).toBe(Math.min(atOnce, numbers.length))
  })

  it('are nothing for nothing', async () => {
    expect(await mapFew([], 3, () => Promise.reject(new Error('never')))).toEqual([])
  })

  it('of which one fails are the last that are begun', async () => {
    const begun: number[] = []
    const work = async (number: number) => {
      begun.push(number)
      await turn()
      if (number === 4) throw new Error('four')
      await turn()
    }
    await expect(mapFew(numbers, 3, work)).rejects.toThrow('four')
    for (let turns = 0; turns < 10; turns++) await turn()
    expect(begun.length).toBeLessThan(9)
  })
})
