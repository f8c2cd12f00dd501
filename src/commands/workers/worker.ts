import cluster from 'node:cluster'
import { createLog, Problem } from '#kernel'
import { type House, openHouse } from '../../compose.ts'
import { greetingOf, shortagesOf } from '../greeting.ts'
import { growHeap } from '../heap.ts'
import { listenOrClose } from '../listen.ts'
import { output } from '../output.ts'
import { stopSignal } from '../stop-signal.ts'
import { startTracing } from '../tracing.ts'
import { colleaguesOver, type WorkerWire } from './colleagues.ts'
import type { ToPrimary, ToWorker } from './topics.ts'
import { Wire } from './wire.ts'

/** How often others are told what this one finds wrong, where that has changed. */
const alarmEveryMs = 250
/** What has been closed by then holds nothing that must be kept. */
const lingerMs = 2_000

/**
 * Serves a house beside other processes, as the primary says, until that or a signal ends it. When the primary is gone it ends at once
 * (`node:cluster` does so): what was acknowledged is durable.
 *
 * @throws Problem `invalid` · `command.worker-alone`
 */
export async function work(): Promise<void> {
  if (!cluster.isWorker)
    throw new Problem('invalid', 'command.worker-alone', 'This is started by serve, with KINHOLD_WORKERS.')
  const wire: WorkerWire = new Wire<ToPrimary, ToWorker>({
    send: message => void (process.connected && process.send?.(message, undefined, undefined, () => undefined)),
    listen: listener => process.on('message', listener),
  })
  // Its answers are waited for: without this a process that waits for nothing else would end.
  process.channel?.ref()
  const told = new Promise<void>(resolve => wire.on('end', () => resolve()))
  wire.on('beat', () => true as const)
  try {
    await serveUntil(told, wire)
  } finally {
    // The channel would keep the process.
    process.channel?.unref()
    setTimeout(() => process.exit(), lingerMs).unref()
  }
}

async function serveUntil(told: Promise<void>, wire: WorkerWire): Promise<void> {
  growHeap('steady')
  const beginning = await wire.ask('begin', undefined)
  const { config, number, leads } = beginning
  const colleagues = colleaguesOver(wire, beginning)
  const house = await openHouse(config, {
    make: true,
    log: createLog(config.logLevel, undefined, undefined, { worker: number, processes: colleagues.count }),
    colleagues,
  })
  if (leads) for (const line of shortagesOf(house)) output.say(`warning: ${line}`)
  const tracing = await startTracing(process.env, house.log)
  const serving = await listenOrClose(house, colleagues)
  const stopped = Promise.race([told, stopSignal()])
  await wire.ask('serving', await greetingOf(serving, house))
  const untold = tellAlarms(house, wire)
  await stopped
  untold()
  await serving.close()
  await house.close()
  await tracing?.end()
}

/** @returns what ends it */
function tellAlarms({ record }: House, wire: WorkerWire): () => void {
  let known = ''
  const telling = setInterval(() => {
    const found = record.faults()
    if (found.join() === known) return
    known = found.join()
    wire.tell('alarms', found)
  }, alarmEveryMs).unref()
  return () => clearInterval(telling)
}
