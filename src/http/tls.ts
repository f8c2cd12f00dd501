import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Log } from '#kernel'

/** A certificate and its key, both PEM. */
interface Certified {
  readonly cert: string
  readonly key: string
}

/** Where the server's certificate comes from. */
export interface Tls {
  readonly current: Certified
  /** What is to be used from now on, where that is something else. */
  renewed(now: Date): Promise<Certified | undefined>
  readonly log: Log
  /** How often renewal is looked for, in ms; once a minute unless told. */
  readonly everyMs?: number
}

/** Within which a handshake must be done, in ms. */
export const handshakeMs = 8_000
/** Connections that may be in the middle of one; each costs some computing. */
const mostHandshakes = 512

/** Who has connected and not yet shaken hands; beyond a count the oldest goes, so that a new visitor gets in. */
export function boundHandshakes(server: Server): void {
  const begun = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const [oldest] = begun.values()
    if (begun.size >= mostHandshakes) oldest?.destroy()
    const peer = peerOf(socket)
    begun.set(peer, socket)
    socket.once('close', () => begun.delete(peer))
  })
  server.on('secureConnection', socket => begun.delete(peerOf(socket)))
}

/** One end of a connection: no other that is open has the same. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

const minuteMs = 60_000

/** Uses a renewed certificate for whoever connects from then on; what cannot be renewed goes on as it is. */
export function followRenewals(server: Server, { renewed, log, everyMs = minuteMs }: Tls): void {
  const look = async () => {
    try {
      const next = await renewed(new Date())
      if (next === undefined) return
      server.setSecureContext(next)
      log.info('certificate renewed', { room: 'http' })
    } catch {
      log.error('the certificate could not be renewed', { room: 'http' })
    }
  }
  const looking = setInterval(look, everyMs).unref()
  server.once('close', () => clearInterval(looking))
}
