import { Problem } from '#kernel'

/** What a client asks for over a line. */
export type Command =
  | { readonly name: 'bind'; readonly id: string }
  | { readonly name: 'bind-with-token'; readonly token: string }

const byId = /^bind:? ([A-Za-z0-9\-.]{1,64})$/
const byToken = /^bind-with-token:? ?([\w-]{1,200})$/

/**
 * What a message asks for: R4's `bind {id}`, the guide's `bind-with-token {token}`, or that in JSON as Medplum's clients write it,
 * `{"type": "bind-with-token", "payload": {"token": "…"}}`.
 *
 * @throws Problem `invalid` · `subscription.message-unknown`
 * @see https://hl7.org/fhir/R4/subscription.html#websocket and https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets
 */
export function commandIn(text: string): Command {
  const said = text.trim()
  const id = byId.exec(said)?.[1]
  if (id !== undefined) return { name: 'bind', id }
  const token = byToken.exec(said)?.[1] ?? tokenInJson(said)
  if (token !== undefined) return { name: 'bind-with-token', token }
  throw new Problem(
    'invalid',
    'subscription.message-unknown',
    'Understood are: bind {id}, and bind-with-token {token}.',
  )
}

function tokenInJson(said: string): string | undefined {
  try {
    const { type, payload } = JSON.parse(said)
    return type === 'bind-with-token' && typeof payload?.token === 'string' ? payload.token : undefined
  } catch {
    return undefined
  }
}
