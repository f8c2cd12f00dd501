import type { FileHandle } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { type Delivery, deliver } from '#mllp'

/** What became of a file. `partly`: some of its rows were rejected. `later`: it is no fault of the file, in words. */
export type HandedOn =
  | { readonly kind: 'taken' | 'partly' | 'refused'; readonly report: Buffer; readonly form: 'hl7' | 'json' | 'txt' }
  | { readonly kind: 'later'; readonly text: string }

/** To whom, and what. */
export interface Hand {
  /** The server. */
  readonly server: URL
  token(): Promise<string>
  readonly signal: AbortSignal
}

/** More than a batch may have. */
const mostMessageBytes = 64 * 1024 * 1024
const pollMs = 500

/** Hands messages on; the answer is their acknowledgement. What came before is answered as it was then. */
export async function handOnMessages(file: FileHandle, bytes: number, hand: Hand): Promise<HandedOn> {
  if (bytes > mostMessageBytes) return refused('The file is longer than is accepted.')
  const delivery: Delivery = { url: new URL('/hl7v2', hand.server), token: hand.token, patienceMs: 0 }
  const told = await deliver(await file.readFile(), delivery, hand.signal)
  if (told.kind === 'unanswered')
    return told.again || told.status === 403 ? { kind: 'later', text: told.text } : refused(told.text)
  if (told.again) return { kind: 'later', text: `The server answers with ${told.status}.` }
  return { kind: told.status === 200 ? 'taken' : 'refused', report: told.ack, form: 'hl7' }
}

function refused(text: string): HandedOn {
  return { kind: 'refused', report: Buffer.from(`${text}\n`), form: 'txt' }
}

/** Statuses that say nothing of the file: too much at once, no room, not ready, no right. */
const passing = new Set([401, 403, 409, 429, 500, 502, 503, 504, 507])

/** Has a file imported for a patient; the report says what became of its rows. What was imported before is there. */
export async function handOnFile(file: FileHandle, patient: string, hand: Hand): Promise<HandedOn> {
  const path = `/fhir/Patient/${encodeURIComponent(patient)}/$ingest`
  const begun = await asked(new URL(path, hand.server), hand, file)
  const location = begun.headers.get('content-location')
  if (begun.status !== 202 || location === null) return settled(begun)
  const job = new URL(new URL(location, hand.server).pathname, hand.server)
  for (;;) {
    await wait(pollMs, undefined, { signal: hand.signal })
    const answer = await asked(job, hand)
    // Who began it with a token that was renewed since is not told of it: handed on again, the file resumes it.
    if (answer.status === 404) return { kind: 'later', text: 'Nobody tells any more what became of the import.' }
    if (answer.status !== 202) return settled(answer)
    await answer.arrayBuffer()
  }
}

async function asked(url: URL, { token, signal }: Hand, file?: FileHandle): Promise<Response> {
  const authorization = `Bearer ${await token()}`
  if (file === undefined) return fetch(url, { headers: { authorization }, redirect: 'error', signal })
  const headers = { authorization, 'content-type': 'application/octet-stream', prefer: 'respond-async' }
  const body = file.readableWebStream({ autoClose: false })
  return fetch(url, { method: 'POST', headers, body, duplex: 'half', redirect: 'error', signal })
}

/** Codes of issues that say nothing of the file, as of an import during which the server was restarted. @see https://hl7.org/fhir/R4/valueset-issue-type.html */
const passingIssues: ReadonlySet<unknown> = new Set(['transient', 'lock-error', 'no-store', 'throttled'])

async function settled(answer: Response): Promise<HandedOn> {
  const report = Buffer.from(await answer.arrayBuffer())
  if (!answer.ok && isPassing(report)) return { kind: 'later', text: 'The import was cut off.' }
  if (passing.has(answer.status)) return { kind: 'later', text: `The server answers with ${answer.status}.` }
  if (!answer.ok) return { kind: 'refused', report, form: 'json' }
  const { parameter } = toldIn(report)
  return { kind: parameter.some(({ name }) => name === 'rejected') ? 'partly' : 'taken', report, form: 'json' }
}

/** What a job tells that failed: an OperationOutcome, or the report of the import, whose `problem` has the type of an issue. */
interface Told {
  readonly issue?: readonly { readonly code?: unknown }[]
  readonly parameter?: readonly { readonly name?: unknown; readonly part?: readonly Part[] }[]
}

interface Part {
  readonly name?: unknown
  readonly valueCode?: unknown
}

/** Whatever lies between may answer with something else. */
function toldIn(report: Buffer): Required<Told> {
  try {
    const told = JSON.parse(report.toString('utf8')) as Told | null
    return { issue: listOf(told?.issue), parameter: listOf(told?.parameter) }
  } catch {
    return { issue: [], parameter: [] }
  }
}

const listOf = <T>(given: readonly T[] | undefined): readonly T[] => (Array.isArray(given) ? given : [])

function isPassing(report: Buffer): boolean {
  const { issue, parameter } = toldIn(report)
  const parts = parameter.filter(({ name }) => name === 'problem').flatMap(({ part = [] }) => part)
  const codes = [...issue.map(({ code }) => code), ...parts.filter(isType).map(({ valueCode }) => valueCode)]
  return codes.some(code => passingIssues.has(code))
}

const isType = ({ name }: Part): boolean => name === 'type'
