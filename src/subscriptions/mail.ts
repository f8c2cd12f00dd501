import { parseStored } from '#fhir'
import type { Clock } from '#kernel'
import { mediaTypes, printedNotification, sayable } from './notification.ts'
import type { Refusal } from './post.ts'
import type { Delivery, Sender } from './rest-hook.ts'
import type { Event, State } from './state.ts'
import { type Content, lesserOf, timeoutSecondsOf } from './wanted.ts'

/** How letters are sent. */
export interface MailOptions {
  readonly host: string
  readonly port: number
  /** `tls` from the first byte, `starttls` before anything is said, `none` for a server on this machine. */
  readonly security: 'tls' | 'starttls' | 'none'
  readonly user?: string
  readonly password?: string
  /** The address from which letters come. */
  readonly from: string
  /** How much a letter may tell at most, whatever is asked for. */
  readonly content: Content
}

/** A letter, as the library `nodemailer` takes it. */
interface Letter {
  readonly from: Address
  readonly to: Address
  readonly subject: string
  readonly text: string
  readonly messageId: string
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: { readonly filename: string; readonly content: Buffer; readonly contentType: string }[]
}

interface Address {
  readonly name: string
  readonly address: string
}

const late: Refusal = { text: 'The mail server did not answer in time.' }
const unreachable: Refusal = { text: 'The mail server could not be reached, or not be spoken to in private.' }
const stranger: Refusal = { text: 'The mail server does not let this server in.' }
/** By what `nodemailer` calls what went wrong. */
const refusals: Readonly<Record<string, Refusal>> = { ETIMEDOUT: late, EAUTH: stranger, ENOAUTH: stranger }

/**
 * Notifications as letters: that something happened, and where it can be asked for; more only where both who subscribed and the
 * configuration say so. A letter is text and constant words around numbers, ids and addresses of this server; nobody's name or value.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#email and https://hl7.org/fhir/R4/subscription.html#email
 */
export function mail(options: MailOptions, rooms: { readonly clock: Clock; readonly baseUrl: string }): Sender {
  return async (delivery, ended) => {
    const { createTransport } = await import('nodemailer')
    const { host, port, security, user, password } = options
    const patienceMs = timeoutSecondsOf(delivery.state.wanted) * 1000
    const transport = createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
      connectionTimeout: patienceMs,
      greetingTimeout: patienceMs,
      socketTimeout: patienceMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    const sending = transport
      .sendMail({ ...(await letterOf(delivery, options, rooms)) })
      .then(() => undefined, reasonOf)
    return Promise.race([sending, over(AbortSignal.any([ended, AbortSignal.timeout(patienceMs)]))])
  }
}

function over(signal: AbortSignal): Promise<Refusal> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(late)
    signal.addEventListener('abort', () => resolve(late), { once: true })
  })
}

function reasonOf(error: { readonly code?: string; readonly responseCode?: number }): Refusal {
  const known = refusals[error.code ?? '']
  if (known !== undefined) return known
  return error.responseCode === undefined
    ? unreachable
    : { text: `The mail server answered with ${error.responseCode}.` }
}

async function letterOf(
  delivery: Delivery,
  { from, content: most }: MailOptions,
  { clock, baseUrl }: { readonly clock: Clock; readonly baseUrl: string },
): Promise<Letter> {
  const { state, type, told } = delivery
  const last = told.at(-1)?.event.number ?? 0
  const content = lesserOf(state.wanted.content, most)
  const kind = type === 'heartbeat' ? `heartbeat-${clock.nowMs()}` : String(last)
  return {
    from: { name: '', address: from },
    to: { name: '', address: (state.wanted.endpoint ?? '').slice('mailto:'.length) },
    subject: type === 'heartbeat' ? 'Nothing new for your Subscription' : 'News for your Subscription',
    text: textOf(delivery, content, baseUrl),
    messageId: `<${state.id}.${state.beganAtMs}.${kind}@${new URL(baseUrl).hostname}>`,
    // https://www.rfc-editor.org/rfc/rfc3834#section-5
    headers: { 'Auto-Submitted': 'auto-generated' },
    attachments: await attachedTo(delivery, content, { baseUrl, nowMs: clock.nowMs() }),
  }
}

function textOf({ state, told }: Delivery, content: Content, baseUrl: string): string {
  const url = `${baseUrl}/Subscription/${state.id}`
  const numbers = told.map(({ event: { number } }) => number)
  const asked = `${url}/$events?eventsSinceNumber=${numbers[0]}&eventsUntilNumber=${numbers.at(-1)}`
  const named = content === 'empty' ? [] : told.map(({ event }) => lineOf(event, baseUrl))
  const news =
    numbers.length === 0 ? ['Nothing has happened since.'] : [`Events: ${numbers.length}`, ...named, '', asked]
  return [`This server tells you of ${url}`, '', ...news, ''].join('\n')
}

const verbs = { POST: 'created', PUT: 'updated', DELETE: 'deleted' } as const

function lineOf({ number, method = 'PUT', type, id }: Event, baseUrl: string): string {
  return type === undefined ? `${number}.` : `${number}. ${verbs[method]}: ${baseUrl}/${type}/${id}`
}

async function attachedTo(
  { state, type, told }: Delivery,
  content: Content,
  { baseUrl, nowMs }: { readonly baseUrl: string; readonly nowMs: number },
): Promise<Letter['attachments']> {
  const { format, kind } = state.wanted
  if (format === undefined) return []
  if (kind === 'criteria') return content === 'full-resource' ? resourcesIn(told, format) : []
  const telling = { state, type, content, told, baseUrl, nowMs }
  const file = { filename: `notification.${format}`, contentType: mediaTypes[format] }
  return [{ ...file, content: await printedNotification(telling, format) }]
}

async function resourcesIn(
  told: Delivery['told'],
  format: NonNullable<State['wanted']['format']>,
): Promise<Letter['attachments']> {
  const files: Letter['attachments'] = []
  for (const { event, stored } of told) {
    const content = stored && (await sayable(await parseStored(stored.json), format))
    const file = { filename: `${event.number}.${format}`, contentType: mediaTypes[format] }
    if (content !== undefined) files.push({ ...file, content })
  }
  return files
}
