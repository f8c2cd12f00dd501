import { setTimeout as wait } from 'node:timers/promises'

/** Where messages are handed on. */
export interface Delivery {
  /** The server's `/hl7v2`. */
  readonly url: URL
  /** The access token; asked for at each try, so that another one can take its place. */
  token(): Promise<string>
  /** How long is tried again what is no fault of the message, in ms. */
  readonly patienceMs: number
}

/** What became of a message: the application's acknowledgement, or why there is none, in words for the sender. */
export type Delivered = Tries &
  ({ readonly kind: 'answered'; readonly ack: Buffer } | { readonly kind: 'unanswered'; readonly text: string })

/** How it ended. */
interface Tries {
  /** Of HTTP; undefined when the server could not be reached. */
  readonly status?: number
  /** It is no fault of the message, and would have been tried again. */
  readonly again: boolean
}

const er7 = 'x-application/hl7-v2+er7'
/** What passes by: too much at once, no room, not ready, an answer that was lost on its way. */
const passing = new Set([409, 429, 500, 502, 503, 504, 507])
const firstPauseMs = 100
const longestPauseMs = 5_000
const answerWithinMs = 120_000

/** One try: an acknowledgement, whether to try again and when. */
interface Tried {
  readonly ack?: Buffer
  readonly status?: number
  readonly again: boolean
  readonly afterMs?: number
  readonly text: string
}

/**
 * Hands a message on until it has its answer. The same message may reach the server twice when an answer is lost: it answers what came
 * again with the first answer, and writes nothing.
 */
export async function deliver(message: Buffer, delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
  const untilMs = performance.now() + delivery.patienceMs
  for (let tries = 0; ; tries++) {
    const { ack, again, status, afterMs, text } = await once(message, delivery, signal)
    const ended = { again, ...(status === undefined ? {} : { status }) }
    const pauseMs = afterMs ?? Math.min(longestPauseMs, firstPauseMs * 2 ** tries)
    const isOver = !again || signal.aborted || performance.now() + pauseMs > untilMs
    if (isOver && ack !== undefined) return { ...ended, kind: 'answered', ack }
    if (isOver) return { ...ended, kind: 'unanswered', text }
    await wait(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

async function once(message: Buffer, { url, token }: Delivery, signal: AbortSignal): Promise<Tried> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: new Uint8Array(message),
      headers: { 'content-type': er7, accept: er7, authorization: `Bearer ${await token()}` },
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
    })
    return told(response, Buffer.from(await response.arrayBuffer()))
  } catch {
    return { again: true, text: 'The server cannot be reached at this moment: send the message again.' }
  }
}

function told(response: Response, body: Buffer): Tried {
  const { status, headers } = response
  const again = passing.has(status) || status === 401
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const after = Number.isFinite(seconds) ? { afterMs: Math.min(longestPauseMs, seconds * 1000) } : {}
  const isAck = headers.get('content-type')?.startsWith(er7) === true
  return { again, status, ...after, ...(isAck ? { ack: body } : {}), text: words(status) }
}

function words(status: number): string {
  if (status === 401 || status === 403) return 'This receiver may not hand messages on: tell who runs it.'
  if (status === 413) return 'The message is too long.'
  return 'The message could not be handed on at this moment: send it again.'
}
