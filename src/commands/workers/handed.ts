import type { Worker } from 'node:cluster'

/** What `node:cluster` says to a worker, and hears from it, beside what a program sends. */
interface ClusterMessage {
  readonly cmd: 'NODE_CLUSTER'
  readonly act?: string
  /** Of what is said; what is heard names it as `ack`. */
  readonly seq?: number
  readonly ack?: number
}

/** What an ended process has still said is read within a moment. */
const readEveryMs = 10

/**
 * Ends the connections that were handed to a worker and that it had not taken when it ended. `node:cluster` deals out connections one
 * at a time, and each waits until the worker has said that it took it. When the worker dies meanwhile, that is never said, nor does
 * `disconnect` come, since the channel waits for the same (Node.js 26, `_handleQueue` in lib/internal/child_process.js): the connection
 * stays open with nobody to answer it. One that is closed can be opened again by whoever asked; one that is silent cannot be told from
 * one that takes long.
 */
export function endWhatWasNotTaken({ process }: Pick<Worker, 'process'>): void {
  // Without handles there is no channel to what could not be started.
  if (!process.connected) return
  const handed = new Set<number>()
  let isDisconnected = false
  const send = process.send.bind(process) as (...said: unknown[]) => boolean
  process.send = (...said: unknown[]) => {
    const [message] = said
    if (isOfCluster(message) && message.act === 'newconn' && message.seq !== undefined) handed.add(message.seq)
    return send(...said)
  }
  process.on('internalMessage', (message: unknown) => {
    if (isOfCluster(message) && message.ack !== undefined) handed.delete(message.ack)
  })
  process.once('disconnect', () => {
    isDisconnected = true
  })
  const settle = () => {
    if (process.connected) return void setTimeout(settle, readEveryMs)
    // For node:cluster the worker serves nothing from then on: of what it is then told to be taken it closes its own end.
    if (!isDisconnected) process.emit('disconnect')
    for (const ack of handed) process.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: true }, undefined)
  }
  process.once('exit', settle)
}

function isOfCluster(message: unknown): message is ClusterMessage {
  return typeof message === 'object' && message !== null && 'cmd' in message && message.cmd === 'NODE_CLUSTER'
}
