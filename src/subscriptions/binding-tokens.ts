import { type Clock, newSecret, Problem } from '#kernel'
import type { Documents } from '#vault'
import { type Made, makerOf } from './state.ts'

/** What a binding token stands for. */
export interface BindingToken {
  /** The grant of whoever asked for it. */
  readonly made: Made
  /** Ids of Subscriptions. */
  readonly ids: readonly string[]
}

/** Within which a token is to be used. */
const tokenMs = 60_000
/** Tokens of one maker that wait to be used. */
const mostOfOne = 50

const collection = 'subscription-bindings'

/**
 * Tokens by which a line without any other proof is bound to Subscriptions: good once, for a minute, at whatever process of the house.
 * They are documents found by an HMAC; what they stand for is looked at anew when they are shown.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-get-ws-binding-token.html
 */
export class BindingTokens {
  readonly #documents: Documents
  readonly #clock: Clock

  constructor(documents: Documents, clock: Clock) {
    this.#documents = documents
    this.#clock = clock
  }

  /** @throws Problem `throttled` · `subscription.tokens-too-many` */
  async make(token: BindingToken): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
    const group = makerOf(token.made)
    if ((await this.#documents.list(collection, { group, onBroken: () => undefined })).length >= mostOfOne)
      throw tooMany()
    const name = newSecret()
    const expiresAtMs = this.#clock.nowMs() + tokenMs
    await this.#documents.put(collection, name, token, { ifRevision: 0, group, expiresAtMs })
    return { token: name, expiresAtMs }
  }

  /** What a token stands for. */
  async look(token: string): Promise<BindingToken | undefined> {
    return (await this.#documents.get<BindingToken>(collection, token))?.value
  }

  /** Uses a token up. @returns whether it was there: of several who show it at once one alone is told so */
  async take(token: string): Promise<boolean> {
    return (await this.#documents.take<BindingToken>(collection, token)) !== undefined
  }

  async forgetPatient(patient: string): Promise<void> {
    const found = await this.#documents.list<BindingToken>(collection, { onBroken: () => undefined })
    for (const { name, value } of found)
      if (value.made.patient === patient) await this.#documents.delete(collection, name)
  }
}

function tooMany(): Problem {
  const text = `So many binding tokens wait to be used already (${mostOfOne}): use one, or wait until they have expired.`
  return new Problem('throttled', 'subscription.tokens-too-many', text, { retryAfterSeconds: tokenMs / 1000 })
}
