import { createGzip } from 'node:zlib'
import { atOnce, joinedOf as joinedInSteps, ownMemoryOf } from '#kernel'

const joinedOf = (pieces: readonly Buffer[]) => atOnce(joinedInSteps(pieces))

const own = (letter: string, length = 100_000) => Buffer.from(new ArrayBuffer(length)).fill(letter)

describe('pieces that are joined', () => {
  it('are joined some at a time, so that others are served in between', () => {
    const pieces = Array.from({ length: 320 }, (_, at) => Buffer.alloc(64 * 1024, at))
    const joining = joinedInSteps(pieces)
    let steps = 0
    let step = joining.next()
    for (; step.done !== true; step = joining.next()) steps++
    expect(steps).toBeGreaterThanOrEqual(16)
    expect(step.value).toHaveLength(320 * 64 * 1024)
    expect(step.value.at(-1)).toBe(319 % 256)
  })

  it('are one, and their memory is given back', () => {
    const pieces = [own('a'), own('b')]
    const whole = joinedOf(pieces)
    expect([whole.length, whole[0], whole[199_999]]).toEqual([200_000, 0x61, 0x62])
    expect(pieces.map(({ length }) => length)).toEqual([0, 0])
  })

  it('keep what they share with others', () => {
    const shared = own('c')
    const pieces = [shared.subarray(0, 10), own('d'), shared.subarray(10, 20), Buffer.from('from the pool')]
    expect(joinedOf(pieces).toString()).toBe(`${'c'.repeat(10)}${'d'.repeat(100_000)}${'c'.repeat(10)}from the pool`)
    expect(shared.toString('latin1', 0, 20)).toBe('c'.repeat(20))
    expect(pieces.map(({ length }) => length)).toEqual([10, 0, 10, 13])
  })

  it('are what they were where there is but one, and nothing of nothing', () => {
    const one = own('e')
    expect(joinedOf([one])).toBe(one)
    expect(joinedOf([])).toHaveLength(0)
  })

  it('may come from what packs, which uses its memory again', async () => {
    const gzip = createGzip({ level: 0, chunkSize: 1024 })
    const pieces: Buffer[] = []
    const ended = new Promise(resolve => gzip.on('end', resolve))
    gzip.on('data', (piece: Buffer) => pieces.push(piece))
    gzip.end(Buffer.alloc(100_000, 'f'))
    await ended
    const expected = Buffer.concat(pieces)
    expect(joinedOf(pieces).equals(expected)).toBe(true)
  })
})

it('memory is its own where nobody else has a part of it', () => {
  expect(ownMemoryOf(own('g'))?.byteLength).toBe(100_000)
  expect(ownMemoryOf(own('g').subarray(1))).toBeUndefined()
  expect(ownMemoryOf(Buffer.from('small'))).toBeUndefined()
  expect(ownMemoryOf(new Uint8Array(new SharedArrayBuffer(8)))).toBeUndefined()
})
