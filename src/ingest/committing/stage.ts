import { parseStored } from '#fhir'
import { giveWay } from '#kernel'
import type { Txn } from '#record'
import { noLongerListed } from '../listed.ts'
import { underKnownNames } from '../namesakes.ts'
import type { Listing } from '../outcome.ts'
import { Amended } from './amended.ts'
import { type Gathered, gather } from './gather.ts'
import {
  type Amendment,
  type Committed,
  type Item,
  isAmendment,
  isMapped,
  isRemoval,
  type Mapped,
  type Progress,
  type Staging,
  type Work,
} from './items.ts'
import { amend, attempt, create, remove, renew } from './write.ts'

/** Stages the items of one batch. Has no effect but through `txn`, so it may be run again. */
export async function stage(txn: Txn, given: readonly Item[], staging: Staging): Promise<Committed> {
  const { former, deletions, lookUp } = staging
  await deletions?.look()
  const named = (await former?.named(txn, given, name => deletions?.of(name) !== undefined)) ?? given
  const known = lookUp === undefined ? { items: named, warnings: [] } : await underKnownNames(txn, named, lookUp)
  const { fates, warnings, ...committed } = await stageNamed(txn, known.items, staging)
  const listings = listingsOf(given, known.items, former)
  const { listed } = staging
  const unlisted = listed === undefined ? [] : await noLongerListed(txn, listings, listed, committed.created)
  const fateOf = new Map(given.map((item, at) => [item, fates.get(known.items[at] ?? item) ?? 'duplicate']))
  return { ...committed, fates: fateOf, warnings: [...known.warnings, ...warnings, ...unlisted] }
}

/** The lists of a batch, by the names under which stands what they name. */
function listingsOf(given: readonly Item[], known: readonly Item[], former: Staging['former']): readonly Listing[] {
  const ids = new Map<string, string>()
  for (const [at, item] of given.entries()) {
    const under = known[at]
    if (isMapped(item) && under !== undefined && isMapped(under)) ids.set(nameOf(item), under.resource.id)
  }
  const idOf = (type: string, id: string) => {
    const name = `${type}/${id}`
    return ids.get(name) ?? former?.nameOf(name).slice(type.length + 1) ?? id
  }
  return given.flatMap(item => {
    const listing = isMapped(item) ? item.listing : undefined
    return listing === undefined ? [] : [{ ...listing, ids: listing.ids.map(id => idOf(listing.type, id)) }]
  })
}

function nameOf({ resource }: Mapped): string {
  return `${resource.resourceType}/${resource.id}`
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

/** The id of what is changed; undefined when nothing leads to it. */
async function idOf(txn: Txn, { via }: Amendment, { written }: Progress): Promise<string | undefined> {
  if (via === undefined) return undefined
  const stored = await txn.read(via.type, via.id)
  const leading = written.get(`${via.type}/${via.id}`) ?? (stored && (await parseStored(stored.json)))
  return leading && via.follow(leading)
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
