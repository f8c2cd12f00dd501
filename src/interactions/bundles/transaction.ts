import { encodeResource, operationOutcome, parseReference, parseStored, problemTable, type Resource } from '#fhir'
import { giveWay, inSlices, isProblem, Problem, type Steps, spend } from '#kernel'
import type { Staged, Stored, Txn, Writer } from '#record'
import { checkReferences } from '#validation'
import { patchIn, requireSight } from '../patch/patch.ts'
import { linkPatch, readPatch } from '../patch/read-patch.ts'
import { authorise, perform } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import { type Found, findOne } from '../rest/condition.ts'
import { auditUnknown, type Deletion, deletedResponse, deleteIn } from '../rest/delete.ts'
import { matchOption, printEtag } from '../rest/etag.ts'
import { nothingFound } from '../rest/nothing-found.ts'
import { type Preferences, parsePrefer } from '../rest/prefer.ts'
import { versionUrl, writeResponse } from '../rest/stored-response.ts'
import { checkIds, checkNoneMeant, versionConditions, withId } from '../rest/update.ts'
import { checkWritable } from '../rest/writable.ts'
import type { FhirResponse, GrantedRequest, Rooms } from '../types.ts'
import { type BundleInteraction, printAnswer, printWrite } from './bundle-answer.ts'
import { answerBytes, sizeOf } from './bundle-bytes.ts'
import { atEntry, forEntry, parseEntry } from './bundle-entry.ts'
import {
  conditionalReferences,
  type Identities,
  inOrderOfReference,
  type Links,
  linksOf,
  type ReferencePlace,
  rewriteLinks,
} from './transaction-links.ts'
import { type Planned, planEntry } from './transaction-plan.ts'

/**
 * All entries or none. Deletes come first, then creates and updates, then reads, whatever their order in the Bundle;
 * conditions and conditional references are judged within the commit, at the state that the transaction starts from.
 *
 * @throws Problem of any entry, naming the entry; `invalid` · `bundle.identity-twice`; `precondition` ·
 *   `bundle.reference-unresolved`
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
export const transaction: BundleInteraction = async (given, bundle, matcher, rooms) => {
  const entries: Planned[] = []
  const judging = new Judging(bundle, rooms)
  for (const [index, entry] of given.entries()) {
    entries.push(await forEntry(index, () => checkEntry(planEntry(parseEntry(entry, index, bundle, matcher)), judging)))
    await giveWay()
  }
  const conditional = await inSlices(conditionalReferences(entries))
  const mayRepeat = conditional.size > 0 || entries.some(entry => entry.criteria !== undefined)
  const writer = rooms.record.writer(bundle.grant)
  const writes = await writer.transact(async txn => {
    const run: Run = { txn, bundle, rooms, conditional, copies: mayRepeat, writer, judging }
    const written = await writeAll(entries, run)
    await tryReads(entries, written, rooms)
    return written
  })
  for (const write of writes.values()) if (write.kind === 'deleted') auditUnknown(write, bundle.grant, rooms)
  const prefer = parsePrefer(bundle)
  const answers: (Buffer | string)[][] = []
  for (const entry of entries) {
    const write = writes.get(entry)
    answers.push(write === undefined ? await readAnswer(entry, rooms) : writeAnswer(write, bundle.baseUrl, prefer))
    await giveWay()
  }
  return { status: 200, headers: {}, body: await answerBytes({ type: 'transaction-response' }, answers) }
}

/** What can be refused before anything is looked up. */
async function checkEntry(entry: Planned, judging: Judging): Promise<Planned> {
  authorise(entry.match.route, entry.match.params, entry.request)
  const { resource } = entry
  if (resource === undefined || entry.turn === 'DELETE' || entry.turn === 'GET') return entry
  if (entry.isPatch) {
    requireSight(entry.request.grant, entry.type)
    await readPatch(entry.request)
    return entry
  }
  if (resource.resourceType !== entry.type)
    throw new Problem('invalid', 'body.type-differs', 'The resource is of another type than the URL.', {
      expression: 'resource.resourceType',
    })
  if (entry.id !== undefined) checkIds(resource, entry.id)
  await checkWritable(resource, judging)
  return entry
}

/** One run of the transaction's work; a lost race makes another. */
interface Run {
  readonly txn: Txn
  readonly bundle: GrantedRequest
  readonly rooms: Rooms
  readonly conditional: ReadonlyMap<string, ReferencePlace>
  /** Links may lead elsewhere in another run, so they are rewritten in copies. */
  readonly copies: boolean
  readonly writer: Writer
  readonly judging: Judging
}

/** What became of a writing entry. */
type Write =
  | { readonly kind: 'staged'; readonly staged: Staged }
  | { readonly kind: 'found'; readonly found: Found; readonly stored: Stored | undefined }
  | ({ readonly kind: 'deleted' } & Deletion)

async function writeAll(entries: readonly Planned[], run: Run): Promise<ReadonlyMap<Planned, Write>> {
  const found = await findAll(entries, run)
  const identities = await inSlices(identitiesOf(entries, found))
  await giveWay()
  const links = linksOf(identities)
  await resolveConditional(links, run)
  const linked = await linkAll(identities, links, run)
  const written = new Map<Planned, Write>()
  const write = async (entry: Planned, by: WriteEntry) => {
    const resource = linked.resources.get(entry)
    const referrers = linked.referrers.get(entry) ?? []
    const { txn, writer, judging } = run
    const work = () => by(entry, { txn, writer, judging, found: found.get(entry), resource, referrers })
    written.set(entry, await forEntry(entry.index, work))
    await giveWay()
  }
  for (const entry of entries) if (entry.turn === 'DELETE') await write(entry, deleteEntry)
  for (const entry of linked.order) await write(entry, writerOf(entry))
  return written
}

async function findAll(
  entries: readonly Planned[],
  { txn, bundle: asked, rooms }: Run,
): Promise<ReadonlyMap<Planned, Found>> {
  const found = new Map<Planned, Found>()
  for (const entry of entries) {
    const { type, criteria, index } = entry
    if (criteria === undefined) continue
    const one = await forEntry(index, () => findOne(txn, { type, criteria, asked, rooms }))
    if (one !== undefined) found.set(entry, one)
    await giveWay()
  }
  return found
}

/** @throws Problem `invalid` · `bundle.identity-twice` when two entries would write the same resource */
function* identitiesOf(entries: readonly Planned[], found: ReadonlyMap<Planned, Found>): Steps<Identities> {
  const identities = new Map<Planned, string>()
  const written = new Set<string>()
  for (const entry of entries) {
    yield
    const isCreated = entry.turn === 'POST' && !found.has(entry)
    const id =
      entry.id ?? found.get(entry)?.id ?? (entry.turn === 'PUT' && !entry.isPatch ? entry.resource?.id : undefined)
    if (entry.turn === 'GET' || (entry.turn === 'DELETE' && id === undefined)) continue
    const identity = `${entry.type}/${isCreated ? entry.newId : (id ?? entry.newId)}`
    if (written.has(identity))
      throw new Problem('invalid', 'bundle.identity-twice', 'Two entries would write the same resource.', {
        expression: `Bundle.entry[${entry.index}]`,
      })
    // A conditional create that found something writes nothing; several may find the same.
    if (entry.turn !== 'POST' || isCreated) written.add(identity)
    identities.set(entry, identity)
  }
  return identities
}

/** @throws Problem `precondition` · `bundle.reference-unresolved` when nothing within reach matches */
async function resolveConditional(
  links: Map<string, string>,
  { txn, bundle: asked, rooms, conditional }: Run,
): Promise<void> {
  for (const [text, { index, path }] of conditional) {
    if (links.has(text)) continue
    const { type = '', url: criteria = '' } = parseReference(text)
    const found = await forEntry(index, () => findOne(txn, { type, criteria, asked, rooms }))
    if (found === undefined) throw atEntry(unresolved(path), index)
    links.set(text, `${found.type}/${found.id}`)
  }
}

function unresolved(expression: string): Problem {
  return new Problem('precondition', 'bundle.reference-unresolved', 'A conditional reference matches nothing.', {
    expression,
  })
}

interface Linked {
  /** For each entry the resources that refer to it. */
  readonly referrers: ReadonlyMap<Planned, readonly Resource[]>
  readonly resources: ReadonlyMap<Planned, Resource>
  /** The creating and updating entries in the order in which they are to be written. */
  readonly order: readonly Planned[]
}

/** Who writes an entry that is no deletion. */
function writerOf({ turn, isPatch }: Planned): WriteEntry {
  if (isPatch) return patchEntry
  return turn === 'POST' ? createEntry : updateEntry
}

async function linkAll(identities: Identities, links: Links, { bundle, copies, judging }: Run): Promise<Linked> {
  const resources = new Map<Planned, Resource>()
  const references = new Map<Planned, Planned[]>()
  const referrers = new Map<Planned, Resource[]>()
  const byIdentity = new Map([...identities].map(([entry, identity]) => [identity, entry]))
  const base = `${bundle.baseUrl}/`
  for (const [entry, identity] of identities) {
    await giveWay()
    if (entry.resource === undefined || entry.turn === 'DELETE') continue
    const own = copies ? await copyOf(entry.resource) : entry.resource
    const resource = entry.isPatch ? await linkPatch(own, links) : own
    const targets: Planned[] = []
    const linking = rewriteLinks(resource, entry.fullUrl, links, text => {
      const target = byIdentity.get(text.startsWith(base) ? text.slice(base.length) : text)
      // What is deleted here is not written later, so nothing has to wait for it.
      if (target !== undefined && target.turn !== 'DELETE') targets.push(target)
    })
    const isReplaced = await inSlices(linking)
    // Only now is known of what type a `urn:uuid:` or a foreign fullUrl is.
    if (isReplaced && !entry.isPatch)
      await forEntry(entry.index, () => checkReferences(judging.rooms.validator, resource, judging.owner))
    resources.set(entry, resource)
    references.set(
      entry,
      targets.filter(target => !isOwnBytes(entry, target)),
    )
    // A patch says nothing of whose the resource is.
    if (entry.isPatch) continue
    const referrer = { ...resource, id: idIn(identity) }
    for (const target of new Set(targets)) {
      const known = referrers.get(target)
      if (known === undefined) referrers.set(target, [referrer])
      else known.push(referrer)
    }
  }
  return { resources, referrers, order: inOrderOfReference([...resources.keys()], references) }
}

async function copyOf(resource: Resource): Promise<Resource> {
  return parseStored(await inSlices(encodeResource(resource)))
}

/** The photo of a Patient who comes with it goes to the compartment that the Patient opens, so it is written afterwards. */
function isOwnBytes(from: Planned, to: Planned): boolean {
  return from.type === 'Patient' && to.type === 'Binary'
}

/** `Patient/1` → `1` */
function idIn(identity: string): string {
  return identity.slice(identity.indexOf('/') + 1)
}

/** What writing one entry needs. */
interface Writing {
  readonly txn: Txn
  readonly found: Found | undefined
  readonly resource: Resource | undefined
  /** Entries that refer to this one: what names nobody belongs where these belong. */
  readonly referrers: readonly Resource[]
  readonly writer: Writer
  readonly judging: Judging
}

type WriteEntry = (entry: Planned, writing: Writing) => Promise<Write>

const deleteEntry: WriteEntry = async (entry, { txn, found, writer }) => {
  const { type, request } = entry
  const id = entry.id ?? found?.id
  if (id === undefined) return { kind: 'deleted' }
  return { kind: 'deleted', ...(await deleteIn(txn, { type, id, ...matchOption(request) }, writer, request.grant)) }
}

const createEntry: WriteEntry = async (entry, { txn, found, resource, referrers }) => {
  if (found !== undefined) return { kind: 'found', found, stored: await txn.read(entry.type, found.id) }
  return { kind: 'staged', staged: await txn.create(present(resource), { id: entry.newId, referrers }) }
}

const updateEntry: WriteEntry = async (entry, { txn, found, resource, referrers }) => {
  const given = present(resource)
  const id = entry.id ?? found?.id ?? given.id
  const options = versionConditions(entry.request)
  if (id === undefined) {
    checkNoneMeant(options)
    return { kind: 'staged', staged: await txn.create(given, { id: entry.newId, referrers }) }
  }
  const staged = await txn.update(entry.type, id, withId(given, id), { ...options, referrers, unlessSame: true })
  return { kind: 'staged', staged }
}

const patchEntry: WriteEntry = async (entry, { txn, found, resource, referrers, writer, judging }) => {
  const id = entry.id ?? found?.id
  if (id === undefined) throw nothingFound()
  const change = await readPatch({ ...entry.request, resource: present(resource) })
  const asked = { ...matchOption(entry.request), type: entry.type, id, change, referrers }
  return { kind: 'staged', staged: await patchIn(txn, asked, writer, judging) }
}

function present(resource: Resource | undefined): Resource {
  if (resource === undefined) throw new TypeError('a writing entry has a resource')
  return resource
}

/**
 * Reads what the transaction asks to read, before it commits: if that cannot be answered, nothing is to be written. What
 * the transaction itself writes can be read once it is written.
 */
async function tryReads(
  entries: readonly Planned[],
  written: ReadonlyMap<Planned, Write>,
  rooms: Rooms,
): Promise<void> {
  const own = new Set<string>()
  for (const write of written.values()) if (write.kind === 'staged') own.add(`${write.staged.type}/${write.staged.id}`)
  for (const entry of entries)
    if (entry.turn === 'GET' && !own.has(`${entry.type}/${entry.id}`)) await tryRead(entry, rooms)
}

/** What could not be answered for its size is refused before anything is written. */
async function tryRead(entry: Planned, rooms: Rooms): Promise<void> {
  await giveWay()
  await forEntry(entry.index, async () => {
    spend('answered', sizeOf(printAnswer(await perform(entry.match, entry.request, rooms))))
  })
}

async function readAnswer(entry: Planned, rooms: Rooms): Promise<(Buffer | string)[]> {
  try {
    return printAnswer(await perform(entry.match, entry.request, rooms))
  } catch (error) {
    if (!isProblem(error)) throw error
    const { httpStatus } = problemTable[error.kind]
    return printAnswer({ status: httpStatus, headers: {} }, operationOutcome(atEntry(error, entry.index)))
  }
}

function writeAnswer(write: Write, baseUrl: string, prefer: Preferences): (Buffer | string)[] {
  return printWrite(responseTo(write, baseUrl, prefer), prefer.return)
}

function responseTo(write: Write, baseUrl: string, prefer: Preferences): FhirResponse {
  if (write.kind === 'staged') return writeResponse(write.staged, write.staged.created ? 201 : 200, { baseUrl, prefer })
  if (write.kind === 'deleted') return deletedResponse(write.deleted, prefer)
  const { found, stored } = write
  if (stored !== undefined) return writeResponse(stored, 200, { baseUrl, prefer })
  return { status: 200, headers: { etag: printEtag(found.version), location: versionUrl(baseUrl, found) } }
}
