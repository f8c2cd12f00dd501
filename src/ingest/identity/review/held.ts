import { beyondPatient, type Grant, homeInReach, patientsToTouch, requireBeyondPatient } from '#access'
import { Problem } from '#kernel'
import type { Record } from '#record'
import type { Format } from '../../format.ts'
import type { KeptFile, KeptFiles } from '../../source/kept-files.ts'
import type { IdentityElement } from '../judge.ts'
import { mergedInto } from '../merging/lineage.ts'

/** Why something waits. */
export interface Doubt {
  /** Ids of those whom it may be about. */
  readonly patients: readonly string[]
  readonly elements: readonly IdentityElement[]
  /** Which of the people in it is meant, counted from 0. */
  readonly nth: number
  /** What it says of that person: elements of a Patient. */
  readonly incoming: { readonly [element: string]: unknown }
  /** It is about those patients on the word of accounts alone, and may be about somebody whom they do not know: none of them decides. */
  readonly onTheirWord?: true
}

/** Whom a person says that it is about: a Patient of this server, or somebody new. */
export type Choice = { readonly patient: string } | { readonly patient: 'new' }

/** Something that waits until a person says whom it is about. */
export interface Held {
  readonly id: string
  readonly state: 'waiting' | 'deciding' | 'accepted' | 'rejected'
  readonly format: Format
  /** Unix milliseconds. */
  readonly heldAtMs: number
  readonly doubt: Doubt
  /** What was said so far, by the number of the person in it. */
  readonly choices: { readonly [nth: number]: string }
  /** Whoever sent it speaks for the house: its numbers are those that they name. */
  readonly isVouched?: true
  /** The bytes as they came, base64; gone once it is decided. */
  readonly bytes?: string
  /** A file in place of bytes; gone with them. */
  readonly file?: KeptFile
  /** The id that somebody new gets, so that a decision that is made again makes nobody twice. */
  readonly newPatient?: string
  /** For whom it is being taken in, or was when that was cut off or broke off after something had been written. */
  readonly begun?: string
  /** When it was last heard of, Unix milliseconds; a decision that was cut off may be made again after a while. */
  readonly decidingSinceMs?: number
}

export interface Holding {
  readonly record: Record
  readonly clock: { nowMs(): number }
}

export interface ReviewDeps extends Holding {
  readonly keptFiles: KeptFiles
  /** How often it is said that a decision goes on; every 20 seconds. */
  readonly renewEveryMs?: number
}

const collection = 'ingest-review'
/** Half a year: whoever looks less often has to ask the sender again. */
const keptMs = 183 * 24 * 3600 * 1000
const mostBytes = 1024 ** 2
/** Of things that wait for one patient. */
const mostHeld = 200
/** After which a decision of which nothing is heard any more may be made again: its process has ended. */
const cutOffMs = 2 * 60 * 1000
const renewEveryMs = 20_000

/** What waits: a message as it came, or a file. */
export type HeldContent = Pick<Held, 'format' | 'bytes' | 'file' | 'newPatient' | 'isVouched'>

/**
 * Keeps a message until a person decides, under the name of its digest: what comes again waits once.
 *
 * @returns whether it waits; false when it is too long, too much waits for the patient, or a person has rejected it
 */
export async function hold(
  id: string,
  { bytes, isVouched }: { readonly bytes: Buffer; readonly isVouched: boolean },
  doubt: Doubt,
  deps: Holding,
): Promise<boolean> {
  const known = await knownState(id, deps)
  if (known !== undefined) return known !== 'rejected'
  if (bytes.length > mostBytes) return false
  const vouched = isVouched ? { isVouched } : {}
  return holdContent(id, { format: 'hl7v2', bytes: bytes.toString('base64'), ...vouched }, doubt, deps)
}

/** What became of something that came before. */
export async function knownState(id: string, { record }: Holding): Promise<Held['state'] | undefined> {
  return (await record.documents.get<Held>(collection, id))?.value.state
}

/** @returns whether it waits; false when too much waits for the patient */
export async function holdContent(id: string, content: HeldContent, doubt: Doubt, deps: Holding): Promise<boolean> {
  const [group = ''] = doubt.patients
  if ((await waitingFor(group, deps)).length >= mostHeld) return false
  const heldAtMs = deps.clock.nowMs()
  const held: Held = { id, state: 'waiting', heldAtMs, doubt, choices: {}, ...content }
  await deps.record.documents.put(collection, id, held, { ifRevision: 0, group, expiresAtMs: heldAtMs + keptMs })
  deps.record.audit({ action: 'import', outcome: 'failure', detail: 'held until a person decides' })
  return true
}

/** What waits for a patient. */
export async function waitingFor(patient: string, { record }: Holding): Promise<readonly Held[]> {
  const found = await record.documents.list<Held>(collection, { group: patient })
  return found.map(({ value }) => value).filter(isOpen)
}

/** Forgets what waits for a patient who is erased: the key of a file with the rest, and then the file. */
export async function forgetHeld(patient: string, deps: ReviewDeps): Promise<void> {
  for await (const { value } of deps.record.documents.each<Held>(collection))
    if (value.doubt.patients.includes(patient)) await forget(value, deps)
}

async function forget({ id, file }: Held, { record, keptFiles }: ReviewDeps): Promise<void> {
  await record.documents.delete(collection, id)
  if (file !== undefined) await keptFiles.drop(file.name)
}

/** The files of everything that is known, whoever it concerns. */
export async function namesOfFiles({ record }: Holding): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const { value } of record.documents.each<Held>(collection))
    if (value.file !== undefined) names.add(value.file.name)
  return names
}

function isOpen({ state }: Held): boolean {
  return state === 'waiting' || state === 'deciding'
}

/** What waits, without what came: of a list of them that would be very much. */
export type Listed = Omit<Held, 'bytes'>

/** What of what waits is shown to somebody. */
interface Sight {
  readonly reach: readonly string[] | 'all'
  /** Whether they see everybody. */
  readonly isHouse: boolean
}

/** @throws Problem `forbidden` · `scope.missing` */
function sightOf(grant: Grant): Sight {
  requireBeyondPatient(grant, ['r', 'u'], 'Patient')
  const reach = patientsToTouch(beyondPatient(grant), ['r', 'u'], 'Patient')
  return { reach, isHouse: homeInReach(grant) === 'all' }
}

function isShown(held: Held, { reach, isHouse }: Sight): boolean {
  const { patients, onTheirWord = false } = held.doubt
  const isReached = reach === 'all' || patients.every(patient => reach.includes(patient))
  return isOpen(held) && isReached && (isHouse || !onTheirWord)
}

/**
 * What waits and concerns only patients whom the grant may change, under `user/` or `system/` terms, oldest first. What concerns
 * somebody who was erased is forgotten. What is about them on the word of accounts alone is shown to those who see everybody.
 *
 * @throws Problem `forbidden` · `scope.missing`
 */
export async function listHeld(grant: Grant, deps: ReviewDeps): Promise<readonly Listed[]> {
  const sight = sightOf(grant)
  const { reach } = sight
  const found = reach === 'all' ? await heldOfAll(sight, deps) : await heldOf(reach, sight, deps)
  return found.toSorted(byAge)
}

async function heldOfAll(sight: Sight, deps: ReviewDeps): Promise<readonly Listed[]> {
  const known = new Set(await deps.record.allPatients())
  const shown: Listed[] = []
  for await (const { value } of deps.record.documents.each<Held>(collection))
    if (!value.doubt.patients.every(patient => known.has(patient))) await forget(value, deps)
    else if (isShown(value, sight)) shown.push(listed(value))
  return shown
}

/** Nothing is looked at but what waits for these patients, so that neither damage to what is others' nor its size shows. */
async function heldOf(reach: readonly string[], sight: Sight, { record }: Holding): Promise<readonly Listed[]> {
  const shown: Listed[] = []
  for (const patient of new Set(reach))
    for (const { value } of await record.documents.list<Held>(collection, { group: patient }))
      if (isShown(value, sight)) shown.push(listed(value))
  const kept = new Set(await record.keptAmong(new Set(shown.flatMap(({ doubt }) => doubt.patients))))
  return shown.filter(({ doubt }) => doubt.patients.every(patient => kept.has(patient)))
}

function listed({ bytes: _, ...known }: Held): Listed {
  return known
}

/** Oldest first; of the same millisecond by id, so that pages go on where they ended. */
function byAge(one: Pick<Held, 'heldAtMs' | 'id'>, other: Pick<Held, 'heldAtMs' | 'id'>): number {
  return one.heldAtMs - other.heldAtMs || Number(one.id > other.id) - Number(one.id < other.id)
}

/** A part of what waits. */
export interface PageAsked {
  readonly count: number
  /** Where the last page ended. */
  readonly after?: Pick<Held, 'heldAtMs' | 'id'>
}

/** @returns `next` where more waits behind */
export async function pageOfHeld(
  grant: Grant,
  { count, after }: PageAsked,
  deps: ReviewDeps,
): Promise<{ readonly held: readonly Listed[]; readonly next?: PageAsked }> {
  const all = await listHeld(grant, deps)
  const behind = after === undefined ? all : all.filter(one => byAge(one, after) > 0)
  const held = behind.slice(0, count)
  const last = held.at(-1)
  return { held, ...(last !== undefined && behind.length > count ? { next: { count, after: last } } : {}) }
}

/** @throws Problem `not-found` · `ingest.review-unknown`, also for what concerns others; `forbidden` · `scope.missing` */
export async function findHeld(id: string, grant: Grant, deps: ReviewDeps): Promise<Held> {
  const sight = sightOf(grant)
  const held = (await deps.record.documents.get<Held>(collection, id))?.value
  if (held === undefined || !isShown(held, sight)) throw unknownHeld()
  const { patients } = held.doubt
  if ((await deps.record.keptAmong(patients)).length < patients.length) throw unknownHeld()
  return held
}

function unknownHeld(): Problem {
  return new Problem('not-found', 'ingest.review-unknown', 'Nothing of this id waits for a decision.')
}

/** The decision of one person, of several who decide at once. */
export interface Deciding {
  readonly held: Held
  readonly revision: number
  /** Whether it has been begun before, for the same patient. */
  readonly isAgain: boolean
}

/**
 * Takes something into one's hands to decide it.
 *
 * @param choice  for whom it is to be taken in, if it is
 * @throws Problem as `findHeld`; `conflict` · `ingest.review-decided` when somebody else was faster, `ingest.review-begun` when
 *   it has been taken in for somebody else in part
 */
export async function beginDeciding(
  id: string,
  choice: string | undefined,
  grant: Grant,
  deps: ReviewDeps,
): Promise<Deciding> {
  await findHeld(id, grant, deps)
  const { documents } = deps.record
  const found = await documents.get<Held>(collection, id)
  if (found === undefined || !isFree(found.value, deps)) throw decided()
  const { begun, ...free } = found.value
  const isAgain = begun !== undefined && (await isSame(begun, choice, deps))
  if (begun !== undefined && !isAgain) await checkBegun(begun, deps)
  const whom = choice === undefined ? {} : { begun: choice }
  const held: Held = { ...free, ...whom, state: 'deciding', decidingSinceMs: deps.clock.nowMs() }
  if (!(await write(held, found.revision, deps))) throw decided()
  return { held, revision: found.revision + 1, isAgain }
}

/** Whether what was begun for one patient goes on for another choice: also for whom that patient was merged into since. */
async function isSame(begun: string, choice: string | undefined, { record }: ReviewDeps): Promise<boolean> {
  if (choice === undefined || begun === choice) return begun === choice
  return (await mergedInto(record.documents, choice)).includes(begun)
}

/** What lies with one patient in part goes to no other one, and is not thrown away as if it lay nowhere. */
async function checkBegun(begun: string, { record }: ReviewDeps): Promise<void> {
  if (begun !== 'new' && !(await record.keepsPatient(begun))) return
  const text =
    'A decision was cut off, and a part of this may be with a patient: decide for the same one, as the audit names it.'
  throw new Problem('conflict', 'ingest.review-begun', text, { expression: 'patient' })
}

/** Whoever decides is heard of again and again, by a clock that may have been set back meanwhile. */
function isFree({ state, decidingSinceMs = 0 }: Held, { clock }: ReviewDeps): boolean {
  return state === 'waiting' || (state === 'deciding' && Math.abs(clock.nowMs() - decidingSinceMs) > cutOffMs)
}

function decided(): Problem {
  const text =
    'Somebody else has decided this, or is about to. If that was cut off, it can be decided again after two minutes.'
  return new Problem('conflict', 'ingest.review-decided', text)
}

/**
 * Says again and again that a decision goes on while it is carried out: reading a file takes as long as it takes, and what a killed
 * process had in hand is free soon.
 *
 * @returns what the work gives, and the decision as it is noted then
 */
export async function inHand<T>(
  deciding: Deciding,
  deps: ReviewDeps,
  work: () => Promise<T>,
): Promise<{ readonly result: PromiseSettledResult<T>; readonly deciding: Deciding }> {
  let current = deciding
  let renewed: Promise<void> = Promise.resolve()
  const renew = async () => {
    const held = { ...current.held, decidingSinceMs: deps.clock.nowMs() }
    if (await write(held, current.revision, deps)) current = { ...current, held, revision: current.revision + 1 }
  }
  const timer = setInterval(() => {
    // A store that does not answer now may do so the next time.
    renewed = renewed.then(renew).catch(() => undefined)
  }, deps.renewEveryMs ?? renewEveryMs)
  const [result] = await Promise.allSettled([work()])
  clearInterval(timer)
  await renewed
  return { result, deciding: current }
}

/** Ends a decision: done, or waiting again when it could not be carried out or another person in it is doubtful too. */
export async function endDeciding({ held, revision }: Deciding, next: Partial<Held>, deps: ReviewDeps): Promise<void> {
  const { begun, ...known } = held
  const { decidingSinceMs, bytes, file, ...rest } = { ...known, ...next }
  const isDone = rest.state === 'accepted' || rest.state === 'rejected'
  const content = { ...(bytes === undefined ? {} : { bytes }), ...(file === undefined ? {} : { file }) }
  await write({ ...rest, ...(isDone ? {} : content) }, revision, deps)
  // After its key is forgotten: whoever is cut off in between leaves what nobody can open.
  if (isDone && file !== undefined) await deps.keptFiles.drop(file.name)
}

function write(held: Held, ifRevision: number, { record }: ReviewDeps): Promise<boolean> {
  const [group = ''] = held.doubt.patients
  return record.documents.put(collection, held.id, held, { ifRevision, group, expiresAtMs: held.heldAtMs + keptMs })
}

/** @throws Problem `forbidden` · `scope.missing` unless the grant may take in somebody new */
export function requireTakingIn(grant: Grant): void {
  requireBeyondPatient(grant, ['c'], 'Patient')
}
