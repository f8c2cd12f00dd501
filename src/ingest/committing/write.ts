import { parseStored, type Resource } from '#fhir'
import { appendAll, giveWay, inSlices, isProblem, type Problem, type Steps } from '#kernel'
import type { Stored, Txn } from '#record'
import type { Left, Reason } from '../outcome.ts'
import { saysTheSameInSteps } from '../same.ts'
import { withoutInvalid } from '../without-invalid.ts'
import { changedSince, keptByHand } from './by-hand.ts'
import { type Gathered, met } from './gather.ts'
import type { Amendment, Fate, Item, Mapped, Progress, Removal, Staging, Work } from './items.ts'
import { losing, type OfOthers, ofNobody, ofOthers } from './of-others.ts'

export async function create(
  txn: Txn,
  key: string,
  { resource: told, said, changes }: Gathered,
  work: Work,
): Promise<Fate> {
  const beside = { warnings: work.progress.warnings, others: ofNobody }
  const resource = { ...(await inSlices(changedBy(told, changes, beside))), id: told.id }
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
export async function renew(txn: Txn, key: string, gathered: Gathered, work: Work): Promise<Fate> {
  const { resource, said, changes } = gathered
  const { staging, progress } = work
  const isFact = said.every(({ mode }) => mode === 'create')
  const stored = isFact ? undefined : await txn.read(resource.resourceType, resource.id)
  if (!isFact && stored === undefined) return revive(txn, key, gathered, work)
  if (stored === undefined) return 'duplicate'
  const current = await parseStored(stored.json)
  const next = await withoutTaking(txn, { stored, current }, [...said, ...(changes ?? [])], work, async beside => {
    const renewed = await renewedBy(current, said, staging, beside)
    return inSlices(changedBy(renewed, changes, beside))
  })
  if (await inSlices(saysTheSameInSteps(current, next))) return 'duplicate'
  await txn.update(resource.resourceType, resource.id, next)
  progress.updated.push(key)
  progress.written.set(key, next)
  return 'mapped'
}

/** What is told of a version while it is made, and what of it is not the sender's to take away. */
interface Beside {
  readonly warnings: Left[]
  readonly others: OfOthers
}

/**
 * What is made of a version that stands. Where a list would lose entries that somebody else may have given it is looked who did, and
 * it is made again with those that are not the sender's.
 *
 * @param make  pure but for its warnings
 */
async function withoutTaking(
  txn: Txn,
  { stored, current }: { readonly stored: Stored; readonly current: Resource },
  items: readonly Item[],
  { staging, progress }: Work,
  make: (beside: Beside) => Promise<Resource>,
): Promise<Resource> {
  const ofSeveral = items.some(item => item.kind === 'mapped' && item.ofSeveral === true)
  let beside: Beside = { warnings: [], others: ofNobody }
  let next = await make(beside)
  const names = await inSlices(losing(current, next, ofSeveral))
  const others = names.length === 0 ? ofNobody : await ofOthers(txn, stored, names, staging.sender)
  if (others.added.size > 0) {
    beside = { warnings: [], others }
    next = await make(beside)
  }
  appendAll(progress.warnings, beside.warnings)
  return next
}

function* changedBy(resource: Resource, changes: readonly Amendment[] = [], beside: Beside): Steps<Resource> {
  let next = resource
  for (const item of changes) {
    const wanted = item.change(next, viaOf(item))
    if (wanted !== undefined) next = yield* withoutOld(wanted, next, item, beside)
    yield
  }
  return next
}

/**
 * What was changed by hand since an item was said stays, and that is told where the item does not tell it. What was changed before is
 * as it was said since, and that is told, too.
 */
function* withoutOld(
  wanted: Resource,
  stood: Resource,
  item: Mapped | Amendment,
  { warnings, others }: Beside,
): Steps<Resource> {
  const { resource, kept, replaced } = yield* keptByHand(wanted, stood, item.saidMs, others)
  if (item.untaken === undefined || item.dropped !== undefined)
    for (const name of replaced)
      warnings.push({
        text: `${item.row}: ${stood.resourceType}.${name} was changed here before, and is as was said since.`,
      })
  if (item.untaken === undefined)
    for (const name of new Set(kept.map(each => each.replace(/^_/, ''))))
      warnings.push({ text: `${item.row}: ${stood.resourceType}.${name} was changed here since, and stays as it is.` })
  return resource
}

function viaOf({ via }: Amendment): string | undefined {
  return via && `${via.type}/${via.id}`
}

async function renewedBy(
  current: Resource,
  said: readonly Mapped[],
  staging: Staging,
  beside: Beside,
): Promise<Resource> {
  let version = current
  for (const item of said) {
    await giveWay()
    version = await renewed(version, item, staging, beside)
  }
  await giveWay()
  return version
}

async function renewed(version: Resource, item: Mapped, staging: Staging, beside: Beside): Promise<Resource> {
  const { warnings } = beside
  const told = met(version, item)
  const wanted = told === undefined ? version : await inSlices(withoutOld(told, version, item, beside))
  // What was put together of two valid versions need not be valid.
  const isMade = wanted !== version && (item.over !== undefined || item.mode === 'merge' || wanted !== told)
  const { resource: next, left } = isMade
    ? await withoutInvalid(wanted, version, staging.validator, staging.owner)
    : { resource: wanted, left: [] }
  appendAll(
    warnings,
    left.map(expression => leftOut(item, expression)),
  )
  appendAll(warnings, item.untaken?.(next) ?? [])
  appendAll(warnings, item.dropped?.(version, next) ?? [])
  return next
}

function leftOut({ row }: Item, expression: string): Left {
  return { text: `${row}: ${expression} would not be valid FHIR R4 and was left out.` }
}

/** All that a batch changes in one resource, one after the other, as one new version. */
export async function amend(
  txn: Txn,
  key: string,
  changes: readonly Amendment[],
  staging: Staging,
  progress: Progress,
): Promise<Fate> {
  const [type = '', id = ''] = key.split('/')
  const stored = await txn.read(type, id)
  if (stored === undefined) return 'duplicate'
  const current = await parseStored(stored.json)
  const next = await withoutTaking(txn, { stored, current }, changes, { staging, progress }, async beside => {
    let version = current
    for (const item of changes) {
      const changed = await changeOf(item, version, staging, beside)
      progress.fates.set(item, changed.fate)
      appendAll(beside.warnings, item.untaken?.(changed.next) ?? [])
      appendAll(beside.warnings, item.dropped?.(version, changed.next) ?? [])
      version = changed.next
    }
    return version
  })
  if (next === current) return 'mapped'
  await txn.update(type, id, next)
  progress.updated.push(key)
  progress.written.set(key, next)
  return 'mapped'
}

export async function remove(txn: Txn, { type, id, when, deletion, row, saidMs }: Removal, work: Work): Promise<Fate> {
  const { deletions, updated } = work.progress
  const name = `${type}/${id}`
  const stored = await txn.read(type, id)
  if (stored === undefined) {
    if (deletion !== undefined && !(await isDeletedHere(txn, type, id, work))) deletions.set(name, deletion)
    return 'duplicate'
  }
  const stood = await parseStored(stored.json)
  if (!when(stood)) return 'duplicate'
  if (changedSince(stood, saidMs).size > 0) {
    work.progress.warnings.push({ text: `${row}: ${type} was changed here since it was deleted there, and stays.` })
    return 'duplicate'
  }
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
async function changeOf(item: Amendment, current: Resource, staging: Staging, beside: Beside): Promise<Changed> {
  await giveWay()
  const told = item.change(current, viaOf(item))
  if (told === undefined) return { next: current, fate: 'duplicate' }
  const wanted = await inSlices(withoutOld(told, current, item, beside))
  const { resource, left } = await withoutInvalid(wanted, current, staging.validator, staging.owner)
  if (await inSlices(saysTheSameInSteps(resource, current)))
    return { next: current, fate: refusalOf(left) ?? 'duplicate' }
  appendAll(
    beside.warnings,
    left.map(expression => leftOut(item, expression)),
  )
  return { next: resource, fate: 'mapped' }
}

function refusalOf([expression]: readonly string[]): Fate | undefined {
  return expression === undefined ? undefined : { reason: 'not-valid', expression }
}

/** Problems that are one row's own; anything else stops the import. */
const reasons: Readonly<Partial<Record<Problem['kind'], Reason>>> = {
  forbidden: 'not-permitted',
  'not-found': 'not-permitted',
  unprocessable: 'refused',
  conflict: 'refused',
  'not-allowed': 'refused',
  'too-costly': 'too-costly',
}

export async function attempt({ strict }: Staging, work: () => Promise<Fate>): Promise<Fate> {
  try {
    return await work()
  } catch (error) {
    const reason = isProblem(error) ? reasons[error.kind] : undefined
    if (reason === undefined || strict) throw error
    return { reason }
  }
}
