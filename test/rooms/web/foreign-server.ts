import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server of somebody else on this machine, which answers whatever the test says, and notes who asked for what. */
export interface ForeignServer {
  readonly url: string
  readonly asked: string[]
  close(): Promise<void>
}

export async function openForeign(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<ForeignServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.on('error', () => undefined)
    void answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    asked,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
