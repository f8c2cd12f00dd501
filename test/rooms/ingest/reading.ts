import { createReadStream, readFileSync } from 'node:fs'
import type { Resource } from '#fhir'
import { readAppleExport } from '../../../src/ingest/apple/read-export.ts'
import { createFingerprint } from '../../../src/ingest/fingerprint.ts'
import { decodeHl7 } from '../../../src/ingest/hl7v2/decode.ts'
import { mapMessage, readMessage } from '../../../src/ingest/hl7v2/map-message.ts'
import { parseMessage } from '../../../src/ingest/hl7v2/parse.ts'
import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { defaultLimits, type IngestLimits } from '../../../src/ingest/limits.ts'
import type { MapContext, Outcome } from '../../../src/ingest/outcome.ts'
import type { Steps } from '../../../src/ingest/turns.ts'

export const cases = new URL('../../cases/ingest/', import.meta.url)

/** A context whose ids are the same on every machine: the key is all zeros. */
export const context: MapContext & { canWrite: (type: string) => boolean } = {
  patient: 'anna',
  subject: Object.freeze({ reference: 'Patient/anna' }),
  source: 'Provenance/run',
  fingerprint: createFingerprint(new Uint8Array(32)),
  canWrite: () => true,
}

export async function* bytesOf(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield typeof text === 'string' ? Buffer.from(text, 'utf8') : text
}

export async function gathered(source: AsyncIterable<readonly Outcome[]>): Promise<Outcome[]> {
  const all: Outcome[] = []
  for await (const some of source) for (const one of some) all.push(one)
  return all
}

export function readApple(chunks: AsyncIterable<Uint8Array>, limits: Partial<IngestLimits> = {}): Promise<Outcome[]> {
  return gathered(readAppleExport(chunks, context, { ...defaultLimits, ...limits }))
}

/** A file of the cases, in pieces small enough to cut elements and characters in two. */
export function appleCase(name: string, highWaterMark = 997): Promise<Outcome[]> {
  return readApple(createReadStream(new URL(`apple-health/${name}`, cases), { highWaterMark }))
}

export function resourcesOf(outcomes: readonly Outcome[]): Resource[] {
  return outcomes.flatMap(outcome => (outcome.kind === 'mapped' ? [outcome.resource] : []))
}

/** The Observations alone, without the Devices that they come from. */
export function observationsOf(outcomes: readonly Outcome[]): Resource[] {
  return resourcesOf(outcomes).filter(({ resourceType }) => resourceType === 'Observation')
}

/** Outcomes as plain JSON, to be compared with a file. */
export function plain(outcomes: readonly Outcome[]): unknown {
  const shown = outcomes.map(outcome => {
    if (outcome.kind === 'mapped') return outcome.warning ? [outcome.resource, outcome.warning] : outcome.resource
    if (outcome.kind !== 'amend') return outcome
    return {
      kind: 'amend',
      of: `${outcome.type}/${outcome.id}`,
      becomes: outcome.change({ resourceType: outcome.type }),
    }
  })
  return JSON.parse(JSON.stringify(shown))
}

/** The outcomes of the messages of a file, one list each. */
export function hl7Outcomes(bytes: Buffer, of: MapContext = context): Outcome[][] {
  const { texts, decoder } = decodeHl7(bytes)
  return atOnce(splitMessages(texts, defaultLimits)).messages.map(({ lines }) => [
    ...atOnce(mapMessage(atOnce(readMessage(atOnce(parseMessage(lines, decoder)))), () => of)),
  ])
}

/** Work in steps, done without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

export function hl7Case(name: string): Outcome[][] {
  return hl7Outcomes(readFileSync(new URL(`hl7v2/${name}`, cases)))
}

export function message(...segments: readonly string[]): Buffer {
  return Buffer.from(segments.map(segment => `${segment}\r`).join(''), 'utf8')
}

/** A segment by the numbers of its fields. */
export function segment(name: string, fields: Readonly<Record<number, string>>): string {
  const last = Math.max(...Object.keys(fields).map(Number))
  return [name, ...Array.from({ length: last }, (_, at) => fields[at + 1] ?? '')].join('|')
}
