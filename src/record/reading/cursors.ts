import type { Grant } from '#access'
import { type Clock, isProblem, Problem, toUtf8 } from '#kernel'
import type { CompartmentId } from '#store'
import type { Documents, Vault } from '#vault'
import type { AsOf } from './searched.ts'

/** Where a page of a search begins, and the state as of which it is evaluated, so that pages do not shift. */
export interface SearchPosition {
  readonly kind: 'search'
  readonly type: string | undefined
  readonly text: string
  readonly offset: number
  readonly count: number
  readonly asOf: AsOf
}

/** Where a page of a history goes on: below these seqs, behind so many versions of one resource, or below an instant. */
export interface HistoryPosition {
  readonly kind: 'history'
  readonly of: string
  /** Of one resource: the last version that was shown. */
  readonly belowVersion: number
  /** Of many: what was written later was looked at, wherever it lies. */
  readonly untilMs?: number
  /** With an instant: of these compartments what was written at that very one, down to these seqs. */
  readonly below: readonly (readonly [CompartmentId, number])[]
}

export type Position = SearchPosition | HistoryPosition

type PackedPosition =
  | (Omit<SearchPosition, 'asOf'> & { readonly asOf: string })
  | (Omit<HistoryPosition, 'untilMs' | 'below'> & { readonly below: string })

interface Envelope {
  readonly expiresAtMs: number
  readonly position?: PackedPosition
  /** Name of the document that holds what is too long for a URL: the same one for all pages of a search. */
  readonly kept?: string
  readonly page?: Page
}

type Page = Pick<SearchPosition, 'offset' | 'count'>

const collection = 'cursors'
const lifeMs = 3_600_000
const longestInUrl = 1500

/** Page links: sealed, so that they show no parameter, and bound to the grant, so that nobody else can use them. */
export class Cursors {
  readonly #vault: Vault
  readonly #documents: Documents
  readonly #clock: Clock

  constructor(vault: Vault, documents: Documents, clock: Clock) {
    this.#vault = vault
    this.#documents = documents
    this.#clock = clock
  }

  async seal(position: Position, grant: Grant): Promise<string> {
    const expiresAtMs = this.#clock.nowMs() + lifeMs
    const short = this.#seal({ expiresAtMs, position: packed(position) }, grant)
    if (short.length <= longestInUrl) return short
    const { page, rest } = position.kind === 'search' ? withoutPage(position) : { page: undefined, rest: position }
    const digest = this.#vault.mac('cursor.kept', toUtf8(JSON.stringify(rest))).toString('base64url')
    const kept = `${grant.id} ${digest}`
    await this.#documents.put(collection, kept, rest, { expiresAtMs })
    return this.#seal({ expiresAtMs, kept, ...(page === undefined ? {} : { page }) }, grant)
  }

  /** @throws Problem `invalid` · `record.cursor-invalid`, the same for forged, foreign and expired ones */
  async open(cursor: string, grant: Grant): Promise<Position> {
    const envelope = this.#open(cursor, grant)
    if (envelope.expiresAtMs <= this.#clock.nowMs()) throw cursorInvalid()
    if (envelope.position !== undefined) return unpacked(envelope.position)
    const kept =
      envelope.kept === undefined ? undefined : await this.#documents.get<Position>(collection, envelope.kept)
    if (kept === undefined) throw cursorInvalid()
    return { ...kept.value, ...envelope.page }
  }

  #seal(envelope: Envelope, grant: Grant): string {
    return this.#vault.sealUnder('cursor', toUtf8(JSON.stringify(envelope)), toUtf8(grant.id)).toString('base64url')
  }

  #open(cursor: string, grant: Grant): Envelope {
    try {
      const bytes = Buffer.from(cursor, 'base64url')
      return JSON.parse(this.#vault.openUnder('cursor', bytes, toUtf8(grant.id)).toString('utf8'))
    } catch (error) {
      if (isProblem(error)) throw cursorInvalid()
      throw error
    }
  }
}

function withoutPage(position: SearchPosition): { readonly page: Page; readonly rest: SearchPosition } {
  const { offset, count } = position
  return { page: { offset, count }, rest: { ...position, offset: 0, count: 0 } }
}

const compartmentLength = 32
const seqLength = 8
/** Before an instant, which no compartment's id begins with. */
const instantMark = '@'
const instantLength = 11

/**
 * Seqs of equal width: a link has the same length however much was written to the compartments it names, for some of
 * them, the commons, hold what the reader cannot see.
 */
function packHeads(heads: readonly (readonly [CompartmentId, number])[]): string {
  return heads.map(([compartment, seq]) => compartment + seq.toString(36).padStart(seqLength, '0')).join('')
}

function unpackHeads(text: string): [CompartmentId, number][] {
  const heads: [CompartmentId, number][] = []
  for (let at = 0; at < text.length; at += compartmentLength + seqLength) {
    const seqAt = at + compartmentLength
    heads.push([text.slice(at, seqAt), Number.parseInt(text.slice(seqAt, seqAt + seqLength), 36)])
  }
  return heads
}

/** Of equal width too, for many write to what is asked of everybody. */
function packInstant(untilMs: number, heads: readonly (readonly [CompartmentId, number])[]): string {
  return `${instantMark}${untilMs.toString(36).padStart(instantLength, '0')}${packHeads(heads)}`
}

function unpackInstant(text: string): { readonly untilMs?: number; readonly heads: [CompartmentId, number][] } {
  if (!text.startsWith(instantMark)) return { heads: unpackHeads(text) }
  const end = 1 + instantLength
  return { untilMs: Number.parseInt(text.slice(1, end), 36), heads: unpackHeads(text.slice(end)) }
}

function packAsOf(asOf: AsOf): string {
  return asOf.kind === 'heads' ? packHeads(asOf.heads) : packInstant(asOf.untilMs, asOf.arrivals)
}

function unpackAsOf(text: string): AsOf {
  const { untilMs, heads } = unpackInstant(text)
  return untilMs === undefined ? { kind: 'heads', heads } : { kind: 'instant', untilMs, arrivals: heads }
}

function packBelow({ untilMs, below }: HistoryPosition): string {
  return untilMs === undefined ? packHeads(below) : packInstant(untilMs, below)
}

function unpackBelow(text: string): Pick<HistoryPosition, 'untilMs' | 'below'> {
  const { heads, ...rest } = unpackInstant(text)
  return { ...rest, below: heads }
}

function packed(position: Position): PackedPosition {
  if (position.kind === 'search') return { ...position, asOf: packAsOf(position.asOf) }
  const { untilMs: _, ...rest } = position
  return { ...rest, below: packBelow(position) }
}

function unpacked(position: PackedPosition): Position {
  return position.kind === 'search'
    ? { ...position, asOf: unpackAsOf(position.asOf) }
    : { ...position, ...unpackBelow(position.below) }
}

/** The one answer to every cursor that is not good. */
export function cursorInvalid(): Problem {
  return new Problem('invalid', 'record.cursor-invalid', 'The page link is not valid, is not yours, or has expired.')
}
