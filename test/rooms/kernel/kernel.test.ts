import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { isId } from '#fhir'
import {
  collect,
  createLog,
  equalSecrets,
  FixedClock,
  fromUtf8,
  isProblem,
  lengthPrefixed,
  newRequestId,
  newResourceId,
  newSecret,
  Problem,
  toUtf8,
} from '#kernel'

async function* pieces(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size)
}

describe('streams', () => {
  it('are gathered up to their limit and refused beyond it: body.too-large', async () => {
    expect((await collect(pieces(10, 20), 30)).length).toBe(30)
    await expect(collect(pieces(10, 21), 30)).rejects.toMatchObject({ kind: 'too-large', code: 'body.too-large' })
  })
})

describe('bytes', () => {
  it('of different lists are never the same when their parts are prefixed with their lengths', () => {
    const list = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 })
    fc.assert(
      fc.property(list, list, (a, b) => {
        const same = a.length === b.length && a.every((part, at) => part === b[at])
        expect(lengthPrefixed(a).equals(lengthPrefixed(b))).toBe(same)
        expect(lengthPrefixed(b, lengthPrefixed(a)).equals(lengthPrefixed([...a, ...b]))).toBe(true)
      }),
    )
  })

  it('that are not UTF-8 are refused, and texts come back as they were', () => {
    expect(() => fromUtf8(Uint8Array.of(0xc3, 0x28))).toThrow()
    expect(fromUtf8(toUtf8('Größe ✓'))).toBe('Größe ✓')
  })

  it('of secrets are compared whole', () => {
    expect([equalSecrets('a', 'a'), equalSecrets('a', 'b'), equalSecrets('a', 'aa')]).toEqual([true, false, false])
  })
})

describe('ids', () => {
  it('are valid FHIR ids – https://hl7.org/fhir/R4/datatypes.html#id – and do not repeat', () => {
    const made = Array.from({ length: 5000 }, newResourceId)
    expect(new Set(made).size).toBe(5000)
    expect(made.every(isId)).toBe(true)
  })

  it('secrets have the bits they were asked for', () => {
    expect(Buffer.from(newSecret(32), 'base64url').length).toBe(32)
    expect(newSecret()).not.toBe(newSecret())
    const requests = Array.from({ length: 1000 }, newRequestId)
    expect(new Set(requests).size).toBe(1000)
    expect(requests.filter(id => !/^[\w-]{24}$/.test(id))).toEqual([])
  })
})

describe('a Problem', () => {
  it('is known by its kind', () => {
    const problem = new Problem('invalid', 'x.y', 'Text.', { expression: 'Patient.name' })
    expect([isProblem(problem), isProblem(problem, 'gone'), isProblem(new Error('x'))]).toEqual([true, false, false])
    expect(problem.expression).toEqual(['Patient.name'])
  })
})

describe('the log', () => {
  it('writes only the fields that its list names', () => {
    const lines: string[] = []
    const log = createLog('info', { write: line => void lines.push(line) })
    const fields = { status: 200, name: 'Amsel', body: 'secret' }
    log.info('answered', fields)
    log.debug('not at this level', fields)
    expect(lines.length).toBe(1)
    expect(JSON.parse(lines[0] ?? '')).toEqual({ level: 30, time: expect.any(String), status: 200, msg: 'answered' })
  })
})

describe('lines that say the same again and again', () => {
  const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
  async function written(level: 'info' | 'debug', say: (log: ReturnType<typeof createLog>) => void) {
    const lines: string[] = []
    say(createLog(level, { write: line => void lines.push(line) }, 50))
    await delay(120)
    return lines.map(line => JSON.parse(line))
  }

  it('are written a few times, then counted', async () => {
    const lines = await written('info', log => {
      for (let n = 0; n < 5000; n++) log.info('refused', { code: 'token.missing', status: 401, requestId: `${n}` })
    })
    expect(lines).toHaveLength(21)
    expect(lines.at(-1)).toMatchObject({
      msg: 'refused, and so again',
      code: 'token.missing',
      status: 401,
      count: 4980,
    })
    expect(lines.at(-1)).not.toHaveProperty('requestId')
  })

  it('are counted together where there are many kinds', async () => {
    const lines = await written('info', log => {
      for (let n = 0; n < 50; n++) for (let kind = 0; kind < 30; kind++) log.error('failed', { code: `a.${kind}` })
    })
    expect(lines).toHaveLength(30 * 20 + 8 + 1)
    expect(lines.at(-1)).toMatchObject({ msg: 'other lines were held back', count: 22 * 30 })
  })

  it('are all written where everything is asked for', async () => {
    const lines = await written('debug', log => {
      for (let n = 0; n < 100; n++) log.info('refused', { code: 'token.missing' })
    })
    expect(lines).toHaveLength(100)
  })
})

describe('the log of several processes', () => {
  const refused = { code: 'token.missing', status: 401 }
  const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

  it.each([1, 2, 3, 8, 64])('has together what one would write: %i', async processes => {
    const lines: Record<string, unknown>[] = []
    for (let worker = 1; worker <= processes; worker++) {
      const write = (line: string) => void lines.push(JSON.parse(line))
      const log = createLog('info', { write }, 50, { worker, processes })
      for (let n = 0; n < 50; n++) for (let kind = 0; kind < 12; kind++) log.info(`refused ${kind}`, refused)
    }
    const first = lines.length
    // Each writes one of each kind at least.
    expect(first).toBeLessThanOrEqual(12 * (20 + processes - 1))
    expect(new Set(lines.map(({ worker }) => worker)).size).toBe(processes)
    await delay(120)
    const sums = lines.slice(first)
    expect(sums.length).toBeLessThanOrEqual(8 + 2 * processes)
    const counted = sums.reduce((sum, { count }) => sum + Number(count), 0)
    expect(first + counted).toBe(processes * 12 * 50)
  })
})

describe('many logs in one process', () => {
  it('listen for its end once, all of them together', () => {
    const before = process.listenerCount('exit')
    for (let opened = 0; opened < 20; opened++)
      for (let line = 0; line < 30; line++) createLog('info', { write: () => undefined }).info('refused')
    expect(process.listenerCount('exit')).toBe(before)
  })

  it('say at its end what each of them has counted', () => {
    const door = JSON.stringify(new URL('../../../src/kernel/index.ts', import.meta.url).href)
    const script = `
      const { createLog } = await import(${door})
      for (const said of ['refused', 'failed']) {
        const log = createLog('info')
        for (let line = 0; line < 23; line++) log.info(said)
      }`
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toHaveLength(42)
    expect(lines.slice(-2)).toEqual([
      expect.objectContaining({ msg: 'refused, and so again', count: 3 }),
      expect.objectContaining({ msg: 'failed, and so again', count: 3 }),
    ])
  })
})

describe('a fixed clock', () => {
  it('moves only when told', () => {
    const clock = new FixedClock(5)
    clock.advance(-2)
    expect(clock.nowMs()).toBe(3)
  })
})
