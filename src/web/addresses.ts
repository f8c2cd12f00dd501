const loopbackHosts: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])
const innerNames = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|test|invalid|home\.arpa)$/
const visibleAscii = /^[\x21-\x7e]+$/

/** The address, if it is one and written in visible ASCII. */
export function parseUrl(text: string): URL | undefined {
  return visibleAscii.test(text) && URL.canParse(text) ? new URL(text) : undefined
}

/** Whether an address names this very machine. */
export function isLoopback(url: URL): boolean {
  return loopbackHosts.has(url.hostname)
}

/** Plain web address: no user info and no fragment that would change what is meant by it. */
export function isPlain(url: URL, text: string): boolean {
  return url.username === '' && url.password === '' && !text.includes('#') && !text.includes('\\')
}

/** Whether this address may be named to people: https and a public name, no address of a house's own network. */
export function isPublicUrl(text: string): boolean {
  const url = parseUrl(text)
  if (url === undefined || !isPlain(url, text) || url.protocol !== 'https:') return false
  const host = url.hostname.replace(/\.$/, '')
  const isName = host.includes('.') && !/^[\d.]+$/.test(host) && !host.startsWith('[')
  return isName && !innerNames.test(host)
}
