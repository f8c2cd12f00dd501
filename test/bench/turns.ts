/**
 * Imported by a server that a bench starts: tells on a socket of its own how long the turns of its event loop were since it was last
 * asked. A client that waits for a turn of its own on the same machine cannot tell its wait from the server's; this can.
 */
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const socket = process.env.BENCH_TURNS

if (socket !== undefined && isMainThread && process.argv.includes('serve')) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const desk = createServer((_, response) => {
    response.end(JSON.stringify({ p99: delay.percentile(99) / 1e6, longest: delay.max / 1e6 }))
    delay.reset()
  })
  desk.listen(socket).unref()
}
