import type { Entry } from './contract.ts'

/** The beginning of versions that come newest first: at most so many, but of the last one all copies. */
export function firstOf<T extends Pick<Entry, 'version'>>(versions: readonly T[], limit: number): readonly T[] {
  const last = versions[limit - 1]
  return last === undefined ? versions : versions.filter(({ version }) => version >= last.version)
}
