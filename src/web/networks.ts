import ipaddr from 'ipaddr.js'

/**
 * What of an address one person cannot change at will: an IPv4 address, or the first half of an IPv6 address, of whose
 * other half everybody has as many as they like.
 */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address.toLowerCase()
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString()
  return parsed.parts
    .slice(0, 4)
    .map(part => part.toString(16))
    .join(':')
}

/** Kinds of addresses, as `ipaddr.js` names them, that are never one caller's own on the open network. */
const innerRanges: ReadonlySet<string> = new Set([
  'loopback',
  'private',
  'linkLocal',
  'uniqueLocal',
  'carrierGradeNat',
  'unspecified',
])

/**
 * Whether many people may stand behind an address: those of this machine and of inner networks are also those of a proxy
 * that nobody named, of a container's bridge, and of a whole household.
 */
export function isShared(address: string): boolean {
  return !ipaddr.isValid(address) || innerRanges.has(ipaddr.process(address).range())
}

/** Whether an address is somebody's own on the open network, and of no special use. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast'
}

/** Whether a text is an address or a network, as `isWithin` reads them. */
export function isNetwork(text: string): boolean {
  return ipaddr.isValid(text) || ipaddr.isValidCIDR(text)
}

/** Whether an address is one of these, or lies in one of these networks: `127.0.0.1`, `10.0.0.0/8`. */
export function isWithin(address: string, networks: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return networks.some(network => {
    const [of, bits] = ipaddr.isValidCIDR(network) ? ipaddr.parseCIDR(network) : wholly(network)
    return of.kind() === parsed.kind() && parsed.match(of, bits)
  })
}

function wholly(address: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const parsed = ipaddr.process(address)
  return [parsed, parsed.kind() === 'ipv4' ? 32 : 128]
}
