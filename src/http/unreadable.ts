import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { operationOutcome, printJson } from '#fhir'
import { fhirJson } from '#interactions'
import { Problem } from '#kernel'
import type { Answer } from './problem-response.ts'
import { strictHeaders } from './security-headers.ts'

interface Refusal {
  readonly status: number
  readonly problem: Problem
}

const malformed: Refusal = {
  status: 400,
  problem: new Problem('invalid', 'request.malformed', 'What was sent is not an HTTP request.'),
}

/** By what Node's parser says; everything else is malformed. */
const refusals: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    problem: new Problem('too-large', 'request.headers-too-large', 'The head of the request is larger than 16 KiB.'),
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    problem: new Problem('timeout', 'request.headers-too-slow', 'The head of the request did not arrive in time.'),
  },
}

/** Answers what never became a request, in the one way in which this server refuses, and hangs up. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Whoever does not come through the handshake of TLS would not understand an answer.
  if (error.code === 'ECONNRESET' || /^ERR_(SSL|TLS)_/.test(error.code ?? '') || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, problem } = refusals[error.code ?? ''] ?? malformed
  endWith(socket, { status, headers: { 'content-type': fhirJson }, body: printJson(operationOutcome(problem)) })
}

/** Writes a whole answer to a connection that nobody answers otherwise, and hangs up. */
export function endWith(socket: Duplex, { status, headers, body }: Answer): void {
  const all = {
    ...strictHeaders,
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(all).flatMap(([name, values]) => [values].flat().map(value => `${name}: ${value}\r\n`))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}
