import type { Actor, Grant } from '#access'
import type { Resource } from '#fhir'
import { toInstant } from '#fhir'
import { type Clock, spend } from '#kernel'
import type { Holder } from '#search'
import type { AuditNote } from '../types.ts'
import type { Asked } from './asked.ts'
import type { Gathered as GatheredRefusals } from './refusals.ts'

/** One kind of event, as https://hl7.org/fhir/R4/auditevent.html codes it. */
interface AuditKind {
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  /** http://hl7.org/fhir/restful-interaction, or our own code for what is none. */
  readonly subtype: string
  /** What the subtype does not say. */
  readonly note?: string
}

export const auditKinds = {
  read: { action: 'R', subtype: 'read' },
  vread: { action: 'R', subtype: 'vread' },
  history: { action: 'R', subtype: 'history' },
  search: { action: 'E', subtype: 'search' },
  export: { action: 'R', subtype: 'operation', note: 'bulk export' },
  create: { action: 'C', subtype: 'create' },
  update: { action: 'U', subtype: 'update' },
  delete: { action: 'D', subtype: 'delete' },
  transaction: { action: 'E', subtype: 'transaction' },
} as const satisfies { [name: string]: AuditKind }

export type AuditKindName = keyof typeof auditKinds

/** What was done to one compartment by one grant. */
export interface Deed {
  readonly kind: AuditKindName
  readonly actor: Actor
  readonly purpose: string | undefined
  readonly fromMs: number
  readonly untilMs: number
  readonly patient: string | undefined
  /** `Observation/1` or `Observation/1/_history/2`. */
  readonly entities: readonly string[]
  /** More entities than are listed. */
  readonly unlisted: number
  readonly queries: readonly Asked[]
  readonly note: string | undefined
}

const systems = {
  type: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
  interaction: 'http://hl7.org/fhir/restful-interaction',
  own: 'https://kinhold.org/fhir/audit-action',
  actor: 'https://kinhold.org/fhir/actor',
  role: 'http://terminology.hl7.org/CodeSystem/object-role',
  purpose: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
} as const

/** Entities listed in one AuditEvent; beyond that it says how many more there were. */
export const listedEntities = 100

/** The AuditEvent of a deed: https://hl7.org/fhir/R4/auditevent.html, after the IHE BALP patterns. */
export function auditEventOf(deed: Deed): Resource {
  const { action, subtype } = auditKinds[deed.kind]
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.type, code: 'rest', display: 'RESTful Operation' },
    subtype: [{ system: systems.interaction, code: subtype }],
    action,
    ...(deed.untilMs > deed.fromMs ? { period: { start: toInstant(deed.fromMs), end: toInstant(deed.untilMs) } } : {}),
    recorded: toInstant(deed.untilMs),
    outcome: '0',
    ...(deed.note === undefined ? {} : { outcomeDesc: deed.note }),
    ...purposeOf(deed.purpose),
    agent: [agentOf(deed.actor)],
    source: { observer: { display: 'Kinhold' } },
    entity: entitiesOf(deed),
  }
}

/** The AuditEvent of what happened outside the FHIR interactions: logins, tokens, refusals, imports. */
export function auditEventOfNote(note: AuditNote, nowMs: number, gathered?: GatheredRefusals): Resource {
  const said = [note.detail, gathered && `${gathered.count} times`].filter(text => text !== undefined)
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.own, code: note.action },
    action: 'E',
    ...(gathered === undefined ? {} : { period: { start: toInstant(gathered.fromMs), end: toInstant(nowMs) } }),
    recorded: toInstant(nowMs),
    outcome: note.outcome === 'success' ? '0' : '8',
    ...(said.length === 0 ? {} : { outcomeDesc: said.join(', ') }),
    agent: [note.actor === undefined ? { requestor: true } : agentOf(note.actor)],
    source: { observer: { display: 'Kinhold' } },
    ...(note.patient === undefined ? {} : { entity: [patientEntity(note.patient)] }),
  }
}

function agentOf(actor: Actor): object {
  const who =
    actor.fhirUser === undefined
      ? { identifier: { system: systems.actor, value: actor.id } }
      : { reference: actor.fhirUser }
  const name = actor.display === undefined ? {} : { name: actor.display }
  const client = actor.clientId === undefined ? {} : { altId: actor.clientId }
  return { who, ...client, ...name, requestor: true }
}

function purposeOf(purpose: string | undefined): object {
  return purpose === undefined ? {} : { purposeOfEvent: [{ coding: [{ system: systems.purpose, code: purpose }] }] }
}

function patientEntity(patient: string): object {
  return { what: { reference: `Patient/${patient}` }, role: { system: systems.role, code: '1' } }
}

/** Either a name or a query, not both: constraint sev-1 of AuditEvent. */
function queryEntity({ name, text, digest, bytes }: Asked): object {
  const role = { system: systems.role, code: '24' }
  if (text === undefined) return { role, name }
  const cut = [
    { type: 'digest', valueString: digest },
    { type: 'bytes', valueString: String(bytes) },
  ]
  return { role, query: Buffer.from(text).toString('base64'), ...(digest === undefined ? {} : { detail: cut }) }
}

function entitiesOf(deed: Deed): object[] {
  const patient = deed.patient === undefined ? [] : [patientEntity(deed.patient)]
  const listed = deed.entities.map(reference => ({ what: { reference } }))
  const queries = deed.queries.map(queryEntity)
  const rest = deed.unlisted === 0 ? [] : [{ description: `and ${deed.unlisted} more` }]
  return [...patient, ...listed, ...queries, ...rest]
}

interface Gathered {
  readonly holder: Holder
  readonly deed: Omit<Deed, 'entities' | 'unlisted' | 'queries' | 'untilMs'>
  readonly entities: Set<string>
  /** By what tells one from another. */
  readonly queries: Map<string, Asked>
  unlisted: number
  untilMs: number
}

/** What a read touched. */
export interface Touch {
  readonly kind: AuditKindName
  readonly grant: Grant
  readonly holder: Holder
  readonly entity?: string
  readonly query?: Asked
}

/** Where gathered records go. */
export interface AuditWay {
  write(events: readonly { holder: Holder; event: Resource }[]): Promise<void>
  /** @throws Problem when no more of them can be kept */
  check(): void
}

/**
 * Gathers the records of reads for at most `windowMs`, so that a thousand reads by one grant of one patient become one
 * AuditEvent with their list. Writes are never gathered: their record is in their own commit.
 */
export class ReadAudit {
  readonly #clock: Clock
  readonly #windowMs: number
  readonly #outbox: AuditWay
  #gathered: Gathered[] = []
  /** What is gathered, by compartment, grant and kind: a key made of all three would have to be made for each read. */
  #places = new Map<string, Map<string, Map<AuditKindName, Gathered>>>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(clock: Clock, windowMs: number, outbox: AuditWay) {
    this.#clock = clock
    this.#windowMs = windowMs
    this.#outbox = outbox
  }

  /** @throws Problem `full` · `record.audit-waiting`; `too-costly` · `budget.audited-exceeded` */
  note(touch: Touch): void {
    this.#outbox.check()
    const { kind, grant, holder, entity, query } = touch
    const known = this.#places.get(holder.compartment)?.get(grant.id)?.get(kind)
    const gathered = known ?? this.#begin(touch)
    gathered.untilMs = this.#clock.nowMs()
    if (query !== undefined) rememberQuery(query, gathered)
    if (entity !== undefined) remember(entity, gathered)
  }

  /** Writes what has been gathered; resolves when it is durable. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#gathered.length === 0) return this.#writing
    const events = this.#gathered.map(gathered => ({
      holder: gathered.holder,
      event: auditEventOf({
        ...gathered.deed,
        untilMs: gathered.untilMs,
        entities: [...gathered.entities],
        queries: [...gathered.queries.values()],
        unlisted: gathered.unlisted,
      }),
    }))
    this.#gathered = []
    this.#places = new Map()
    this.#writing = this.#writing.then(() => this.#outbox.write(events))
    return this.#writing
  }

  #begin({ kind, grant, holder }: Touch): Gathered {
    spend('audited', 1)
    const nowMs = this.#clock.nowMs()
    const gathered: Gathered = {
      holder,
      deed: {
        kind,
        actor: grant.actor,
        purpose: grant.purpose,
        fromMs: nowMs,
        patient: holder.patient,
        note: (auditKinds[kind] as AuditKind).note,
      },
      entities: new Set(),
      queries: new Map(),
      unlisted: 0,
      untilMs: nowMs,
    }
    this.#gathered.push(gathered)
    const ofCompartment = this.#places.get(holder.compartment) ?? new Map<string, Map<AuditKindName, Gathered>>()
    const ofGrant = ofCompartment.get(grant.id) ?? new Map<AuditKindName, Gathered>()
    this.#places.set(holder.compartment, ofCompartment.set(grant.id, ofGrant.set(kind, gathered)))
    this.#timer ??= setTimeout(() => void this.flush(), this.#windowMs).unref()
    return gathered
  }
}

function remember(entity: string, gathered: Gathered): void {
  const { entities } = gathered
  if (entities.size < listedEntities) entities.add(entity)
  else if (!entities.has(entity)) gathered.unlisted++
}

function rememberQuery(asked: Asked, gathered: Gathered): void {
  const { queries } = gathered
  const key = asked.digest ?? asked.text ?? asked.name ?? ''
  if (queries.size < listedEntities) queries.set(key, asked)
  else if (!queries.has(key)) gathered.unlisted++
}
