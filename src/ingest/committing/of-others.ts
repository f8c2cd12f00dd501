import { parseResource, type Resource, shapeOf } from '#fhir'
import { editsOf, type Stored, type Txn } from '#record'
import { withContained } from '../contained.ts'
import { textOf } from '../same.ts'
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
export function losing(stood: Resource, next: Resource, ofSeveral: boolean): readonly string[] {
  const edits = editsOf(stood)
  const bound = ofValue[stood.resourceType] ?? []
  return Object.keys(stood).filter(name => {
    const may = edits.has(name) || (ofSeveral && isSaidAlone(stood.resourceType, name))
    if (!may || name.startsWith('_') || bound.includes(name)) return false
    // Of entries with a twin none can be taken out by itself.
    if (!Array.isArray(stood[name]) || stood[`_${name}`] !== undefined || next[`_${name}`] !== undefined) return false
    const left = textsOf(next, name)
    return [...textsOf(stood, name)].some(text => !left.has(text))
  })
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
  const stood = parseResource(stored.json)
  const sought = new Map(names.map(name => [name, new Set(textsOf(stood, name))]))
  const added = new Map<string, Set<string>>()
  const changed = new Set<string>()
  const isOther = otherSenders(txn, sender)
  let version = stood
  let looked = 0
  const settle = async ({ version, before }: Step) => {
    for (const [name, texts] of sought) {
      const then = textsOf(before, name)
      const come = [...texts].filter(text => !then.has(text))
      for (const text of come) texts.delete(text)
      if (texts.size === 0) sought.delete(name)
      const whose = come.length === 0 ? undefined : await whoseOf({ version, before }, name, isOther)
      if (whose === 'others') added.set(name, new Set([...(added.get(name) ?? []), ...come]))
      if (whose === 'changed') changed.add(name)
    }
  }
  for await (const earlier of txn.before(stored)) {
    const before = parseResource(earlier.json)
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
  const now = textsOf(version, name)
  return [...textsOf(before, name)].every(text => now.has(text)) ? 'others' : 'changed'
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
  const agents = (stored === undefined ? [] : (parseResource(stored.json).agent ?? [])) as readonly Agent[]
  const author = agents.find(({ type }) => type?.coding?.some(({ code }) => code === 'author'))?.who
  return author !== undefined && textOf(author) !== textOf(sender)
}

interface Agent {
  readonly type?: { readonly coding?: readonly { readonly code?: string }[] }
  readonly who?: object
}

/** What shall stand, with the entries of others. One that says all of an entry, and more, stands for it. */
export function withOthers(next: Resource, stood: Resource, { added }: OfOthers): Resource {
  const merged = [...added].flatMap(([name, texts]) => {
    const [before, now] = [listOf(stood, name), listOf(next, name)]
    const left = textsOf(next, name)
    const kept = before.filter(entry => texts.has(textOf(entry)) && !left.has(textOf(entry)))
    if (kept.length === 0) return []
    const said = now.filter(entry => !kept.some(one => covers(one, entry)))
    const staying = new Set([...kept, ...said].map(textOf))
    const known = textsOf(stood, name)
    return [
      [
        name,
        [...before.filter(entry => staying.has(textOf(entry))), ...said.filter(entry => !known.has(textOf(entry)))],
      ],
    ]
  })
  return merged.length === 0 ? next : withContained({ ...next, ...Object.fromEntries(merged) }, stood, next)
}

function isSaidAlone(type: string, name: string): boolean {
  return type !== 'Patient' && saidAlone.has(shapeOf(type)?.elements.get(name)?.type ?? '')
}

function textsOf(resource: Resource | undefined, name: string): ReadonlySet<string> {
  return new Set(resource === undefined ? [] : listOf(resource, name).map(textOf))
}

function listOf(resource: Resource, name: string): readonly unknown[] {
  const list = resource[name]
  return Array.isArray(list) ? list : []
}
