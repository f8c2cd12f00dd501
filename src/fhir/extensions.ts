import { lazy, readProfile } from './definitions.ts'

/** What R4 says of one of its extensions. */
export interface ExtensionFact {
  /** Where it may stand, as paths or types: `Patient`, `Patient.contact`, `Element`. */
  readonly context: readonly string[]
  /** Types of its value, any when there is none; undefined for one that has parts. */
  readonly types?: readonly string[]
  /** Part → types of its value. */
  readonly parts?: Readonly<Record<string, readonly string[]>>
  /** Parts that have to be there. */
  readonly needed?: readonly string[]
  /** Value set of a required binding. */
  readonly valueSet?: string
  readonly isModifier?: boolean
}

const facts = lazy(() => readProfile<Readonly<Record<string, ExtensionFact>>>('extensions.json'))
const base = 'http://hl7.org/fhir/StructureDefinition/'

/** @param url  of an extension's definition, e.g. `http://hl7.org/fhir/StructureDefinition/patient-birthPlace` */
export function extensionFact(url: string): ExtensionFact | undefined {
  const name = url.startsWith(base) ? url.slice(base.length) : url
  return Object.hasOwn(facts(), name) ? facts()[name] : undefined
}
