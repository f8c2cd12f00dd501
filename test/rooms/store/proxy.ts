import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What happens to what passes: it is passed on as it is, changed, or – undefined – ends the connection on both sides. */
export interface Tampering {
  toServer?(data: Buffer): Buffer | undefined
  toClient?(data: Buffer): Buffer | undefined
}

export interface Between {
  /** The address of a database, by way of the proxy. */
  uri(name: string): string
  tamper(with_: Tampering): void
  /** Takes no connections, and ends those that there are. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** Stands between a store and its server, on the wire. */
export async function openProxy(serverUri: string): Promise<Between> {
  const { hostname, port } = new URL(serverUri)
  const sockets = new Set<Socket>()
  let tampering: Tampering = {}
  let isCut = false
  const server = createServer(client => {
    if (isCut) return client.destroy()
    const far = connect(Number(port), hostname)
    const end = () => {
      client.destroy()
      far.destroy()
    }
    for (const socket of [client, far]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', end)
    }
    pass(client, far, data => (tampering.toServer ?? same)(data), end)
    pass(far, client, data => (tampering.toClient ?? same)(data), end)
    return undefined
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const own = typeof address === 'object' ? address?.port : undefined
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  return {
    uri: name => `mongodb://127.0.0.1:${own}/${name}?directConnection=true`,
    tamper: with_ => {
      tampering = with_
    },
    cut,
    mend: () => {
      isCut = false
    },
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

const same = (data: Buffer): Buffer => data

function pass(from: Socket, to: Socket, change: (data: Buffer) => Buffer | undefined, end: () => void): void {
  from.on('data', (data: Buffer) => {
    const changed = change(data)
    if (changed === undefined) end()
    else to.write(changed)
  })
}

/** Puts a word of the same length in the place of another, wherever it passes. */
export function replacing(word: string, by: string): (data: Buffer) => Buffer {
  return data => {
    for (let at = data.indexOf(word); at >= 0; at = data.indexOf(word, at + 1)) data.write(by, at)
    return data
  }
}
