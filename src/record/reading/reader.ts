import { type Grant, patientsInReach, requirePermission } from '#access'
import { Problem, spend } from '#kernel'
import type { Holder, Query, Restricted } from '#search'
import type { CompartmentId } from '#store'
import { type Asked, namesAsked, textAsked } from '../audit/asked.ts'
import type { ReadAudit } from '../audit/audit.ts'
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
} from '../types.ts'
import { type Cursors, cursorInvalid, type SearchPosition } from './cursors.ts'
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
  /** A keyed digest of a text too long to be kept. */
  digestOf(text: string): string
}

const defaultCount = 50
/** Characters of a search that its own link still shows; of a longer one it is sealed like that of another page. */
const longestInLink = 4_000

export class GrantReader implements Reader {
  protected readonly grant: Grant
  readonly #rooms: ReaderRooms

  constructor(grant: Grant, rooms: ReaderRooms) {
    this.grant = grant
    this.#rooms = rooms
  }

  async read(type: string, id: string): Promise<Stored> {
    requirePermission(this.grant, 'r', type)
    const { reach, sighting } = this.#rooms
    const stored = await reach.durable(this.grant, reach.locator(type, id), { type, id })
    if (stored === undefined) throw await this.#absent(type, id)
    if (!(await sighting.visible(this.grant, 'r', stored))) throw unknown()
    if (stored.deleted) throw gone()
    await this.noteShown('read', stored)
    return stored
  }

  async vread(type: string, id: string, version: string): Promise<Stored> {
    requirePermission(this.grant, 'r', type)
    const { reach } = this.#rooms
    if (!/^[1-9][0-9]{0,8}$/.test(version)) throw unknown()
    const stored = await reach.version(this.grant, reach.locator(type, id), Number(version))
    if (stored === undefined || !(await this.#rooms.sighting.visible(this.grant, 'r', stored))) throw unknown()
    if (stored.deleted) throw new Problem('gone', 'record.deleted', 'This version is the deletion of the resource.')
    await this.noteShown('vread', stored)
    return stored
  }

  async history(request: HistoryRequest): Promise<HistoryPage> {
    const page = await this.#rooms.histories.page(request, this.grant)
    for (const stored of page.items) await this.noteShown('history', stored)
    return page
  }

  async search(query: Restricted<Query>, cursor?: string): Promise<SearchPage> {
    const position = cursor === undefined ? undefined : await this.#position(cursor, query)
    return withoutLost(() => this.#page(query, position))
  }

  async #page(query: Restricted<Query>, position: SearchPosition | undefined): Promise<SearchPage> {
    const searched = await this.#rooms.questions.searched(this.grant, query, position?.asOf)
    const { asOf } = searched
    const count = position?.count ?? query.count ?? defaultCount
    const offset = position?.offset ?? query.offset ?? 0
    const found = await searched.answer(query, offset)
    const room = new Room()
    const matches = await searched.open(found.matches, stored => room.takes(stored))
    const cut = room.isFull ? matches.length : undefined
    // What is included belongs to what is on the page.
    const shown = cut === undefined ? found : await searched.answer({ ...query, count: cut }, offset)
    const included = await searched.open(shown.included, charged)
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

  /** Whoever reaches everybody may know that somebody was here and was erased. */
  /** What went out of reach is told as a deletion, as its history tells it. */
  async #absent(type: string, id: string): Promise<Problem> {
    const { reach, sighting } = this.#rooms
    const left = await reach.removal(this.grant, reach.locator(type, id))
    if (left !== undefined && (await sighting.visible(this.grant, 'r', left))) return gone()
    const isTold = type === 'Patient' && patientsInReach(this.grant) === 'all'
    return isTold && (await reach.isErased(id)) ? idErased() : unknown()
  }

  async openCursor(cursor: string): Promise<OpenedCursor> {
    const position = await this.#rooms.cursors.open(cursor, this.grant)
    if (position.kind !== 'search') throw cursorInvalid()
    return { type: position.type, text: position.text }
  }

  followFrom(): Promise<FollowedTo> {
    return this.#rooms.following.begin(this.grant)
  }

  follow(from: FollowedTo, moved: Moved, request: FollowRequest): Promise<Followed> {
    return this.#rooms.following.after(this.grant, from, moved, request)
  }

  async #position(cursor: string, query: Query): Promise<SearchPosition> {
    const position = await this.#rooms.cursors.open(cursor, this.grant)
    if (position.kind !== 'search' || position.text !== query.text) throw cursorInvalid()
    return position
  }

  #positionAt(query: Query, offset: number, count: number, asOf: AsOf): SearchPosition {
    const type = query.types.length === 1 ? query.types[0] : undefined
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
      if (owner?.kind === 'patient') note(registry.auditOf(owner), names)
    }
  }
}

const ownersOf = ({ holder, copies }: Stored): readonly CompartmentId[] => [holder.compartment, ...copies]

/** What is included has no page of its own to go on. */
function charged({ json }: Stored): boolean {
  spend('answered', json.length)
  return true
}

function unknown(): Problem {
  return new Problem('not-found', 'record.unknown', 'No such resource is known.')
}

/** https://hl7.org/fhir/R4/http.html#read */
function gone(): Problem {
  return new Problem('gone', 'record.deleted', 'The resource has been deleted.')
}
