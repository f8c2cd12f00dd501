import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Problem } from '#kernel'
import { ownAddress, textOf, warnOfReaders } from './handing-on.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { stopSignal } from './stop-signal.ts'
import { watchFolder } from './watch/folder.ts'
import { type FolderSettings, parseFolders } from './watch/settings.ts'

const everyMs = 2_000

/**
 * Watches folders and hands each file on to a server, until a signal. It opens no house and has no keys: what it may write is what its tokens
 * may. Exit status 1 when it ends by itself and anything of a file was not taken in.
 */
export async function watch(file: string, { url, once = false }: { url?: string; once?: boolean }): Promise<void> {
  const path = resolve(places().cwd, file)
  const settings = parseFolders(await textOf(path))
  const server = new URL(url ?? ownAddress())
  const stop = new AbortController()
  const became = (isWhole: boolean) => {
    if (once && !isWhole) process.exitCode = 1
  }
  const around: Around = { base: dirname(path), server, stop, once, became }
  const watched = await Promise.all(settings.map(one => opened(one, around)))
  const all = Promise.all(watched.map(begin => begin()))
  await (once ? all : Promise.race([stopSignal(), all]))
  stop.abort()
  await all
}

interface Around {
  readonly base: string
  readonly server: URL
  readonly stop: AbortController
  readonly once: boolean
  became(isWhole: boolean): void
}

/** Looks whether all is there before the first file is taken. */
async function opened({ folder, token, patient }: FolderSettings, { base, server, stop, once, became }: Around) {
  const [at, tokenFile] = [resolve(base, folder), resolve(base, token)]
  await textOf(tokenFile)
  await warnOfReaders(tokenFile)
  await checkFolder(at)
  const hand = { server, token: async () => (await textOf(tokenFile)).trim(), signal: stop.signal }
  const log = (text: string) => output.say(`watch ${folder}: ${text}`)
  const whom = patient === undefined ? {} : { patient }
  return () => watchFolder({ folder: at, ...whom, hand, everyMs, once, became, log })
}

/** Whoever may put a file there may write what its token may. */
async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true)
    throw new Problem('invalid', 'command.file-unreadable', `There is no folder ${path}.`)
  if (process.platform !== 'win32' && (found.mode & 0o002) !== 0)
    output.say(`warning: everybody on this machine may put files into ${path} (chmod o-w)`)
}
