import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** Whether gzip is among the encodings that who asks takes: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3 */
export function takesGzip({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const header = headers['accept-encoding']
  const encodings = (typeof header === 'string' ? header : '').toLowerCase().split(',')
  return encodings.some(text => {
    const [name = '', ...parameters] = text.split(';').map(part => part.trim())
    return (name === 'gzip' || name === 'x-gzip' || name === '*') && !parameters.some(each => /^q=0(\.0*)?$/.test(each))
  })
}

/**
 * Sends a body of unknown length, as fast as it is taken; the head is written already. Where it cannot go on the connection is cut,
 * so that nobody takes a part for the whole.
 */
export async function sendStream(
  body: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  { isPacked }: { readonly isPacked: boolean },
): Promise<void> {
  const source = Readable.from(body, { objectMode: false })
  try {
    await (isPacked ? pipeline(source, createGzip(), response) : pipeline(source, response))
  } catch (error) {
    // Whoever hangs up in the middle wants no more, and is no fault.
    if (!isHungUp(error)) throw error
  }
}

function isHungUp(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
