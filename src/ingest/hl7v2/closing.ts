import { appendAll } from '#kernel'
import type { Outcome } from '../outcome.ts'
import type { Steps } from '../turns.ts'
import { Ledger } from './ledger.ts'
import type { Segment } from './message.ts'
import type { Scene } from './scene.ts'
import { locationOf } from './telling.ts'

/**
 * All that was said of the segments, each counted once: those that joined another with that one, and what nothing was
 * made of as unmapped. The fields that nothing read are named.
 */
export function* closing(scene: Scene, segments: readonly Segment[]): Steps<readonly Outcome[]> {
  const ignored = [...scene.nulls.values()].filter(one => one !== 'carried out')
  const outcomes = [...scene.outcomes.map(one => dated(one, scene)), ...ignored]
  for (const segment of segments) {
    yield
    if (scene.said.has(segment) || countedWith(scene, segment, outcomes)) appendAll(outcomes, unread(scene, segment))
    else outcomes.push({ kind: 'unmapped', row: segment.name, location: `${segment.name}^${segment.nth}` })
  }
  return outcomes
}

/** What is written was said when the message was. */
function dated(outcome: Outcome, { saidAtMs: saidMs }: Scene): Outcome {
  return outcome.kind === 'mapped' || outcome.kind === 'amend' ? { ...outcome, saidMs } : outcome
}

/** Adds a segment to the rows of the outcome that it went into. */
function countedWith({ said, joined }: Scene, segment: Segment, outcomes: Outcome[]): boolean {
  const into = joined.get(segment)
  const place = into === undefined ? undefined : said.get(into)
  const outcome = place === undefined ? undefined : outcomes[place]
  if (place === undefined || (outcome?.kind !== 'mapped' && outcome?.kind !== 'amend')) return false
  outcomes[place] = { ...outcome, rows: (outcome.rows ?? 1) + 1 }
  return true
}

function unread(scene: Scene, segment: Segment): readonly Outcome[] {
  const lost = scene.unheard.filter(one => one.segment === segment).map(({ place }) => place)
  const read = isLeftOut(scene, segment) ? valuedBeside(scene, segment) : scene.ledger.unread(segment)
  const places = new Set([...read, ...lost])
  return [...places].map(place => ({ kind: 'unread', place, location: locationOf(segment, place) }))
}

/** Whether nothing was made of a segment: what its fields say is in no resource, whoever looked at them. */
function isLeftOut({ said, outcomes, made }: Scene, segment: Segment): boolean {
  return !made.has(segment) && outcomes[said.get(segment) ?? -1]?.kind === 'rejected'
}

/** All fields of a segment that have a value, but for the one for which it is left out. */
function valuedBeside({ said, outcomes }: Scene, segment: Segment): readonly string[] {
  const first = outcomes[said.get(segment) ?? -1]
  const why = first?.kind === 'rejected' ? first.expression : undefined
  return new Ledger().unread(segment).filter(place => place !== why)
}
