import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Problem } from '#kernel'
import type { Authority } from './authority.ts'
import type { Certified } from './issue.ts'
import { isAddress } from './names.ts'

/** Where a server has its certificate from. */
export interface TlsSource {
  /** What to begin with. */
  readonly current: Certified
  /** What is to be used from now on, where that is something else; to be asked from time to time. */
  renewed(now: Date): Promise<Certified | undefined>
}

/** PEM files of somebody else's making, e.g. of an ACME client. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** A third of its life before its end: time enough for whoever must look after what fails. */
function isDue({ cert }: Certified, now: Date): boolean {
  const { validFrom, validTo } = new X509Certificate(cert)
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)]
  return now.getTime() > to - (to - from) / 3
}

/** Signed by the authority that there is, under the names that are wanted and the addresses that the machine has now. */
function isFitting({ cert }: Certified, authority: Authority): boolean {
  const certificate = new X509Certificate(cert)
  if (!certificate.verify(new X509Certificate(authority.cert).publicKey)) return false
  const has = (name: string) =>
    (isAddress(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
  return authority.serverNames().every(has)
}

/** A certificate of one's own authority, which is made anew before it ends, or when the machine has another address. */
export async function openOwn(authority: Authority, now: Date): Promise<TlsSource> {
  const usable = (certified: Certified, at: Date) => !isDue(certified, at) && isFitting(certified, authority)
  const known = await authority.server()
  let current = known !== undefined && usable(known, now) ? known : await authority.issueServer(now)
  return {
    current,
    async renewed(at) {
      if (usable(current, at)) return undefined
      // What a command beside the server has made is as good.
      const found = await authority.server()
      const next = found !== undefined && usable(found, at) ? found : await authority.issueServer(at)
      const isNew = next.cert !== current.cert
      current = next
      return isNew ? next : undefined
    },
  }
}

/**
 * A certificate that others look after: its files are read again, and used when they have changed and fit each other.
 *
 * @throws Problem `invalid` · `certificates.files-unusable`
 */
export async function openFiles(files: TlsFiles): Promise<TlsSource> {
  let current = await readFiles(files)
  return {
    current,
    async renewed() {
      const next = await readFiles(files)
      if (next.cert === current.cert && next.key === current.key) return undefined
      current = next
      return next
    },
  }
}

async function readFiles(files: TlsFiles): Promise<Certified> {
  try {
    const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')])
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key }
  } catch (cause) {
    throw unusable('cannot be read', cause)
  }
  throw unusable('do not belong together')
}

function unusable(fault: string, cause?: unknown): Problem {
  const text = `The certificate (KINHOLD_TLS_CERT) and its key (KINHOLD_TLS_KEY) ${fault}: both must be PEM, and the key of that certificate.`
  return new Problem('invalid', 'certificates.files-unusable', text, { cause })
}
