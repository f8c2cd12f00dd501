import type { Documents } from '#vault'
import { accountOf, type Letter, type LetterDeps, letterId, onlyPatient } from './letter.ts'

/** Something that was refused, to be kept. */
export type Refused = Omit<Letter, 'id' | 'refusedAtMs' | 'lastAtMs' | 'times' | 'sizeBytes'> & {
  /** Of the content, hex: the same is kept once. */
  readonly digest: string
  readonly bytes: Buffer
}

interface Content {
  /** Base64. */
  readonly bytes: string
}

/** How much is kept for somebody, at most: what was dropped since is still counted, until it is counted anew. */
interface Fill {
  readonly letters: number
  readonly bytes: number
  readonly countedAtMs: number
}

const heads = 'ingest-letters'
const contents = 'ingest-letter-contents'
const fills = 'ingest-letter-fills'
/** A quarter of a year: a mapping is made, a patient is put right, or it is given up. */
const keptMs = 92 * 24 * 3600 * 1000
/** Counting opens all that is kept. */
const countedAgainMs = 10_000
const mostTries = 20

/**
 * Keeps what was refused, under the name of its content: what comes again is kept once, with the last reason.
 *
 * @returns whether it is kept: false when it is too long, or too much is kept already
 */
export async function keepLetter({ digest, bytes, ...refused }: Refused, deps: LetterDeps): Promise<boolean> {
  if (bytes.length > deps.limits.maxMessage) return false
  const id = letterId(refused.keeper, digest, refused.patient)
  for (let tries = 0; tries < mostTries; tries++) {
    const kept = (await again(id, refused, deps)) ?? (await anew({ ...refused, id }, bytes, deps))
    if (kept !== undefined) return kept
  }
  return false
}

type Fact = Omit<Refused, 'digest' | 'bytes'>

/** @returns undefined when it is not there, or somebody else changed it meanwhile */
async function again(id: string, fact: Fact, { record, clock }: LetterDeps): Promise<true | undefined> {
  const { documents } = record
  const known = await documents.get<Letter>(heads, id)
  if (known === undefined) return undefined
  const { value, revision } = known
  const patients = [...new Set([...value.patients, ...fact.patients])]
  const letter = { ...value, ...fact, patients, lastAtMs: clock.nowMs(), times: value.times + 1 }
  return (await documents.commit([headWrite(documents, letter, revision)])) ? true : undefined
}

/** @returns undefined when somebody else kept something meanwhile */
async function anew(fact: Fact & Pick<Letter, 'id'>, bytes: Buffer, deps: LetterDeps): Promise<boolean | undefined> {
  const { documents } = deps.record
  const nowMs = deps.clock.nowMs()
  const letter: Letter = { ...fact, refusedAtMs: nowMs, lastAtMs: nowMs, times: 1, sizeBytes: bytes.length }
  const place = await placeFor(letter, deps)
  if (place === undefined) return false
  const content: Content = { bytes: bytes.toString('base64') }
  const drafts = [
    headWrite(documents, letter, 0),
    documents.write(contents, letter.id, content, lasting(letter)),
    documents.write(fills, letter.keeper, place.fill, { ifRevision: place.revision, group: letter.keeper }),
  ]
  return (await documents.commit(drafts)) ? true : undefined
}

function headWrite(documents: Documents, letter: Letter, ifRevision: number): ReturnType<Documents['write']> {
  return documents.write(heads, letter.id, letter, { ifRevision, ...lasting(letter) })
}

function lasting({ keeper, refusedAtMs }: Letter): { readonly group: string; readonly expiresAtMs: number } {
  return { group: keeper, expiresAtMs: refusedAtMs + keptMs }
}

/** @returns undefined when there is none */
async function placeFor(
  letter: Letter,
  deps: LetterDeps,
): Promise<{ readonly fill: Fill; readonly revision: number } | undefined> {
  const { maxLetters, maxLetterBytes } = deps.limits
  const known = await deps.record.documents.get<Fill>(fills, letter.keeper)
  const revision = known?.revision ?? 0
  const fits = ({ letters, bytes }: Fill) => letters < maxLetters && bytes + letter.sizeBytes <= maxLetterBytes
  const isOld = known === undefined || Math.abs(deps.clock.nowMs() - known.value.countedAtMs) > countedAgainMs
  const fill = known !== undefined && (fits(known.value) || !isOld) ? known.value : await counted(letter.keeper, deps)
  if (fits(fill)) {
    const { letters, bytes, countedAtMs } = fill
    return { revision, fill: { letters: letters + 1, bytes: bytes + letter.sizeBytes, countedAtMs } }
  }
  // Who finds it full next is told so at once.
  if (fill !== known?.value)
    await deps.record.documents.put(fills, letter.keeper, fill, { ifRevision: revision, group: letter.keeper })
  return undefined
}

async function counted(keeper: string, { record, clock }: LetterDeps): Promise<Fill> {
  const kept = await record.documents.list<Letter>(heads, { group: keeper })
  const bytes = kept.reduce((sum, { value }) => sum + value.sizeBytes, 0)
  return { letters: kept.length, bytes, countedAtMs: clock.nowMs() }
}

/** All that is kept, or what is kept for one. */
export async function lettersOf({ record }: Pick<LetterDeps, 'record'>, keeper?: string): Promise<readonly Letter[]> {
  const found = await record.documents.list<Letter>(heads, keeper === undefined ? {} : { group: keeper })
  return found.map(({ value }) => value)
}

/** The bytes as they came; undefined when they are gone. */
export async function contentOf(id: string, { record }: Pick<LetterDeps, 'record'>): Promise<Buffer | undefined> {
  const found = await record.documents.get<Content>(contents, id)
  return found === undefined ? undefined : Buffer.from(found.value.bytes, 'base64')
}

/** Forgets a letter, what it says first: whoever is cut off in between leaves a name alone. */
export async function dropLetter({ id, keeper }: Pick<Letter, 'id' | 'keeper'>, deps: LetterDeps): Promise<void> {
  const { documents } = deps.record
  await documents.delete(contents, id)
  await documents.delete(heads, id)
  // Counted anew when the next one comes.
  await documents.delete(fills, keeper)
}

/** Forgets what was refused before and is taken in now. */
export async function letterTaken(keeper: string | undefined, digest: string, deps: LetterDeps): Promise<void> {
  if (keeper === undefined) return
  const id = letterId(keeper, digest)
  if ((await deps.record.documents.get(heads, id)) !== undefined) await dropLetter({ id, keeper }, deps)
}

/** Forgets what is kept for an account, which is deleted. */
export async function forgetLettersFor(account: string, deps: LetterDeps): Promise<void> {
  for (const letter of await lettersOf(deps)) if (accountOf(letter.keeper) === account) await dropLetter(letter, deps)
}

/** Forgets what is about a patient who is erased. */
export async function forgetLetters(patient: string, deps: LetterDeps): Promise<void> {
  for (const letter of await lettersOf(deps))
    if (letter.patients.includes(patient) || letter.patient === patient || onlyPatient(letter.keeper) === patient)
      await dropLetter(letter, deps)
}
