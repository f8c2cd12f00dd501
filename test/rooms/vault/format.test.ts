import { createSecretKey } from 'node:crypto'
import { lengthPrefixed } from '#kernel'
import { hkdf } from '../../../src/vault/derive.ts'
import { KeyVersions, Ring } from '../../../src/vault/ring.ts'
import { XaesKey } from '../../../src/vault/xaes.ts'

const instanceId = '00112233445566778899aabbccddeeff'
const owner = 'f'.repeat(32)
const secret = (fill: number) => createSecretKey(Buffer.alloc(32, fill))
const versions = new KeyVersions(
  instanceId,
  owner,
  new Map([
    [1, secret(1)],
    [2, secret(2)],
  ]),
)
const plain = Buffer.from('plain')

/** Opens sealed bytes by the words of src/vault/README.md alone. */
function openByTheBook(sealed: Buffer, purposeInfo: string[], authenticated: string[]): string | undefined {
  const raw = hkdf(secret(2), Buffer.from(instanceId, 'hex'), lengthPrefixed(purposeInfo), 32)
  const xaes = new XaesKey(createSecretKey(raw))
  return xaes.open(sealed.subarray(26), sealed.subarray(2, 26), lengthPrefixed(authenticated))?.toString()
}

describe('the format of sealed bytes – src/vault/README.md; changing it locks out every ledger there is', () => {
  const sealed = new Ring(versions, 'entries').seal('entry', ['a', '1', '2'], plain)
  const info = ['kinhold/purpose', 'entries', owner, '2']
  const label = 'kinhold/1 xaes-256-gcm hkdf-sha256'
  const authenticated = [label, instanceId, owner, 'a', '1', '2', 'entry', `${owner}/entries/2`]

  it('is suite 1, the newest key version, nonce, ciphertext, tag', () => {
    expect(sealed.subarray(0, 2).toString('hex')).toBe('0102')
    expect(sealed).toHaveLength(plain.length + 42)
    expect(openByTheBook(sealed, info, authenticated)).toBe('plain')
  })

  it.each(authenticated.map((part, at) => ({ part, at })))('authenticates part $at, $part', ({ at }) => {
    expect(openByTheBook(sealed, info, authenticated.with(at, 'other'))).toBeUndefined()
    expect(openByTheBook(sealed, info, authenticated.toSpliced(at, 1))).toBeUndefined()
  })

  it.each(info.map((part, at) => ({ part, at })))('derives its key from part $at, $part', ({ at }) => {
    expect(openByTheBook(sealed, info.with(at, 'other'), authenticated)).toBeUndefined()
  })
})
