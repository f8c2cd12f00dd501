import { isProblem, type Log } from '#kernel'
import type { KeyRow, KeystoreFault, Vault } from '#vault'
import type { Finding } from '../types.ts'
import { onceAtATime } from './once-at-a-time.ts'
import { Rest } from './rest.ts'

/** Between two examinations, for each row: ten times what it takes and more, however often others write to the keystore. */
const restMsPerRow = 0.25

/** Behind an examination that failed, twice as long each time, up to a minute. */
const restAfterFailure = { firstMs: 1_000, mostMs: 60_000 }

interface WatchRooms {
  readonly vault: Vault
  readonly log: Log
  /** What is to be done again when all of the keystore can no longer be believed. */
  onFault(): Promise<void>
}

/** Whether the keystore holds what was written to it, and all of that: looked at from the start on, and whenever somebody else has written. */
export class KeystoreWatch {
  readonly #rooms: WatchRooms
  #lookedAt: number | undefined
  #told = ''
  #failures = 0
  readonly #rest = new Rest(restMsPerRow)

  constructor(rooms: WatchRooms) {
    this.#rooms = rooms
  }

  /** Takes over what an earlier release has left, unless it is known that this one was here already. Once for each keystore. */
  async takeOver(): Promise<void> {
    const { vault, log } = this.#rooms
    if (!(await vault.keys.isUnsealed())) return
    await vault.takeKeystoreAsItIs()
    log.warn(
      'the keystore of an earlier release was taken over: from now on it shows when rows of it are changed or removed',
      {
        room: 'record',
      },
    )
  }

  /** Goes through the keystore if anybody else may have written to it. */
  readonly look = onceAtATime(() => this.#look())

  async #look(): Promise<void> {
    const mark = await this.#rooms.vault.keys.othersMark()
    if (mark === this.#lookedAt || !this.#rest.isOver) return
    const rows = await this.#examine()
    // What could not be gone through is not known, whether anybody writes again or not.
    this.#lookedAt = this.#failures > 0 ? undefined : mark
    this.#rest.begin(rows, this.#restAfterFailureMs())
  }

  /** @returns how many rows it has looked at */
  async #examine(): Promise<number> {
    const { vault, onFault } = this.#rooms
    let rows = 0
    try {
      rows = await vault.keys.examine()
      this.#failures = 0
    } catch (error) {
      this.#failures++
      if (!isProblem(error)) throw error
    }
    this.#tell()
    if (vault.keys.fault !== undefined) await onFault()
    return rows
  }

  #restAfterFailureMs(): number {
    const { firstMs, mostMs } = restAfterFailure
    return this.#failures === 0 ? 0 : Math.min(mostMs, firstMs * 2 ** (this.#failures - 1))
  }

  #tell(): void {
    const found = this.faults().join('; ')
    if (found !== this.#told && found !== '')
      this.#rooms.log.error('the keystore is not as it was written; run verify', { room: 'record', detail: found })
    this.#told = found
  }

  /** In words for whoever watches. */
  faults(): readonly string[] {
    const { fault, forged } = this.#rooms.vault.keys
    return [
      ...(forged.length === 0 ? [] : [`${forged.length} rows of the keystore were not written by us`]),
      ...(fault === undefined ? [] : [faultTexts[fault].short]),
      ...(this.#failures > 0 ? ['the keystore could not be gone through'] : []),
    ]
  }

  /** The same for `verify`, after all of it was gone through again. */
  async findings(): Promise<readonly Finding[]> {
    await this.#examine()
    const { fault, forged } = this.#rooms.vault.keys
    return [
      ...forged.map((row): Finding => ({ kind: 'keystore-forged', ...placeOf(row) })),
      ...(fault === undefined ? [] : [{ kind: 'keystore-changed', text: faultTexts[fault].long } as const]),
      ...(this.#failures > 0
        ? [{ kind: 'keystore-changed', text: 'The keystore could not be gone through.' } as const]
        : []),
    ]
  }
}

const faultTexts: Readonly<Record<KeystoreFault, { readonly short: string; readonly long: string }>> = {
  incomplete: {
    short: 'the keystore does not hold all that was written to it',
    long: 'The keystore does not hold all that was written to it: rows are missing, or are older than they were.',
  },
  older: {
    short: 'the keystore is older than the data',
    long: 'The keystore is older than the data say: it was put back. If you did that, run verify --accept-restore.',
  },
  unsealed: {
    short: 'the keystore has lost its seal',
    long: 'The keystore has lost its seal, or holds another one: nothing tells whether it is whole.',
  },
}

const isCompartment = /^[0-9a-f]{32}$/

/** Which row it is; a name that nobody of us would give is left out. */
function placeOf(row: KeyRow): Pick<Finding, 'compartment' | 'text'> {
  const table = 'wrapped' in row ? 'key' : 'atMs' in row ? 'tombstone' : 'note'
  const name = 'name' in row ? row.name : row.owner
  const compartment = name.slice(name.lastIndexOf(':') + 1)
  const text = `A ${table} in the keystore was not written by us${row.mac === undefined ? ', or lost what vouches for it' : ''}.`
  return isCompartment.test(compartment) ? { compartment, text } : { text }
}
