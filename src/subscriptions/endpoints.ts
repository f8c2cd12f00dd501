import { isPlain, isPublicUrl, isWithin, parseUrl } from '#web'

/**
 * Whether notifications may go to an address, as far as it says itself: https and a public name, or what the configuration has
 * allowed – there also by http. Where a name leads is looked at each time before anything is sent.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network
 */
export function isEndpoint(text: string, networks: readonly string[]): boolean {
  if (isPublicUrl(text)) return true
  const url = parseUrl(text)
  if (networks.length === 0 || url === undefined || !isPlain(url, text) || !/^https?:$/.test(url.protocol)) return false
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isAddress = /^[\d.]+$/.test(host) || host.includes(':')
  return !isAddress || isWithin(host, networks)
}
