import { checkHexKey, checkId16 } from './well-formed.ts'

/** The 16 bytes of a compartment id or locator. @throws Problem `fault` · `store.id-malformed` */
export function idBytes(id: string): Buffer {
  checkId16(id)
  return Buffer.from(id, 'hex')
}

/** The bytes of a document's key or group. @throws Problem `fault` · `store.id-malformed` */
export function keyBytes(key: string): Buffer {
  checkHexKey(key)
  return Buffer.from(key, 'hex')
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
