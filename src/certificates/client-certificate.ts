import { X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import { newSecret, Problem } from '#kernel'
import type { Authority } from './authority.ts'

/** What a sender of messages puts into its keystore. */
export interface Client {
  /** PKCS#12: the key, its certificate and the authority's. */
  readonly file: Buffer
  readonly password: string
  /** SHA-256 of the certificate, in hexadecimal pairs. */
  readonly fingerprint: string
  readonly until: Date
}

/** No dots: systems take a name with dots in a certificate without alternative names for that of a host. */
const clientName = /^[A-Za-z0-9][A-Za-z0-9 _-]{0,62}$/

/**
 * A certificate by which a sender of messages shows who it is.
 *
 * @throws Problem `invalid` · `certificates.client-malformed`
 */
export async function issueClient(authority: Authority, name: string, now: Date): Promise<Client> {
  if (!clientName.test(name))
    throw new Problem(
      'invalid',
      'certificates.client-malformed',
      'The name of a client has at most 63 letters, digits, blanks, - and _.',
    )
  const { cert, key } = await authority.issueClient(name, now)
  const password = newSecret(18)
  const { fingerprint256: fingerprint, validTo } = new X509Certificate(cert)
  return {
    file: pkcs12({ name, cert, key, authority: authority.cert }, password),
    password,
    fingerprint,
    until: new Date(validTo),
  }
}

/** AES-256, which Java 8, Windows 10 and OpenSSL 1.1 read; more rounds add nothing to 144 random bits. @see https://www.rfc-editor.org/rfc/rfc7292 */
function pkcs12(parts: { name: string; cert: string; key: string; authority: string }, password: string): Buffer {
  const chain = [parts.cert, parts.authority].map(pem => forge.pki.certificateFromPem(pem))
  const asn1 = forge.pkcs12.toPkcs12Asn1(forge.pki.privateKeyFromPem(parts.key), chain, password, {
    algorithm: 'aes256',
    count: 2_048,
    saltSize: 16,
    friendlyName: parts.name,
  })
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1')
}
