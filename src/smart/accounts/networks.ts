import { isIPv6 } from 'node:net'

/**
 * What of an address one person cannot change at will: an IPv4 address, or the first half of an IPv6 address, of whose
 * other half everybody has as many as they like.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase()
  if (!isIPv6(plain)) return plain
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail = ''] = plain.split('::')
  const before = head.split(':').filter(group => group !== '')
  const after = tail.split(':').filter(group => group !== '')
  const zeros = Math.max(0, 8 - before.length - after.length)
  const groups = plain.includes('::') ? [...before, ...Array<string>(zeros).fill('0'), ...after] : before
  return groups
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')
}
