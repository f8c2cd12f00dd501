import { remembering } from '#kernel'
import { builtInCodeSystem, builtInValueSet, type CodeSystem, isNameOf } from '#terminology'
import type { Node } from '../walk.ts'
import { isUri } from './addresses.ts'
import { type Check, isAbsolute, type Tell } from './check.ts'

/** What is known of a code system by its address: one that is held whole, a fault, or nothing. */
type Standing =
  | CodeSystem
  | 'systemRelative'
  | 'uriForm'
  | 'systemIsValueSet'
  | 'systemIsPage'
  | 'systemUnknown'
  | 'systemVersioned'
  | undefined

const ownNamespace = /^http:\/\/(?:hl7\.org\/fhir|terminology\.hl7\.org)\//
/** Rules that tell for any code whether it is one. */
const ruled: ReadonlySet<string> = new Set(['http://unitsofmeasure.org', 'urn:ietf:bcp:47'])
/** A namespace in which R4 defines all there is; guides have folders of their own, and registries stand below `sid`. */
const closedNamespace = /^https?:\/\/(?:www\.)?hl7\.org\/fhir\/(?:[^/]+$|v[23]\/)/
/** Some name what explains a code system. @see https://hl7.org/fhir/R4/terminologies-systems.html */
const page = /^https?:\/\/(?:www\.)?hl7\.org\/fhir\/.*\.html(?:#|$)/
/** https://hl7.org/fhir/R4/snomedct.html: which edition it is stands in `Coding.version`. */
const editionOfSnomed = /^http:\/\/snomed\.info\/sct\/./

const mostStandings = 2_000
/** No code system that is held has a longer address; what strangers send is not kept. */
const longestKept = 200
const standings = new Map<string, Standing>()
remembering(() => standings.clear())

function standingOf(system: string): Standing {
  if (standings.has(system)) return standings.get(system)
  if (system.length > longestKept) return judge(system)
  if (standings.size >= mostStandings) standings.clear()
  const made = judge(system)
  standings.set(system, made)
  return made
}

function judge(system: string): Standing {
  if (!isAbsolute(system)) return 'systemRelative'
  if (!isUri(system)) return 'uriForm'
  if (editionOfSnomed.test(system)) return 'systemVersioned'
  const held = builtInCodeSystem(system)
  if (held !== undefined) return held.isComplete && (ruled.has(system) || ownNamespace.test(system)) ? held : undefined
  if (builtInValueSet(system) !== undefined) return 'systemIsValueSet'
  if (page.test(system)) return 'systemIsPage'
  return closedNamespace.test(system) ? 'systemUnknown' : undefined
}

/**
 * A Coding means something only in a code system: an absolute address, none of a value set, and where all its codes are held,
 * one of them.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#Coding and https://hl7.org/fhir/R4/terminologies-systems.html
 */
export const checkCoding: Check = ({ node, at }, tell) => {
  if (typeof node.system !== 'string') return
  const standing = standingOf(node.system)
  // Much that is sent as R4 still has the names of STU 3, HL7's own examples of FHIRPath Patch among it.
  if (standing === 'systemUnknown') return
  if (typeof standing === 'string') tell(standing, `${at}/system`)
  else if (standing !== undefined) checkCode(standing, node, at, tell)
}

function checkCode(system: CodeSystem, { code, version }: Node, at: string, tell: Tell): void {
  if (typeof code !== 'string' || isOtherVersion(system, version)) return
  if (system.find(code) === undefined && !isGrowing(system)) tell('codeUnknown', `${at}/code`)
}

/** What HL7 keeps apart from FHIR goes on to grow, and to its tables of v2 each site adds. @see https://terminology.hl7.org */
function isGrowing({ url }: CodeSystem): boolean {
  return url.startsWith('http://terminology.hl7.org/')
}

function isOtherVersion(system: CodeSystem, version: unknown): boolean {
  return version !== undefined && system.version !== undefined && version !== system.version
}

/** What a Coding shows is to be a name of its code; a Quantity's unit, a unit. What is otherwise is still valid. */
export const warnOfCoding: Check = ({ node: { system, code, display }, at }, tell) => {
  const held = typeof system === 'string' ? standingOf(system) : undefined
  if (held === 'systemUnknown') tell(held, `${at}/system`)
  if (typeof held !== 'object' || typeof code !== 'string') return
  const concept = held.find(code)
  if (concept === undefined && isGrowing(held)) tell('codeUnlisted', `${at}/code`)
  if (typeof display === 'string' && concept?.display !== undefined && !isNameOf(display, concept))
    tell('displayDiffers', `${at}/display`)
}

/** R4's own examples have `tbl` and `mcg` for units, so this is no error. @see https://hl7.org/fhir/R4/datatypes.html#Quantity */
export const warnOfQuantity: Check = ({ node: { system, code }, at }, tell) => {
  const held = typeof system === 'string' && typeof code === 'string' ? standingOf(system) : undefined
  if (typeof held === 'object' && held.find(String(code)) === undefined) tell('unitUnknown', `${at}/code`)
}

/** @see https://hl7.org/fhir/R4/datatypes-definitions.html#Identifier.system */
export const checkIdentifier: Check = ({ node: { system }, at }, tell) => {
  if (system !== undefined && !isAbsolute(system)) tell('systemRelative', `${at}/system`)
}
