/**
 * The order in which jest starts the files: the longest first, so that none of them runs alone at the end while the other processors
 * rest. A clean clone has no durations of its own, so those that count stand here.
 */
import { statSync } from 'node:fs'
import { relative } from 'node:path'

interface TestFile {
  readonly path: string
}

/** Seconds on two cores, of files that take many; rounded, since only their order matters. */
const seconds: Readonly<Record<string, number>> = {
  'journeys/crash': 200,
  'journeys/cli': 180,
  'journeys/full-disk': 170,
  'journeys/mongodb': 125,
  'journeys/rotate': 120,
  'journeys/hostile-requests': 115,
  'journeys/tamper': 110,
  'journeys/rollback': 90,
  'journeys/canaries': 80,
  'rooms/store/mongo-contract': 80,
  'rooms/record/index-beside': 70,
  'journeys/mongodb-smart-flow': 60,
  'journeys/non-interference': 55,
  'journeys/workers': 50,
  'journeys/erase': 50,
  'journeys/unusable-folders': 50,
  'journeys/erase-beside': 40,
  'journeys/cli-recovery': 35,
  'journeys/two-families': 35,
  'journeys/review-over-http': 30,
  'rooms/http/api-page': 30,
  'rooms/store/mongo-server': 30,
  'house/problems': 30,
  'journeys/import-stopped': 30,
  'rooms/interactions/foreign': 30,
  'rooms/ingest/archives': 28,
  'journeys/cli-signals': 25,
  'rooms/smart/accounts': 24,
  'journeys/cli-absent-house': 23,
  'journeys/cheap-refusals': 23,
  'journeys/async-import': 23,
  'rooms/http/connections': 20,
  'journeys/erase-of-several': 19,
  'journeys/hl7v2-again': 19,
  'rooms/ingest/hl7v2-bounds': 18,
}

const folder = new URL('.', import.meta.url).pathname

/** A file that is not listed takes a few seconds at most, the longer the more it says. */
function weightOf({ path }: TestFile): number {
  const name = relative(folder, path).replace(/\.test\.ts$/, '')
  return seconds[name] ?? statSync(path).size / 1e5
}

/** What jest asks of a sequencer: https://jestjs.io/docs/configuration#testsequencer-string */
export default class LongestFirst {
  sort<T extends TestFile>(tests: readonly T[]): T[] {
    const weights = new Map(tests.map(test => [test, weightOf(test)]))
    return tests.toSorted((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0))
  }

  allFailedTests<T>(tests: readonly T[]): readonly T[] {
    return tests
  }

  shard<T>(tests: readonly T[]): readonly T[] {
    return tests
  }

  cacheResults(): void {}
}
