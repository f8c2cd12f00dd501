import { createHash } from 'node:crypto'
import { Problem } from '#kernel'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import { checkOnePerson } from '../identity/guard.ts'
import { compare } from '../identity/judge.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { type CdaElement, textOf, unreadIn } from './element.ts'
import { type Content, factsOf, mapHeader } from './header.ts'
import { mapEntry } from './map-entry.ts'
import { patientOf } from './patient.ts'
import { readDocument, type Section, type Told } from './read-document.ts'
import { attachmentOf } from './resources/care.ts'
import { type DocumentFacts, Scene } from './scene.ts'
import { sectionRow } from './tables.ts'

/** A document of a file or an archive. */
export interface CcdaFile {
  open(): AsyncIterable<Buffer>
}

/** A document that is larger than this is read, and not kept beside what it says. Bytes. */
const mostKept = 32 * 1024 ** 2

/** What the first reading of a document finds: that it is whole, and whom it is about. */
interface Looked {
  readonly file: CcdaFile
  readonly header: readonly CdaElement[]
  readonly body: CdaElement | undefined
  readonly isStructured: boolean
  readonly digest: string
  /** The document; undefined when it is too large to be kept. */
  readonly data: Buffer | undefined
}

/**
 * Looks through documents that belong together, and gives what they become. Each is read twice: the first time to its end, so that
 * nothing is written of one that is broken or somebody else's.
 *
 * @throws Problem as `readDocument`, both at once and while it is read; `unprocessable` · `ingest.patient-contradicted`,
 *   `ingest.patient-doubtful`, `ingest.several-patients`
 */
export async function importCcda(
  files: readonly CcdaFile[],
  context: ReadContext,
): Promise<AsyncGenerator<readonly Outcome[], void, void>> {
  const descriptions: PersonClaims[] = []
  for (const file of files) descriptions.push(...peopleOf(await lookThrough(file, context, 'header'), context))
  checkOne(descriptions)
  if (!context.forced) await checkOnePerson(descriptions, context)
  return (async function* () {
    for (const file of files) yield* outcomesOf(await lookThrough(file, context, 'bytes'), context)
  })()
}

/** Whom documents describe must be one, whoever it is: their entries do not say of whom they are. */
function checkOne([first, ...others]: readonly PersonClaims[]): void {
  if (first !== undefined && others.some(other => compare(other, first).kind === 'contradicts'))
    throw new Problem('unprocessable', 'ingest.several-patients', 'The file describes several people.')
}

/** What a document says of its person, as often as it does. */
function peopleOf({ header }: Looked, { senders }: ReadContext): readonly PersonClaims[] {
  const around = { zone: senders.zone, section: undefined }
  return header.filter(({ name }) => name === 'recordTarget').map(one => claimsOf(patientOf(one, around)))
}

async function lookThrough(file: CcdaFile, { limits }: ReadContext, wanted: 'header' | 'bytes'): Promise<Looked> {
  const header: CdaElement[] = []
  const hash = createHash('sha256')
  let chunks: Buffer[] | undefined = wanted === 'bytes' ? [] : undefined
  let size = 0
  let body: CdaElement | undefined
  let isStructured = false
  const note = (chunk: Buffer) => {
    hash.update(chunk)
    size += chunk.length
    if (size > mostKept) chunks = undefined
    chunks?.push(Buffer.from(chunk))
  }
  for await (const some of readDocument(noted(file.open(), note), limits))
    for (const told of some) {
      if (told.kind === 'header') header.push(told.element)
      if (told.kind === 'section' || told.kind === 'entry') isStructured = true
      if (told.kind === 'body' && wanted === 'bytes') body = told.element
    }
  const data = chunks === undefined ? undefined : Buffer.concat(chunks)
  return { file, header, body, isStructured, digest: hash.digest('hex'), data }
}

async function* noted(chunks: AsyncIterable<Buffer>, note: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    note(chunk)
    yield chunk
  }
}

async function* outcomesOf(looked: Looked, context: ReadContext): AsyncGenerator<readonly Outcome[], void, void> {
  const facts = factsOf(looked.header, context, context.senders.zone)
  const { content, warnings } = contentOf(looked, facts)
  yield warnings
  yield mapHeader(looked.header, content, facts)
  for await (const some of readDocument(looked.file.open(), context.limits))
    for (const told of some) yield outcomeOf(told, facts)
}

/** What of the document is kept as it is, and what cannot be. */
function contentOf({ body, data, digest, isStructured, header }: Looked, facts: DocumentFacts) {
  const warnings: Outcome[] = []
  const warn = (text: string) => warnings.push({ kind: 'warning', text })
  const { context } = facts
  const mayKeep = context.canWrite('Binary') && context.canWrite('DocumentReference')
  if (data === undefined) warn(`The document is larger than ${mostKept} bytes: it was read, and is not kept itself.`)
  else if (!mayKeep) warn('The grant does not permit to keep the document itself.')
  if (!header.some(({ name }) => name === 'recordTarget')) warn('The document does not say whom it is about.')
  const scene = new Scene(facts, undefined, 'nonXMLBody', () => undefined)
  const file = body && attachmentOf(scene, body.find('text'))
  if (body !== undefined && file === undefined) warn('The body of the document is a file that is not in it.')
  const content: Content = {
    bytes: data === undefined || !mayKeep ? undefined : { digest, data },
    body: file,
    isStructured: isStructured || body === undefined,
  }
  return { content, warnings }
}

function outcomeOf(told: Told, facts: DocumentFacts): readonly Outcome[] {
  if (told.kind === 'entry') return mapEntry(told.element, told.section, facts)
  if (told.kind === 'section') return sectionOutcomes(told.section, facts)
  return told.kind === 'doubtful' ? [{ kind: 'warning', text: doubtfulEncoding }] : []
}

const doubtfulEncoding = 'Some lines are not UTF-8; they were read as windows-1252.'

/** A section without entries is text, which the document keeps. */
function sectionOutcomes({ element, entries }: Section, facts: DocumentFacts): readonly Outcome[] {
  const scene = new Scene(facts, undefined, 'section', () => undefined)
  for (const one of element.all('code', 'title', 'text', 'id', 'templateId', 'confidentialityCode', 'languageCode'))
    one.use('all')
  for (const place of unreadIn(element)) scene.tellUnread(place)
  if (entries === 0 && textOf(element.find('text')) !== '') {
    const row = sectionRow(element)
    const name = row?.text ?? 'A section'
    scene.warn(`${name}: it has no entries, and is kept as text in the document alone.`)
  }
  return scene.outcomes
}
