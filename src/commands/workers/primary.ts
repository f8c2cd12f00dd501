import type { Config } from '#config'
import { createLog } from '#kernel'
import { output } from '../output.ts'
import { stopSignal } from '../stop-signal.ts'
import { Crew } from './crew.ts'

/** Starts the workers that serve a house and looks after them, until a signal. It opens nothing itself, so that it is small and does not fail. */
export async function lead(config: Config): Promise<void> {
  const crew = new Crew(config, createLog(config.logLevel))
  try {
    crew.begin()
    const greeting = await crew.greeting
    // Heard from before the address is told: whoever reads it may ask for the end at once.
    const stopped = stopSignal()
    output.say(greeting)
    await Promise.race([stopped, crew.failed])
    output.say('closing …')
  } finally {
    await crew.end()
  }
}
