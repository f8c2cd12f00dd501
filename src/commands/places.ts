import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Places } from '#config'

const home = fileURLToPath(new URL('../..', import.meta.url))
/** The scripts of package.json that start Kinhold. npm runs them in Kinhold's folder and says where it was called. */
const ownScripts: readonly (string | undefined)[] = ['kinhold', 'start', 'demo']

/**
 * Where relative paths begin. Whoever types `npm run kinhold -- import file.zip` in a folder means the file there, also with
 * `npm --prefix`; what they did not type – the default folder of the data – lies in Kinhold's own folder wherever they stand.
 */
export function places(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): Required<Places> {
  const byNpm = ownScripts.includes(env.npm_lifecycle_event) && resolve(cwd) === resolve(home)
  return { cwd: byNpm ? env.INIT_CWD || cwd : cwd, home }
}
