import { resolve } from 'node:path'
import { Problem } from '#kernel'
import type { Config } from './shape.ts'
import { malformed, type Name } from './variables.ts'

export function parseBaseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw malformed(
      'KINHOLD_BASE_URL',
      'an http or https address without user name, such as https://health.example.org',
    )
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw malformed('KINHOLD_BASE_URL', 'an origin alone, without path, query or fragment')
  return url
}

export function checkClearText(url: URL, allowed: boolean): void {
  if (url.protocol === 'https:' || allowed || isLoopback(url.hostname)) return
  throw new Problem(
    'invalid',
    'config.http-refused',
    'KINHOLD_BASE_URL is http on a host that is not this machine: tokens and health data would travel in the clear. ' +
      'Use https, or set KINHOLD_ALLOW_HTTP=true if another layer encrypts.',
    { expression: 'KINHOLD_BASE_URL' },
  )
}

export function parseTls(read: (name: Name) => string | undefined, cwd: string): Config['tls'] {
  const [own = '', cert, key] = [read('KINHOLD_TLS'), read('KINHOLD_TLS_CERT'), read('KINHOLD_TLS_KEY')]
  if (own !== 'off' && own !== 'own')
    throw malformed('KINHOLD_TLS', 'off, or own: the server makes its own certificates')
  if (cert === undefined && key === undefined) return own === 'own' ? { kind: 'own' } : undefined
  if (cert === undefined) throw malformed('KINHOLD_TLS_CERT', 'named as well where KINHOLD_TLS_KEY is')
  if (key === undefined) throw malformed('KINHOLD_TLS_KEY', 'named as well where KINHOLD_TLS_CERT is')
  if (own === 'own') throw malformed('KINHOLD_TLS', 'off where KINHOLD_TLS_CERT names a certificate')
  return { kind: 'files', cert: resolve(cwd, cert), key: resolve(cwd, key) }
}

/** Links to http would lead to a port that speaks TLS. */
export function checkEncrypts({ protocol }: URL, tls: Config['tls']): void {
  if (tls !== undefined && protocol !== 'https:')
    throw malformed('KINHOLD_BASE_URL', 'an https address, because the server itself speaks TLS (KINHOLD_TLS)')
}

export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    hostname === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}
