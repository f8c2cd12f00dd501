import { printJson, type Resource } from '#fhir'
import { editsOf } from '#record'
import { covers } from '../standing.ts'

type Node = { readonly [element: string]: unknown }

/**
 * Whether an entry of a list that is said anew takes the place of one that is there.
 *
 * @param isEdited  somebody has changed the list by hand
 */
type Supersedes = (anew: Node, stored: Node, isEdited: boolean) => boolean

/**
 * Lists that several fields feed, or several senders: a field says nothing of the entries of another. Lists that are not
 * here are said anew as a whole.
 */
const lists: Readonly<Record<string, Supersedes>> = {
  extension: same(({ url }) => url),
  identifier: same(({ system = '', value = '' }) => `${system}|${value}`),
  name: usesMeet,
  address: usesMeet,
  telecom: (anew, stored) => anew.system === stored.system && usesMeet(anew, stored),
  contact: same(({ relationship }) => JSON.stringify(relationship)),
  participant: same(({ type, actor }) => JSON.stringify([codesOf(type), kindOf(actor)])),
  result: same(({ reference }) => reference),
  specimen: same(({ reference }) => reference),
  basedOn: same(({ reference }) => reference),
  supportingInfo: same(({ reference }) => reference),
  location: same(placeIn),
  // A doctor, a practice, and who is one in a role (ROL, PRT); whom somebody has entered here is none of these.
  generalPractitioner: (anew, stored) => isHeld(stored) && areAlike(anew, stored),
  // PID-15 is the one that was said before; which of them that is cannot be told once somebody has added another.
  communication: (anew, stored, isEdited) => !isEdited || languageOf(anew) === languageOf(stored),
}

/** Lists that somebody keeps as they are meant to be: what only fills adds nothing once they were changed by hand. */
const ofOnePerson: ReadonlySet<string> = new Set(['generalPractitioner', 'communication'])

function same(of: (entry: Node) => unknown): Supersedes {
  return (anew, stored) => of(anew) === of(stored)
}

/** What has no use may be any of these; a maiden name, an alias, an old address or a number at work is said to be one. */
const everyday = new Set<unknown>([undefined, 'usual', 'official', 'home', 'mobile'])

function usesMeet(anew: Node, stored: Node): boolean {
  const [now, before] = [useOf(anew), useOf(stored)]
  if (now === before) return true
  return (now === undefined || before === undefined) && everyday.has(now) && everyday.has(before)
}

/** A use for which R4 has no word stands beside. */
function useOf({ use, _use: beside }: Node): unknown {
  return use ?? (beside === undefined ? undefined : printJson(beside))
}

/** Where the patient is, was before, or stays for a while (PV1-11); where they were to go is where they are. */
function placeIn({ status = 'active', extension }: Node): string {
  return `${status === 'planned' ? 'active' : String(status)} ${extension === undefined ? '' : printJson(extension)}`
}

/** Of what kind the one is who takes part in an appointment: a new place takes the place of a place. */
function kindOf(actor: unknown): unknown {
  const { type, reference = '' } = (actor ?? {}) as { readonly type?: string; readonly reference?: string }
  return type ?? reference.split('/')[0]
}

/** Whether two references are to one kind of resource: a doctor, somebody in a role, a practice. */
export function areAlike(one: unknown, other: unknown): boolean {
  return kindOf(one) === kindOf(other)
}

/** Whether a reference is to what its own resource contains, as all of a message are. */
export function isHeld({ reference }: Node): boolean {
  return typeof reference === 'string' && reference.startsWith('#')
}

function languageOf({ language }: Node): string {
  const { coding, text } = (language ?? {}) as Node
  const [first] = nodesOf(coding)
  return String(first?.code ?? text)
}

function codesOf(concepts: unknown): unknown {
  return nodesOf(concepts).map(({ coding }) => nodesOf(coding).map(({ code }) => code))
}

function nodesOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(one => typeof one === 'object' && one !== null) : []
}

/**
 * The lists of a resource as they are when something is said anew.
 *
 * @param replaces  what is said anew takes the place of what it meets; else it only fills what is absent: entries, and
 *                  what an entry that says the same leaves unsaid
 * @returns         only the lists that both have
 */
export function mergedLists(stored: Node, anew: Node, replaces: boolean): Node {
  const edits = editsOf(stored as Resource)
  const merged = Object.entries(lists).flatMap(([name, supersedes]) => {
    const [before, now] = [nodesOf(stored[name]), nodesOf(anew[name])]
    if (before.length === 0 || now.length === 0) return []
    const isEdited = edits.has(name)
    if (isEdited && !replaces && ofOnePerson.has(name)) return []
    const meets = (one: Node) => now.some(other => supersedes(other, one, isEdited))
    const fills = now.filter(one => !before.some(other => supersedes(one, other, isEdited)))
    const filled = before.map(one => now.find(other => covers(other, one)) ?? one)
    return [[name, replaces ? [...before.filter(one => !meets(one)), ...now] : [...filled, ...fills]]]
  })
  return Object.fromEntries(merged)
}
