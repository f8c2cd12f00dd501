import { isLoopback, isPlain, isPublicUrl, parseUrl } from '#web'

/** Whether keys may be fetched from this address: public https, or the machine itself. */
export function isKeySetUrl(text: string): boolean {
  const url = parseUrl(text)
  if (url === undefined || !isPlain(url, text)) return false
  return isPublicUrl(text) || (isLoopback(url) && (url.protocol === 'https:' || url.protocol === 'http:'))
}
