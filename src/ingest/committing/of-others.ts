import { parseStored, type Resource, shapeOf } from '#fhir'
import { inSlices, type Steps } from '#kernel'
import { editsOf, type Stored, type Txn } from '#record'
import { withContained } from '../contained.ts'
import { textOf, textsOf } from '../same.ts'
import { covers } from '../standing.ts'

/** What is not this sender's of lists that would lose something. */
export interface OfOthers {
  /** Entries that are not this sender's to take away, as text, by element. */
  readonly added: ReadonlyMap<string, ReadonlySet<string>>
  /** The lists of which goes what somebody has put in the place of something else by hand. */
  readonly changed: ReadonlySet<string>
}

export const ofNobody: OfOthers = { added: new Map(), changed: new Set() }

/** Entries of these types say one thing each: whoever adds one or changes one has said it beside the others. */
const saidAlone: ReadonlySet<string> = new Set([
  'Annotation',
  'Attachment',
  'CodeableConcept',
  'Coding',
  'Identifier',
  'Reference',
  'RelatedArtifact',
])

/** What is said of a value goes with it: HL7 table 0085, C. */
const ofValue: Readonly<Record<string, readonly string[]>> = {
  Observation: ['component', 'interpretation', 'referenceRange'],
}

/** The lists that would lose entries, of which somebody else may have given some. */
export function* losing(stood: Resource, next: Resource, ofSeveral: boolean): Steps<readonly string[]> {
  const edits = editsOf(stood)
  const bound = ofValue[stood.resourceType] ?? []
  const mayLose = Object.keys(stood).filter(name => {
    const may = edits.has(name) || (ofSeveral && isSaidAlone(stood.resourceType, name))
    if (!may || name.startsWith('_') || bound.includes(name)) return false
    // Of entries with a twin none can be taken out by itself.
    return Array.isArray(stood[name]) && stood[`_${name}`] === undefined && next[`_${name}`] === undefined
  })
  const names: string[] = []
  for (const name of mayLose) {
    const left = yield* entriesOf(next, name)
    if (!(yield* entriesOf(stood, name)).isSubsetOf(left)) names.push(name)
  }
  return names
}

/** More versions are not looked at: what has stood for so long its sender has said again. */
const mostVersions = 100

/** A version, and the one before it. */
interface Step {
  readonly version: Resource
  readonly before: Resource | undefined
}

/**
 * Which entries of lists somebody else has given: by hand, or another sender. Each is of whoever wrote the first version of those,
 * without a gap, that have it.
 *
 * @param sender  who says now, as a Provenance has it; undefined when that is not known: then imports are of one
 */
export async function ofOthers(
  txn: Txn,
  stored: Stored,
  names: readonly string[],
  sender: object | undefined,
): Promise<OfOthers> {
  const stood = await parseStored(stored.json)
  const sought = new Map<string, Set<string>>()
  for (const name of names) sought.set(name, await inSlices(entriesOf(stood, name)))
  const added = new Map<string, Set<string>>()
  const changed = new Set<string>()
  const isOther = otherSenders(txn, sender)
  let version = stood
  let looked = 0
  const settle = async ({ version, before }: Step) => {
    for (const [name, texts] of sought) {
      const then = await inSlices(entriesOf(before, name))
      const come = [...texts].filter(text => !then.has(text))
      for (const text of come) texts.delete(text)
      if (texts.size === 0) sought.delete(name)
      const whose = come.length === 0 ? undefined : await whoseOf({ version, before }, name, isOther)
      if (whose === 'others') added.set(name, new Set([...(added.get(name) ?? []), ...come]))
      if (whose === 'changed') changed.add(name)
    }
  }
  for await (const earlier of txn.before(stored)) {
    const before = await parseStored(earlier.json)
    await settle({ version, before })
    if (sought.size === 0 || ++looked === mostVersions) return { added, changed }
    version = before
  }
  await settle({ version, before: undefined })
  return { added, changed }
}

type IsOther = (source: string) => Promise<boolean>

/** Whose is what came into a list with a version: somebody else has added it, or has put it in the place of something; or it is the sender's. */
async function whoseOf(
  { version, before }: Step,
  name: string,
  isOther: IsOther,
): Promise<'others' | 'changed' | undefined> {
  const source = String(version.meta?.source ?? '')
  const isImport = source.startsWith('Provenance/')
  const isByHand = !isImport || (before !== undefined && editsOf(version).get(name) !== editsOf(before).get(name))
  if (isSaidAlone(version.resourceType, name)) return isByHand || (await isOther(source)) ? 'others' : undefined
  if (!isByHand || before === undefined) return undefined
  const now = await inSlices(entriesOf(version, name))
  return (await inSlices(entriesOf(before, name))).isSubsetOf(now) ? 'others' : 'changed'
}

/** Whether a run was of another sender; what does not say whose it was is of this one. */
function otherSenders(txn: Txn, sender: object | undefined): IsOther {
  const known = new Map<string, boolean>()
  return async source => {
    if (sender === undefined) return false
    const isOther = known.get(source) ?? (await isOfAnother(txn, source, sender))
    known.set(source, isOther)
    return isOther
  }
}

async function isOfAnother(txn: Txn, source: string, sender: object): Promise<boolean> {
  const stored = await txn.read('Provenance', source.slice('Provenance/'.length))
  const agents = (stored === undefined ? [] : ((await parseStored(stored.json)).agent ?? [])) as readonly Agent[]
  const author = agents.find(({ type }) => type?.coding?.some(({ code }) => code === 'author'))?.who
  return author !== undefined && textOf(author) !== textOf(sender)
}

interface Agent {
  readonly type?: { readonly coding?: readonly { readonly code?: string }[] }
  readonly who?: object
}

/** What shall stand, with the entries of others. One that says all of an entry, and more, stands for it. */
export function* withOthers(next: Resource, stood: Resource, { added }: OfOthers): Steps<Resource> {
  const merged: [string, readonly unknown[]][] = []
  for (const [name, texts] of added) {
    const entries = yield* withEntries(listOf(next, name), listOf(stood, name), texts)
    if (entries !== undefined) merged.push([name, entries])
  }
  return merged.length === 0 ? next : withContained({ ...next, ...Object.fromEntries(merged) }, stood, next)
}

/** What is compared in one go: each that is said with each that is kept. */
const comparedAtATime = 1_000

/** A list with those entries of the one that stood that are others'; undefined where it has all of them. */
function* withEntries(
  now: readonly unknown[],
  before: readonly unknown[],
  others: ReadonlySet<string>,
): Steps<readonly unknown[] | undefined> {
  const [textsNow, textsBefore] = [yield* textsOf(now), yield* textsOf(before)]
  const left = new Set(textsNow)
  const isKept = (text: string | undefined) => text !== undefined && others.has(text) && !left.has(text)
  const kept = before.filter((_, at) => isKept(textsBefore[at]))
  if (kept.length === 0) return undefined
  const said = new Set<number>()
  let compared = 0
  for (const [at, entry] of now.entries()) {
    if (!kept.some(one => covers(one, entry))) said.add(at)
    compared += kept.length
    if (compared < comparedAtATime) continue
    compared = 0
    yield
  }
  const staying = new Set(textsNow.filter((_, at) => said.has(at)))
  const known = new Set(textsBefore)
  return [
    ...before.filter((_, at) => isKept(textsBefore[at]) || staying.has(textsBefore[at] ?? '')),
    ...now.filter((_, at) => said.has(at) && !known.has(textsNow[at] ?? '')),
  ]
}

function isSaidAlone(type: string, name: string): boolean {
  return type !== 'Patient' && saidAlone.has(shapeOf(type)?.elements.get(name)?.type ?? '')
}

function* entriesOf(resource: Resource | undefined, name: string): Steps<Set<string>> {
  return new Set(resource === undefined ? [] : yield* textsOf(listOf(resource, name)))
}

function listOf(resource: Resource, name: string): readonly unknown[] {
  const list = resource[name]
  return Array.isArray(list) ? list : []
}
