import { parseResource, printJson, type Resource, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { giveWay, inSlices, isProblem, type Problem, type Steps } from '#kernel'
import type { Txn } from '#record'
import type { Validator } from '#validation'
import { otherForms } from './choices.ts'
import { withContained } from './contained.ts'
import type { Deletions } from './deletions.ts'
import type { FormerIds } from './former-ids.ts'
import { type ListedDeps, noLongerListed } from './listed.ts'
import { type LookUp, underKnownNames } from './namesakes.ts'
import type { Left, Outcome, Reason, SourceVersion } from './outcome.ts'
import { withoutInvalid } from './without-invalid.ts'

/** What is to be written: a resource under its fingerprint, or a change to one that is there. */
export type Item = Extract<Outcome, { kind: 'mapped' | 'amend' | 'remove' }>

/** What became of an item: its resource or change was written, said nothing new, or was refused. */
export type Fate = 'mapped' | 'duplicate' | Refusal

interface Refusal {
  readonly reason: Reason
  readonly expression?: string
}

/** What a transaction made of its items. */
export interface Committed {
  /** `Type/id` of what it created. */
  readonly created: readonly string[]
  readonly updated: readonly string[]
  readonly fates: ReadonlyMap<Item, Fate>
  /** What was left out of what was written. */
  readonly warnings: readonly Left[]
}

interface Progress {
  readonly created: string[]
  readonly updated: string[]
  readonly fates: Map<Item, Fate>
  readonly warnings: Left[]
  /** What was written under `Type/id`: the transaction shows what stood before. */
  readonly written: Map<string, Resource>
  /** What the sources say of deletions, by name; undefined where a newer version has come since. */
  readonly deletions: Map<string, SourceVersion | undefined>
}

/** How a batch is staged. */
export interface Staging {
  /** What the record refuses is thrown, not counted. */
  readonly strict: boolean
  readonly validator: Validator
  /** The names under which the patient has what others had who were merged into them. */
  readonly former?: FormerIds | undefined
  /** Looks for what stands under another name. */
  readonly lookUp?: LookUp | undefined
  readonly listed?: ListedDeps
  /** What the sources of the patient's files have deleted. */
  readonly deletions?: Deletions | undefined
}

/** Stages the items of one batch. Has no effect but through `txn`, so it may be run again. */
export async function stage(txn: Txn, given: readonly Item[], staging: Staging): Promise<Committed> {
  const { former, deletions, lookUp } = staging
  const named = (await former?.named(txn, given, name => deletions?.of(name) !== undefined)) ?? given
  const known = lookUp === undefined ? { items: named, warnings: [] } : await underKnownNames(txn, named, lookUp)
  const { fates, warnings, ...committed } = await stageNamed(txn, known.items, staging)
  const listings = given.flatMap(item => (item.kind === 'mapped' && item.listing !== undefined ? [item.listing] : []))
  const { listed } = staging
  const unlisted = listed === undefined ? [] : await noLongerListed(txn, listings, listed, committed.created)
  const fateOf = new Map(given.map((item, at) => [item, fates.get(known.items[at] ?? item) ?? 'duplicate']))
  return { ...committed, fates: fateOf, warnings: [...known.warnings, ...warnings, ...unlisted] }
}

async function stageNamed(txn: Txn, items: readonly Item[], staging: Staging): Promise<Committed> {
  const progress: Progress = {
    created: [],
    updated: [],
    fates: new Map(),
    warnings: [],
    written: new Map(),
    deletions: new Map(),
  }
  const work = { staging, progress }
  const gathered = gather(items.filter(isMapped))
  const existing = await existingOf(txn, gathered.keys())
  const amendments = items.filter(isAmendment)
  const [led, named] = [amendments.filter(({ via }) => via !== undefined), amendments.filter(({ via }) => !via)]
  // What another one of the batch leads to is staged after it, with what the batch says of it itself.
  const ledTo = new Set(led.map(({ type }) => type))
  const [later, first] = parted([...gathered], ([, { resource }]) => ledTo.has(resource.resourceType))
  const amended = new Amended()
  for (const item of named) amended.add(item, item.id)
  await stageEach(txn, first, { existing, amended, work })
  for (const item of led) {
    const id = await idOf(txn, item, progress)
    if (id === undefined) progress.fates.set(item, 'duplicate')
    else amended.add(item, id)
  }
  await stageEach(txn, later, { existing, amended, work })
  for (const [key, changes] of amended.left()) {
    const fate = await attempt(staging, () => amend(txn, key, changes, staging, progress))
    if (fate !== 'mapped') for (const one of changes) progress.fates.set(one, fate)
  }
  for (const item of items.filter(isRemoval))
    progress.fates.set(item, await attempt(staging, () => remove(txn, item, { staging, progress })))
  staging.deletions?.keep(txn, progress.deletions)
  return progress
}

/** What a batch changes in resources that are there, or that it writes itself, by `Type/id`. */
class Amended {
  readonly #changes = new Map<string, Amendment[]>()
  readonly #taken = new Set<string>()

  add(item: Amendment, id: string): void {
    const key = `${item.type}/${id}`
    this.#changes.set(key, [...(this.#changes.get(key) ?? []), item])
  }

  /** Those of a resource, which is written with them: a transaction writes it once. */
  take(key: string): readonly Amendment[] {
    this.#taken.add(key)
    return this.#changes.get(key) ?? []
  }

  /** Those of resources that were not written otherwise. */
  left(): readonly (readonly [string, readonly Amendment[]])[] {
    return [...this.#changes].filter(([key]) => !this.#taken.has(key))
  }
}

function parted<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter(one => !isFirst(one))]
}

interface Each {
  readonly existing: ReadonlySet<string>
  readonly amended: Amended
  readonly work: Work
}

async function stageEach(
  txn: Txn,
  all: readonly (readonly [string, Gathered])[],
  { existing, amended, work }: Each,
): Promise<void> {
  const { staging, progress } = work
  for (const [key, item] of all) {
    const changes = amended.take(key)
    const write = existing.has(key) ? renew : create
    const fate = await attempt(staging, () => write(txn, key, { ...item, changes }, work))
    for (const one of [...item.said, ...changes]) progress.fates.set(one, fate)
    for (const one of item.repeated) progress.fates.set(one, 'duplicate')
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

type Mapped = Extract<Item, { kind: 'mapped' }>
type Amendment = Extract<Item, { kind: 'amend' }>
type Removal = Extract<Item, { kind: 'remove' }>

function isMapped(item: Item): item is Mapped {
  return item.kind === 'mapped'
}

function isRemoval(item: Item): item is Removal {
  return item.kind === 'remove'
}

function isAmendment(item: Item): item is Amendment {
  return item.kind === 'amend'
}

/** The id of what is changed; undefined when nothing leads to it. */
async function idOf(txn: Txn, { via }: Amendment, { written }: Progress): Promise<string | undefined> {
  if (via === undefined) return undefined
  const stored = await txn.read(via.type, via.id)
  const leading = written.get(`${via.type}/${via.id}`) ?? (stored && parseResource(stored.json))
  return leading && via.follow(leading)
}

/** A resource that a batch writes once, with the items that it came of. */
interface Gathered {
  readonly resource: Mapped['resource']
  /** Items whose fate is that of the resource. */
  readonly said: readonly Mapped[]
  /** Items that say what one of the others says. */
  readonly repeated: readonly Mapped[]
  /** What the batch changes in it besides. */
  readonly changes?: readonly Amendment[]
}

/** What a batch writes, each resource once, by `Type/id`. */
function gather(items: readonly Mapped[]): ReadonlyMap<string, Gathered> {
  const gathered = new Map<string, Gathered>()
  for (const item of items) {
    const key = `${item.resource.resourceType}/${item.resource.id}`
    const earlier = gathered.get(key)
    const first = { resource: item.resource, said: [item], repeated: [] }
    gathered.set(key, earlier === undefined ? first : joined(earlier, item))
  }
  return gathered
}

/**
 * The same resource twice: of two equal ones either will do, of two versions the later one, and what one message leaves
 * unsaid the one before it has said.
 */
function joined(earlier: Gathered, item: Mapped): Gathered {
  const next = met(earlier.resource, item)
  if (next === undefined || saysTheSame(earlier.resource, next))
    return { ...earlier, repeated: [...earlier.repeated, item] }
  return { ...earlier, resource: { ...next, id: item.resource.id }, said: [...earlier.said, item] }
}

/** What shall stand where a resource meets one that is there; undefined when that one stays. */
function met(before: Resource, { resource, mode, over }: Mapped): Resource | undefined {
  if (mode === 'create') return undefined
  if (over !== undefined) return over(before, resource)
  return mode === 'merge' ? overlaid(before, resource) : resource
}

/** Names that are looked up in one turn; a batch of a file is asked for at once. */
const askedAtOnce = 500

async function existingOf(txn: Txn, keys: Iterable<string>): Promise<ReadonlySet<string>> {
  const byType = Map.groupBy(keys, key => key.slice(0, key.indexOf('/')))
  const existing = new Set<string>()
  for (const [type, of] of byType) {
    const ids = of.map(key => key.slice(type.length + 1))
    for (let at = 0; at < ids.length; at += askedAtOnce) {
      const pause = giveWay()
      if (pause !== undefined) await pause
      for (const id of await txn.existing(type, ids.slice(at, at + askedAtOnce))) existing.add(`${type}/${id}`)
    }
  }
  return existing
}

interface Work {
  readonly staging: Staging
  readonly progress: Progress
}

async function create(txn: Txn, key: string, { resource: told, said, changes }: Gathered, work: Work): Promise<Fate> {
  const resource = { ...changedBy(told, changes), id: told.id }
  const since = sinceDeletion(key, said, work)
  if (since !== undefined && since < 0) return 'duplicate'
  try {
    await txn.create(resource, { id: resource.id })
    work.progress.created.push(key)
    work.progress.written.set(key, resource)
  } catch (error) {
    // What a person has deleted since the first import stays deleted.
    if (!(isProblem(error) && error.code === 'record.id-taken')) throw error
    return 'duplicate'
  }
  if (since !== undefined) work.progress.deletions.set(key, undefined)
  return 'mapped'
}

/** Which version it is of what its source has deleted: negative when it is older than that; undefined when nothing was deleted. */
function sinceDeletion(key: string, said: readonly Mapped[], { staging }: Work): number | undefined {
  const deletion = staging.deletions?.of(key)
  return deletion && (said.at(-1)?.since?.(deletion) ?? 0)
}

/** What its source has deleted comes back when the source has it again; what a person has deleted does not. */
async function revive(txn: Txn, key: string, { resource, said }: Gathered, work: Work): Promise<Fate> {
  if (!((sinceDeletion(key, said, work) ?? 0) > 0)) return 'duplicate'
  await txn.update(resource.resourceType, resource.id, resource)
  work.progress.deletions.set(key, undefined)
  work.progress.updated.push(key)
  work.progress.written.set(key, resource)
  return 'mapped'
}

/**
 * A row that is there already is a duplicate, unless its kind is brought up to date and it says something new. Each item
 * meets what is stored itself: what the batch makes of them together does not tell which of them came late.
 */
async function renew(txn: Txn, key: string, gathered: Gathered, work: Work): Promise<Fate> {
  const { resource, said, changes } = gathered
  const { staging, progress } = work
  const isFact = said.every(({ mode }) => mode === 'create')
  const stored = isFact ? undefined : await txn.read(resource.resourceType, resource.id)
  if (!isFact && stored === undefined) return revive(txn, key, gathered, work)
  const current = stored && parseResource(stored.json)
  const renewed = current && (await inSlices(renewedBy(current, said, staging, progress)))
  const next = renewed && changedBy(renewed, changes)
  if (current === undefined || next === undefined || saysTheSame(current, next)) return 'duplicate'
  await txn.update(resource.resourceType, resource.id, next)
  progress.updated.push(key)
  progress.written.set(key, next)
  return 'mapped'
}

function changedBy<T extends Resource>(resource: T, changes: readonly Amendment[] = []): T {
  return changes.reduce<T>((next, item) => (item.change(next, viaOf(item)) as T | undefined) ?? next, resource)
}

function viaOf({ via }: Amendment): string | undefined {
  return via && `${via.type}/${via.id}`
}

function* renewedBy(current: Resource, said: readonly Mapped[], staging: Staging, progress: Progress): Steps<Resource> {
  let version = current
  for (const item of said) {
    yield
    version = yield* renewed(version, item, staging, progress)
  }
  yield
  return version
}

function* renewed(version: Resource, item: Mapped, { validator }: Staging, { warnings }: Progress): Steps<Resource> {
  const wanted = met(version, item) ?? version
  // What was put together of two valid versions need not be valid.
  const isMade = wanted !== version && (item.over !== undefined || item.mode === 'merge')
  const { resource: next, left } = isMade
    ? yield* withoutInvalid(wanted, version, validator)
    : { resource: wanted, left: [] }
  warnings.push(...left.map(expression => leftOut(item, expression)))
  warnings.push(...(item.untaken?.(next) ?? []), ...(item.dropped?.(version, next) ?? []))
  return next
}

function leftOut({ row }: Item, expression: string): Left {
  return { text: `${row}: ${expression} would not be valid FHIR R4 and was left out.` }
}

/** All that a batch changes in one resource, one after the other, as one new version. */
async function amend(
  txn: Txn,
  key: string,
  changes: readonly Amendment[],
  staging: Staging,
  progress: Progress,
): Promise<Fate> {
  const [type = '', id = ''] = key.split('/')
  const stored = await txn.read(type, id)
  if (stored === undefined) return 'duplicate'
  const current = parseResource(stored.json)
  let next = current
  for (const item of changes) {
    const changed = await inSlices(changeOf(item, next, staging, progress))
    progress.fates.set(item, changed.fate)
    progress.warnings.push(...(item.untaken?.(changed.next) ?? []))
    next = changed.next
  }
  if (next === current) return 'mapped'
  await txn.update(type, id, next)
  progress.updated.push(key)
  progress.written.set(key, next)
  return 'mapped'
}

async function remove(txn: Txn, { type, id, when, deletion }: Removal, work: Work): Promise<Fate> {
  const { deletions, updated } = work.progress
  const name = `${type}/${id}`
  const stored = await txn.read(type, id)
  if (stored === undefined) {
    if (deletion !== undefined && !(await isDeletedHere(txn, type, id, work))) deletions.set(name, deletion)
    return 'duplicate'
  }
  if (!when(parseResource(stored.json))) return 'duplicate'
  await txn.delete(type, id)
  if (deletion !== undefined) deletions.set(name, deletion)
  updated.push(name)
  return 'mapped'
}

/** Whether what is gone was deleted by a person, and not by its source. */
async function isDeletedHere(txn: Txn, type: string, id: string, { staging }: Work): Promise<boolean> {
  return staging.deletions?.of(`${type}/${id}`) === undefined && (await txn.existing(type, [id])).has(id)
}

interface Changed {
  readonly next: Resource
  readonly fate: Fate
}

/** What a change makes of a resource, without the elements that would not be valid: each costs itself. */
function* changeOf(item: Amendment, current: Resource, { validator }: Staging, progress: Progress): Steps<Changed> {
  const wanted = item.change(current, viaOf(item))
  if (wanted === undefined) return { next: current, fate: 'duplicate' }
  const { resource, left } = yield* withoutInvalid(wanted, current, validator)
  if (saysTheSame(resource, current)) return { next: current, fate: refusalOf(left) ?? 'duplicate' }
  progress.warnings.push(...left.map(expression => leftOut(item, expression)))
  return { next: resource, fate: 'mapped' }
}

function refusalOf([expression]: readonly string[]): Fate | undefined {
  return expression === undefined ? undefined : { reason: 'not-valid', expression }
}

/**
 * What is said anew, over what was said before, element by element; lists are said anew as a whole, and so are a choice of forms and
 * a data type: a new code comes without the words of the old one. A period has a beginning and an end of its own.
 */
export function overlaid(before: Resource, anew: Resource): Resource {
  const next = { ...overlaidParts(before, anew, shapeOf(anew.resourceType)), resourceType: anew.resourceType }
  return withContained(next, before, anew)
}

function overlaidParts(before: Plain, anew: Plain, shape: Shape | undefined): Plain {
  const next: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(anew)) {
    const known = next[name]
    const isOver = isPlain(value) && isPlain(known) && hasParts(shape, name)
    next[name] = isOver ? overlaidParts(known, value, shapeWithin(shape, name)) : value
    for (const other of otherForms(shape, name)) if (!Object.hasOwn(anew, other)) delete next[other]
  }
  return next
}

const withParts = new Set(['BackboneElement', 'Element', 'Period', 'Meta'])

function hasParts(shape: Shape | undefined, name: string): boolean {
  return name.startsWith('_') || withParts.has(shape?.elements.get(name)?.type ?? 'Element')
}

function shapeWithin(shape: Shape | undefined, name: string): Shape | undefined {
  const element = shape?.elements.get(name)
  return shape && element && shapeOfElement(shape, element)
}

type Plain = Readonly<Record<string, unknown>>

/** A Decimal prints itself; it is not taken apart. */
function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Whether two versions differ in nothing but what the server or the import itself put there. */
export function saysTheSame(one: Resource, other: Resource): boolean {
  return printJson(bare(one)) === printJson(bare(other))
}

function bare(resource: Resource): unknown {
  const { meta, id, ...rest } = resource
  const { versionId, lastUpdated, source, ...kept } = meta ?? {}
  return sorted(Object.keys(kept).length === 0 ? rest : { ...rest, meta: kept })
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  )
}

/** Problems that are one row's own; anything else stops the import. */
const reasons: Readonly<Partial<Record<Problem['kind'], Reason>>> = {
  forbidden: 'not-permitted',
  'not-found': 'not-permitted',
  unprocessable: 'refused',
  conflict: 'refused',
  'not-allowed': 'refused',
}

async function attempt({ strict }: Staging, work: () => Promise<Fate>): Promise<Fate> {
  try {
    return await work()
  } catch (error) {
    const reason = isProblem(error) ? reasons[error.kind] : undefined
    if (reason === undefined || strict) throw error
    return { reason }
  }
}
