import { type Grant, permits } from '#access'
import { parseReference } from '#fhir'
import { isProblem } from '#kernel'
import { parseQuery, type Query, type QueryOptions, type Words, wordsOf } from '#search'
import type { CodeSystem, Definitions, ValueSetDefinition } from '#terminology'
import { definitionsFor, type Holdings } from '../terminology/holdings.ts'

/** Who asks, and what words mean for them. */
export interface Asking {
  readonly grant: Grant
  /** Called only when a search asks for terminology. */
  holdings(): Holdings
}

/**
 * Reads the parameters of a search whose modifiers may ask for terminology: what they name is fetched first, among what the
 * asker may see.
 *
 * @throws Problem as `parseQuery`
 */
export async function parseAsked(
  type: string | undefined,
  params: URLSearchParams,
  options: QueryOptions,
  asking: Asking,
): Promise<Query> {
  const named = new NamedWords()
  const query = parseQuery(type, params, { ...options, words: named })
  if (named.valueSets.size + named.systems.size === 0) return query
  const definitions = await fetched(named, options.baseUrl, asking)
  return parseQuery(type, params, { ...options, words: wordsOf(definitions) })
}

/** Notes what a search names, and knows nothing of it. */
class NamedWords implements Words {
  readonly valueSets = new Set<string>()
  readonly systems = new Set<string>()

  within(valueSet: string) {
    this.valueSets.add(valueSet)
    return none
  }

  below(system: string) {
    this.systems.add(system)
    return none
  }

  above(system: string) {
    return this.below(system)
  }
}

const none = () => false

async function fetched(named: NamedWords, baseUrl: string, asking: Asking): Promise<Definitions> {
  const holdings = asking.holdings()
  const sets = new Map<string, ValueSetDefinition | undefined>()
  const systems = new Map<string, CodeSystem | undefined>()
  const within: Definitions[] = []
  for (const uri of named.valueSets) {
    const found = await valueSetAt(uri, { baseUrl, holdings, grant: asking.grant })
    sets.set(uri, found)
    if (found !== undefined) within.push(await definitionsFor(found, holdings, {}))
  }
  for (const system of named.systems) systems.set(system, await holdings.codeSystem(system))
  return {
    valueSet: canonical => sets.get(canonical) ?? firstOf(within, each => each.valueSet(canonical)),
    codeSystem: canonical => systems.get(canonical) ?? firstOf(within, each => each.codeSystem(canonical)),
  }
}

function firstOf<T>(within: readonly Definitions[], find: (each: Definitions) => T | undefined): T | undefined {
  for (const each of within) {
    const found = find(each)
    if (found !== undefined) return found
  }
  return undefined
}

interface Whose {
  readonly baseUrl: string
  readonly holdings: Holdings
  readonly grant: Grant
}

/** "If the server can treat the reference as a literal URL, it does": https://hl7.org/fhir/R4/search.html#token */
async function valueSetAt(uri: string, { baseUrl, holdings, grant }: Whose): Promise<ValueSetDefinition | undefined> {
  const { kind, type, id } = parseReference(uri, baseUrl)
  if (kind !== 'local' || type !== 'ValueSet' || id === undefined) return holdings.valueSet(uri)
  if (!permits(grant, 'r', 'ValueSet')) return undefined
  try {
    return (await holdings.read('ValueSet', id)) as ValueSetDefinition
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return undefined
    throw error
  }
}
