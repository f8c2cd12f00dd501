import { lookup as lookUp } from 'node:dns'
import { type ClientRequest, request as requestPlain } from 'node:http'
import { request as requestSecured } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress, isWithin } from '#web'

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

class Forbidden extends Error {}

/**
 * Sends to addresses of the open network by https alone, and to those that were allowed beside; wherever the name leads at that moment.
 * Redirects are not followed, and of the answer nothing but its status counts.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network, also by http
 */
export function openPost(networks: readonly string[]): Post {
  const isAllowed = (address: string, url: URL) =>
    isWithin(address, networks) || (url.protocol === 'https:' && isPublicAddress(address))

  return (message, ended) => {
    const url = new URL(message.url)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && !isAllowed(host, url)) return Promise.resolve(forbidden)
    const request = url.protocol === 'https:' ? requestSecured : requestPlain
    const signal = AbortSignal.any([ended, AbortSignal.timeout(message.timeoutMs)])
    const { method, headers } = message
    const lookup = lookingUp(address => isAllowed(address, url))
    const begun = request(url, {
      method,
      headers: { ...headers, 'content-length': message.body.length },
      signal,
      lookup,
      agent: false,
    })
    return answerTo(begun, message.body)
  }
}

/** Only what may be sent to is found. */
function lookingUp(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0)
      const allowed = found.filter(({ address }) => isAllowed(address))
      const [first] = allowed
      if (first === undefined) return callback(new Forbidden(), '', 0)
      if (options.all === true) return callback(null, allowed)
      callback(null, first.address, first.family)
    })
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
