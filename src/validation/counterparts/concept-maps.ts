import type { ErrorObject } from 'ajv'
import { builtInValueSet } from '#terminology'
import { isInSet } from '../content/bindings.ts'
import { listOf } from '../content/check.ts'
import { faultAt } from '../faults.ts'
import { isNode, type Node } from '../walk.ts'
import type { Counterpart, Counterparts } from './held.ts'

function setOf(node: Node, end: 'source' | 'target'): string | undefined {
  const set = node[`${end}Canonical`] ?? node[`${end}Uri`]
  return typeof set === 'string' && builtInValueSet(set) === undefined ? set : undefined
}

/** R4's own maps have codes that its value sets have not: those that somebody keeps with them are meant to fit. */
export function setsOfMap(node: Node): readonly Counterpart[] {
  return [setOf(node, 'source'), setOf(node, 'target')]
    .filter(canonical => canonical !== undefined)
    .map(canonical => ({ type: 'ValueSet', canonical }))
}

/**
 * A map leads from the codes of one value set to those of another.
 *
 * @see https://hl7.org/fhir/R4/conceptmap-definitions.html#ConceptMap.source_x_
 */
export function mapFaults(map: Node, at: string, { ask }: Counterparts): readonly ErrorObject[] {
  const [source, target] = [setOf(map, 'source'), setOf(map, 'target')]
  const isOut = (set: string | undefined, system: unknown, { code }: Node) =>
    set !== undefined && typeof system === 'string' && isInSet(set, { system, code }, ask) === 'out'
  const faults: ErrorObject[] = []
  eachNode(map.group, `${at}/group`, (group, place) =>
    eachNode(group.element, `${place}/element`, (element, from) => {
      if (isOut(source, group.source, element)) faults.push(faultAt('mapSource', `${from}/code`))
      eachNode(element.target, `${from}/target`, (each, to) => {
        if (isOut(target, group.target, each)) faults.push(faultAt('mapTarget', `${to}/code`))
      })
    }),
  )
  return faults
}

function eachNode(items: unknown, at: string, use: (node: Node, at: string) => void): void {
  for (const [index, each] of listOf(items).entries()) if (isNode(each)) use(each, `${at}/${index}`)
}
