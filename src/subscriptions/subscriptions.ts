import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Clock, Log } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Documents, Vault } from '#vault'
import { BindingTokens } from './binding-tokens.ts'
import { Courier } from './courier.ts'
import { Desk, type EventsAsked, websocketUrl } from './desk.ts'
import { changeState, isShown } from './keeping.ts'
import type { Line, Listener } from './line.ts'
import { Lines } from './lines.ts'
import { type MailOptions, mail } from './mail.ts'
import { openPost } from './post.ts'
import type { Reading } from './read-wanted.ts'
import { restHook, type Sender } from './rest-hook.ts'
import { type State, States } from './state.ts'
import { taking } from './taking.ts'
import { ended } from './tending.ts'
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
  /** How letters are sent; without it nothing goes by mail. */
  readonly mail?: MailOptions
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
  /**
   * A token with which a websocket is bound to Subscriptions.
   *
   * @param ids  of which; undefined: of all that whoever asks has made, and that are told over one
   * @throws Problem as `status`; `unprocessable` · `subscription.not-bindable`; `throttled` · `subscription.tokens-too-many`
   */
  bindingToken(grant: Grant, ids: readonly string[] | undefined): Promise<Resource>
  /** Where websockets are taken, absolute. */
  readonly websocketUrl: string
  /**
   * Somebody has opened a connection over which they want to be told.
   *
   * @param grant  of whoever has shown an access token then, if they did
   */
  connect(line: Line, grant?: Grant): Listener
  /** Does what is to be done at this moment; resolves when it is done. */
  round(): Promise<void>
  /** Begins to do so by itself, whenever it is this process that sends. */
  begin(): void
  /** Forgets what was told, or was to be told, of a patient who is erased. */
  forgetPatient(patient: string): Promise<void>
  /** Ends whatever an account that is deleted asked to be told. */
  forgetAccount(account: string): Promise<void>
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
    ...(options.mail === undefined ? {} : { email: mail(options.mail, { clock, baseUrl }) }),
  }
  const channels = new Set<ChannelType>([...(Object.keys(senders) as ChannelType[]), 'websocket'])
  const mailContent = options.mail?.content ?? 'empty'
  const reading = (): Reading => ({ baseUrl, nowMs: clock.nowMs(), channels, networks, mailContent })
  const courier = new Courier({ record, states, senders, clock, log, baseUrl, standing, random: () => random() })
  const tokens = new BindingTokens(documents, clock)
  const desk = new Desk({ record, states, tokens, clock, baseUrl })
  const stateFor = (grant: Grant, id: string) => desk.state(grant, id)
  const lines = new Lines({ record, states, tokens, clock, log, baseUrl, standing, stateFor })
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
    bindingToken: (grant, ids) => desk.bindingToken(grant, ids),
    websocketUrl: websocketUrl(baseUrl),
    connect: (line, grant) => lines.connect(line, grant),
    round: async () => {
      if (leads()) await courier.round()
      await lines.round()
    },
    begin: () => {
      timer ??= setInterval(() => {
        const rounds = leads() ? [courier.round(), lines.round()] : [lines.round()]
        // Without what came of it, or each round would hold all before it.
        running = Promise.all([running, ...rounds]).then(() => undefined)
      }, roundEveryMs).unref()
    },
    forgetPatient: async patient => {
      await tokens.forgetPatient(patient)
      for (const { state } of await states.all())
        if (state.made.patient === patient) await states.remove(state.id)
        else if (state.log.some(event => isOf(event, patient)))
          await changeState(state.id, each => withoutPatient(each, patient), { record, states })
    },
    forgetAccount: async account => {
      for (const { state } of await states.all()) {
        if (state.made.account !== account) continue
        // Where it is not the account's alone somebody still reads it.
        await changeState(state.id, each => (each.status === 'off' && isShown(each) ? undefined : ended(each)), {
          record,
          states,
        })
        await states.remove(state.id)
      }
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
