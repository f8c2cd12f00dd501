import { isLoopback } from './address.ts'
import type { MailChoice } from './shape.ts'
import { malformed, type Name } from './variables.ts'

const ports = { 'smtp:': 587, 'smtps:': 465 } as const
const contents = ['empty', 'id-only', 'full-resource'] as const
/** As it stands in an envelope: nothing in it ends a line, begins a list, or quotes. */
const address = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/

/**
 * How notifications go by mail: `smtps://` is encrypted from the first byte, `smtp://` by STARTTLS before anything is said, but to a server
 * on this machine.
 *
 * @throws Problem `invalid` · `config.value-malformed`
 */
export function parseMail(read: (name: Name) => string | undefined): MailChoice | undefined {
  const text = read('KINHOLD_SMTP_URL')
  if (text === undefined) return undefined
  const url = URL.parse(text)
  if (url === null || !isProtocol(url.protocol) || url.hostname === '' || !isBare(url))
    throw malformed('KINHOLD_SMTP_URL', 'smtps://host or smtp://host, with a port, a user and a password where needed')
  const from = read('KINHOLD_SMTP_FROM') ?? ''
  if (!address.test(from)) throw malformed('KINHOLD_SMTP_FROM', 'a mail address, name@host')
  const content = contents.find(each => each === read('KINHOLD_SMTP_CONTENT'))
  if (content === undefined)
    throw malformed('KINHOLD_SMTP_CONTENT', contents.join(', ').replace(/, (?=[^,]*$)/, ' or '))
  return Object.freeze({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || ports[url.protocol as keyof typeof ports]),
    security: url.protocol === 'smtps:' ? 'tls' : isLoopback(url.hostname) ? 'none' : 'starttls',
    ...(url.username === '' ? {} : { user: decoded(url.username), password: decoded(url.password) }),
    from,
    content,
  })
}

function isProtocol(protocol: string): protocol is keyof typeof ports {
  return protocol in ports
}

function isBare({ pathname, search, hash }: URL): boolean {
  return (pathname === '' || pathname === '/') && search === '' && hash === ''
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw malformed('KINHOLD_SMTP_URL', 'percent-encoded where user or password hold more than letters and digits')
  }
}
