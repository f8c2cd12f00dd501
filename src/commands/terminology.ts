import { resolve } from 'node:path'
import { Problem } from '#kernel'
import { type ImportedHead, importRelease, openShelf } from '#terminology'
import { configure } from './configure.ts'
import { checkHouse, houseFiles } from './folders.ts'
import { viewProgress } from './import-progress.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { openReleaseFiles } from './release-files.ts'

/** Refusals that a file is the reason of. */
const ofRelease = /^(terminology|command)\.release-/

/** The folder of what was imported, of a house that is there. */
async function shelfFolder(): Promise<string> {
  const config = configure()
  await checkHouse(config)
  return houseFiles(config).terminology
}

/** Reads a release of a code system, from a folder, a zip or a file. A server that runs finds it within seconds. */
export async function importTerminology(typed: string, { version }: { readonly version?: string }): Promise<void> {
  const folder = await shelfFolder()
  const path = resolve(places().cwd, typed)
  const view = viewProgress(process.stderr.isTTY)
  const head = await naming(path, ofRelease, async () => {
    const { files, close } = await openReleaseFiles(path)
    return importRelease(files, { folder, version, onProgress: progress => view.show(progress) }).finally(close)
  }).finally(() => view.stop())
  output.result(lineOf(head))
}

/** A line for each code system that was imported. */
export async function listTerminology(): Promise<void> {
  const shelf = openShelf(await shelfFolder())
  for (const head of shelf.heads()) output.result(lineOf(head))
  shelf.close()
}

/** @param canonical  `url|version`, as `list` shows it @throws Problem `not-found` · `command.terminology-absent` */
export async function removeTerminology(canonical: string): Promise<void> {
  const shelf = openShelf(await shelfFolder())
  const bar = canonical.indexOf('|')
  const removed = bar > 0 && shelf.remove(canonical.slice(0, bar), canonical.slice(bar + 1))
  shelf.close()
  if (removed) return
  throw new Problem('not-found', 'command.terminology-absent', 'No such code system was imported in this version.')
}

function lineOf({ url, version, name, concepts }: ImportedHead): string {
  return `${url}|${version}  ${name}, ${concepts.toLocaleString('en')} concepts`
}
