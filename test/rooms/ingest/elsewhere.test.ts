import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isProblem } from '#kernel'
import { Shares } from '../../../src/commands/workers/shares.ts'
import { type ImportsElsewhere, placeElsewhere } from '../../../src/ingest/elsewhere.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { openSpool } from '../../../src/ingest/source/spool.ts'

const mebibyte = 1024 ** 2

/** As two processes see the account of both. */
function twoProcesses(): [ImportsElsewhere, ImportsElsewhere] {
  const shares = new Shares()
  const seenBy = (number: number): ImportsElsewhere => ({
    claim: async claim => shares.claim(number, claim),
    release: held => shares.release(number, held),
    show: async () => undefined,
    find: async () => undefined,
  })
  return [seenBy(1), seenBy(2)]
}

const codeOf = async (work: Promise<unknown>) => {
  try {
    await work
  } catch (error) {
    if (isProblem(error)) return `${error.kind} ${error.code}`
    throw error
  }
  return 'done'
}

describe('imports of two processes', () => {
  it('have their places from one account', async () => {
    const [one, other] = twoProcesses()
    const limits = { ...defaultLimits, maxImports: 3, maxImportsPerGrant: 2 }
    const first = await placeElsewhere(one, 'a', limits)
    await placeElsewhere(other, 'a', limits)
    expect(await codeOf(placeElsewhere(one, 'a', limits))).toBe('throttled ingest.too-many-imports')
    await placeElsewhere(one, 'b', limits)
    expect(await codeOf(placeElsewhere(other, 'c', limits))).toBe('busy ingest.too-many-imports')
    first[Symbol.dispose]()
    expect(await codeOf(placeElsewhere(other, 'c', limits))).toBe('done')
  })

  it('have room on the disk from one account, and give it back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kinhold-elsewhere-'))
    const limits = { ...defaultLimits, spoolFrom: 0, maxSpooled: 4 * mebibyte, maxSpooledPerGrant: 3 * mebibyte }
    const spools = twoProcesses().map(seen => openSpool(folder, limits, seen))
    async function* body(bytes: number) {
      for (let sent = 0; sent < bytes; sent += 65_536) yield Buffer.alloc(65_536)
    }
    const take = (spool: number, owner: string, bytes: number) => spools[spool]?.take(body(bytes), owner)
    const kept = await take(0, 'a', 2 * mebibyte)
    expect(await codeOf(take(1, 'a', 2 * mebibyte) ?? Promise.resolve())).toBe('too-large ingest.spool-quota')
    expect(await codeOf(take(1, 'b', 2.5 * mebibyte) ?? Promise.resolve())).toBe('busy ingest.spool-quota')
    const fitting = await take(1, 'b', mebibyte)
    await kept?.close()
    const whole = await take(1, 'a', 2.5 * mebibyte)
    await fitting?.close()
    await whole?.close()
    await rm(folder, { recursive: true })
  })
})
