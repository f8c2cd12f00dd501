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
