import { Problem } from '#kernel'
import { type LinkDocument, type Links, stateOf } from './links.ts'

/** What may lie here for one patient: nobody who may only read should be able to fill the disk with copies. */
const mostAtOnce = 100
/** Pieces of content of 256 KiB: 64 MiB. */
const mostPieces = 256
/** How many that have ended are remembered, the newest. */
const mostEnded = 200

function holdsContent(link: LinkDocument, nowMs: number): boolean {
  const state = stateOf(link, nowMs)
  return state === 'active' || state === 'exhausted'
}

/**
 * Whether one more link may be made for a patient; forgets the oldest of those that have ended when there are many.
 *
 * @throws Problem `conflict` · `share.too-many`
 */
export async function checkQuota(links: Links, patient: string, nowMs: number): Promise<void> {
  const all = await links.list(patient)
  const held = all.filter(({ link }) => holdsContent(link, nowMs))
  const ended = all.filter(({ link }) => !holdsContent(link, nowMs))
  for (const { id } of ended.slice(mostEnded)) await links.remove(id)
  const pieces = held.reduce((sum, { link }) => sum + link.pieces, 0)
  if (held.length < mostAtOnce && pieces < mostPieces) return
  throw new Problem(
    'conflict',
    'share.too-many',
    'There are as many links to this record as can be at once (100, or 64 MiB of copies). End some first.',
  )
}
