/** Several processes that serve one house, of which each has next to no room, and is tidied up when it is told to. */
import { FixedClock, silentLog } from '#kernel'
import { openRecord, type Record } from '#record'
import type { KeyStore, Store } from '#store'
import { openVault, type Vault } from '#vault'
import { baseUrl, testRoot } from '../family.ts'

/** A connection to a store and to its keystore. */
export interface Connection {
  readonly store: Store
  readonly keys: KeyStore
  close(): Promise<void>
}

/** What one process may keep in memory. */
export interface Bounds {
  readonly openLedgers: number
  readonly rowBytes: number
  readonly versionBytes: number
  readonly keyBytes: number
  readonly indexBytes: number
  readonly populationBytes: number
  readonly searchedApart: number
}

/** A process: what it opened, and what its housekeeping would do by and by. */
export interface Process {
  readonly record: Record
  readonly bounds: Bounds
  /** What is done every five seconds: sweeping, settling, looking at what others wrote. */
  tidy(): Promise<void>
  close(): Promise<void>
}

const sweepEveryRounds = 5

/** What is opened meanwhile does nothing every second, but when `round` is called. */
async function withRounds<T>(open: () => Promise<T>): Promise<{ opened: T; round(): void }> {
  const { setInterval } = globalThis
  const works: (() => void)[] = []
  globalThis.setInterval = ((work: () => void, ms: number) => {
    if (ms !== 1_000) return setInterval(work, ms)
    works.push(work)
    return setInterval(() => undefined, 2 ** 30).unref()
  }) as typeof setInterval
  try {
    return {
      opened: await open(),
      round: () => {
        for (const work of works) work()
      },
    }
  } finally {
    globalThis.setInterval = setInterval
  }
}

/** The house of one test: processes come and go. */
export class TestHouse {
  readonly clock = new FixedClock(Date.parse('2026-03-01T10:00:00Z'))
  readonly #connect: () => Promise<Connection>

  /** @param connect  opens the same store again, as another process would */
  constructor(connect: () => Promise<Connection>) {
    this.#connect = connect
  }

  async open(bounds: Bounds): Promise<Process> {
    const { clock } = this
    const { store, keys, close } = await this.#connect()
    const vault: Vault = await openVault({ keys, root: testRoot, clock, keyBytes: bounds.keyBytes })
    const { keyBytes: _keyBytes, ...rooms } = bounds
    const { opened: record, round } = await withRounds(() =>
      openRecord({ store, vault, clock, log: silentLog, baseUrl, ...rooms }),
    )
    return {
      record,
      bounds,
      tidy: async () => {
        for (let times = 0; times < sweepEveryRounds; times++) round()
        await record.flush()
      },
      close: async () => {
        await record.close()
        vault.close()
        await close()
      },
    }
  }
}
