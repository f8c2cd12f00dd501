import { lazy, readProfile } from './definitions.ts'

/** What a search parameter of R4 is. */
export interface Fact {
  readonly url: string
  readonly type: string
  readonly base: readonly string[]
}

const byUrl = lazy(() => new Map(readProfile<readonly Fact[]>('search-parameters.json').map(fact => [fact.url, fact])))

/** @param url  canonical, without a version */
export function searchParameterFact(url: string): Fact | undefined {
  return byUrl().get(url)
}
