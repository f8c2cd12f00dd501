import { silentLog } from '#kernel'
import { openMemoryStore, type Store } from '#store'
import { LedgersWatch } from '../../../src/record/upkeep/ledgers-watch.ts'
import { verifyLedger } from '../../../src/record/upkeep/verify.ts'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'

const all = everything()
const patients = 30
const long = 400

/** A store, and how often a page of entries was read from it, each within the turn in which it was asked for. */
function counting(store: Store) {
  const seen = { pages: 0 }
  const counted = new Proxy(store, {
    get: (of, name) => {
      const member = Reflect.get(of, name)
      if (name === 'entriesFrom') seen.pages++
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
  return { counted, seen }
}

/** A house of short ledgers, or of one that is long, whose ledgers are being gone through; how many pages were read when others had a turn. */
async function goneThrough(fill: (create: (resource: object) => Promise<{ id: string }>) => Promise<void>) {
  const { counted, seen } = counting(openMemoryStore())
  const { record, vault, store } = await openTestRecord(counted)
  await fill(resource => create(record, all, resource as Parameters<typeof create>[2]))
  await record.flush()
  const { documents } = record
  const watch = new LedgersWatch({
    store,
    vault,
    log: silentLog,
    verify: (compartment, head, pause) => verifyLedger({ store, vault, documents }, { compartment, head, pause }),
  })
  seen.pages = 0
  const turns: number[] = []
  watch.want()
  watch.goOn()
  const ledgers = (await store.allHeads()).size
  for (let at = 0; at < 3; at++) {
    await new Promise(resolve => setImmediate(resolve))
    turns.push(seen.pages)
  }
  await watch.close()
  await record.close()
  return { turns, ledgers }
}

describe('while all ledgers are gone through because somebody else has written', () => {
  it('others have their turn between short ones', async () => {
    const { turns, ledgers } = await goneThrough(async create => {
      for (let at = 0; at < patients; at++) await create(patient(`Amsel${at}`))
    })
    expect(ledgers).toBeGreaterThan(2 * patients)
    for (const pages of turns) expect(pages).toBeLessThan(patients)
  })

  it('others have their turn within a long one', async () => {
    const { turns } = await goneThrough(async create => {
      const { id } = await create(patient('Amsel'))
      for (let at = 0; at < long; at++) await create(heartRate(id, 60))
    })
    for (const pages of turns) expect(pages).toBeLessThan(long / 50)
  })
})
