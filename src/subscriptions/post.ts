import type { ClientRequest } from 'node:http'
import { Forbidden, openGuard } from '#web'

/** A message to a foreign address. */
export interface Message {
  readonly url: string
  readonly method: 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Buffer
  readonly timeoutMs: number
}

/** What became of a message: `undefined` when it was taken, else why not, in constant words, and whether it never will be. */
export interface Refusal {
  readonly text: string
  readonly isFinal?: true
}

/** Sends one message and waits for its answer. */
export type Post = (message: Message, ended: AbortSignal) => Promise<Refusal | undefined>

/** Of an answer so much is read, so that the connection ends in good order; nobody looks at it. */
const mostAnswered = 64 * 1024

const unreachable: Refusal = { text: 'The endpoint could not be reached.' }
const forbidden: Refusal = { text: 'The endpoint lies where this server may not send.' }
const late: Refusal = { text: 'The endpoint did not answer in time.' }

/**
 * Sends to addresses of the open network by https alone, and to those that were allowed beside; wherever the name leads at that moment.
 * Redirects are not followed, and of the answer nothing but its status counts.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network, also by http
 */
export function openPost(networks: readonly string[]): Post {
  const guarded = openGuard(networks)
  return (message, ended) => {
    const signal = AbortSignal.any([ended, AbortSignal.timeout(message.timeoutMs)])
    const { url, method, headers, body } = message
    const begun = guarded(new URL(url), { method, headers: { ...headers, 'content-length': body.length }, signal })
    return begun === undefined ? Promise.resolve(forbidden) : answerTo(begun, body)
  }
}

function answerTo(request: ClientRequest, body: Buffer): Promise<Refusal | undefined> {
  return new Promise(resolve => {
    request.on('error', error => resolve(reasonOf(error)))
    request.on('response', response => {
      let bytes = 0
      const done = () => resolve(judged(response.statusCode ?? 0))
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= mostAnswered) return
        done()
        request.destroy()
      })
      response.on('end', done)
      response.on('error', () => resolve(unreachable))
    })
    request.end(body)
  })
}

function reasonOf(error: Error): Refusal {
  if (error instanceof Forbidden) return forbidden
  return error.name === 'TimeoutError' || error.name === 'AbortError' ? late : unreachable
}

/** 410 is said by who wants no more. */
function judged(status: number): Refusal | undefined {
  if (status >= 200 && status < 300) return undefined
  const text = `The endpoint answered with status ${status}.`
  return status === 410 ? { text, isFinal: true } : { text }
}
