import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '#config'
import type { ShownJob } from '#ingest'
import { type Log, Problem } from '#kernel'
import { Counts } from './counts.ts'
import { Member } from './member.ts'
import { Shares } from './shares.ts'
import type { Figures, ToWorker } from './topics.ts'
import { fellSilent } from './watchdog.ts'

/** Who has served for so long was not ended by its start. */
const steadyMs = 10_000
/** The first that is started again is so at once; the time doubles with each that ends soon. */
const backOff = { leastMs: 250, mostMs: 30_000 } as const
/** So many that ended soon, one after the other, and nobody serves: it will not get better by itself. */
const mostFailures = 6
/** Requests have 25 seconds to be done; who has not ended long after is ended. */
const longestEndMs = 60_000
/** Figures of whoever is too busy for so long are left out. */
const figuresMs = 2_000

/**
 * The workers. The first is started alone: it makes the house where there is none, takes over what an earlier release has left, and
 * examines everything; the others follow once it serves. One of them leads: exactly one, because another is named only once the former
 * has ended.
 */
export class Crew {
  readonly #config: Config
  readonly #log: Log
  readonly #members = new Map<number, Member>()
  readonly #shares = new Shares()
  readonly #counts = new Counts(blocked => this.#tellAll('blocked', blocked))
  readonly #jobs = new Map<number, ReadonlyMap<string, ShownJob>>()
  readonly #greeting = Promise.withResolvers<string>()
  readonly #failed = Promise.withResolvers<never>()
  #leader: Member | undefined
  #failures = 0
  #hasServed = false
  readonly #ending = new AbortController()

  constructor(config: Config, log: Log) {
    this.#config = config
    this.#log = log
    this.#failed.promise.catch(() => undefined)
    this.#greeting.promise.catch(() => undefined)
  }

  /** What the first worker says to a person once it serves. @throws as `failed` */
  get greeting(): Promise<string> {
    return Promise.race([this.#greeting.promise, this.failed])
  }

  /** Never resolves. @throws Problem `fault` · `command.workers-failed` when no worker comes to serve, or none stays */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  begin(): void {
    // Whatever else has to be said to workers is not for their command line or environment, which others can read.
    cluster.setupPrimary({ args: ['worker'], serialization: 'advanced' })
    this.#start(1)
  }

  /** Asks all to end in good order, and waits for it. */
  async end(): Promise<void> {
    this.#ending.abort()
    const members = [...this.#members.values()]
    this.#tellAll('end', undefined)
    const late = setTimeout(() => {
      for (const member of members) member.kill()
    }, longestEndMs)
    await Promise.all(members.map(({ gone }) => gone))
    clearTimeout(late)
  }

  #start(number: number): void {
    const member = new Member(number)
    this.#members.set(number, member)
    this.#leader ??= member
    this.#answer(member)
    void member.gone.then(how => this.#gone(member, how))
  }

  #answer(member: Member): void {
    const { number, wire } = member
    wire.on('begin', () => ({
      config: this.#config,
      number,
      count: this.#config.workers,
      leads: this.#leader === member,
      alarms: this.#alarmsBut(member),
    }))
    wire.on('serving', greeting => this.#serves(member, greeting))
    wire.on('alarms', alarms => {
      member.alarms = alarms
      this.#tellAlarms()
    })
    wire.on('counts', sheets => this.#counts.add(sheets))
    wire.on('claim', claim => this.#shares.claim(number, claim))
    wire.on('release', held => this.#shares.release(number, held))
    wire.on('jobs', jobs => this.#jobs.set(number, jobs))
    wire.on('job', id => this.#jobOf(id))
    wire.on('figures', () => this.#figures())
  }

  #serves(member: Member, greeting: string): void {
    member.servesSinceMs = performance.now()
    // What has changed since it was told how to begin may have come before it listened.
    member.wire.tell('lead', this.#leader === member)
    member.wire.tell('alarms', this.#alarmsBut(member))
    this.#log.info('a worker serves', { room: 'main', worker: member.number })
    void this.#watch(member)
    if (this.#hasServed) return
    this.#hasServed = true
    this.#greeting.resolve(greeting)
    for (let number = 1; number <= this.#config.workers; number++) if (!this.#members.has(number)) this.#start(number)
  }

  /** One that stands still does not end: it keeps its connections, and perhaps leads. */
  async #watch(member: Member): Promise<void> {
    const over = new AbortController()
    void member.gone.then(() => over.abort())
    if (!(await fellSilent(waitMs => member.wire.ask('beat', undefined, waitMs), over.signal))) return
    this.#log.error('a worker gives no sign of life and is ended', { room: 'main', worker: member.number })
    member.kill()
  }

  async #gone(member: Member, how: number | string): Promise<void> {
    this.#forget(member)
    if (this.#ending.signal.aborted) return
    const servedMs = performance.now() - (member.servesSinceMs ?? Number.POSITIVE_INFINITY)
    this.#failures = servedMs >= steadyMs ? 0 : this.#failures + 1
    if (this.#isHopeless(how)) return this.#failed.reject(hopeless(how))
    const waitMs = this.#failures <= 1 ? 0 : Math.min(backOff.mostMs, backOff.leastMs * 2 ** (this.#failures - 2))
    this.#log.error('a worker ended and is started again', {
      room: 'main',
      worker: member.number,
      detail: `ended with ${how}`,
      durationMs: waitMs,
    })
    await sleep(waitMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    if (!this.#ending.signal.aborted) this.#start(member.number)
  }

  #forget(member: Member): void {
    this.#members.delete(member.number)
    this.#shares.forget(member.number)
    this.#jobs.delete(member.number)
    if (member.alarms.length > 0) this.#tellAlarms()
    if (this.#leader !== member) return
    const others = [...this.#members.values()]
    this.#leader = others.find(({ serves }) => serves) ?? others[0]
    this.#leader?.wire.tell('lead', true)
  }

  /** A start that says why it cannot be – a wrong passphrase, a folder without rights – says the same again. */
  #isHopeless(how: number | string): boolean {
    if (!this.#hasServed && typeof how === 'number') return true
    const nobodyServes = ![...this.#members.values()].some(({ serves }) => serves)
    return nobodyServes && this.#failures >= mostFailures
  }

  #tellAll<K extends keyof ToWorker & string>(topic: K, said: ToWorker[K][0]): void {
    for (const { wire } of this.#members.values()) wire.tell(topic, said)
  }

  #tellAlarms(): void {
    for (const member of this.#members.values()) member.wire.tell('alarms', this.#alarmsBut(member))
  }

  #alarmsBut(member: Member): readonly string[] {
    const others = [...this.#members.values()].filter(other => other !== member)
    return [...new Set(others.flatMap(({ alarms }) => alarms))]
  }

  #jobOf(id: string): ShownJob | undefined {
    for (const jobs of this.#jobs.values()) if (jobs.has(id)) return jobs.get(id)
    return undefined
  }

  async #figures(): Promise<readonly Figures[]> {
    const asked = [...this.#members.values()].map(({ wire }) => wire.ask('figures', undefined, figuresMs))
    const answers = await Promise.allSettled(asked)
    return answers.flatMap(answer =>
      answer.status === 'fulfilled' && answer.value !== undefined ? [answer.value] : [],
    )
  }
}

function hopeless(how: number | string): Problem {
  const text = 'No process of this server comes to serve; what is wrong stands above. It is not tried again.'
  return new Problem('fault', 'command.workers-failed', text, { detail: `the last one ended with ${how}` })
}
