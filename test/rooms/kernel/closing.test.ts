import { closeAll } from '#kernel'

describe('closing', () => {
  it('takes every step in its order, and tells of the first that failed', async () => {
    const taken: number[] = []
    const failing = (step: number) => () => {
      taken.push(step)
      throw new Error(`step ${step}`)
    }
    const steps = [() => void taken.push(1), failing(2), async () => void taken.push(3), async () => failing(4)()]
    await expect(closeAll(steps)).rejects.toThrow('step 2')
    expect(taken).toEqual([1, 2, 3, 4])
    await closeAll([])
  })
})
