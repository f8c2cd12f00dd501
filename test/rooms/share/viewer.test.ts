import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { compactDecrypt } from 'jose'
import { payloadOf } from './house.ts'

interface Vectors {
  readonly link: { readonly text: string; readonly payload: object }
  readonly file: {
    readonly key: string
    readonly jwe: string
    readonly header: object
    readonly plaintextSha256: string
  }
}

const vectors = JSON.parse(readFileSync('test/cases/share/links-specification.json', 'utf8')) as Vectors

describe('the viewer of these tests – https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html', () => {
  it('reads the link of the specification', () => {
    expect(payloadOf(vectors.link.text)).toEqual(vectors.link.payload)
  })

  it('opens the file of the specification', async () => {
    const { key, jwe, header, plaintextSha256 } = vectors.file
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, Buffer.from(key, 'base64url'))
    expect(protectedHeader).toEqual(header)
    expect(createHash('sha256').update(plaintext).digest('hex')).toBe(plaintextSha256)
  })
})
