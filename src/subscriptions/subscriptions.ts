import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Clock, Log } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Documents, Vault } from '#vault'
import { Courier } from './courier.ts'
import { Desk, type EventsAsked } from './desk.ts'
import { openPost } from './post.ts'
import type { Reading } from './read-wanted.ts'
import { restHook, type Sender } from './rest-hook.ts'
import { type State, States } from './state.ts'
import { taking } from './taking.ts'
import { topicNames, topicResource, topicUrl } from './topics.ts'
import type { ChannelType } from './wanted.ts'

/** What Subscriptions are built on. */
export interface SubscriptionsOptions {
  readonly record: PatientRecord
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** FHIR base URL, without a slash at its end. */
  readonly baseUrl: string
  /** What a grant stands for at this moment; undefined when that from which it came has ended. */
  standing(given: Grant): Promise<Grant | undefined>
  /** Addresses and CIDRs beside the open network to which notifications may go, also by http. */
  readonly networks: readonly string[]
  /** Whether it is this process that sends; always unless told. */
  leads?(): boolean
  /** A number from 0 to below 1; the machine's unless told. */
  random?(): number
}

/** Subscriptions: what may be asked for, what happened, and how it is brought to where it is to go. */
export interface Subscriptions {
  /** The record through which Subscriptions are to be written. */
  readonly record: PatientRecord
  /** Canonical URLs of the topics that there are. */
  readonly topics: readonly string[]
  /** The topic of a name, such as `Observation`; undefined when there is none. */
  topic(name: string): Resource | undefined
  /** @throws Problem `not-found` · `record.unknown`; `forbidden` · `scope.missing`, `subscription.foreign` */
  status(grant: Grant, id: string): Promise<Resource>
  /** How those stand that whoever asks has made. */
  statuses(grant: Grant, asked: { ids: readonly string[]; statuses: readonly string[] }): Promise<Resource>
  /** @throws Problem as `status` */
  events(grant: Grant, id: string, asked: EventsAsked): Promise<Resource>
  /** @throws Problem as `status` */
  signingKey(grant: Grant, id: string): Promise<Resource>
  /** Does what is to be done at this moment; resolves when it is done. */
  round(): Promise<void>
  /** Begins to do so by itself, whenever it is this process that sends. */
  begin(): void
  /** Forgets what was told, or was to be told, of a patient who is erased. */
  forgetPatient(patient: string): Promise<void>
  close(): Promise<void>
}

const roundEveryMs = 500

/** Opens the room over a record and sealed documents. Nothing is sent before `begin` or `round`. */
export function openSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { record, documents, vault, clock, log, baseUrl, networks, leads = () => true, random = Math.random } = options
  const standing = (given: Grant) => options.standing(given)
  const states = new States(documents, vault)
  const senders: Partial<Record<ChannelType, Sender>> = {
    'rest-hook': restHook({ post: openPost(networks), clock, baseUrl }),
  }
  const channels = new Set(Object.keys(senders) as ChannelType[])
  const reading = (): Reading => ({ baseUrl, nowMs: clock.nowMs(), channels, networks, mailsContent: false })
  const courier = new Courier({ record, states, senders, clock, log, baseUrl, standing, random: () => random() })
  const desk = new Desk({ record, states, clock, baseUrl })
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  return {
    record: taking({ record, states, standing, reading }),
    topics: topicNames.map(name => topicUrl(baseUrl, name)),
    topic: name => topicResource(name, baseUrl),
    status: (grant, id) => desk.status(grant, id),
    statuses: (grant, asked) => desk.statuses(grant, asked),
    events: (grant, id, asked) => desk.events(grant, id, asked),
    signingKey: (grant, id) => desk.signingKey(grant, id),
    round: () => courier.round(),
    begin: () => {
      timer ??= setInterval(() => {
        // Without what came of it, or each round would hold all before it.
        if (leads()) running = Promise.all([running, courier.round()]).then(() => undefined)
      }, roundEveryMs).unref()
    },
    forgetPatient: async patient => {
      for (const { state } of await states.all())
        if (state.made.patient === patient) await states.remove(state.id)
        else if (state.log.some(event => isOf(event, patient)))
          await states.change(state.id, each => withoutPatient(each, patient))
    },
    close: async () => {
      clearInterval(timer)
      await courier.close()
      await running
    },
  }
}

/** What several share may be whosever: it is forgotten with any of them. */
function isOf({ patient: of, isShared }: State['log'][number], patient: string): boolean {
  return of === patient || isShared === true
}

function withoutPatient(state: State, patient: string): State {
  const log = state.log.map(event => (isOf(event, patient) ? { number: event.number, atMs: event.atMs } : event))
  return { ...state, log }
}
