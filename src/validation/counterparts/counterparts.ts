import type { ErrorObject } from 'ajv'
import type { Node } from '../walk.ts'
import { mapFaults, setsOfMap } from './concept-maps.ts'
import { baseOfExtension, extensionFaults } from './derived-extensions.ts'
import type { Counterpart, Counterparts } from './held.ts'
import { measureOf, reportFaults } from './measure-reports.ts'
import { inheritedObligations, obligationFaults } from './obligations.ts'

interface Row {
  of(node: Node): readonly Counterpart[]
  faults(node: Node, at: string, held: Counterparts): readonly ErrorObject[]
}

const rows: Readonly<Record<string, Row>> = {
  ConceptMap: { of: setsOfMap, faults: mapFaults },
  MeasureReport: { of: measureOf, faults: reportFaults },
  StructureDefinition: {
    of: node => [...baseOfExtension(node), ...inheritedObligations(node)],
    faults: (...given) => [...extensionFaults(...given), ...obligationFaults(...given)],
  },
}

function rowOf({ resourceType }: Node): Row | undefined {
  const type = String(resourceType)
  return Object.hasOwn(rows, type) ? rows[type] : undefined
}

/** The definitions that a resource is to be held against. Costs next to nothing for most. */
export function counterpartsOf(node: Node): readonly Counterpart[] {
  return rowOf(node)?.of(node) ?? []
}

/** What a resource says otherwise than the definitions that it names, as far as they are held. @param at  JSON pointer */
export function counterpartFaults(node: Node, at: string, held: Counterparts): readonly ErrorObject[] {
  return rowOf(node)?.faults(node, at, held) ?? []
}
