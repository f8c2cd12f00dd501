import type { Grant } from '#access'
import { parseResource, type Resource } from '#fhir'
import { giveWay, Problem } from '#kernel'
import type { Stored, Txn } from '#record'
import { survivorOf } from '../identify.ts'
import {
  checkBoth,
  currentPatient,
  linksWithout,
  listOf,
  type MergeDeps,
  movingGrant,
  versionOf,
  writtenSince,
} from './both.ts'
import { type Merge, type Moved, mergeOf, movedBy, type Step, writeMerge } from './lineage.ts'
import { turnReferences } from './rewrite.ts'

/** What became of the undoing of a merge. References are relative, `Observation/1`. */
export interface Unmerged {
  /** The Patient that had lost, as it is then. */
  readonly result: Resource
  /** Resources that went back; those that somebody changed since the merge keep the change. */
  readonly restored: number
  readonly edited: readonly string[]
  /** What was deleted since the merge stays deleted. */
  readonly deleted: readonly string[]
  /** What came to the other Patient since the merge stays there: nothing tells whose it is. */
  readonly remaining: readonly string[]
  /** More came than is named: `_lastUpdated` since the merge finds it. */
  readonly remainsMore: boolean
}

const sliceSize = 1000
/** Of what came since so many are named, and so many looked at. */
const mostNamed = 1000
const mostLooked = 10_000

/**
 * Undoes a merge: what came from the Patient that lost goes back as it was, with what was changed since; the Patients are
 * what they were, with what was changed since.
 *
 * @param source  id of the Patient that lost
 * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown`, `ingest.merge-unknown`;
 *   `conflict` · `ingest.merge-replaced` when the other Patient was merged further: the last merge is undone first
 */
export async function unmergePatient(
  { grant, source }: { readonly grant: Grant; readonly source: string },
  deps: MergeDeps,
): Promise<Unmerged> {
  await checkBoth(grant, [source], deps.record)
  const { value: merge } = await mergeOf(deps.record.documents, source)
  if (merge === undefined || merge.state === 'undone') throw unknownMerge()
  await checkBoth(grant, [merge.target], deps.record)
  const { json } = await deps.record.reader(grant).read('Patient', merge.target)
  if (survivorOf(parseResource(json), deps.baseUrl) !== undefined) throw mergedFurther()
  return new Restorer(merge, movingGrant(grant, source), deps).run()
}

function unknownMerge(): Problem {
  return new Problem('not-found', 'ingest.merge-unknown', 'The Patient was not merged into another one.')
}

function mergedFurther(): Problem {
  return new Problem('conflict', 'ingest.merge-replaced', 'The other Patient was merged further; undo that first.')
}

class Restorer {
  readonly #merge: Merge
  readonly #grant: Grant
  readonly #deps: MergeDeps
  readonly #edited: string[] = []
  readonly #deleted: string[] = []

  constructor(merge: Merge, grant: Grant, deps: MergeDeps) {
    this.#merge = merge
    this.#grant = grant
    this.#deps = deps
  }

  async run(): Promise<Unmerged> {
    const moved = await movedBy(this.#deps.record.documents, this.#merge)
    // The Patients are restored with the last slice: until then the undoing can be taken up.
    const last = Math.max(0, Math.ceil(moved.length / sliceSize) - 1) * sliceSize
    for (let at = 0; at < last; at += sliceSize) await this.#restore(moved.slice(at, at + sliceSize), false)
    await this.#restore(moved.slice(last), true)
    const result = await currentPatient(this.#grant, this.#merge.source, this.#deps)
    const since = await this.#remaining(new Set(moved.map(nameOf)))
    const restored = moved.length - this.#deleted.length
    return { result, restored, edited: this.#edited, deleted: this.#deleted, ...since }
  }

  async #restore(slice: readonly Moved[], isLast: boolean): Promise<void> {
    const seen = { edited: [] as string[], deleted: [] as string[] }
    await this.#deps.record.writer(this.#grant, { imports: 'moves' }).transact(async txn => {
      seen.edited = []
      seen.deleted = []
      txn.note('merge of two Patients undone')
      await txn.merged(this.#merge.source, undefined)
      await this.#stageSlice(txn, slice, seen)
      if (isLast) await this.#stagePatients(txn)
    })
    this.#edited.push(...seen.edited)
    this.#deleted.push(...seen.deleted)
  }

  async #stageSlice(txn: Txn, slice: readonly Moved[], seen: { edited: string[]; deleted: string[] }): Promise<void> {
    const followers: { moved: Moved; resource: Resource }[] = []
    for (const moved of slice) {
      const stored = await txn.read(moved.type, moved.id)
      if (stored === undefined) {
        seen.deleted.push(nameOf(moved))
        continue
      }
      if (stored.version !== moved.to) seen.edited.push(nameOf(moved))
      const resource = await this.#asBefore(moved, stored)
      // What follows another resource goes after it.
      if (this.#names(resource)) await txn.update(moved.type, moved.id, resource)
      else followers.push({ moved, resource })
    }
    for (const { moved, resource } of followers) await txn.update(moved.type, moved.id, resource)
  }

  /** The very version from before the merge, unless somebody has changed it since. */
  async #asBefore(moved: Moved, stored: Stored): Promise<Resource> {
    const before =
      stored.version === moved.to
        ? await versionOf(this.#grant, this.#deps.record, moved.type, moved.id, moved.from)
        : undefined
    return before ?? this.#turnedBack(parseResource(stored.json), moved.paths)
  }

  #turnedBack(resource: Resource, paths?: readonly string[]): Resource {
    const { source, target } = this.#merge
    const only = paths === undefined ? undefined : new Set(paths)
    return turnReferences(resource, target, source, this.#deps.baseUrl, only).resource
  }

  #names(resource: Resource): boolean {
    const { source } = this.#merge
    return turnReferences(resource, source, source, this.#deps.baseUrl).turned.length > 0
  }

  async #stagePatients(txn: Txn): Promise<void> {
    const { source, target, sourceStep, targetStep } = this.#merge
    const { documents } = this.#deps.record
    const { value, revision } = await mergeOf(documents, source)
    if (value === undefined || value.state === 'undone') throw unknownMerge()
    const winner = await this.#patient(txn, target)
    const loser = await this.#patient(txn, source)
    if (survivorOf(winner.patient, this.#deps.baseUrl) !== undefined) throw mergedFurther()
    const before = await this.#version(source, sourceStep)
    const restored =
      loser.version === sourceStep.to && before !== undefined ? before : unlinked(loser.patient, target, before)
    const other = await this.#version(target, targetStep)
    const kept =
      winner.version === targetStep.to && other !== undefined ? other : unmerged(winner.patient, source, other)
    await txn.update('Patient', source, restored)
    await txn.update('Patient', target, kept)
    txn.document(writeMerge(documents, { ...value, state: 'undone', undoneAtMs: this.#deps.clock.nowMs() }, revision))
  }

  async #patient(txn: Txn, id: string): Promise<{ patient: Resource; version: number }> {
    const stored = await txn.read('Patient', id)
    if (stored === undefined) throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
    return { patient: parseResource(stored.json), version: stored.version }
  }

  #version(id: string, { from }: Step): Promise<Resource | undefined> {
    return versionOf(this.#grant, this.#deps.record, 'Patient', id, from)
  }

  /** What was made for the other Patient since the merge. */
  async #remaining(moved: ReadonlySet<string>): Promise<Pick<Unmerged, 'remaining' | 'remainsMore'>> {
    const { target, atMs } = this.#merge
    const remaining: string[] = []
    let looked = 0
    for await (const page of writtenSince(this.#grant, target, this.#deps, atMs))
      for (const one of page) {
        if (moved.has(nameOf(one)) || one.type === 'Provenance') continue
        if (remaining.length === mostNamed || ++looked > mostLooked) return { remaining, remainsMore: true }
        if (await this.#wasMadeSince(one, atMs)) remaining.push(nameOf(one))
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
    return { remaining, remainsMore: false }
  }

  async #wasMadeSince({ type, id }: Stored, atMs: number): Promise<boolean> {
    const first = await versionOf(this.#grant, this.#deps.record, type, id, 1)
    const written = first?.meta?.lastUpdated
    return written === undefined || Date.parse(written) >= atMs
  }
}

function nameOf({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}/${id}`
}

/** The Patient that lost, changed since: what the merge put there is taken away. */
function unlinked(patient: Resource, target: string, before: Resource | undefined): Resource {
  const { active, link, ...rest } = patient
  const links = linksWithout(patient, target, 'replaced-by')
  const known = before?.active
  return { ...rest, ...(known === undefined ? {} : { active: known }), ...(links.length === 0 ? {} : { link: links }) }
}

/** The Patient that stayed, changed since: without the link and the numbers that the merge put there. */
function unmerged(patient: Resource, source: string, before: Resource | undefined): Resource {
  const { link, identifier, ...rest } = patient
  const links = linksWithout(patient, source, 'replaces')
  const own = new Set(listOf(before ?? patient, 'identifier').map(one => JSON.stringify(one)))
  const numbers = listOf(patient, 'identifier').filter(
    one => (one as { use?: unknown }).use !== 'old' || own.has(JSON.stringify(one)),
  )
  return {
    ...rest,
    ...(numbers.length === 0 ? {} : { identifier: numbers }),
    ...(links.length === 0 ? {} : { link: links }),
  }
}
