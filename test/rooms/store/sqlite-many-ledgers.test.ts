import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openSqliteStore, type Sealed } from '#store'
import { metWhile, mostMetMs } from '../../turns.ts'
import { inDirectory } from './new-directory.ts'

const ledgers = 20_000
const hex = () => randomBytes(16).toString('hex')

describe('heads of very many ledgers in SQLite', () => {
  it('are all told, and others have their turns meanwhile', () =>
    inDirectory(async directory => {
      const store = await openSqliteStore({ path: join(directory, 'store.sqlite') })
      const compartments = Array.from({ length: ledgers }, hex)
      const appends = compartments.map((compartment, at) => ({
        compartment,
        expectedHead: 0,
        entries: Array.from({ length: 1 + (at % 2) }, (_, more) => ({
          compartment,
          locator: hex(),
          version: 1,
          seq: more + 1,
          sealed: new Uint8Array(48) as Sealed,
        })),
      }))
      expect(await store.commit({ appends, documents: [] })).toMatchObject({ ok: true })
      const { result, metMs } = await metWhile(() => store.allHeads())
      expect(metMs).toBeLessThan(mostMetMs)
      expect(new Map(result)).toEqual(new Map(compartments.map((compartment, at) => [compartment, 1 + (at % 2)])))
      await store.close()
    }))
})
