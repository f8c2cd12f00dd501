import type { ErrorObject } from 'ajv'
import type { ElementDefinition, Shape } from '#fhir'
import { faultAt } from '../faults.ts'
import type { Extent } from '../invariants.ts'
import type { Node, Surroundings } from '../walk.ts'
import { checkAddresses, hasAddresses, warnOfAddresses } from './addresses.ts'
import { checkAttachment } from './attachments.ts'
import { checkBindings, hasBinding, warnOfBindings } from './bindings.ts'
import { checkBundle } from './bundles.ts'
import type { Check, Met } from './check.ts'
import { checkCodeSystem } from './code-systems.ts'
import { checkCoding, checkIdentifier, warnOfCoding, warnOfQuantity } from './codings.ts'
import { checkContained } from './contained.ts'
import { checkParameter, checkUrl, isDefinition } from './definitions.ts'
import { ElementIds } from './element-ids.ts'
import { checkExtensions, isExtended, warnOfExtensions } from './extensions.ts'
import { checkQuestionnaire } from './questionnaires.ts'
import { checkCapabilities, checkSearchParameter } from './search-parameters.ts'
import { checkStructure } from './structures.ts'
import { hasTexts, warnOfBlanks, warnOfDoubles } from './unwise.ts'
import { checkInclude } from './value-sets.ts'
import { checkValued, hasRequiredCodes } from './valued.ts'

interface Row {
  readonly check: Check
  /** What is only unwise is told where that is asked for. */
  readonly warns?: true
  concerns(shape: Shape): boolean
}

const of =
  (...types: readonly string[]) =>
  (shape: Shape) =>
    types.includes(shape.path === '' ? shape.type : `${shape.type}.${shape.path}`)

const rows: readonly Row[] = [
  { concerns: of('Coding'), check: checkCoding },
  { concerns: of('Coding'), check: warnOfCoding, warns: true },
  { concerns: of('Quantity', 'Age', 'Count', 'Distance', 'Duration'), check: warnOfQuantity, warns: true },
  { concerns: of('Identifier'), check: checkIdentifier },
  { concerns: of('Attachment'), check: checkAttachment },
  { concerns: shape => shape.elements.has('contained'), check: checkContained },
  { concerns: of('Bundle'), check: checkBundle },
  { concerns: of('SearchParameter'), check: checkSearchParameter },
  { concerns: of('Questionnaire'), check: checkQuestionnaire },
  { concerns: of('StructureDefinition'), check: checkStructure },
  { concerns: of('CodeSystem'), check: checkCodeSystem },
  { concerns: of('ValueSet.compose.include'), check: checkInclude },
  { concerns: of('OperationDefinition.parameter'), check: checkParameter },
  { concerns: isDefinition, check: checkUrl },
  { concerns: hasRequiredCodes, check: checkValued },
  { concerns: of('CapabilityStatement.rest', 'CapabilityStatement.rest.resource'), check: checkCapabilities },
  { concerns: of('Meta'), check: warnOfDoubles, warns: true },
  { concerns: shape => hasBinding(shape, 'mustBeIn'), check: checkBindings },
  { concerns: shape => hasBinding(shape, 'shouldBeIn'), check: warnOfBindings, warns: true },
  { concerns: hasAddresses, check: checkAddresses },
  { concerns: hasAddresses, check: warnOfAddresses, warns: true },
  { concerns: hasTexts, check: warnOfBlanks, warns: true },
]

type Checks = readonly Check[]
const known: Readonly<Record<Extent, WeakMap<Shape, Checks>>> = { errors: new WeakMap(), 'warnings-too': new WeakMap() }

function checksOf(shape: Shape, extent: Extent): Checks {
  const made = known[extent].get(shape)
  if (made !== undefined) return made
  const wanted = rows.filter(row => (extent === 'warnings-too' || row.warns === undefined) && row.concerns(shape))
  const checks = wanted.map(({ check }) => check)
  known[extent].set(shape, checks)
  return checks
}

/** Asks what no structure and no invariant says: whether codes, addresses, extensions, attachments and Bundles are what R4's text wants. */
export class Content {
  readonly faults: ErrorObject[] = []
  readonly #extent: Extent
  readonly #ids = new ElementIds()
  readonly #tell = (keyword: string, at: string): void => {
    this.faults.push(faultAt(keyword, at))
  }

  constructor(extent: Extent) {
    this.#extent = extent
  }

  meet(
    node: Node,
    shape: Shape,
    element: ElementDefinition | undefined,
    at: string,
    around: Surroundings,
    within: Shape | undefined,
  ): void {
    const checks = checksOf(shape, this.#extent)
    const isNamed = node.id !== undefined && node !== around.resource
    if (checks.length === 0 && !isNamed && !isExtended(node)) return
    const met = { node, shape, element, at, around, within }
    for (const check of checks) check(met, this.#tell)
    if (isNamed) this.#ids.check(met, this.#tell)
    if (isExtended(node)) this.#meetExtensions(met)
  }

  #meetExtensions(met: Met): void {
    checkExtensions(met, this.#tell)
    if (this.#extent === 'warnings-too') warnOfExtensions(met, this.#tell)
  }
}
