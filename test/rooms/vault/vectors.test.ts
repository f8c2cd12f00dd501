import { createHash, createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hkdf } from '../../../src/vault/derive.ts'
import { unwrapKey, wrapKey } from '../../../src/vault/kwp.ts'
import { stretch } from '../../../src/vault/roots/passphrase-root.ts'
import { XaesKey } from '../../../src/vault/xaes.ts'

const load = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../cases/vault/${name}.json`, import.meta.url), 'utf8')) as T
const hex = (text: string): Buffer => Buffer.from(text, 'hex')

interface Xaes {
  messages: { name: string; key: string; nonce: string; plain: string; aad: string; sealed: string }[]
  accumulated: { iterations: number; rngBegins: string; digest: string }
}
interface Kwp {
  valid: { name: string; kek: string; key: string; wrapped: string }[]
  invalid: { name: string; kek: string; wrapped: string }[]
}
type Hkdf = { name: string; ikm: string; salt: string; info: string; length: number; okm: string }[]
type Argon2id = {
  name: string
  message: string
  salt: string
  secret?: string
  associatedData?: string
  memoryKiB: number
  passes: number
  parallelism: number
  tag: string
}[]

describe('XAES-256-GCM – https://c2sp.org/XAES-256-GCM', () => {
  const { messages, accumulated } = load<Xaes>('xaes-256-gcm')

  it.each(messages)('seals and opens the published message where $name', ({ key, nonce, plain, aad, sealed }) => {
    const xaes = new XaesKey(createSecretKey(hex(key)))
    expect(Buffer.concat(xaes.seal(hex(plain), hex(nonce), hex(aad))).toString('hex')).toBe(sealed)
    expect(xaes.open(hex(sealed), hex(nonce), hex(aad))?.toString('hex')).toBe(plain)
  })

  it('gives the accumulated digest of 10,000 random messages', () => {
    const stream = createHash('shake128', { outputLength: 4_000_000 }).digest()
    expect(stream.toString('hex', 0, 16)).toBe(accumulated.rngBegins)
    let at = 0
    const draw = (length: number): Buffer => {
      at += length
      return stream.subarray(at - length, at)
    }
    const digest = createHash('shake128', { outputLength: 32 })
    for (let round = 0; round < accumulated.iterations; round++) {
      const xaes = new XaesKey(createSecretKey(draw(32)))
      const nonce = draw(24)
      const plain = draw(draw(1)[0] ?? 0)
      const aad = draw(draw(1)[0] ?? 0)
      const sealed = Buffer.concat(xaes.seal(plain, nonce, aad))
      if (xaes.open(sealed, nonce, aad)?.equals(plain) !== true) throw new Error(`message ${round} does not open`)
      digest.update(sealed)
    }
    expect(at).toBeLessThanOrEqual(stream.length)
    expect(digest.digest('hex')).toBe(accumulated.digest)
  })

  it('opens nothing under another key, nonce or AAD, nor with any bit changed', () => {
    const [message] = messages
    if (message === undefined) throw new Error('no vector')
    const xaes = new XaesKey(createSecretKey(hex(message.key)))
    const [sealed, nonce] = [hex(message.sealed), hex(message.nonce)]
    expect(new XaesKey(createSecretKey(Buffer.alloc(32, 9))).open(sealed, nonce, hex(''))).toBeUndefined()
    expect(xaes.open(sealed, nonce, hex('00'))).toBeUndefined()
    expect(xaes.open(sealed.subarray(0, 15), nonce, hex(''))).toBeUndefined()
    expect(xaes.open(sealed, nonce.subarray(1), hex(''))).toBeUndefined()
    const flip = (bytes: Buffer, at: number): Buffer =>
      Buffer.from(bytes.map((byte, place) => (place === at ? byte ^ 128 : byte)))
    for (let at = 0; at < sealed.length; at++) expect(xaes.open(flip(sealed, at), nonce, hex(''))).toBeUndefined()
    for (let at = 0; at < nonce.length; at++) expect(xaes.open(sealed, flip(nonce, at), hex(''))).toBeUndefined()
  })
})

describe('AES key wrap with padding – https://www.rfc-editor.org/rfc/rfc5649', () => {
  const { valid, invalid } = load<Kwp>('kwp')

  it.each(valid)('wraps and unwraps $name', ({ kek, key, wrapped }) => {
    expect(wrapKey(createSecretKey(hex(kek)), hex(key)).toString('hex')).toBe(wrapped)
    const unwrapped = unwrapKey(createSecretKey(hex(kek)), hex(wrapped))
    expect(Buffer.from(unwrapped ?? []).toString('hex')).toBe(key)
  })

  it.each(invalid)('refuses $name', ({ kek, wrapped }) => {
    expect(unwrapKey(createSecretKey(hex(kek)), hex(wrapped))).toBeUndefined()
  })

  it('refuses a wrapped key with any byte changed, cut or added', () => {
    const kek = createSecretKey(Buffer.alloc(32, 1))
    const wrapped = wrapKey(kek, Buffer.alloc(32, 2))
    expect(wrapped).toHaveLength(40)
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Buffer.from(wrapped)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(unwrapKey(kek, changed)).toBeUndefined()
    }
    for (const length of [0, 8, 16, 32, 39]) expect(unwrapKey(kek, wrapped.subarray(0, length))).toBeUndefined()
    expect(unwrapKey(kek, Buffer.concat([wrapped, Buffer.alloc(8)]))).toBeUndefined()
  })
})

describe('HKDF-SHA256 – https://www.rfc-editor.org/rfc/rfc5869#appendix-A', () => {
  it.each(load<Hkdf>('hkdf-sha256'))('derives case $name', ({ ikm, salt, info, length, okm }) => {
    const derived = hkdf(createSecretKey(hex(ikm)), hex(salt), hex(info), length)
    expect(Buffer.from(derived).toString('hex')).toBe(okm)
  })
})

describe('Argon2id – https://www.rfc-editor.org/rfc/rfc9106', () => {
  it.each(load<Argon2id>('argon2id'))(
    'stretches as $name',
    async ({ message, salt, tag, secret, associatedData, ...cost }) => {
      const extras = {
        ...(secret === undefined ? {} : { secret: hex(secret) }),
        ...(associatedData === undefined ? {} : { associatedData: hex(associatedData) }),
      }
      expect((await stretch(hex(message), hex(salt), cost, extras)).toString('hex')).toBe(tag)
    },
  )
})
