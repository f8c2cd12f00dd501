import { hostname, networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

/** A network as constraints on names write it: first address and mask, 8 or 32 bytes. */
const privateNetworks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
] as const

/** Domains that nobody owns on the Internet: RFC 6762, RFC 8375, RFC 6761, and what ICANN has set aside. */
const privateDomains = ['localhost', 'local', 'home.arpa', 'internal', 'lan'] as const

/** What an authority may speak for. */
export interface Permitted {
  readonly domains: readonly string[]
  readonly networks: readonly string[]
}

/** Everything private, and the names of this house. */
export function permittedFor(names: readonly string[]): Permitted {
  const own = [...new Set([...names, ...machineNames()])]
  return {
    domains: [...new Set([...privateDomains, ...own.filter(name => !isAddress(name))])],
    networks: [...privateNetworks, ...own.filter(isAddress).map(single)],
  }
}

/** Whether a name or an address lies within what is permitted. */
export function isPermitted(name: string, { domains, networks }: Permitted): boolean {
  if (!isAddress(name)) return domains.some(domain => name === domain || name.endsWith(`.${domain}`))
  const address = ipaddr.process(name)
  return networks
    .map(network => ipaddr.parseCIDR(network))
    .some(([first, bits]) => first.kind() === address.kind() && address.match(first, bits))
}

/** The bytes of a network in a constraint. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10 */
export function constraintBytes(network: string): number[] {
  const [first, bits] = ipaddr.parseCIDR(network)
  const mask =
    first.kind() === 'ipv4'
      ? ipaddr.IPv4.subnetMaskFromPrefixLength(bits)
      : ipaddr.IPv6.subnetMaskFromPrefixLength(bits)
  return [...first.toByteArray(), ...mask.toByteArray()]
}

const single = (address: string): string => `${address}/${ipaddr.process(address).kind() === 'ipv4' ? 32 : 128}`

export function isAddress(name: string): boolean {
  return ipaddr.isValid(name)
}

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const hostName = new RegExp(`^(?=.{1,253}$)${label}(\\.${label})*$`)

/** Whether a certificate can name it: a host name in lower case, or an address. */
export function isNameable(name: string): boolean {
  return isAddress(name) ? !name.includes('%') : hostName.test(name)
}

/** What this machine is called, as far as a certificate can say so. */
function machineNames(): readonly string[] {
  const own = hostname().toLowerCase()
  return isNameable(own) && !isAddress(own) ? [own] : []
}

/** Addresses at which others on the same network reach this machine now; those that name their interface are left out. */
export function lanAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, address }) => !internal && isNameable(address) && !address.startsWith('fe80:'))
    .map(({ address }) => address)
}

/** Under which names a server of this machine is reached, besides those that it was given. */
export function localNames(): readonly string[] {
  const own = machineNames()
  const announced = own.filter(name => !name.includes('.')).map(name => `${name}.local`)
  return ['localhost', '127.0.0.1', '::1', ...own, ...announced, ...lanAddresses()]
}
