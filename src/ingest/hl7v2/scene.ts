import type { MapContext, Outcome } from '../outcome.ts'
import type { Steps } from '../turns.ts'
import type { Given, Unheard } from './given.ts'
import { Ledger } from './ledger.ts'
import { field, type Message, part, type Repetition, type Segment, value } from './message.ts'
import { saidAtMs } from './said-at.ts'
import type { Sending } from './senders.ts'
import { type Group, groupsOf, segmentOf } from './structure.ts'
import type { MessageRow } from './tables.ts'

export type Elements = Readonly<Record<string, unknown>>

/** What the segments of one patient's group are mapped with. */
export interface Scene {
  readonly message: Message
  readonly row: MessageRow
  /** The group of one PID: nothing of another patient is in reach. */
  readonly patient: Group
  readonly context: MapContext
  readonly zone: string
  /** When the sender said it, Unix milliseconds. */
  readonly saidAtMs: number | undefined
  /** The sending facility: its numbers are its own, whichever of its systems sends them. */
  readonly sender: string
  /** `Encounter/…` of this group's visit, once it is mapped. */
  readonly encounter: string | undefined
  readonly ledger: Ledger
  readonly outcomes: Outcome[]
  /** Segments that have an outcome of their own, with the place of the first among `outcomes`. */
  readonly said: Map<Segment, number>
  /** Segments that went into the resource of another segment. */
  readonly joined: Map<Segment, Segment>
  /** How often each key was met, to number what nothing else tells apart. */
  readonly met: Map<string, number>
  /** What became of each `""`, by its place as ERR-2 has it: a field may be one of several resources. */
  readonly nulls: Map<string, 'carried out' | Outcome>
  /** What rules gave for resources that are not made yet. */
  readonly given: Given[]
  /** Fields that were read, and are in no resource. */
  readonly unheard: Unheard[]
  /** Segments of which a resource was made. */
  readonly made: Set<Segment>
}

/** Makes what a group of segments says into outcomes; what may be long yields. */
export type Mapper = (scene: Scene, group: Group) => Steps<void> | void

/** A message that is read, and how. */
interface Sent {
  readonly message: Message
  readonly row: MessageRow
  readonly sending: Sending
}

/** A scene of one patient group, with nothing said yet. */
export function openScene({ message, row, sending }: Sent, patient: Group, context: MapContext): Scene {
  const { zone } = sending
  return {
    message,
    row,
    patient,
    context,
    zone,
    saidAtMs: saidAtMs(message, zone),
    sender: value(message.msh, 4) || value(message.msh, 3),
    encounter: undefined,
    ledger: new Ledger(),
    outcomes: [],
    said: new Map(),
    joined: new Map(),
    met: new Map(),
    nulls: new Map(),
    given: [],
    unheard: [],
    made: new Set(),
  }
}

/** Numbers what has the same key as something before it in the message: 0, 1, 2. */
export function nth(scene: Scene, key: string): number {
  const number = scene.met.get(key) ?? 0
  scene.met.set(key, number + 1)
  return number
}

/** The id under which a resource stands that its sender knows by `key`. */
export function idOf({ context, sender }: Scene, resourceType: string, key: readonly string[]): string {
  return context.fingerprint('hl7v2', sender, resourceType, ...key)
}

/** PV1-19, else PV1-50, with its authority: what an encounter is known by. */
export function visitNumber(scene: Scene): string | undefined {
  const visit = visitId(scene)
  return visit && `${part(visit, 1)}|${part(visit, 4)}|${part(visit, 4, 2)}`
}

/** Who gave the visit its number: a laboratory repeats that of the hospital, and means the same visit. */
export function visitAuthority(scene: Scene): string | undefined {
  const visit = visitId(scene)
  return [2, 1].map(subcomponent => part(visit, 4, subcomponent)).find(text => text !== '')
}

function visitId({ patient }: Scene): Repetition | undefined {
  const pv1 = segmentOf(groupsOf(patient, 'VISIT')[0], 'PV1')
  return [19, 50].flatMap(number => field(pv1, number)).find(cx => part(cx, 1) !== '')
}

/** `{ encounter: … }` for what happened in the group's visit. */
export function inEncounter({ encounter }: Scene): Elements {
  return encounter === undefined ? {} : { encounter: { reference: encounter } }
}
