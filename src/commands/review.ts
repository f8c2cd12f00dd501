import type { Report } from '#ingest'
import { type House, hostGrant } from '../compose.ts'
import { output } from './output.ts'
import { reportLines } from './report.ts'
import { withHouse } from './with-house.ts'

type Held = Awaited<ReturnType<House['ingest']['people']['review']['list']>>[number]

/** What waits until a person says whom it is about, one a line: id, when it came, by what it differs, whom it may be about. */
export async function listReview(): Promise<void> {
  const held = await withHouse(house => house.ingest.people.review.list(hostGrant()))
  for (const one of held) output.result(lineOf(one))
  if (held.length === 0) output.say('nothing waits')
}

/** One of them, with what it says of the person; the audit keeps that it was looked at. */
export async function showReview(id: string): Promise<void> {
  const held = await withHouse(house => house.ingest.people.review.show(id, hostGrant()))
  output.result(lineOf(held))
  output.result(JSON.stringify(held.doubt.incoming, null, 2))
}

/** Takes it in for the patient, or for somebody new. */
export async function acceptReview(id: string, { patient }: { readonly patient?: string }): Promise<void> {
  await decide(id, patient === undefined ? { decision: 'new' } : { decision: 'accept', patient })
}

/** Throws it away; the sender is told so when it comes again. */
export async function rejectReview(id: string): Promise<void> {
  await decide(id, { decision: 'reject' })
}

type Choice = { readonly decision: 'new' | 'reject' } | { readonly decision: 'accept'; readonly patient: string }

async function decide(id: string, choice: Choice): Promise<void> {
  const onReport = ({ report }: { readonly report: Report }) => {
    for (const line of reportLines(report)) output.result(line)
  }
  const state = await withHouse(house =>
    house.ingest.people.review.decide({ grant: hostGrant(), id, ...choice, onReport }),
  )
  output.say(state === 'waiting' ? 'waiting: another person in it is doubtful, too' : state)
}

function lineOf({ id, heldAtMs, format, doubt }: Held): string {
  const about = doubt.patients.map(patient => `Patient/${patient}`).join(' ')
  return [id, new Date(heldAtMs).toISOString(), format, doubt.elements.join(','), about].join('\t')
}
