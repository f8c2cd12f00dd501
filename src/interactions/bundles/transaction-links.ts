import { mapLinksInSteps, mapReferencesInSteps, parseReference, type Resource } from '#fhir'
import { Problem, type Steps } from '#kernel'
import type { Planned } from './transaction-plan.ts'

/** What the texts that stand for resources of the Bundle are to be replaced with. */
export type Links = ReadonlyMap<string, string>

/** Which resource each writing entry is about, as `Type/id`. */
export type Identities = ReadonlyMap<Planned, string>

/**
 * Where each entry's fullUrl leads once ids are assigned; a conditional create can also be referred to by its condition.
 *
 * @throws Problem `invalid` · `bundle.full-url-twice` when one fullUrl would lead to two resources
 */
export function linksOf(identities: Identities): Map<string, string> {
  const links = new Map<string, string>()
  for (const [entry, identity] of identities) {
    if (entry.turn === 'POST' && entry.criteria !== undefined) links.set(`${entry.type}?${entry.criteria}`, identity)
    if (entry.fullUrl === undefined || entry.turn === 'DELETE') continue
    if ((links.get(entry.fullUrl) ?? identity) !== identity)
      throw new Problem('invalid', 'bundle.full-url-twice', 'Two entries have the same fullUrl.', {
        expression: `Bundle.entry[${entry.index}].fullUrl`,
      })
    links.set(entry.fullUrl, identity)
  }
  return links
}

/** Where a conditional reference stands: in which entry, and at which path of its resource. */
export interface ReferencePlace {
  readonly index: number
  readonly path: string
}

/** The conditional references (`Type?query`) of all resources that will be written, each with the first place it stands at. */
export function* conditionalReferences(entries: readonly Planned[]): Steps<ReadonlyMap<string, ReferencePlace>> {
  const places = new Map<string, ReferencePlace>()
  for (const { resource, index } of entries) {
    yield
    if (resource === undefined) continue
    yield* mapReferencesInSteps(resource, (text, path) => {
      if (text.includes('?') && !places.has(text) && parseReference(text).kind === 'conditional')
        places.set(text, { index, path })
      return text
    })
  }
  return places
}

/**
 * Replaces, in place, every link to a resource of the Bundle. A relative reference is read as the entry's own server
 * would read it.
 *
 * @param note  is told where each link leads, whether or not it was replaced
 * @returns     whether any was replaced
 * @see https://hl7.org/fhir/R4/bundle.html#references
 */
export function* rewriteLinks(
  resource: Resource,
  fullUrl: string | undefined,
  links: Links,
  note: (target: string) => void,
): Steps<boolean> {
  const base = baseOf(fullUrl)
  let replaced = false
  yield* mapLinksInSteps(resource, text => {
    const target = links.get(text) ?? (base === undefined ? text : (links.get(base + text) ?? text))
    note(target)
    replaced ||= target !== text
    return target
  })
  return replaced
}

/** `http://example.org/fhir/` of `http://example.org/fhir/Patient/1`; undefined for `urn:uuid:…`. */
function baseOf(fullUrl: string | undefined): string | undefined {
  return fullUrl === undefined ? undefined : /^(https?:\/\/.+\/)[A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.exec(fullUrl)?.[1]
}

/**
 * The writing entries so that each comes after those it refers to, Patients before all others: whose a resource is can
 * only be told once what it refers to is known. Circles are cut where they are met.
 */
export function inOrderOfReference(
  entries: readonly Planned[],
  references: ReadonlyMap<Planned, readonly Planned[]>,
): readonly Planned[] {
  const opened = new Set<Planned>()
  const ordered = new Set<Planned>()
  const isPatient = ({ type }: Planned) => type === 'Patient'
  for (const first of [...entries.filter(isPatient), ...entries.filter(entry => !isPatient(entry))]) {
    const stack = [first]
    for (let entry = stack.at(-1); entry !== undefined; entry = stack.at(-1)) {
      if (opened.has(entry)) {
        ordered.add(entry)
        stack.pop()
      } else {
        opened.add(entry)
        for (const target of references.get(entry) ?? []) if (!opened.has(target)) stack.push(target)
      }
    }
  }
  return [...ordered]
}
