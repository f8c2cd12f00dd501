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
  'journeys/crash': 275,
  'journeys/cli': 200,
  'journeys/full-disk': 95,
  'journeys/mongodb': 85,
  'journeys/non-interference': 80,
  'journeys/tamper': 75,
  'journeys/schemathesis': 75,
  'journeys/rollback': 60,
  'rooms/store/mongo-contract': 60,
  'rooms/store/mongo-server': 60,
  'journeys/erase': 55,
  'journeys/hostile-requests': 55,
  'journeys/rotate': 55,
  'rooms/record/index-beside': 50,
  'journeys/async-import': 45,
  'rooms/record/partial-segments': 45,
  'journeys/erase-beside': 40,
  'journeys/import-stopped': 40,
  'journeys/mongodb-smart-flow': 40,
  'journeys/review-over-http': 40,
  'journeys/two-families': 40,
  'journeys/workers': 40,
  'rooms/http/limits': 35,
  'house/problems': 30,
  'journeys/canaries': 30,
  'journeys/cli-recovery': 30,
  'journeys/erase-of-several': 25,
  'rooms/http/api-page': 25,
  'rooms/ingest/archives': 25,
  'rooms/ingest/hl7v2-bounds': 25,
  'house/floors': 20,
  'journeys/cheap-refusals': 20,
  'journeys/cli-absent-house': 20,
  'journeys/hl7v2-again': 20,
  'journeys/unusable-folders': 20,
  'rooms/record/erasing': 20,
  'rooms/search/properties': 20,
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
