import { randomFillSync } from 'node:crypto'
import { nonceBytes } from './xaes.ts'

const pool = Buffer.alloc(nonceBytes * 256)
let used = pool.length

/** 24 bytes from the operating system's generator, drawn through a pool because single draws are slow. */
export function newNonce(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const nonce = Buffer.from(pool.subarray(used, used + nonceBytes))
  used += nonceBytes
  return nonce
}
