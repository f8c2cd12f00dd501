/** What is said under each name: what goes out, and what comes back. */
type Topics = Readonly<Record<string, readonly [said: unknown, answer: unknown]>>

/** One end of the channel between two processes. */
interface Port {
  send(message: object): void
  listen(listener: (message: unknown) => void): void
}

interface Message {
  /** Tells these messages from those that `node:cluster` sends on the same channel. */
  readonly kinhold: 'said' | 'answer' | 'failed'
  readonly topic: string
  readonly id?: number
  readonly body?: unknown
}

type Name<T extends Topics> = keyof T & string
/** Of what is only told, nothing comes back. */
type AnswerTo<A> = [A] extends [undefined] ? unknown : A | Promise<A>
type Answering = (said: never) => unknown

/** Nobody waits longer for an answer: whoever does not give one has too much to do, or is gone. */
const patienceMs = 30_000

/** A conversation of two processes: each may tell and ask, and answers what the other asks. */
export class Wire<Out extends Topics, In extends Topics> {
  readonly #port: Port
  readonly #answering = new Map<string, Answering>()
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  constructor(port: Port) {
    this.#port = port
    port.listen(message => {
      if (isOurs(message)) this.#hear(message)
    })
  }

  /** What is done when this is said; of what is asked the result is the answer. */
  on<K extends Name<In>>(topic: K, answering: (said: In[K][0]) => AnswerTo<In[K][1]>): void {
    this.#answering.set(topic, answering)
  }

  tell<K extends Name<Out>>(topic: K, body: Out[K][0]): void {
    this.#send({ kinhold: 'said', topic, body })
  }

  /** @throws Error when the other process fails at it, ends, or does not answer in time */
  async ask<K extends Name<Out>>(topic: K, body: Out[K][0], waitMs = patienceMs): Promise<Out[K][1]> {
    const id = ++this.#lastId
    const asked = Promise.withResolvers<unknown>()
    this.#asked.set(id, asked)
    const late = setTimeout(() => asked.reject(unanswered(topic)), waitMs)
    try {
      this.#send({ kinhold: 'said', topic, id, body })
      return await asked.promise
    } finally {
      clearTimeout(late)
      this.#asked.delete(id)
    }
  }

  /** The other process is gone: nothing will be answered any more. */
  close(): void {
    for (const { reject } of this.#asked.values()) reject(unanswered('what was asked last'))
  }

  #send(message: Message): void {
    this.#port.send(message)
  }

  #hear({ kinhold, topic, id, body }: Message): void {
    if (kinhold === 'said') void this.#answer(topic, id, body)
    else if (kinhold === 'answer') this.#asked.get(id ?? 0)?.resolve(body)
    else this.#asked.get(id ?? 0)?.reject(unanswered(topic))
  }

  async #answer(topic: string, id: number | undefined, said: unknown): Promise<void> {
    const to = id === undefined ? undefined : { topic, id }
    try {
      const body = await this.#answering.get(topic)?.(said as never)
      if (to !== undefined) this.#send({ kinhold: 'answer', ...to, body })
    } catch {
      if (to !== undefined) this.#send({ kinhold: 'failed', ...to })
    }
  }
}

function isOurs(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'kinhold' in message
}

const unanswered = (topic: string) => new Error(`another process of this server gave no answer to: ${topic}`)
