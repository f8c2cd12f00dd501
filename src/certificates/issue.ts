import { generateKeyPair, randomBytes, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'
import { isAddress } from './names.ts'

/** A certificate and its key, both PEM. */
export interface Certified {
  readonly cert: string
  readonly key: string
}

/** What a certificate is to say. */
interface Wanted {
  readonly commonName: string
  readonly days: number
  /** Beside the key identifiers, in the words of `node-forge`. */
  readonly extensions: readonly object[]
  /** RSA, in bits. */
  readonly keyBits: number
  readonly now: Date
}

const dayMs = 86_400_000
/** Clocks of phones are minutes wrong. */
const backdatedMs = 3_600_000

const newKeyPair = promisify(generateKeyPair)

/**
 * Makes a key and a certificate for it, signed by an authority or, without one, by itself. `node-forge` writes the certificate;
 * keys are drawn and used by OpenSSL, which takes a hundredth of the time, and the same time whatever the key.
 */
export async function issue(wanted: Wanted, issuer?: Certified): Promise<Certified> {
  const { publicKey, privateKey: key } = await newKeyPair('rsa', {
    modulusLength: wanted.keyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const cert = forge.pki.createCertificate()
  const signer = issuer === undefined ? cert : forge.pki.certificateFromPem(issuer.cert)
  cert.publicKey = forge.pki.publicKeyFromPem(publicKey)
  cert.serialNumber = newSerial()
  cert.validity.notBefore = new Date(wanted.now.getTime() - backdatedMs)
  cert.validity.notAfter = new Date(wanted.now.getTime() + wanted.days * dayMs)
  cert.setSubject(nameOf(wanted.commonName))
  cert.setIssuer(issuer === undefined ? nameOf(wanted.commonName) : signer.subject.attributes)
  cert.setExtensions([
    ...wanted.extensions,
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: signer.generateSubjectKeyIdentifier().getBytes() },
  ])
  cert.sign(signingKey(cert, issuer?.key ?? key), forge.md.sha256.create())
  return { cert: forge.pki.certificateToPem(cert).replaceAll('\r', ''), key }
}

/** What `node-forge` asks for a signature of what it has written into a certificate. */
function signingKey(cert: forge.pki.Certificate, key: string): forge.pki.rsa.PrivateKey {
  const written = () => Buffer.from(forge.asn1.toDer(cert.tbsCertificate).getBytes(), 'latin1')
  const signing: Pick<forge.pki.rsa.PrivateKey, 'sign'> = {
    sign: () => sign('sha256', written(), key).toString('latin1'),
  }
  return signing as forge.pki.rsa.PrivateKey
}

function nameOf(commonName: string) {
  return [
    { name: 'organizationName', value: 'Kinhold' },
    // The declared type is of another enumeration than what is read.
    { name: 'commonName', value: commonName, valueTagClass: forge.asn1.Type.UTF8 as number as forge.asn1.Class },
  ]
}

/** 128 random bits, positive and never zero: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.2 */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** Subject alternative names. */
export function alternativeNames(names: readonly string[]): object {
  const altNames = names.map(name => (isAddress(name) ? { type: 7, ip: name } : { type: 2, value: name }))
  return { name: 'subjectAltName', altNames }
}

/** The names for which a certificate speaks. */
export function namesOf(certificate: string): readonly string[] {
  const { subjectAltName = '' } = new X509Certificate(certificate)
  return subjectAltName.split(', ').map(name => name.replace(/^(DNS|IP Address):/, ''))
}
