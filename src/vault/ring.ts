import type { KeyObject } from 'node:crypto'
import { isProblem, lengthPrefixed, ownBytes, Problem } from '#kernel'
import { deriveKey } from './derive.ts'
import { envelopeHeader, parseEnvelope, suiteLabel } from './envelope.ts'
import { newNonce } from './nonces.ts'
import { XaesKey } from './xaes.ts'

/** One text for a wrong key, a wrong place, tampering and truncation: whoever tampers learns nothing from it. */
export function sealBroken(kind: string): Problem {
  return new Problem('fault', 'vault.seal-broken', 'Stored data are not what was written.', {
    detail: `kind of sealed data: ${kind}`,
  })
}

/**
 * What is sealed says in clear under which version of its key. One that was renewed and destroyed since tells that a backup of the
 * data was put back alone – or that somebody changed the number, which is a fault as well.
 */
function dataOlder(kind: string): Problem {
  return new Problem(
    'fault',
    'vault.data-older',
    'The data are older than the keystore: their key was renewed since, and the one that sealed them destroyed. Put back data and keystore of the same time.',
    { detail: `kind of sealed data: ${kind}` },
  )
}

const sealFaults: ReadonlySet<string> = new Set(['vault.seal-broken', 'vault.data-older'])

/** Whether this says that sealed data do not open, for whatever reason. */
export function isSealFault(error: unknown): error is Problem {
  return isProblem(error) && sealFaults.has(error.code)
}

/** The versions of one owner's key, and the purpose keys derived from them. */
export class KeyVersions {
  readonly instanceId: string
  readonly owner: string
  readonly newest: number
  readonly oldest: number
  readonly #keys: ReadonlyMap<number, KeyObject>
  /** What the authenticated data of all messages of this owner begin with. */
  readonly aadHead: Buffer

  constructor(instanceId: string, owner: string, keys: ReadonlyMap<number, KeyObject>) {
    this.instanceId = instanceId
    this.owner = owner
    this.#keys = keys
    // Of tens of thousands of owners at a time: whatever is kept of each shares its memory with nothing else.
    this.aadHead = ownBytes(lengthPrefixed([suiteLabel, instanceId, owner]))
    this.newest = Math.max(...keys.keys())
    this.oldest = Math.min(...keys.keys())
  }

  /** The key of one purpose, or `undefined` when there is no such version. */
  purposeKey(purpose: string, version: number): KeyObject | undefined {
    const key = this.#keys.get(version)
    if (key === undefined) return undefined
    const salt = Buffer.from(this.instanceId, 'hex')
    return deriveKey(key, salt, lengthPrefixed(['kinhold/purpose', purpose, this.owner, String(version)]))
  }

  /** The purpose key of the oldest version: it stays the same when the key is renewed, as found-by values must. */
  stableKey(purpose: string): KeyObject {
    const key = this.purposeKey(purpose, this.oldest)
    if (key === undefined) throw sealBroken(purpose)
    return key
  }

  /** The raw keys, for rewrapping only. */
  entries(): Iterable<[number, KeyObject]> {
    return this.#keys.entries()
  }
}

interface SealingKey {
  readonly xaes: XaesKey
  readonly header: Buffer
  /** Last part of the authenticated data: owner, purpose, version. */
  readonly id: string
}

/**
 * Seals and opens the messages of one owner and one purpose.
 *
 * Authenticated with every message: suite, instance, owner, `place`, kind and key id, each preceded by its length.
 */
export class Ring {
  readonly #versions: KeyVersions
  readonly #purpose: string
  readonly #keys = new Map<number, SealingKey>()

  constructor(versions: KeyVersions, purpose: string) {
    this.#versions = versions
    this.#purpose = purpose
  }

  seal(kind: string, place: readonly (string | Uint8Array)[], plain: Uint8Array): Buffer {
    const key = this.#key(this.#versions.newest)
    if (key === undefined) throw sealBroken(kind)
    const nonce = newNonce()
    return Buffer.concat([key.header, nonce, ...key.xaes.seal(plain, nonce, this.#aad(kind, place, key.id))])
  }

  /** @throws Problem `fault` · `vault.seal-broken`, `vault.data-older` */
  open(kind: string, place: readonly (string | Uint8Array)[], sealedBytes: Uint8Array): Buffer {
    const envelope = parseEnvelope(sealedBytes)
    const key = envelope && this.#key(envelope.keyVersion)
    if (envelope !== undefined && envelope.keyVersion < this.#versions.oldest) throw dataOlder(kind)
    const plain = envelope && key?.xaes.open(envelope.body, envelope.nonce, this.#aad(kind, place, key.id))
    if (plain === undefined) throw sealBroken(kind)
    return plain
  }

  #key(version: number): SealingKey | undefined {
    const known = this.#keys.get(version)
    if (known) return known
    const derived = this.#versions.purposeKey(this.#purpose, version)
    if (derived === undefined) return undefined
    const id = `${this.#versions.owner}/${this.#purpose}/${version}`
    const key = { xaes: new XaesKey(derived), header: ownBytes(envelopeHeader(version)), id }
    this.#keys.set(version, key)
    return key
  }

  #aad(kind: string, place: readonly (string | Uint8Array)[], keyId: string): Buffer {
    return lengthPrefixed([...place, kind, keyId], this.#versions.aadHead)
  }
}
