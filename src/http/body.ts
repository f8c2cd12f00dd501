import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isProblem, limitBytes, Problem } from '#kernel'

/** How much is read of one request, and for how long. */
export interface BodyLimits {
  readonly maxBytes: number
  /** Within which the whole body must have arrived. */
  readonly deadlineMs: number
}

/**
 * The whole body, decompressed if it says that it is gzip; the limit counts what comes out.
 *
 * @throws Problem `too-large` · `body.too-large`; `unsupported-media` · `body.encoding-unsupported`; `invalid` ·
 *   `body.encoding-broken`, `body.interrupted`; `timeout` · `body.too-slow`
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  checkLength(request, limits.maxBytes)
  const source = decoded(request)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => fail(tooSlow()), limits.deadlineMs)
    const fail = (problem: Problem) => {
      clearTimeout(timer)
      source.removeAllListeners('data')
      source.pause()
      reject(problem)
    }
    source.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.maxBytes) fail(tooLarge())
      else chunks.push(chunk)
    })
    source.on('end', () => {
      clearTimeout(timer)
      resolve(chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks))
    })
    source.on('error', error => fail(readingProblem(error)))
    if (source === request) request.on('aborted', () => fail(interrupted()))
  })
}

/** The body as it arrives. Throws like `readBody` while it is read. */
export async function* streamBody(request: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array, void, void> {
  checkLength(request, maxBytes)
  const { socket } = request
  try {
    // Whoever stops reading still wants to answer, so the connection must survive it.
    yield* limitBytes(decoded(request).iterator({ destroyOnReturn: false }), maxBytes)
  } catch (error) {
    throw isProblem(error) ? error : readingProblem(error)
  } finally {
    // What is streamed may take long to work through, and meanwhile nothing is said on the connection.
    socket.setTimeout(0)
  }
}

function checkLength(request: IncomingMessage, maxBytes: number): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
}

function decoded(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '') return request
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new Problem('unsupported-media', 'body.encoding-unsupported', 'A body may be sent plain or as gzip.')
  const gunzip = createGunzip()
  request.on('error', error => gunzip.destroy(error))
  request.on('aborted', () => gunzip.destroy(interrupted()))
  return request.pipe(gunzip)
}

function readingProblem(error: unknown): Problem {
  if (isProblem(error)) return error
  const code = (error as { readonly code?: unknown }).code
  if (typeof code === 'string' && code.startsWith('Z_'))
    return new Problem('invalid', 'body.encoding-broken', 'The body says it is gzip, but it is not, or it is cut off.')
  return interrupted()
}

function tooLarge(): Problem {
  return new Problem('too-large', 'body.too-large', 'The body is larger than this server takes.')
}

function tooSlow(): Problem {
  return new Problem('timeout', 'body.too-slow', 'The body did not arrive in time.')
}

function interrupted(): Problem {
  return new Problem('invalid', 'body.interrupted', 'The body ended before it was complete.')
}
