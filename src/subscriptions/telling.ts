import { isProblem } from '#kernel'
import type { Reader } from '#record'
import type { Told } from './notification.ts'
import type { Event } from './state.ts'
import type { Content } from './wanted.ts'

/**
 * What may be told of events at this moment: each is read anew, and recorded as read. What went out of reach since, or was erased, is
 * told of no more. Where nothing but that something happened is told, nothing is read.
 */
export async function toldOf(events: readonly Event[], content: Content, reader: Reader): Promise<readonly Told[]> {
  if (content === 'empty') return events.map(event => ({ event }))
  const told: Told[] = []
  for (const event of events) {
    const seen = await seenOf(event, reader)
    if (seen !== undefined) told.push(seen)
  }
  return told
}

async function seenOf(event: Event, reader: Reader): Promise<Told | undefined> {
  const { type, id, version } = event
  if (type === undefined || id === undefined) return undefined
  try {
    return { event, stored: await reader.vread(type, id, String(version)) }
  } catch (error) {
    if (isProblem(error, 'gone')) return { event }
    if (isProblem(error, 'not-found') || isProblem(error, 'forbidden')) return undefined
    throw error
  }
}
