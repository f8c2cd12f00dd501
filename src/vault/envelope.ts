import { nonceBytes, tagBytes } from './xaes.ts'

/** The first byte of everything sealed: XAES-256-GCM under an HKDF-SHA256 purpose key. */
export const suite = 1
/** Names the suite inside the authenticated data. */
export const suiteLabel = 'kinhold/1 xaes-256-gcm hkdf-sha256'
/** Key versions take 1 to 4 bytes. */
export const maxKeyVersion = 2 ** 28 - 1

/** The parts of sealed bytes: `suite ‖ key version ‖ nonce ‖ ciphertext ‖ tag`, 42 bytes more than the plaintext (45 at most). */
export interface Envelope {
  readonly keyVersion: number
  readonly nonce: Uint8Array
  readonly body: Uint8Array
}

/** `suite ‖ key version`: seven bits a byte, lowest first, the top bit saying that more follow. */
export function envelopeHeader(keyVersion: number): Buffer {
  const bytes = [suite]
  let rest = keyVersion
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** The parts, or `undefined` when the bytes cannot be an envelope. A key version has one spelling only. */
export function parseEnvelope(sealedBytes: Uint8Array): Envelope | undefined {
  if (sealedBytes[0] !== suite) return undefined
  let keyVersion = 0
  for (let at = 1; at <= 4; at++) {
    const byte = sealedBytes[at] ?? 0x80
    keyVersion |= (byte & 0x7f) << (7 * (at - 1))
    if (byte < 0x80) return byte === 0 ? undefined : splitBody(sealedBytes, at + 1, keyVersion)
  }
  return undefined
}

/** Which version of the key sealed these bytes; undefined when they cannot be an envelope. */
export function keyVersionOf(sealedBytes: Uint8Array): number | undefined {
  return parseEnvelope(sealedBytes)?.keyVersion
}

function splitBody(sealedBytes: Uint8Array, at: number, keyVersion: number): Envelope | undefined {
  if (sealedBytes.length < at + nonceBytes + tagBytes) return undefined
  const nonce = sealedBytes.subarray(at, at + nonceBytes)
  return { keyVersion, nonce, body: sealedBytes.subarray(at + nonceBytes) }
}
