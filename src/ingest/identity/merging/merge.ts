import type { Grant } from '#access'
import { parseResource, type Resource, toInstant } from '#fhir'
import { Problem } from '#kernel'
import type { Stored, Txn } from '#record'
import { claimsOf } from '../claims.ts'
import { survivorOf } from '../identify.ts'
import { compare, type IdentityElement } from '../judge.ts'
import { checkBoth, compartmentOf, currentPatient, linksWithout, listOf, type MergeDeps, movingGrant } from './both.ts'
import { type Merge, type Moved, mergeOf, writeMerge, writeSlice } from './lineage.ts'
import { turnReferences } from './rewrite.ts'

export interface MergeRequest {
  readonly grant: Grant
  /** Id of the Patient that loses: what is theirs becomes the other's. */
  readonly source: string
  /** Id of the Patient that stays. */
  readonly target: string
  /** Says what would be, and does nothing. */
  readonly preview?: boolean
}

/** What became of a merge, or would. */
export interface Merged {
  readonly state: 'preview' | 'merged'
  /** The Patient that stays, as it is then. */
  readonly result: Resource
  /** Resources that changed their patient; of a preview at most `most`. */
  readonly moved: number
  /** Elements by which the two Patients differ. */
  readonly differing: readonly IdentityElement[]
}

/** Resources of one commit. A patient with fewer is merged in one commit, one with more in several that can be taken up. */
const sliceSize = 1000

/**
 * Merges one Patient into another. The one that loses becomes inactive and says by whom it was replaced; its numbers become
 * old numbers of the other; what is theirs moves to the other's compartment, its references with it. What came from whom at
 * which version is kept, so that it can be undone. Asked again it goes on where it was cut off, and changes nothing when it
 * was done.
 *
 * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown`; `unprocessable` · `ingest.merge-same`;
 *   `conflict` · `ingest.merge-replaced`
 * @see https://hl7.org/fhir/patient-operation-merge.html
 */
export async function mergePatients(
  { grant, source, target, preview }: MergeRequest,
  deps: MergeDeps,
): Promise<Merged> {
  if (source === target)
    throw new Problem('unprocessable', 'ingest.merge-same', 'A Patient cannot be merged into itself.', {
      expression: 'target-patient',
    })
  await checkBoth(grant, [source, target], deps.record)
  if (preview === true) return previewOf({ grant, source, target }, deps)
  const moving = movingGrant(grant, target)
  const mover = new Mover(source, target, moving, deps)
  let before = ''
  let done: Merged | undefined
  for (;;) {
    const slice = await compartmentOf(moving, source, deps, sliceSize)
    const names = slice.map(({ type, id, version }) => `${type}/${id}/${version}`).join()
    // What was written while it was looked at came before the merge, and goes along; after it nothing more comes.
    if (done !== undefined && (slice.length === 0 || names === before))
      return { ...done, result: await currentPatient(moving, target, deps) }
    const progress = await mover.move(slice)
    // The same slice twice: what does not move would keep the loop going for ever.
    if (progress.state === 'moving' && names === before)
      throw new Problem('fault', 'ingest.failed', 'What belongs to the Patient cannot be moved.')
    if (progress.state === 'merged') done = { ...progress, differing: done?.differing ?? progress.differing }
    before = names
  }
}

async function previewOf({ grant, source, target }: MergeRequest, deps: MergeDeps): Promise<Merged> {
  const moving = movingGrant(grant, target)
  const { before, after } = await deps.record
    .writer(moving)
    .transact(txn => readBoth(txn, source, target, deps.baseUrl))
  const moved = await compartmentOf(moving, source, deps, sliceSize)
  const result = winnerOf(after, before, source)
  return { state: 'preview', result, moved: moved.length, differing: differingOf(before, after) }
}

interface Both {
  /** The Patient that loses, and the one that stays. */
  readonly before: Resource
  readonly after: Resource
  readonly storedBefore: Stored
  readonly storedAfter: Stored
}

/** @throws Problem `not-found` · `record.unknown`; `conflict` · `ingest.merge-replaced` */
async function readBoth(txn: Txn, source: string, target: string, baseUrl: string): Promise<Both> {
  const storedBefore = await txn.read('Patient', source)
  const storedAfter = await txn.read('Patient', target)
  if (storedBefore === undefined || storedAfter === undefined)
    throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
  const before = parseResource(storedBefore.json)
  const after = parseResource(storedAfter.json)
  const [survivor, other] = [survivorOf(before, baseUrl), survivorOf(after, baseUrl)]
  // Of two who each say that the other one took their place, whoever merges them says which one did.
  const isCircle = survivor === target && other === source
  if (!isCircle && (other !== undefined || ![undefined, target].includes(survivor)))
    throw new Problem('conflict', 'ingest.merge-replaced', 'One of the Patients was merged into another one before.')
  return { before, after, storedBefore, storedAfter }
}

function differingOf(before: Resource, after: Resource): readonly IdentityElement[] {
  // Two numbers of one hospital are the reason for most merges.
  const withoutNumbers = (patient: Resource) => ({ ...claimsOf(patient), identifiers: [] })
  return compare(withoutNumbers(before), withoutNumbers(after)).elements
}

class Mover {
  readonly #source: string
  readonly #target: string
  readonly #grant: Grant
  readonly #deps: MergeDeps

  constructor(source: string, target: string, grant: Grant, deps: MergeDeps) {
    this.#source = source
    this.#target = target
    this.#grant = grant
    this.#deps = deps
  }

  /** One commit: the Patients, unless they were merged before, and a slice of what is theirs. */
  move(slice: readonly Stored[]): Promise<Merged | { readonly state: 'moving' }> {
    return this.#deps.record.writer(this.#grant, { imports: 'moves' }).transact(txn => this.#stage(txn, slice))
  }

  async #stage(txn: Txn, slice: readonly Stored[]): Promise<Merged | { readonly state: 'moving' }> {
    const { documents } = this.#deps.record
    const { value, revision } = await mergeOf(documents, this.#source)
    const both = await readBoth(txn, this.#source, this.#target, this.#deps.baseUrl)
    const { baseUrl } = this.#deps
    const isCircle = survivorOf(both.after, baseUrl) === this.#source
    const isMerged = !isCircle && survivorOf(both.before, baseUrl) === this.#target
    if (isMerged && slice.length === 0 && value?.state !== 'moving')
      return { state: 'merged', result: both.after, moved: value?.moved ?? 0, differing: [] }
    const known = isMerged ? value : undefined
    txn.note('merge of two Patients')
    const merge = known ?? (await this.#stagePatients(txn, both))
    const moved = await this.#stageSlice(txn, slice)
    const isLast = slice.length < sliceSize
    const next: Merge = {
      ...merge,
      state: isLast ? 'merged' : 'moving',
      slices: merge.slices + 1,
      moved: merge.moved + moved.length,
    }
    txn.document(writeSlice(documents, merge, merge.slices, moved))
    txn.document(writeMerge(documents, next, revision))
    if (!isLast) return { state: 'moving' }
    const result = isMerged ? both.after : winnerOf(both.after, both.before, this.#source)
    return { state: 'merged', result, moved: next.moved, differing: differingOf(both.before, both.after) }
  }

  async #stagePatients(txn: Txn, { before, after, storedBefore, storedAfter }: Both): Promise<Merge> {
    const [source, target] = [this.#source, this.#target]
    const winner = await txn.update('Patient', target, winnerOf(after, before, source))
    const loser = await txn.update('Patient', source, loserOf(before, target))
    await txn.merged(source, target)
    const atMs = this.#deps.clock.nowMs()
    await txn.create(provenanceOf(source, target, atMs, this.#grant))
    return {
      source,
      target,
      atMs,
      state: 'moving',
      sourceStep: { from: storedBefore.version, to: loser.version },
      targetStep: { from: storedAfter.version, to: winner.version },
      slices: 0,
      moved: 0,
    }
  }

  async #stageSlice(txn: Txn, slice: readonly Stored[]): Promise<readonly Moved[]> {
    const turned = slice.map(({ type, id, json }) => ({ type, id, ...this.#turn(parseResource(json)) }))
    // What follows another resource finds it in its new place.
    const first = turned.filter(one => one.turned.length > 0)
    const then = turned.filter(one => one.turned.length === 0)
    const moved: Moved[] = []
    for (const { type, id } of [...first, ...then]) {
      const stored = await txn.read(type, id)
      if (stored === undefined) continue
      const { resource, turned: paths, namesBoth } = this.#turn(parseResource(stored.json))
      const { version } = await txn.update(type, id, resource)
      moved.push({ type, id, from: stored.version, to: version, ...(namesBoth ? { paths } : {}) })
    }
    return moved
  }

  #turn(resource: Resource) {
    return turnReferences(resource, this.#source, this.#target, this.#deps.baseUrl)
  }
}

/** The Patient that stays: its own, with the numbers of the other as old ones. */
function winnerOf(after: Resource, before: Resource, source: string): Resource {
  const known = new Set(listOf(after, 'identifier').map(numberOf))
  const added = listOf(before, 'identifier').filter(one => !known.has(numberOf(one)))
  const identifier = [...listOf(after, 'identifier'), ...added.map(one => ({ ...(one as object), use: 'old' }))]
  const link = linked({ ...after, link: linksWithout(after, source, 'replaced-by') }, source, 'replaces')
  return { ...after, ...(identifier.length === 0 ? {} : { identifier }), link }
}

function numberOf(identifier: unknown): string {
  const { system, value } = identifier as { readonly system?: string; readonly value?: string }
  return JSON.stringify([system, value])
}

function loserOf(before: Resource, target: string): Resource {
  return { ...before, active: false, link: linked(before, target, 'replaced-by') }
}

function linked(patient: Resource, other: string, type: 'replaces' | 'replaced-by'): readonly unknown[] {
  return [...linksWithout(patient, other, type), { other: { reference: `Patient/${other}` }, type }]
}

/** https://terminology.hl7.org/CodeSystem-iso-21089-lifecycle.html */
function provenanceOf(source: string, target: string, atMs: number, { actor }: Grant): Resource {
  return {
    resourceType: 'Provenance',
    target: [{ reference: `Patient/${target}` }],
    recorded: toInstant(atMs),
    activity: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle', code: 'merge' }],
      text: 'Merge of two Patients',
    },
    agent: [{ who: { display: actor.display ?? actor.kind } }],
    entity: [{ role: 'source', what: { reference: `Patient/${source}` } }],
  }
}
