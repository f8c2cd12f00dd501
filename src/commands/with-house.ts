import type { Config } from '#config'
import { createLog } from '#kernel'
import { type Gate, type Ground, type House, type Opening, openGate, openGround, openHouse } from '../compose.ts'
import { configure } from './configure.ts'
import { tidyOnSignal } from './stop-signal.ts'

/** How a command opens a house; with a configuration that was changed, or read before, where it has one. */
type Opened = Opening & { readonly config?: Config }

/**
 * Runs a command on a house that is there, and closes it whatever happens; asked to end, it closes the house first. Logs
 * only what is wrong.
 */
export function withHouse<T>(work: (house: House) => Promise<T>, opening?: Opened): Promise<T> {
  return within(openHouse, trusting(work), opening)
}

/** The same for a command that needs nothing but accounts, apps and tokens, and starts the faster. */
export function withGate<T>(work: (gate: Gate) => Promise<T>, opening?: Opened): Promise<T> {
  return within(openGate, trusting(work), opening)
}

/** The same for a command that asks what is kept of whom, and needs nothing above the record. */
export function withRecord<T>(work: (ground: Ground) => Promise<T>, opening?: Opened): Promise<T> {
  return within(openGround, trusting(work), opening)
}

/** The same for a command that looks after the house itself, also where what is kept cannot be believed. */
export function withGround<T>(work: (ground: Ground) => Promise<T>, opening?: Opened): Promise<T> {
  return within(openGround, work, opening)
}

/** Where no document can be believed, a list of them is no answer, and "none" least of all. */
function trusting<G extends Ground, T>(work: (opened: G) => Promise<T>): (opened: G) => Promise<T> {
  return async opened => {
    opened.record.checkTrusted()
    return work(opened)
  }
}

async function within<G extends Ground, T>(
  open: (config: Config, opening: Opening) => Promise<G>,
  work: (opened: G) => Promise<T>,
  { config = configure(), ...rest }: Opened = {},
): Promise<T> {
  const opened = await open(config, { log: createLog('warn'), ...rest })
  const untidied = tidyOnSignal(() => opened.close())
  try {
    return await work(opened)
  } finally {
    untidied()
    await opened.close()
  }
}
