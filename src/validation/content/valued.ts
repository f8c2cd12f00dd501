import type { ElementDefinition, Shape } from '#fhir'
import { type Check, listOf } from './check.ts'

interface Code extends Pick<ElementDefinition, 'name' | 'isList'> {
  /** What holds its extensions. */
  readonly twin: string
}

const bound = new WeakMap<Shape, readonly Code[]>()

function codesOf(shape: Shape): readonly Code[] {
  const known = bound.get(shape)
  if (known !== undefined) return known
  const made = [...shape.elements.values()]
    .filter(({ type, valueSet, min }) => type === 'code' && valueSet !== undefined && min > 0)
    .map(({ name, isList }) => ({ name, isList, twin: `_${name}` }))
  bound.set(shape, made)
  return made
}

/** Whether a shape has an element that must be there and be one of some codes. */
export function hasRequiredCodes(shape: Shape): boolean {
  return codesOf(shape).length > 0
}

/**
 * Extensions by which a code stands that is none of the required ones: the maps of HL7 v2 put there what R4 has no word for.
 *
 * @see https://hl7.org/fhir/extensions/StructureDefinition-alternate-codes.html
 */
const alternatives: ReadonlySet<unknown> = new Set(['http://hl7.org/fhir/StructureDefinition/alternate-codes'])

/**
 * Where an element must be there and be one of some codes, an extension that says why there is none is no code; one that says which other one is meant stands for it.
 *
 * @see https://hl7.org/fhir/R4/terminologies.html#required
 */
export const checkValued: Check = ({ node, shape, at }, tell) => {
  for (const { name, isList, twin } of codesOf(shape)) {
    if (node[twin] === undefined) continue
    const values = listOf(node[name])
    for (const [index, each] of listOf(node[twin]).entries())
      if (each !== null && (values[index] ?? null) === null && !hasAlternative(each))
        tell('codeMissing', `${at}/${twin}${isList ? `/${index}` : ''}`)
  }
}

function hasAlternative(twin: unknown): boolean {
  const { extension } = (twin ?? {}) as { readonly extension?: unknown }
  return listOf(extension).some(one => alternatives.has((one as { readonly url?: unknown } | null | undefined)?.url))
}
