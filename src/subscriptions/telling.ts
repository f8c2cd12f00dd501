import { isProblem, spend } from '#kernel'
import type { Reader } from '#record'
import type { Told } from './notification.ts'
import type { Event } from './state.ts'
import type { ChannelType, Content } from './wanted.ts'

/** What one message tells. */
interface Telling {
  readonly told: readonly Told[]
  /** The last of those events that were looked at; `undefined` where there were none. */
  readonly upTo: number | undefined
}

/** Resources that go into one message, in bytes: the one with which there is as much is the last. Letters come once a minute, and carry more. */
const mostBytes: Readonly<Record<ChannelType, number>> = {
  'rest-hook': 1024 * 1024,
  websocket: 1024 * 1024,
  email: 4 * 1024 * 1024,
}

/**
 * What one message may tell of events at this moment: each is read anew, and recorded as read. What went out of reach since, or was erased,
 * is told of no more. Where nothing but that something happened is told, nothing is recorded as read. Of many large resources only the first
 * ones go into it; what is behind them is not looked at.
 */
export async function toldOf(
  events: readonly Event[],
  { content, channel }: { readonly content: Content; readonly channel: ChannelType },
  reader: Reader,
): Promise<Telling> {
  let bytes = 0
  const told: Told[] = []
  for (const event of events) {
    const seen = await seenOf(event, content, reader)
    if (seen !== undefined) told.push(seen)
    bytes += bytesOf(seen)
    if (bytes >= mostBytes[channel]) return { told, upTo: event.number }
  }
  return { told, upTo: events.at(-1)?.number }
}

/**
 * What may be told of all these events to whoever asks for them, charged to them as what is answered.
 *
 * @throws Problem `too-costly` · `budget.answered-exceeded`
 */
export async function allTold(events: readonly Event[], content: Content, reader: Reader): Promise<readonly Told[]> {
  const told: Told[] = []
  for (const event of events) {
    const seen = await seenOf(event, content, reader)
    if (seen === undefined) continue
    spend('answered', bytesOf(seen))
    told.push(seen)
  }
  return told
}

function bytesOf(seen: Told | undefined): number {
  return seen?.stored?.json.length ?? 0
}

async function seenOf(event: Event, content: Content, reader: Reader): Promise<Told | undefined> {
  const { type, id, version } = event
  if (type === undefined || id === undefined) return content === 'empty' ? { event } : undefined
  if (content === 'empty') return (await reader.shows(type, id, String(version))) ? { event } : undefined
  try {
    const stored = await reader.vread(type, id, String(version))
    return content === 'full-resource' ? { event, stored } : { event }
  } catch (error) {
    if (isProblem(error, 'gone')) return { event }
    if (isProblem(error, 'not-found') || isProblem(error, 'forbidden')) return undefined
    throw error
  }
}
