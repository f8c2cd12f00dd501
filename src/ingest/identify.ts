import { isProblem, Problem } from '#kernel'
import { readAppleExport } from './apple/read-export.ts'
import { readableFiles, readFiles } from './apple/read-files.ts'
import { importFhir } from './fhir/import-fhir.ts'
import type { FhirFile } from './fhir/read-resources.ts'
import { type FitStream, isFitSession, readTakeout, recogniseFit } from './fit/read-takeout.ts'
import type { Format } from './format.ts'
import { readHl7File } from './hl7v2/read-file.ts'
import type { IngestLimits } from './limits.ts'
import { type Outcome, rowName } from './outcome.ts'
import type { ReadContext } from './read-context.ts'
import { openArchive, type Part } from './source/archive.ts'
import { type ByteSource, headOf } from './source/byte-source.ts'
import { isGzip, unpackGzip } from './source/gzip.ts'
import { decodedHead } from './source/text.ts'

/** A file that was recognised, ready to be read. */
export interface Recognised {
  readonly format: Format
  outcomes(context: ReadContext): AsyncIterable<readonly Outcome[]>
}

const headSize = 16 * 1024

type Kind = 'apple-xml' | 'fit' | 'hl7v2' | 'fhir-bundle' | 'fhir-ndjson'

/** What the first bytes of a file say it is. Names play no part: they are localised, mangled, or wrong. */
const signs: readonly { readonly kind: Kind; readonly matches: (head: string) => boolean }[] = [
  {
    kind: 'apple-xml',
    matches: head =>
      /^\s*<(?:\?xml|!DOCTYPE|!--|HealthData)/.test(head) && /<!DOCTYPE HealthData|<HealthData[\s>]/.test(head),
  },
  { kind: 'hl7v2', matches: head => /^[\s\v]*(?:MSH|FHS|BHS)[^A-Za-z0-9\s]/.test(head) },
  { kind: 'fit', matches: head => recogniseFit(head) !== undefined },
  { kind: 'fhir-ndjson', matches: head => /^\s*\{.*"resourceType".*\}\s*\n\s*\{/.test(head) || isLongLine(head) },
  { kind: 'fhir-bundle', matches: head => /^\s*\{/.test(head) && /"resourceType"\s*:/.test(head) },
]

/** A first line without an end: one resource per line begins with its type, a printed bundle has line breaks or `entry`. */
function isLongLine(head: string): boolean {
  return head.length >= headSize && !head.includes('\n') && /^\{\s*"resourceType"\s*:\s*"(?!Bundle")/.test(head)
}

function kindOf(head: Buffer): Kind | undefined {
  const text = decodedHead(head)
  return signs.find(sign => sign.matches(text))?.kind
}

function isZip(head: Buffer): boolean {
  return head.length > 3 && head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)
}

function unknown(): Problem {
  return new Problem(
    'unsupported-media',
    'ingest.format-unknown',
    'The file is none that is known here: Apple Health export, Google Fit Takeout, HL7 v2, FHIR Bundle or NDJSON.',
  )
}

/**
 * Recognises a file by what is in it.
 *
 * @throws Problem `unsupported-media` · `ingest.format-unknown`; `invalid` · `ingest.zip-malformed`;
 *   `too-large` · `ingest.zip-bomb`
 */
export async function identify(source: ByteSource, limits: IngestLimits): Promise<Recognised> {
  const head = await headOf(source, headSize)
  if (isZip(head)) return identifyArchive(await openArchive(source, limits), limits)
  if (isGzip(head)) return identifyStream(() => unpackGzip(source, limits))
  return identifyStream(() => source.read(0, source.sizeBytes))
}

async function identifyStream(open: () => AsyncIterable<Buffer>): Promise<Recognised> {
  const head = await firstOf(open())
  const kind = kindOf(head)
  if (kind === undefined) throw unknown()
  return readers[kind]([{ kind, head: decodedHead(head), open }], [])
}

/** The first bytes of what is read; what cannot be unpacked has none. */
async function firstOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const held: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of chunks) {
      held.push(chunk)
      size += chunk.length
      if (size >= headSize) break
    }
  } catch (error) {
    if (!isProblem(error, 'invalid')) throw error
  }
  return Buffer.concat(held).subarray(0, headSize)
}

interface Member {
  readonly kind: Kind
  readonly head: string
  open(): AsyncIterable<Buffer>
}

/** Which kind makes an archive what it is, the first of these that it holds; the rest of it is named in the report. */
const precedence: readonly Kind[] = ['apple-xml', 'fit', 'fhir-bundle', 'fhir-ndjson', 'hl7v2']
const readable = new Set(['xml', 'json', 'ndjson', 'hl7', 'txt', ''])

async function identifyArchive(parts: readonly Part[], limits: IngestLimits): Promise<Recognised> {
  const members: (Member & { part: Part })[] = []
  for (const part of parts) {
    if (!readable.has(part.extension)) continue
    const head = await part.head(Math.min(headSize, limits.maxToken))
    const kind = kindOf(head)
    if (kind !== undefined) members.push({ kind, head: decodedHead(head), open: () => part.open(), part })
  }
  const kind = precedence.find(one => members.some(member => member.kind === one))
  if (kind === undefined) throw unknown()
  const family = kind.startsWith('fhir') ? ['fhir-bundle', 'fhir-ndjson'] : [kind]
  const own = members.filter(member => family.includes(member.kind))
  const used = new Set(own.map(member => member.part))
  return readers[kind](
    own,
    parts.filter(part => !used.has(part)),
  )
}

function leftOver(parts: readonly Part[]): Outcome[] {
  return parts.map(part => ({ kind: 'unmapped', row: rowName(`file.${part.extension}`) }))
}

/** What lies beside the streams of a Takeout says what they say again: sessions, and sums of days. */
async function leftOfTakeout(parts: readonly Part[]): Promise<Outcome[]> {
  const rows: Outcome[] = []
  for (const part of parts) {
    const isSession = part.extension === 'json' && isFitSession(decodedHead(await part.head(1024)))
    rows.push({ kind: 'unmapped', row: isSession ? 'fit.session' : rowName(`file.${part.extension}`) })
  }
  return rows
}

type Reader = (members: readonly Member[], others: readonly Part[]) => Recognised

const readers: Readonly<Record<Kind, Reader>> = {
  'apple-xml': (members, others) => ({
    format: 'apple-health',
    async *outcomes(context) {
      const files = readableFiles(others, context)
      const used = new Set(files.values())
      yield leftOver(others.filter(part => !used.has(part)))
      const names = new Set(files.keys())
      for (const member of members) yield* readAppleExport(member.open(), context, context.limits, names)
      yield* readFiles(files, context)
    },
  }),
  fit: (members, others) => ({
    format: 'google-fit',
    async *outcomes(context) {
      yield await leftOfTakeout(others)
      yield* readTakeout(members.flatMap(toStream), context, context.limits)
    },
  }),
  hl7v2: (members, others) => ({
    format: 'hl7v2',
    async *outcomes(context) {
      yield leftOver(others)
      for (const member of members) yield* readHl7File(member.open(), context)
    },
  }),
  'fhir-bundle': (members, others) => fhirReader('fhir-bundle', members, others),
  'fhir-ndjson': (members, others) => fhirReader('fhir-ndjson', members, others),
}

function toStream(member: Member): FitStream[] {
  const known = recogniseFit(member.head)
  return known === undefined ? [] : [{ ...known, open: () => member.open() }]
}

function fhirReader(format: Format, members: readonly Member[], others: readonly Part[]): Recognised {
  const files = members.map(
    (member): FhirFile => ({ form: member.kind === 'fhir-ndjson' ? 'ndjson' : 'bundle', open: () => member.open() }),
  )
  return {
    format,
    async *outcomes(context) {
      yield leftOver(others)
      yield* importFhir(files, context)
    },
  }
}
