import { type Grant, patientsInReach, permits, requirePermission, withheldFrom } from '#access'
import { Problem, spend } from '#kernel'
import type { Holder, Query, Restricted } from '#search'
import type { CompartmentId } from '#store'
import { type Asked, namesAsked, textAsked } from '../audit/asked.ts'
import type { ReadAudit } from '../audit/audit.ts'
import type { Contents } from '../contents/contents.ts'
import type { Consents } from '../registry/consents.ts'
import { idErased } from '../registry/erased.ts'
import type { Registry } from '../registry/registry.ts'
import type {
  Followed,
  FollowedTo,
  FollowRequest,
  HistoryPage,
  HistoryRequest,
  Moved,
  OpenedCursor,
  Reader,
  SearchPage,
  Stored,
  WriterOptions,
} from '../types.ts'
import type { Absences } from './absences.ts'
import { type Cursors, cursorInvalid, type SearchPosition } from './cursors.ts'
import { unlessErasedBeside } from './erased-beside.ts'
import type { Following } from './following.ts'
import type { Histories } from './history.ts'
import type { Questions } from './questions.ts'
import type { Reach } from './reach.ts'
import { Room } from './room.ts'
import { type AsOf, withoutLost } from './searched.ts'
import type { Sighting } from './sighting.ts'

/** What readers share, whoever's they are. */
export interface ReaderRooms {
  readonly reach: Reach
  readonly questions: Questions
  readonly registry: Registry
  readonly cursors: Cursors
  readonly audit: ReadAudit
  readonly histories: Histories
  readonly following: Following
  readonly sighting: Sighting
  readonly contents: Contents
  readonly consents: Consents
  readonly absences: Absences
  /** A keyed digest of a text too long to be kept. */
  digestOf(text: string): string
}

const defaultCount = 50
/** Characters of a search that its own link still shows; of a longer one it is sealed like that of another page. */
const longestInLink = 4_000

export class GrantReader implements Reader {
  protected readonly grant: Grant
  readonly #rooms: ReaderRooms

  readonly #imports: WriterOptions['imports']

  constructor(grant: Grant, rooms: ReaderRooms, { imports }: Pick<WriterOptions, 'imports'> = {}) {
    this.grant = grant
    this.#rooms = rooms
    this.#imports = imports
  }

  /**
   * The grant with what Consents withhold from it at this moment. What only moves what is there moves all of it; and who brings what a
   * source has said in nobody's name is told nothing by that, and has to find again what it brought before.
   */
  protected async asking(): Promise<Grant> {
    const { account, actor } = this.grant
    const isSource = this.#imports === 'source' && account === undefined && actor.kind !== 'account'
    return this.#imports === 'moves' || isSource ? this.grant : this.#rooms.consents.bound(this.grant)
  }

  async read(type: string, id: string): Promise<Stored> {
    requirePermission(this.grant, 'r', type)
    const { reach, registry, sighting, absences } = this.#rooms
    const grant = await this.asking()
    const sought = reach.sought(type, id)
    const stored = await unlessErasedBeside(registry, () => reach.durable(grant, sought))
    if (stored === undefined) throw await this.#absent(type, id, grant)
    if (!(await sighting.visible(grant, 'r', stored))) throw await absences.of(type, grant)
    if (stored.deleted) throw gone()
    await this.noteShown('read', stored)
    return stored
  }

  async vread(type: string, id: string, version: string): Promise<Stored> {
    const stored = await this.#shown(type, id, version)
    if (stored === undefined) throw await this.#rooms.absences.of(type, await this.asking())
    if (stored.deleted) throw new Problem('gone', 'record.deleted', 'This version is the deletion of the resource.')
    await this.noteShown('vread', stored)
    return stored
  }

  async shows(type: string, id: string, version: string): Promise<boolean> {
    return permits(this.grant, 'r', type) && (await this.#shown(type, id, version)) !== undefined
  }

  /** A version, or its deletion, if the grant may see it at this moment. */
  async #shown(type: string, id: string, version: string): Promise<Stored | undefined> {
    requirePermission(this.grant, 'r', type)
    const { reach, registry, sighting } = this.#rooms
    if (!/^[1-9][0-9]{0,8}$/.test(version)) return undefined
    const grant = await this.asking()
    const sought = reach.sought(type, id)
    const stored = await unlessErasedBeside(registry, () => reach.version(grant, sought, Number(version)))
    return stored !== undefined && (await sighting.visible(grant, 'r', stored)) ? stored : undefined
  }

  async *content({ holder, content }: Stored, from?: number, until?: number): AsyncGenerator<Buffer, void, void> {
    if (content !== undefined) yield* this.#rooms.contents.read(holder, content, from, until)
  }

  async history(request: HistoryRequest): Promise<HistoryPage> {
    const { histories, registry } = this.#rooms
    const grant = await this.asking()
    const page = await unlessErasedBeside(registry, () => histories.page(request, grant))
    for (const stored of page.items) await this.noteShown('history', stored)
    return page
  }

  async search(query: Restricted<Query>, cursor?: string): Promise<SearchPage> {
    const position = cursor === undefined ? undefined : await this.#position(cursor, query)
    const grant = await this.asking()
    const seen = withheldFrom(query, grant)
    return unlessErasedBeside(this.#rooms.registry, () => withoutLost(() => this.#page(seen, position, grant)))
  }

  async #page(query: Restricted<Query>, position: SearchPosition | undefined, grant: Grant): Promise<SearchPage> {
    const searched = await this.#rooms.questions.searched(this.grant, query, position?.asOf)
    const { asOf } = searched
    const count = position?.count ?? query.count ?? defaultCount
    const offset = position?.offset ?? query.offset ?? 0
    const found = await searched.answer(query, offset)
    const room = new Room()
    const opened = await searched.open(found.matches, stored => room.takes(stored))
    const cut = room.isFull ? opened.reduce((sum, { parts }) => sum + (parts?.length ?? 1), 0) : undefined
    // What is included belongs to what is on the page.
    const shown = cut === undefined ? found : await searched.answer({ ...query, count: cut }, offset)
    const isAsItWas = position !== undefined && grant.withheld !== undefined
    const stillSeen = (all: readonly Stored[]) => (isAsItWas ? this.#stillSeen(all, grant) : all)
    const matches = await stillSeen(opened)
    const included = await stillSeen(await searched.open(shown.included, charged))
    await this.noteAsked(query, [...matches, ...included])
    const at = (to: number) => this.#rooms.cursors.seal(this.#positionAt(query, to, count, asOf), this.grant)
    return {
      matches,
      included,
      unreadable: searched.unreadable,
      ...(found.total === undefined ? {} : { total: found.total }),
      ...(query.text.length > longestInLink ? { self: await at(offset) } : {}),
      ...(found.more || cut !== undefined ? { next: await at(offset + (cut ?? count)) } : {}),
      ...(offset > 0 ? { previous: await at(Math.max(0, offset - count)), first: await at(0) } : {}),
    }
  }

  /** A page is as of when the first one was asked for; what it says now decides on what Consents withhold. */
  async #stillSeen(opened: readonly Stored[], grant: Grant): Promise<readonly Stored[]> {
    const seen: Stored[] = []
    for (const stored of opened)
      if (stored.holder.kind === 'commons' || (await this.#rooms.sighting.visible(grant, 's', stored)))
        seen.push(stored)
    return seen
  }

  /** What went out of reach is told as a deletion, as its history tells it; whoever reaches everybody may know that somebody was erased. */
  async #absent(type: string, id: string, grant: Grant): Promise<Problem> {
    const { reach, sighting, absences } = this.#rooms
    const left = await reach.removal(grant, reach.sought(type, id))
    if (left !== undefined && (await sighting.visible(grant, 'r', left))) return gone()
    const isTold = type === 'Patient' && patientsInReach(grant) === 'all'
    return isTold && (await reach.isErased(id)) ? idErased() : absences.of(type, grant)
  }

  async openCursor(cursor: string): Promise<OpenedCursor> {
    const position = await this.#rooms.cursors.open(cursor, this.grant)
    if (position.kind !== 'search') throw cursorInvalid()
    return { type: position.type, text: position.text }
  }

  followFrom(): Promise<FollowedTo> {
    return this.#rooms.following.begin(this.grant)
  }

  async follow(from: FollowedTo, moved: Moved, request: FollowRequest): Promise<Followed> {
    return this.#rooms.following.after(await this.asking(), from, moved, request)
  }

  async #position(cursor: string, query: Query): Promise<SearchPosition> {
    const position = await this.#rooms.cursors.open(cursor, this.grant)
    if (position.kind !== 'search' || position.text !== query.text) throw cursorInvalid()
    return position
  }

  #positionAt(query: Query, offset: number, count: number, asOf: AsOf): SearchPosition {
    const { types, soughtWithin: [type] = types.length === 1 ? types : [] } = query
    return { kind: 'search', type, text: query.text, offset, count, asOf }
  }

  /** Records with each whose it is that a version was shown. */
  async noteShown(kind: 'read' | 'vread' | 'history' | 'export', stored: Stored): Promise<void> {
    const { audit, registry } = this.#rooms
    const { holder, copies, type, id, version } = stored
    const entity = kind === 'read' ? `${type}/${id}` : `${type}/${id}/_history/${version}`
    audit.note({ kind, grant: this.grant, holder: registry.auditOf(holder), entity })
    if (copies.length === 0) return
    // Whoever else it belongs to may have come by another process.
    await registry.refresh()
    for (const owner of copies.map(compartment => registry.known(compartment)))
      if (owner !== undefined) audit.note({ kind, grant: this.grant, holder: registry.auditOf(owner), entity })
  }

  /**
   * The text goes to the instance, once however many patients were asked; to a patient goes that a search found what is theirs
   * or named them, and by which parameters, for the values may speak of others.
   */
  async noteAsked(query: Query, shown: readonly Stored[]): Promise<void> {
    const { audit, registry, digestOf } = this.#rooms
    const note = (holder: Holder, asked: Asked) =>
      audit.note({ kind: 'search', grant: this.grant, holder, query: asked })
    note(registry.instanceAudit, textAsked(query, digestOf))
    const concerned = new Set([
      ...shown.flatMap(ownersOf),
      ...(await this.#rooms.questions.namedWithin(this.grant, query)),
    ])
    const names = namesAsked(query)
    for (const compartment of concerned) {
      const owner = registry.known(compartment)
      if (owner?.patient !== undefined) note(registry.auditOf(owner), names)
    }
  }
}

const ownersOf = ({ holder, copies }: Stored): readonly CompartmentId[] => [holder.compartment, ...copies]

/** What is included has no page of its own to go on. */
function charged({ json }: Stored): boolean {
  spend('answered', json.length)
  return true
}

/** https://hl7.org/fhir/R4/http.html#read */
function gone(): Problem {
  return new Problem('gone', 'record.deleted', 'The resource has been deleted.')
}
