import { isProblem, ownText, Problem } from '#kernel'
import { checkClinicPatients, clinicPatients } from './apple/clinic-patients.ts'
import { headBehindComments } from './apple/comments.ts'
import { findMe } from './apple/find-me.ts'
import { ownersOfEcgs } from './apple/owners-of-ecgs.ts'
import { readAppleExport } from './apple/read-export.ts'
import { readableFiles, readFiles } from './apple/read-files.ts'
import { isAutoExport, readAutoExport } from './auto-export/read-auto-export.ts'
import { importCcda, importCcdaBeside } from './ccda/import-ccda.ts'
import { importFhir } from './fhir/import-fhir.ts'
import type { FhirFile } from './fhir/read-resources.ts'
import { isProfile, readProfile } from './fit/profile.ts'
import { type FitStream, readTakeout } from './fit/read-takeout.ts'
import { isFitSession, recogniseDaily, recogniseFit } from './fit/recognise.ts'
import { type FitbitFile, profilesIn, readFitbit } from './fitbit/read-fitbit.ts'
import { recogniseFitbit } from './fitbit/recognise.ts'
import type { Format } from './format.ts'
import { magic } from './health-connect/database.ts'
import { checkExport, openExport } from './health-connect/read-export.ts'
import { readHl7File } from './hl7v2/read-file.ts'
import type { PersonClaims } from './identity/claims.ts'
import { checkOnePerson } from './identity/guard.ts'
import type { IngestLimits } from './limits.ts'
import { type Outcome, rowName } from './outcome.ts'
import type { ReadContext } from './read-context.ts'
import { openArchive, type Part } from './source/archive.ts'
import { type ByteSource, headOf } from './source/byte-source.ts'
import { isGzip, unpackGzip } from './source/gzip.ts'
import { mostTelling } from './source/telling.ts'
import { decoded, decodedHead } from './source/text.ts'

/** A file that was recognised, ready to be read. */
export interface Recognised {
  readonly format: Format
  /** Looks through the file for whom it is about, before anything of it is written, and gives what its rows become. */
  open(context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>>
}

const headSize = 16 * 1024

type Kind =
  | 'apple-xml'
  | 'auto-export'
  | 'ccda'
  | 'fit'
  | 'fitbit'
  | 'health-connect'
  | 'hl7v2'
  | 'fhir-bundle'
  | 'fhir-ndjson'

/** What the first bytes of a file say it is. Names play no part: they are localised, mangled, or wrong. */
const signs: readonly { readonly kind: Kind; readonly matches: (head: string) => boolean }[] = [
  {
    kind: 'apple-xml',
    matches: head =>
      /^\s*<(?:\?xml|!DOCTYPE|!--|HealthData)/.test(head) && /<!DOCTYPE HealthData|<HealthData[\s>]/.test(head),
  },
  {
    kind: 'ccda',
    matches: head =>
      /^\s*<(?:[?!]|(?:[\w.-]+:)?ClinicalDocument)/.test(head) && /<(?:[\w.-]+:)?ClinicalDocument[\s>]/.test(head),
  },
  { kind: 'hl7v2', matches: head => /^[\s\v]*(?:MSH|FHS|BHS)[^A-Za-z0-9\s]/.test(head) },
  { kind: 'auto-export', matches: isAutoExport },
  { kind: 'fit', matches: isFit },
  { kind: 'fhir-ndjson', matches: head => /^\s*\{.*"resourceType".*\}\s*\n\s*\{/.test(head) || isLongLine(head) },
  { kind: 'fhir-bundle', matches: head => /^\s*\{/.test(head) && /"resourceType"\s*:/.test(head) },
]

/** A stream of points, a session, or a table of daily metrics. */
function isFit(head: string): boolean {
  return recogniseFit(head) !== undefined || isFitSession(head) || recogniseDaily(head) !== undefined
}

/** A first line without an end: one resource per line begins with its type, a printed bundle has line breaks or `entry`. */
function isLongLine(head: string): boolean {
  return head.length >= headSize && !head.includes('\n') && /^\{\s*"resourceType"\s*:\s*"(?!Bundle")/.test(head)
}

function kindOf(head: string): Kind | undefined {
  return signs.find(sign => sign.matches(head))?.kind
}

/** Files of Fitbit of which several kinds look the same are told apart by their names. */
function fitbitOr(name: string, head: string): Kind | undefined {
  return recogniseFitbit(name, head) === undefined ? undefined : 'fitbit'
}

interface Told {
  readonly kind: Kind | undefined
  /** What it was told by. */
  readonly head: string
}

/** What a file is by its first bytes; XML by what stands outside of its comments, however long they are. */
async function toldBy(first: Buffer, open: () => AsyncIterable<Buffer>, name = ''): Promise<Told> {
  if (first.subarray(0, magic.length).equals(magic)) return { kind: 'health-connect', head: '' }
  const head = decodedHead(first)
  if (!/^\s*<[?!]/.test(head) || !head.includes('<!--')) return { kind: kindOf(head) ?? fitbitOr(name, head), head }
  const behind = await headBehindComments(
    decoded(open(), () => undefined),
    headSize,
  )
  return { kind: kindOf(behind), head: behind }
}

function isZip(head: Buffer): boolean {
  return head.length > 3 && head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)
}

const formats =
  'Apple Health export, Health Auto Export, Google Fit Takeout, Fitbit Takeout, Health Connect export, C-CDA document, HL7 v2, FHIR Bundle or NDJSON'

/** @param looked  how many files of an archive were looked into */
function unknown(looked?: number): Problem {
  const what =
    looked === undefined ? 'The file is none' : `Of the archive ${looked} files were looked into, and none is one`
  return new Problem('unsupported-media', 'ingest.format-unknown', `${what} that is known here: ${formats}.`)
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
  return identifyStream(() => source.read(0, source.sizeBytes), source.sizeBytes)
}

/** @param sizeBytes  where that is known before it is unpacked */
async function identifyStream(open: () => AsyncIterable<Buffer>, sizeBytes?: number): Promise<Recognised> {
  const { kind, head } = await toldBy(await firstOf(open()), open)
  if (kind === undefined) throw unknown()
  const own = [{ kind, head, name: '', sizeBytes, open }]
  return recognised(kind, async () => ({ own, others: [] }))
}

/** A file of a kind; what is in it is sorted when it is read. */
function recognised(kind: Kind, sort: () => Promise<Files>): Recognised {
  const { format, open } = readers[kind]
  return { format, open: async context => open(await sort(), context) }
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
  /** The last part of its path in an archive. */
  readonly name: string
  readonly sizeBytes: number | undefined
  open(): AsyncIterable<Buffer>
}

/** What is read, and what lies beside it in an archive. */
interface Files {
  readonly own: readonly Member[]
  readonly others: readonly Part[]
  /** Those of the others that are C-CDA documents, as far as they were looked into: the export of a phone has one. */
  readonly documents?: readonly Part[]
  /** Those of Fitbit: a Takeout has them beside those of Google Fit. */
  readonly fitbit?: readonly Member[]
}

/** Which kind makes an archive what it is, the first of these that it holds; the rest of it is named in the report. */
const precedence: readonly Kind[] = [
  'apple-xml',
  'fit',
  'fitbit',
  'auto-export',
  'fhir-bundle',
  'fhir-ndjson',
  'ccda',
  'hl7v2',
  'health-connect',
]

/** Extensions that files of a kind have; those without one may be anything. */
const extensions: Readonly<Record<Kind, readonly string[]>> = {
  'apple-xml': ['xml', ''],
  'auto-export': ['json', ''],
  ccda: ['xml', 'ccda', 'ccd', 'cda', ''],
  fit: ['json', 'csv', ''],
  fitbit: ['json', 'csv', ''],
  'health-connect': ['db', 'sqlite', 'sqlite3', ''],
  'fhir-bundle': ['json', 'ndjson', 'txt', ''],
  'fhir-ndjson': ['json', 'ndjson', 'txt', ''],
  hl7v2: ['hl7', 'txt', ''],
}

function mayBe(kind: Kind, { extension }: Part): boolean {
  return extensions[kind].includes(extension)
}

/** The kinds that are read together, by each of them. */
function familyOf(kind: Kind): readonly Kind[] {
  return kind.startsWith('fhir') ? ['fhir-bundle', 'fhir-ndjson'] : [kind]
}

/**
 * An archive is what some of its files are: so many thousand others are not unpacked to find out that it is nothing. Once it is
 * known, each file that may be of its kind is looked into, by the import and in its time.
 */
async function identifyArchive(parts: readonly Part[], limits: IngestLimits): Promise<Recognised> {
  const known = new Map<Part, Member | undefined>()
  const look = async (part: Part) => {
    const open = () => part.open()
    const { kind, head } = await toldBy(await part.head(Math.min(headSize, limits.maxToken)), open, part.baseName)
    known.set(part, kind && { kind, head, name: part.baseName, sizeBytes: part.sizeBytes, open })
  }
  for (const part of mostTelling(parts, limits.maxProbes)) await look(part)
  const kinds = new Set([...known.values()].map(member => member?.kind))
  const kind = precedence.find(one => kinds.has(one))
  if (kind === undefined) throw unknown(known.size)
  const family = familyOf(kind)
  return recognised(kind, async () => {
    for (const part of parts) if (!known.has(part) && mayBe(kind, part)) await look(part)
    const membersOf = (kinds: readonly Kind[]) =>
      parts.flatMap(part => {
        const member = known.get(part)
        return member !== undefined && kinds.includes(member.kind) ? [[part, member] as const] : []
      })
    const own = membersOf(family)
    const fitbit = kind === 'fit' ? membersOf(['fitbit']) : []
    const read = new Set([...own, ...fitbit].map(([part]) => part))
    return {
      own: own.map(([, member]) => member),
      others: parts.filter(part => !read.has(part)),
      fitbit: fitbit.map(([, member]) => member),
      documents: parts.filter(part => kind !== 'ccda' && known.get(part)?.kind === 'ccda'),
    }
  })
}

function leftOver(parts: readonly Part[]): Outcome[] {
  return parts.map(part => ({ kind: 'unmapped', row: rowName(`file.${part.extension}`) }))
}

interface Reader {
  readonly format: Format
  open(files: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>>
}

const readers: Readonly<Record<Kind, Reader>> = {
  'apple-xml': { format: 'apple-health', open: openApple },
  'auto-export': { format: 'auto-export', open: async (files, context) => autoOutcomes(files, context) },
  ccda: { format: 'ccda', open: openCcda },
  fit: { format: 'google-fit', open: openFit },
  fitbit: { format: 'fitbit', open: openFitbit },
  'health-connect': { format: 'health-connect', open: openConnect },
  hl7v2: { format: 'hl7v2', open: async (files, context) => hl7Outcomes(files, context) },
  'fhir-bundle': { format: 'fhir-bundle', open: openFhir },
  'fhir-ndjson': { format: 'fhir-ndjson', open: openFhir },
}

async function openApple(
  { own, others, documents = [] }: Files,
  context: ReadContext,
): Promise<AsyncIterable<readonly Outcome[]>> {
  const said: PersonClaims[] = []
  const files = { own, others: others.filter(part => !documents.includes(part)) }
  for (const member of files.own) said.push(...(await findMe(member.open(), context.limits)))
  if (!context.forced) {
    await checkOnePerson(said, context)
    await checkClinicPatients(await clinicPatients(files.others, context), context)
    await checkClinicPatients(await ownersOfEcgs(files.others), context)
  }
  const read: AsyncIterable<readonly Outcome[]>[] = []
  for (const part of documents) read.push(await beside(part, context))
  return (async function* () {
    yield* appleOutcomes(files, context)
    for (const outcomes of read) yield* outcomes
  })()
}

/** A document beside an export: what is wrong with it does not cost the export, unless it is somebody else's. */
async function beside(part: Part, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const row = rowName(`file.${part.extension}`)
  try {
    return await importCcdaBeside({ open: () => part.open() }, context, row)
  } catch (error) {
    if (!isProblem(error, 'invalid') && !isProblem(error, 'too-large')) throw error
    return (async function* () {
      yield [{ kind: 'rejected', row, reason: 'structure-unknown' } as const]
    })()
  }
}

async function* appleOutcomes({ own, others }: Files, context: ReadContext): AsyncGenerator<readonly Outcome[]> {
  const files = readableFiles(others, context)
  const used = new Set(files.values())
  yield leftOver(others.filter(part => !used.has(part)))
  const servers = new Map<string, string>()
  const beside = {
    files: new Set(files.keys()),
    comesFrom: (name: string, server: string) => void servers.set(ownText(name), ownText(server)),
  }
  for (const member of own) yield* readAppleExport(member.open(), context, context.limits, beside)
  yield* readFiles(files, servers, context)
}

async function openFit(files: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const fitbit = await fitbitIn(files.fitbit ?? [], context)
  const said = [...fitbit.claims]
  for (const part of files.others.filter(isProfile)) said.push(...(await readProfile(part)))
  if (!context.forced) await checkOnePerson(said, context)
  return (async function* () {
    yield* fitOutcomes(files, context)
    yield* fitbit.outcomes
  })()
}

async function* fitOutcomes({ own, others }: Files, context: ReadContext): AsyncGenerator<readonly Outcome[]> {
  const isTrack = ({ extension }: Part) => extension === 'tcx'
  yield leftOver(others.filter(part => !isTrack(part)))
  const tracks = others.filter(isTrack).map(part => ({ name: part.baseName, open: () => part.open() }))
  const sessions = own.filter(({ head }) => isFitSession(head))
  const tables = own.flatMap(({ name, head, open }) => {
    const rows = recogniseDaily(head)
    return rows === undefined ? [] : [{ name, rows, open }]
  })
  yield* readTakeout(own.flatMap(toStream), context, context.limits, { sessions, tracks, tables })
}

async function* autoOutcomes({ own, others }: Files, context: ReadContext): AsyncGenerator<readonly Outcome[]> {
  yield leftOver(others)
  for (const member of own) yield* readAutoExport(() => member.open(), context)
}

async function openFitbit({ own, others }: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const { claims, outcomes } = await fitbitIn(own, context)
  if (!context.forced) await checkOnePerson(claims, context)
  return (async function* () {
    yield leftOver(others)
    yield* outcomes
  })()
}

/** Whose account the files are of, as they say, and what is in them. */
async function fitbitIn(members: readonly Member[], context: ReadContext) {
  const files = members.flatMap(({ name, head, open }): FitbitFile[] => {
    const file = recogniseFitbit(name, head)
    return file === undefined ? [] : [{ file, open }]
  })
  const profiles = await profilesIn(files, context)
  const zone = profiles.find(profile => profile.zone !== undefined)?.zone
  return { claims: profiles.map(profile => profile.claims), outcomes: readFitbit(files, zone, context) }
}

/** Of several databases each is looked into before anything of one is written; one that is none of an export is named. */
async function openConnect({ own, others }: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const known: Member[] = []
  if (own.length > 1) for (const member of own) if (await checkExport(toDatabase(member), context)) known.push(member)
  const read = known.length === 0 ? own : known
  const foreign = own.filter(member => !read.includes(member)).map(({ name }) => unmappedFile(name))
  return connectOutcomes({ own: read, others }, foreign, context)
}

function unmappedFile(name: string): Outcome {
  return { kind: 'unmapped', row: rowName(`file.${/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''}`) }
}

function toDatabase({ sizeBytes = Number.POSITIVE_INFINITY, open }: Member) {
  return { sizeBytes, open }
}

async function* connectOutcomes(
  { own, others }: Files,
  foreign: readonly Outcome[],
  context: ReadContext,
): AsyncGenerator<readonly Outcome[]> {
  yield [...leftOver(others), ...foreign]
  for (const member of own) yield* await openExport(toDatabase(member), context)
}

async function* hl7Outcomes({ own, others }: Files, context: ReadContext): AsyncGenerator<readonly Outcome[]> {
  yield leftOver(others)
  for (const member of own) yield* readHl7File(member.open(), context)
}

async function openCcda({ own, others }: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const outcomes = await importCcda(own, context)
  return (async function* () {
    yield leftOver(others)
    yield* outcomes
  })()
}

/** Whom the resources are about is known when all of them were read once. */
async function openFhir({ own, others }: Files, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  const outcomes = await importFhir(own.map(toFhirFile), context)
  return (async function* () {
    yield leftOver(others)
    yield* outcomes
  })()
}

function toFhirFile({ kind, open }: Member): FhirFile {
  return { form: kind === 'fhir-ndjson' ? 'ndjson' : 'bundle', open }
}

function toStream(member: Member): FitStream[] {
  const known = recogniseFit(member.head)
  return known === undefined ? [] : [{ ...known, open: () => member.open() }]
}
