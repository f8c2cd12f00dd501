import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { renderUnicodeCompact } from 'uqr'
import { type Authority, issueClient, lanAddresses, namesOf, openOwn } from '#certificates'
import type { Config } from '#config'
import { Problem } from '#kernel'
import { authorityOf } from './authority.ts'
import { configure } from './configure.ts'
import { checkKeysFolder } from './folders.ts'
import { output } from './output.ts'
import { places } from './places.ts'

/** Makes what is missing, and shows how devices come to trust it. Works beside a server, which takes up a new certificate within a minute. */
export async function showCertificate({ name = [] }: { readonly name?: readonly string[] }): Promise<void> {
  const config = configure()
  await checkKeysFolder(config)
  const authority = await authorityOf(config, name)
  const { current } = await openOwn(authority, new Date())
  for (const line of [...factsOf('Authority', authority.cert), ...factsOf('Server', current.cert)]) output.result(line)
  output.result(`  names        ${namesOf(current.cert).join(', ')}`)
  for (const line of wayFor(config, authority)) output.result(line)
}

function factsOf(what: string, pem: string): string[] {
  const { fingerprint256, validTo } = new X509Certificate(pem)
  return [what, `  SHA-256      ${fingerprint256}`, `  good until   ${new Date(validTo).toISOString().slice(0, 10)}`]
}

/** A phone takes a picture of the code, and its person compares the fingerprint. */
function wayFor(config: Config, authority: Authority): string[] {
  if (config.tls?.kind !== 'own') return ['', 'Set KINHOLD_TLS=own, and the server uses this certificate.']
  const address = `${reachable(config)}/ca`
  return [
    '',
    renderUnicodeCompact(address, { ecc: 'M' }),
    '',
    `On a phone in the same network: ${address}`,
    'It warns once, because it does not trust this server yet. Compare the fingerprint on the page with this one:',
    `  ${authority.fingerprint}`,
  ]
}

/** The address that people type; a phone does not reach the loopback one. */
function reachable({ baseUrl, port }: Config): string {
  const { hostname } = new URL(baseUrl)
  const [lan] = lanAddresses().filter(address => !address.includes(':'))
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  return isLocal && lan !== undefined ? `https://${lan}:${port}` : baseUrl
}

/** Writes a certificate for a sender of messages; what is there is never written over. */
export async function clientCertificate(
  name: string,
  { out = `${name}.p12` }: { readonly out?: string },
): Promise<void> {
  const config = configure()
  await checkKeysFolder(config)
  const authority = await authorityOf(config)
  const { file, password, fingerprint, until } = await issueClient(authority, name, new Date())
  const path = resolve(places().cwd, out)
  await writeNew(path, file)
  output.say(path)
  output.say(`  SHA-256      ${fingerprint}`)
  output.say(`  good until   ${until.toISOString().slice(0, 10)}`)
  output.say('Give file and password to the sender on two ways. Its password:')
  output.result(password)
}

async function writeNew(path: string, file: Buffer): Promise<void> {
  try {
    await writeFile(path, file, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    throw new Problem('conflict', 'command.file-exists', `There is a file ${path}: name another with --out.`, { cause })
  }
}
