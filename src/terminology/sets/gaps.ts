import type { Problem } from '#kernel'
import { joinCanonical, type ValueSetDefinition } from '../definitions.ts'
import type { Definitions } from './membership.ts'
import { circular, deepest, tooDeep, unheldSet, unheldSystem } from './refusals.ts'

/**
 * A value set and all that it includes, each once; or why it cannot be told of every code whether it belongs to it, whatever codes
 * there are: something of it draws on what is not held, or leads back to itself.
 */
export function setsWithin(
  valueSet: ValueSetDefinition,
  definitions: Definitions,
): ReadonlySet<ValueSetDefinition> | Problem {
  const sets = new Set<ValueSetDefinition>()
  return gapBelow(valueSet, definitions, [], sets) ?? sets
}

function gapBelow(
  valueSet: ValueSetDefinition,
  definitions: Definitions,
  above: readonly ValueSetDefinition[],
  sound: Set<ValueSetDefinition>,
): Problem | undefined {
  if (sound.has(valueSet)) return undefined
  if (above.includes(valueSet)) return circular()
  if (above.length >= deepest) return tooDeep()
  const path = [...above, valueSet]
  const { include = [], exclude = [] } = valueSet.compose ?? {}
  for (const { system, version, concept, valueSet: imports = [] } of [...include, ...exclude]) {
    const canonical = joinCanonical(system ?? '', version)
    if (system !== undefined && concept === undefined && definitions.codeSystem(canonical) === undefined)
      return unheldSystem()
    for (const url of imports) {
      const imported = definitions.valueSet(url)
      const gap = imported === undefined ? unheldSet().problem : gapBelow(imported, definitions, path, sound)
      if (gap !== undefined) return gap
    }
  }
  sound.add(valueSet)
  return undefined
}
