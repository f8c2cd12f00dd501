import { X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import forge from 'node-forge'
import { Problem } from '#kernel'
import { readCertified, readIfThere, writeCertified, writeWhole } from './files.ts'
import { alternativeNames, type Certified, issue } from './issue.ts'
import { constraintBytes, isNameable, isPermitted, localNames, type Permitted, permittedFor } from './names.ts'

/** The house's own authority. */
export interface Authority {
  /** PEM, for whoever is to trust it. */
  readonly cert: string
  /** SHA-256 in hexadecimal pairs, as systems show it. */
  readonly fingerprint: string
  /** Names and addresses that a server is to have at this moment, as far as the authority may speak for them. */
  serverNames(): readonly string[]
  /** A certificate of a server under all its names, kept in the folder. */
  issueServer(now: Date): Promise<Certified>
  /** What the folder has, as it is. */
  server(): Promise<Certified | undefined>
  issueClient(commonName: string, now: Date): Promise<Certified>
}

const files = { authority: 'ca.pem', server: 'server.pem', names: 'names' } as const
const years = (count: number) => Math.round(365.25 * count)

/** Apple refuses more than 825 days; what renews itself need not be long: https://support.apple.com/en-us/103769 */
const days = { authority: years(10), server: 90, client: years(2) } as const

/**
 * The authority that lies in a folder; one is made where there is none.
 *
 * @param given  names and addresses that servers are to have from now on, beside those that were given before
 * @throws Problem `invalid` · `certificates.name-malformed`, `certificates.name-foreign`; `fault` · `certificates.file-damaged`
 */
export async function authorityIn(folder: string, given: readonly string[], now: Date): Promise<Authority> {
  const before = ((await readIfThere(`${folder}/${files.names}`)) ?? '').split('\n').filter(name => name !== '')
  const names = [...new Set([...before, ...given.map(checkName)])]
  const known = await readCertified(folder, files.authority)
  const own = known ?? (await newAuthority(permittedFor(names), now))
  checkForeign(names, own)
  if (known === undefined) await writeCertified(folder, files.authority, own)
  if (names.length > before.length) await writeWhole(folder, files.names, `${names.join('\n')}\n`)
  // One name beyond what the authority may say makes a whole certificate worthless, so a public address of the moment is left out.
  const permitted = permittedBy(own)
  const serverNames = () => [...new Set([...names, ...localNames()])].filter(name => isPermitted(name, permitted))
  return {
    cert: own.cert,
    fingerprint: new X509Certificate(own.cert).fingerprint256,
    serverNames,
    server: () => readCertified(folder, files.server),
    async issueServer(at) {
      const made = await newServer(own, serverNames(), at)
      await writeCertified(folder, files.server, made)
      return made
    },
    issueClient: (commonName, at) => newClient(own, commonName, at),
  }
}

function checkName(text: string): string {
  const name = text.toLowerCase()
  if (!isNameable(name))
    throw new Problem(
      'invalid',
      'certificates.name-malformed',
      'A name is that of a host, such as health.example.org, or an address.',
    )
  return name
}

/** What an authority was made for stands in itself, and cannot be changed. */
function checkForeign(names: readonly string[], authority: Certified): void {
  const permitted = permittedBy(authority)
  const foreign = names.filter(name => !isPermitted(name, permitted))
  if (foreign.length === 0) return
  const text = `The authority of this house was made without ${foreign.join(', ')}, and devices would not believe it: move the folder tls out of the keys' folder, and have a new one made that all devices must trust anew.`
  throw new Problem('invalid', 'certificates.name-foreign', text)
}

function newAuthority(permitted: Permitted, now: Date): Promise<Certified> {
  return issue({
    commonName: `Kinhold on ${hostname().slice(0, 40)}`,
    days: days.authority,
    keyBits: 3072,
    now,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      { id: nameConstraints, critical: true, value: constraintsOf(permitted) },
    ],
  })
}

function newServer(authority: Certified, names: readonly string[], now: Date): Promise<Certified> {
  return issue(
    {
      commonName: 'Kinhold',
      days: days.server,
      keyBits: 2048,
      now,
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        alternativeNames(names),
      ],
    },
    authority,
  )
}

function newClient(authority: Certified, commonName: string, now: Date): Promise<Certified> {
  return issue(
    {
      commonName,
      days: days.client,
      keyBits: 2048,
      now,
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', clientAuth: true },
      ],
    },
    authority,
  )
}

const nameConstraints = '2.5.29.30'
const { Class, Type, create, toDer, fromDer } = forge.asn1

const tagged = (tag: number, constructed: boolean, value: string | forge.asn1.Asn1[]) =>
  create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, constructed, value)
const sequence = (value: forge.asn1.Asn1[]) => create(Class.UNIVERSAL, Type.SEQUENCE, true, value)

/** Permitted subtrees of names and addresses: https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10 */
function constraintsOf({ domains, networks }: Permitted): string {
  const bases = [
    ...domains.map(domain => tagged(2, false, domain)),
    ...networks.map(network => tagged(7, false, String.fromCharCode(...constraintBytes(network)))),
  ]
  return toDer(
    sequence([
      tagged(
        0,
        true,
        bases.map(base => sequence([base])),
      ),
    ]),
  ).getBytes()
}

/** What an authority may speak for, read back from its certificate; everything where it says nothing. */
function permittedBy({ cert }: Certified): Permitted {
  const extension = forge.pki.certificateFromPem(cert).extensions.find(({ id }) => id === nameConstraints)
  const permitted: { domains: string[]; networks: string[] } = { domains: [], networks: [] }
  for (const base of basesIn(extension?.value)) {
    const bytes = base.value as string
    if ((base.type as number) === 2) permitted.domains.push(bytes)
    else permitted.networks.push(networkOf(Buffer.from(bytes, 'latin1')))
  }
  return permitted
}

function basesIn(value: string): forge.asn1.Asn1[] {
  const [subtrees] = fromDer(value).value as forge.asn1.Asn1[]
  return ((subtrees?.value ?? []) as forge.asn1.Asn1[]).flatMap(
    subtree => (subtree.value as forge.asn1.Asn1[])[0] ?? [],
  )
}

/** First address and mask, as `constraintBytes` writes them. */
function networkOf(bytes: Buffer): string {
  const half = bytes.length / 2
  const first = bytes.subarray(0, half)
  const bits = [...bytes.subarray(half)].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
  const text = half === 4 ? first.join('.') : (first.toString('hex').match(/.{4}/g) ?? []).join(':')
  return `${text}/${bits}`
}
