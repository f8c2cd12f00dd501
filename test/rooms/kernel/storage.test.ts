import { isProblem, isStorageProblem, Problem, storageFaultOf, storageProblem } from '#kernel'

const systemError = (code: string) =>
  Object.assign(new Error(`${code}: the path of a file`), { code, syscall: 'write' })

describe('what a disk says no with', () => {
  it.each([
    ['ENOSPC', 'storage.full', 'full'],
    ['EDQUOT', 'storage.full', 'full'],
    ['EFBIG', 'storage.full', 'full'],
    ['EROFS', 'storage.read-only', 'busy'],
    ['EIO', 'storage.failing', 'busy'],
    ['EMFILE', 'storage.handles-exhausted', 'busy'],
    ['ENFILE', 'storage.handles-exhausted', 'busy'],
  ])('%s is told as %s, with a time to come back', (code, told, kind) => {
    const fault = storageFaultOf(systemError(code))
    const problem = storageProblem(fault ?? 'failing', { cause: systemError(code) })
    expect([problem.code, problem.kind, isStorageProblem(problem)]).toEqual([told, kind, true])
    expect(problem.retryAfterSeconds).toBeGreaterThan(0)
    expect(problem.text).not.toContain('path of a file')
  })

  it('and nothing else is laid at its door', () => {
    for (const error of [systemError('ENOENT'), systemError('toString'), new TypeError('x'), null, undefined, 'ENOSPC'])
      expect(storageFaultOf(error)).toBeUndefined()
    const other = new Problem('full', 'other.full', 'Full of something else.')
    expect([isProblem(other, 'full'), isStorageProblem(other)]).toEqual([true, false])
  })
})
