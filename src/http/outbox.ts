import type { ServerResponse } from 'node:http'

const longestInOneWrite = 16 * 1024

/**
 * Answers that are ready. Those of one turn of the event loop are written together, after its requests have been read: a
 * reader who sleeps is woken once for all of them, which on a virtual machine costs more than the reading of a resource.
 */
export class Outbox {
  #ready: { readonly response: ServerResponse; readonly body: Buffer | undefined }[] = []
  readonly #sendAll = () => {
    const ready = this.#ready
    this.#ready = []
    for (const { response, body } of ready) endWith(response, body)
  }

  /** Ends a response, whose head is written, when the turn ends. */
  put(response: ServerResponse, body: Buffer | undefined): void {
    if (this.#ready.length === 0) setImmediate(this.#sendAll)
    this.#ready.push({ response, body })
  }
}

/** A short body goes out with the head in one write: as Latin-1, which is byte for byte what it is. */
function endWith(response: ServerResponse, body: Buffer | undefined): void {
  if (body === undefined || body.length > longestInOneWrite) response.end(body)
  else response.end(body.toString('latin1'), 'latin1')
}
