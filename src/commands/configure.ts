import { type Config, loadConfig, secretNames } from '#config'
import { output } from './output.ts'
import { places } from './places.ts'

/** The configuration of this process. Its warnings are shown: all of them where a house begins to be served, else mistyped names alone. */
export function configure(show: 'warnings' | 'mistyped' = 'mistyped'): Config {
  const loaded = loadConfig(process.env, places())
  // Secrets are read once; nothing started from here may find them in the environment.
  for (const name of secretNames) delete process.env[name]
  for (const warning of loaded[show]) output.say(`warning: ${warning}`)
  return loaded.config
}
