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
