import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { inSlices, isProblem, joinedOf, limitBytes, Problem } from '#kernel'

/** How much is read of one request, and for how long. */
export interface BodyLimits {
  readonly maxBytes: number
  /** Within which the whole body must have arrived. */
  readonly deadlineMs: number
}

/** What is packed may unpack to so many times its size, from this many bytes on; JSON and XML come to some dozen. */
const maxRatio = 200
const ratioFrom = 1024 * 1024

/**
 * The whole body, decompressed if it says that it is gzip; the limit counts what comes out.
 *
 * @param grow  told of each piece before it is kept; throws the Problem with which reading ends where there is no room for it
 * @throws Problem `too-large` · `body.too-large`, `body.unpacks-too-far`; `unsupported-media` · `body.encoding-unsupported`; `invalid` ·
 *   `body.encoding-broken`, `body.interrupted`; `timeout` · `body.too-slow`
 */
export async function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  grow: (bytes: number) => void = () => undefined,
): Promise<Buffer> {
  checkLength(request, limits.maxBytes)
  const { source, excess, release } = decoded(request)
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => fail(tooSlow()), limits.deadlineMs)
    const fail = (problem: Problem) => {
      clearTimeout(timer)
      source.removeAllListeners('data')
      source.pause()
      release()
      chunks = []
      reject(problem)
    }
    source.on('data', (chunk: Buffer) => {
      size += chunk.length
      const problem = size > limits.maxBytes ? tooLarge(limits.maxBytes) : (excess(size) ?? refusal(grow, chunk.length))
      if (problem !== undefined) fail(problem)
      else chunks.push(chunk)
    })
    source.on('end', () => {
      clearTimeout(timer)
      const whole = inSlices(joinedOf(chunks))
      // The request is there until it has been answered, and with it what its listeners know.
      chunks = []
      resolve(whole)
    })
    source.on('error', error => fail(readingProblem(error)))
    if (source === request) request.on('aborted', () => fail(interrupted()))
  })
}

/** Why no more of it is held. */
function refusal(grow: (bytes: number) => void, bytes: number): Problem | undefined {
  try {
    grow(bytes)
    return undefined
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
}

/** The body as it arrives. Throws like `readBody` while it is read; whoever stops reading leaves nothing behind. */
export async function* streamBody(request: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array, void, void> {
  checkLength(request, maxBytes)
  const { socket } = request
  const { source, excess, release } = decoded(request)
  let size = 0
  try {
    // Whoever stops reading still wants to answer, so the connection must survive it.
    for await (const chunk of limitBytes(steadily(source.iterator({ destroyOnReturn: false })), maxBytes)) {
      size += chunk.length
      const problem = excess(size)
      if (problem !== undefined) throw problem
      yield chunk
    }
  } catch (error) {
    throw isProblem(error) ? error : readingProblem(error)
  } finally {
    release()
    // What is streamed may take long to work through, and meanwhile nothing is said on the connection.
    socket.setTimeout(0)
  }
}

const graceMs = 60_000
const fewestBytesPerMs = 1

/**
 * What arrives, as long as more than a trickle does. Counted is the time of waiting for the sender, not that of the reader.
 *
 * @throws Problem `timeout` · `body.too-slow`
 */
async function* steadily(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let [bytes, waitedMs, sinceMs] = [0, 0, performance.now()]
  for await (const chunk of chunks) {
    bytes += chunk.length
    waitedMs += performance.now() - sinceMs
    if (waitedMs > graceMs && bytes < waitedMs * fewestBytesPerMs) throw tooSlow()
    yield chunk
    sinceMs = performance.now()
  }
}

function checkLength(request: IncomingMessage, maxBytes: number): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
}

/** A body in plain bytes. */
interface Decoded {
  readonly source: Readable
  /** What is wrong with so many bytes of it, against what has arrived. */
  excess(sizeBytes: number): Problem | undefined
  /** Ends what unpacks it. The request stays. */
  release(): void
}

function decoded(request: IncomingMessage): Decoded {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '')
    return { source: request, excess: () => undefined, release: () => undefined }
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new Problem('unsupported-media', 'body.encoding-unsupported', 'A body may be sent plain or as gzip.')
  return unpacked(request)
}

function unpacked(request: IncomingMessage): Decoded {
  const gunzip = createGunzip()
  const broken = (error: Error) => gunzip.destroy(error)
  const left = () => gunzip.destroy(interrupted())
  request.on('error', broken).on('aborted', left)
  return {
    source: request.pipe(gunzip),
    excess: size => (size > ratioFrom && size > gunzip.bytesWritten * maxRatio ? unpacksTooFar() : undefined),
    release: () => {
      request.unpipe(gunzip)
      request.off('error', broken).off('aborted', left)
      // What it says of its own end is nobody's concern any more.
      gunzip.on('error', () => undefined).destroy()
    },
  }
}

function readingProblem(error: unknown): Problem {
  if (isProblem(error)) return error
  const code = (error as { readonly code?: unknown }).code
  if (typeof code === 'string' && code.startsWith('Z_'))
    return new Problem('invalid', 'body.encoding-broken', 'The body says it is gzip, but it is not, or it is cut off.')
  return interrupted()
}

function tooLarge(maxBytes: number): Problem {
  const text = `The body is larger than the ${maxBytes} bytes that this server takes.`
  return new Problem('too-large', 'body.too-large', text)
}

function unpacksTooFar(): Problem {
  const text = `The body unpacks to more than ${maxRatio} times its size, which no health data do.`
  return new Problem('too-large', 'body.unpacks-too-far', text)
}

function tooSlow(): Problem {
  return new Problem('timeout', 'body.too-slow', 'The body did not arrive in time.')
}

function interrupted(): Problem {
  return new Problem('invalid', 'body.interrupted', 'The body ended before it was complete.')
}
