/** What happens to a family before anybody asks: a list of chapters, told to one store wholly and to another in part. */
import { createHash } from 'node:crypto'
import type { Resource } from '#fhir'
import { Dice } from './dice.ts'
import { drawOwner, idOf, type Owner, ownTypes, type Person, persons, published, sharedTypes, slots } from './names.ts'
import { drawResource, emptyResource, movableTypes } from './resources.ts'

/** One version of one resource. */
export interface Deed {
  readonly type: string
  readonly id: string
  /** Whose the version is; of a deletion, whose the resource was. */
  readonly owner: Owner | 'stranger'
  /** Undefined: it is deleted. */
  readonly resource: Resource | undefined
}

/** Deeds of one transaction. Time passes between chapters, also where a store is told nothing of one. */
export type Chapter = readonly Deed[]

const nameOf = ({ type, id }: Pick<Deed, 'type' | 'id'>): string => `${type}/${id}`

/** The chapters that every family has, and one for each number; a number stands for the same whatever else there is. */
export function tellStory(numbers: readonly number[]): readonly Chapter[] {
  const begun = opening()
  const owners = new Map(begun.map(deed => [nameOf(deed), deed.owner]))
  const alive = new Set(owners.keys())
  const deeds = numbers.map(number => deedOf(new Dice(number), owners, alive))
  return chaptersOf([...begun, ...deeds])
}

/** Everybody, somebody to treat them, and something of each kind. */
function opening(): (Deed & { owner: Owner })[] {
  const dice = new Dice(1)
  const put = (owner: Owner, type: string, id: string) => {
    return { type, id, owner, resource: drawResource(dice, type, owner, id) }
  }
  return [
    ...persons.map(person => put(person, 'Patient', person)),
    ...sharedTypes.flatMap(type => [put('all', type, idOf('all', type, 0)), put('all', type, idOf('all', type, 1))]),
    ...persons.flatMap(person => ownTypes.map(type => put(person, type, idOf(person, type, 0)))),
  ]
}

function deedOf(dice: Dice, owners: Map<string, Owner>, alive: Set<string>): Deed {
  const home: Owner = dice.pick(['anna', 'anna', 'bruno', 'bruno', 'clara', 'all'])
  const types: readonly string[] = home === 'all' ? sharedTypes : ['Patient', 'Observation', 'Observation', ...ownTypes]
  const type = dice.pick(types)
  const id = type === 'Patient' && home !== 'all' ? home : idOf(home, type, dice.below(slots))
  const name = nameOf({ type, id })
  const was = owners.get(name) ?? home
  if (dice.maybe(15) && type !== 'Patient' && alive.delete(name)) return { type, id, owner: was, resource: undefined }
  const owner = home !== 'all' && movableTypes.includes(type) && dice.maybe(30) ? drawOwner(dice, home) : was
  owners.set(name, owner)
  alive.add(name)
  return { type, id, owner, resource: drawResource(dice, type, owner, id) }
}

/** Not one resource, nor referring to one another: a transaction is written in the order of its references. */
function areApart(one: Deed, other: Deed): boolean {
  const refersTo = (a: Deed, b: Deed) => JSON.stringify(a.resource ?? {}).includes(`"${nameOf(b)}"`)
  return nameOf(one) !== nameOf(other) && !refersTo(one, other) && !refersTo(other, one)
}

/** Some deeds share a transaction; never two about one resource, nor two in the commons, whose order is random there. */
function chaptersOf(deeds: readonly Deed[]): Chapter[] {
  const dice = new Dice(deeds.length)
  const chapters: Deed[][] = []
  for (const deed of deeds) {
    const last = chapters.at(-1)
    const fits =
      last !== undefined &&
      last.length < 6 &&
      last.every(other => areApart(other, deed)) &&
      !(deed.owner === 'all' && last.some(({ owner }) => owner === 'all'))
    if (fits && dice.maybe(30)) last.push(deed)
    else chapters.push([deed])
  }
  return chapters
}

/** Which part of a story a store is told. */
export interface Part {
  readonly of: Person
  /** The commons: all of it, or what the person's part refers to, directly or through others of the commons. */
  readonly commons: 'all' | 'referenced'
  /** Which of the person's own resources; all unless told. A resource is in if one of its versions is. */
  sees?(resource: Resource): boolean
  /** Whatever else is going to refer to the commons. */
  readonly texts?: readonly string[]
}

/** The story as a store knows it that holds only one person's part. Others' versions of what was ever hers are empty. */
export function partOf(story: readonly Chapter[], part: Part): readonly Chapter[] {
  const kept = ownNames(story, part)
  const hers = new Set(story.flat().flatMap(deed => (deed.owner === part.of ? [nameOf(deed)] : [])))
  const shared = sharedNames(story, part, kept)
  const strangers = story.flat().some(deed => kept.has(nameOf(deed)) && deed.owner !== part.of && deed.owner !== 'all')
  const chapters = story.map(chapter =>
    chapter.flatMap(deed => {
      if (deed.owner === 'all') return shared.has(nameOf(deed)) ? [deed] : []
      if (!hers.has(nameOf(deed)) || !kept.has(nameOf(deed))) return []
      return [deed.owner === part.of ? deed : emptied(deed)]
    }),
  )
  return strangers ? [persons.map(strangerFor), ...chapters] : [[], ...chapters]
}

function ownNames(story: readonly Chapter[], { of, sees }: Part): ReadonlySet<string> {
  const names = new Set<string>()
  for (const deed of story.flat())
    if (
      deed.owner === of &&
      deed.resource !== undefined &&
      (deed.type === 'Patient' || (sees?.(deed.resource) ?? true))
    )
      names.add(nameOf(deed))
  return names
}

function sharedNames(story: readonly Chapter[], part: Part, kept: ReadonlySet<string>): ReadonlySet<string> {
  const shared = story.flat().filter(({ owner }) => owner === 'all')
  const names = new Set(shared.filter(({ type }) => part.commons === 'all' || published.has(type)).map(nameOf))
  const own = story.flat().filter(deed => deed.owner === part.of && kept.has(nameOf(deed)))
  let texts = [...own, ...shared.filter(deed => names.has(nameOf(deed)))].map(({ resource }) =>
    JSON.stringify(resource),
  )
  texts.push(...(part.texts ?? []))
  while (texts.length > 0) {
    const named = new Set(texts.flatMap(text => [...(text ?? '').matchAll(/[A-Z]\w+\/all-[a-z]+-\d/g)].map(String)))
    const found = shared.filter(deed => named.has(nameOf(deed)) && !names.has(nameOf(deed)))
    for (const deed of found) names.add(nameOf(deed))
    texts = shared
      .filter(deed => found.some(other => nameOf(other) === nameOf(deed)))
      .map(({ resource }) => JSON.stringify(resource))
  }
  return names
}

/** Two that were the same stay the same, and two that were not do not: what is written again as it stands makes no version. */
function emptied(deed: Deed): Deed {
  const { type, id, owner } = deed
  if (deed.resource === undefined) return { type, id, owner: 'stranger', resource: undefined }
  const code = createHash('sha256').update(JSON.stringify(deed.resource)).digest('base64url')
  const resource = { ...emptyResource(type, strangerId(owner), id), meta: { tag: [{ code }] } }
  return { type, id, owner: 'stranger', resource }
}

/** One for each person, since a resource has one version more for each whom it went to. */
function strangerFor(person: Person): Deed {
  const id = strangerId(person)
  return { type: 'Patient', id, owner: 'stranger', resource: { resourceType: 'Patient', id } }
}

function strangerId(owner: Deed['owner']): string {
  return `instead-of-${owner}`
}

/** As many chapters as `partOf` gives. */
export function whole(story: readonly Chapter[]): readonly Chapter[] {
  return [[], ...story]
}
