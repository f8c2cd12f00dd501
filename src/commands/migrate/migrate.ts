import { createLog, Problem } from '#kernel'
import { isPaired } from '#vault'
import { configure } from '../configure.ts'
import { unfinished } from '../open-stores.ts'
import { output } from '../output.ts'
import { tidyOnSignal } from '../stop-signal.ts'
import { copy } from './copy.ts'
import { compare, holdingsOf } from './digest.ts'
import { openSide, type Side, sideOf } from './sides.ts'

interface MigrateOptions {
  readonly from: string
  readonly to: string
}

/** Where nobody looks at a terminal, a log gets a line so often. */
const lineEveryMs = 10_000

/**
 * Copies a house from one store to another, keys included, and compares the two. Nothing is opened, nothing is changed where it comes
 * from; the folder of the root stays where it is.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  const config = configure()
  const [source, target] = [sideOf(config, options.from), sideOf(config, options.to)]
  for (const part of ['store', 'keystore'] as const)
    if (JSON.stringify(source[part]) === JSON.stringify(target[part]))
      throw new Problem('invalid', 'command.migrate-unclear', `--from and --to have the same ${part}: both move.`)
  const log = createLog('warn')
  const from = await openSide(source, { make: false, log })
  try {
    if (!(await isPaired(from.store))) throw unfinished(source)
    const to = await openSide(target, { make: true, log })
    const untidied = tidyOnSignal(() => to.close())
    try {
      await move(from, to)
    } finally {
      untidied()
      await to.close()
    }
  } finally {
    await from.close()
  }
}

async function move(from: Side, to: Side): Promise<void> {
  const all = [...(await from.store.allHeads()).values()].reduce((sum, head) => sum + head, 0)
  await copy(from, to, progress('copied', all))
  const [before, after] = [
    await holdingsOf(from.store, from.keys, progress('read', all)),
    await holdingsOf(to.store, to.keys, progress('compared', all)),
  ]
  compare(before, after)
  const { digest, ...counts } = after
  output.say(
    `Copied, and the same on both sides: ${Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ')}.`,
  )
  output.say('Set KINHOLD_STORE to the new place before the next start, and remove the old one when you have looked.')
  output.result(digest)
}

function progress(what: string, all: number): (done: number) => void {
  let saidMs = performance.now()
  return done => {
    if (performance.now() - saidMs < lineEveryMs) return
    saidMs = performance.now()
    output.say(`${what}: ${done} of ${all} entries`)
  }
}
