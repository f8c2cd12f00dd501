import { parseResource, printJson, type Resource } from '#fhir'
import { isProblem, type Problem } from '#kernel'
import type { Txn } from '#record'
import type { Outcome, Reason } from './outcome.ts'

/** What is to be written: a resource under its fingerprint, or a change to one that is there. */
export type Item = Extract<Outcome, { kind: 'mapped' | 'amend' }>

/** What a transaction made of its items. */
export interface Committed {
  /** `Type/id` of what it created. */
  readonly created: readonly string[]
  readonly updated: readonly string[]
  readonly duplicate: number
  readonly refused: readonly { readonly row: string; readonly reason: Reason }[]
}

interface Progress {
  readonly created: string[]
  readonly updated: string[]
  duplicate: number
  readonly refused: { readonly row: string; readonly reason: Reason }[]
}

/**
 * Stages the items of one batch. Has no effect but through `txn`, so it may be run again.
 *
 * @param strict  what the record refuses is thrown, not counted
 */
export async function stage(txn: Txn, items: readonly Item[], strict: boolean): Promise<Committed> {
  const progress: Progress = { created: [], updated: [], duplicate: 0, refused: [] }
  const mapped = gather(items, progress)
  const existing = await existingOf(txn, mapped.values())
  for (const [key, item] of mapped) {
    await attempt(progress, strict, item.row, () =>
      existing.has(key) ? renew(txn, key, item, progress) : create(txn, key, item.resource, progress),
    )
  }
  const amended = Map.groupBy(items.filter(isAmendment), item => `${item.type}/${item.id}`)
  for (const changes of amended.values())
    await attempt(progress, strict, changes[0]?.row ?? '', () => amend(txn, changes, progress))
  return progress
}

type Mapped = Extract<Item, { kind: 'mapped' }>
type Amendment = Extract<Item, { kind: 'amend' }>

function isAmendment(item: Item): item is Amendment {
  return item.kind === 'amend'
}

/**
 * What a batch writes, each resource once. The same row twice: of two equal ones either will do, of two versions the
 * later one, and what one message leaves unsaid the one before it has said.
 */
function gather(items: readonly Item[], progress: Progress): ReadonlyMap<string, Mapped> {
  const mapped = new Map<string, Mapped>()
  for (const item of items) {
    if (item.kind !== 'mapped') continue
    const key = `${item.resource.resourceType}/${item.resource.id}`
    const earlier = mapped.get(key)
    if (earlier !== undefined) progress.duplicate += 1
    if (earlier === undefined || item.mode === 'upsert') mapped.set(key, item)
    else if (item.mode === 'merge')
      mapped.set(key, { ...item, resource: { ...overlaid(earlier.resource, item.resource), id: item.resource.id } })
  }
  return mapped
}

async function existingOf(txn: Txn, items: Iterable<Mapped>) {
  const byType = Map.groupBy(items, item => item.resource.resourceType)
  const existing = new Set<string>()
  for (const [type, of] of byType) {
    for (const id of await txn.existing(
      type,
      of.map(item => item.resource.id),
    ))
      existing.add(`${type}/${id}`)
  }
  return existing
}

async function create(txn: Txn, key: string, resource: Resource & { id: string }, progress: Progress): Promise<void> {
  try {
    await txn.create(resource, { id: resource.id })
    progress.created.push(key)
  } catch (error) {
    // What a person has deleted since the first import stays deleted.
    if (!(isProblem(error) && error.code === 'record.id-taken')) throw error
    progress.duplicate += 1
  }
}

/** A row that is there already is a duplicate, unless its kind is brought up to date and it says something new. */
async function renew(txn: Txn, key: string, item: Mapped, progress: Progress): Promise<void> {
  const { resource } = item
  const stored = item.mode === 'create' ? undefined : await txn.read(resource.resourceType, resource.id)
  const current = stored && parseResource(stored.json)
  const next = current === undefined || item.mode !== 'merge' ? resource : overlaid(current, resource)
  if (current === undefined || saysTheSame(current, next)) {
    progress.duplicate += 1
    return
  }
  await txn.update(resource.resourceType, resource.id, next)
  progress.updated.push(key)
}

/** All that a batch changes in one resource, one after the other, as one new version. */
async function amend(txn: Txn, changes: readonly Amendment[], progress: Progress): Promise<void> {
  const [first] = changes
  const stored = first && (await txn.read(first.type, first.id))
  if (first === undefined || stored === undefined) {
    progress.duplicate += changes.length
    return
  }
  const current = parseResource(stored.json)
  let next = current
  for (const { change } of changes) {
    const changed = change(next)
    if (changed === undefined) progress.duplicate += 1
    next = changed ?? next
  }
  if (next === current) return
  await txn.update(first.type, first.id, next)
  progress.updated.push(`${first.type}/${first.id}`)
}

/** What is said anew, over what was said before; lists are said anew as a whole. */
function overlaid(before: Resource, anew: Resource): Resource {
  return { ...before, ...overlaidParts(before, anew), resourceType: anew.resourceType }
}

function overlaidParts(before: Plain, anew: Plain): Plain {
  const next: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(anew)) {
    const known = next[name]
    next[name] = isPlain(value) && isPlain(known) ? overlaidParts(known, value) : value
  }
  return next
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

async function attempt(progress: Progress, strict: boolean, row: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const reason = isProblem(error) ? reasons[error.kind] : undefined
    if (reason === undefined || strict) throw error
    progress.refused.push({ row, reason })
  }
}
