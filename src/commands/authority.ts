import { type Authority, authorityIn } from '#certificates'
import type { Config } from '#config'
import { houseFiles } from './folders.ts'

/** The house's own authority; a server also has the name that people type. */
export function authorityOf(config: Config, names: readonly string[] = []): Promise<Authority> {
  const { hostname = 'localhost' } = URL.parse(config.baseUrl) ?? {}
  return authorityIn(houseFiles(config).tls, [hostname.replace(/^\[|\]$/g, ''), ...names], new Date())
}
