import { createHash } from 'node:crypto'
import type { ErrorObject } from 'ajv'
import type { Resource } from '#fhir'
import { appendAll, atOnce, type ProblemIssue } from '#kernel'
import {
  builtInCodeSystem,
  builtInValueSet,
  type CodeSystem,
  type CodeSystemDefinition,
  isHeld,
  readCodeSystem,
  type ValueSetDefinition,
} from '#terminology'
import { isExtended } from '../content/extensions.ts'
import { counterpartFaults } from '../counterparts/counterparts.ts'
import type { Counterparts } from '../counterparts/held.ts'
import { faultAt } from '../faults.ts'
import type { Extent } from '../invariants.ts'
import { issueOf } from '../issues.ts'
import { type Questionnaires, responseFaults } from '../questionnaires/responses.ts'
import { isNode, type Node, walk } from '../walk.ts'
import { coreDefinition, type StructureDefinition } from './definition.ts'
import { extensionFaults } from './extensions.ts'
import { itemOfResource } from './items.ts'
import { isKind, Judge } from './judge.ts'
import { type ProfileDefinitions, Profiles, typeIn } from './profiles.ts'
import { type Definition, readDefinition } from './read.ts'
import { vitalSignsOf } from './vital-signs.ts'

/** A definition that somebody keeps, under the canonical that it was asked for by. */
export interface KeptDefinition {
  readonly canonical: string
  /** JSON of a StructureDefinition, ValueSet, CodeSystem, Questionnaire or Measure. */
  readonly text: string
}

/** By which profiles a resource is to be judged. */
export interface ProfileQuestion {
  /** Canonicals of profiles that it is to conform to, whatever it claims itself. */
  readonly asked: readonly string[]
  /** What they, their bindings and a response name, beside what R4 defines itself: of one owner, or of everybody. */
  readonly kept: readonly KeptDefinition[]
  readonly extent: Extent
  /** Whether R4's profiles count that a resource is under by what it is, whatever it claims: those of vital signs. */
  readonly isStrict?: boolean
}

/**
 * What a resource, and each in it, breaks of the profiles that are asked for and of those that it claims in `meta.profile`. What R4
 * itself says is not asked again. Responses are judged by the Questionnaires that they answer.
 *
 * @throws Problem `unprocessable` · `validation.profile-circular`; `too-costly` · `validation.profile-too-large`, `validation.too-costly`
 */
export function issuesByProfiles(
  resource: Resource,
  { asked, kept, extent, isStrict = false }: ProfileQuestion,
): readonly ProblemIssue[] {
  const { profiles, questionnaire, counterparts } = heldOf(kept)
  const judge = new Judge(profiles, extent)
  const questionnaires: Questionnaires = { questionnaire, members: profiles.members, extent }
  const faults: ErrorObject[] = []
  walk(resource, (node, shape, element, at, around, within) => {
    if (isExtended(node))
      appendAll(faults, extensionFaults({ node, shape, element, at, around, within }, profiles, judge))
    if (node !== around.resource) return
    if (node.resourceType === 'QuestionnaireResponse')
      appendAll(faults, responseFaults(node, at, around, questionnaires))
    appendAll(faults, counterpartFaults(node, at, counterparts))
    const implied = isStrict ? vitalSignsOf(node) : []
    for (const { canonical, place } of claimsOf(node, at, [...(at === '' ? asked : []), ...implied])) {
      const type = typeIn(canonical)
      if (type !== undefined) {
        if (!isKind(String(node.resourceType), type)) faults.push(faultAt('profileOfOther', place))
        continue
      }
      const profile = profiles.find(canonical)
      if (profile !== undefined) appendAll(faults, judge.faultsOf(itemOfResource(node, at, around), profile))
      else if (asked.includes(canonical)) faults.push(faultAt('profileUnbuilt', place))
      else if (extent === 'warnings-too') faults.push(faultAt('profileUnknown', place))
    }
  })
  return once(faults)
    .slice(0, mostIssues)
    .map(fault => issueOf(resource, resource.resourceType, fault))
}

/** Several profiles may say the same of the same place. */
function once(faults: readonly ErrorObject[]): readonly ErrorObject[] {
  const keyOf = ({ keyword, instancePath, params: { slice, constraint } }: ErrorObject) =>
    [keyword, instancePath, slice, constraint?.key].join(' ')
  return [...new Map(faults.toReversed().map(fault => [keyOf(fault), fault])).values()].toReversed()
}

const mostIssues = 200

function claimsOf(
  { meta }: Node,
  at: string,
  asked: readonly string[],
): readonly { readonly canonical: string; readonly place: string }[] {
  const claimed = isNode(meta) && Array.isArray(meta.profile) ? (meta.profile as readonly unknown[]) : []
  const places = new Map(asked.map(canonical => [canonical, at]))
  for (const [index, canonical] of claimed.entries())
    if (typeof canonical === 'string' && !places.has(canonical)) places.set(canonical, `${at}/meta/profile/${index}`)
  return [...places].map(([canonical, place]) => ({ canonical, place }))
}

/** Of what one owner keeps no more stays in memory than leaves room for the next. */
const mostCharacters = 8 * 1024 * 1024
const sets = new Map<string, { readonly held: Held; readonly characters: number }>()

/** What was handed over, ready to judge by. */
interface Held {
  readonly profiles: Profiles
  readonly counterparts: Counterparts
  questionnaire(canonical: string): Node | undefined
}

/** To build profiles takes longer than to judge by them; the same texts make the same ones, whoever they are from. */
function heldOf(kept: readonly KeptDefinition[]): Held {
  const hash = createHash('sha256')
  for (const { canonical, text } of kept) hash.update(`${canonical} ${text}\n`)
  const key = hash.digest('base64')
  const characters = kept.reduce((sum, { text }) => sum + text.length, 1_000)
  const made = sets.get(key)?.held ?? readHeld(kept)
  sets.delete(key)
  sets.set(key, { held: made, characters })
  let held = sets.values().reduce((sum, each) => sum + each.characters, 0)
  for (const [oldest, each] of sets) {
    if (held <= mostCharacters || oldest === key) break
    sets.delete(oldest)
    held -= each.characters
  }
  return made
}

type Known = ReadonlyMap<string, Definition>

function readHeld(kept: readonly KeptDefinition[]): Held {
  const known = new Map<string, Definition>()
  for (const { canonical, text } of kept) {
    const definition = readDefinition(JSON.parse(text))
    if (definition !== undefined) known.set(`${definition.resourceType} ${canonical}`, definition)
  }
  const profiles = new Profiles(definitionsIn(known))
  return {
    profiles,
    counterparts: {
      ask: profiles.members.ask,
      structure: canonical => profiles.definitions.structure(canonical),
      measure: canonical => known.get(`Measure ${canonical}`) as Node | undefined,
    },
    questionnaire: canonical => known.get(`Questionnaire ${canonical}`) as Node | undefined,
  }
}

function definitionsIn(known: Known): ProfileDefinitions {
  const systems = new Map<string, CodeSystem | undefined>()
  return {
    structure: canonical =>
      coreDefinition(canonical) ?? (known.get(`StructureDefinition ${canonical}`) as StructureDefinition | undefined),
    valueSet: canonical =>
      builtInValueSet(canonical) ?? (known.get(`ValueSet ${canonical}`) as ValueSetDefinition | undefined),
    codeSystem: canonical => {
      if (!systems.has(canonical)) systems.set(canonical, builtInCodeSystem(canonical) ?? systemOf(known, canonical))
      return systems.get(canonical)
    },
  }
}

function systemOf(known: Known, canonical: string): CodeSystem | undefined {
  const definition = known.get(`CodeSystem ${canonical}`) as CodeSystemDefinition | undefined
  return definition === undefined || !isHeld(definition) ? undefined : atOnce(readCodeSystem(definition))
}
