import { inSlices, Problem, type Steps } from '#kernel'
import type { PersonClaims } from '../identity/claims.ts'
import { checkOnePerson } from '../identity/guard.ts'
import { compare } from '../identity/judge.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { textOf, unreadIn } from './element.ts'
import { type Content, factsOf, mapHeader, newScene, whole } from './header.ts'
import { type CcdaFile, type Looked, lookThrough, mostKept, peopleOf } from './look-through.ts'
import { mapEntry } from './map-entry.ts'
import { exportOutcomes } from './phone-export.ts'
import { readDocument, type Section, type Told } from './read-document.ts'
import { attachmentOf } from './resources/care.ts'
import type { DocumentFacts } from './scene.ts'
import { sectionRow } from './tables.ts'
import { versionsOf } from './versions.ts'

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

/**
 * A document that lies beside an export of a phone. One that says nothing of anybody is only named.
 *
 * @param row  what it is called then
 * @throws Problem as `importCcda`
 */
export async function importCcdaBeside(
  file: CcdaFile,
  context: ReadContext,
  row: string,
): Promise<AsyncIterable<readonly Outcome[]>> {
  const { header, isStructured, body } = await lookThrough(file, context, 'header')
  const isEmpty = !isStructured && body === undefined && !header.some(({ name }) => name === 'recordTarget')
  if (!isEmpty) return importCcda([file], context)
  return (async function* () {
    yield [{ kind: 'unmapped', row } as const]
  })()
}

/** Whom documents describe must be one, whoever it is: their entries do not say of whom they are. */
function checkOne([first, ...others]: readonly PersonClaims[]): void {
  if (first !== undefined && others.some(other => compare(other, first).kind === 'contradicts'))
    throw new Problem('unprocessable', 'ingest.several-patients', 'The file describes several people.')
}

async function* outcomesOf(looked: Looked, context: ReadContext): AsyncGenerator<readonly Outcome[], void, void> {
  const facts = factsOf(looked.header, context, context.senders.zone)
  if (looked.isExport) return yield* exportOutcomes(looked, facts, context)
  const { content, warnings } = contentOf(looked, facts)
  yield warnings
  yield mapHeader(looked.header, content, facts, await versionsOf(whole(looked.header), context))
  for await (const some of readDocument(looked.file.open(), context.limits))
    for (const told of some) yield await inSlices(outcomeOf(told, facts))
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
  const scene = newScene(facts, 'nonXMLBody')
  const file = body && attachmentOf(scene, body.find('text'))
  if (body !== undefined && file === undefined) warn('The body of the document is a file that is not in it.')
  const content: Content = {
    bytes: data === undefined || !mayKeep ? undefined : { digest, data },
    body: file,
    isStructured: isStructured || body === undefined,
  }
  return { content, warnings }
}

function* outcomeOf(told: Told, facts: DocumentFacts): Steps<readonly Outcome[]> {
  if (told.kind === 'entry') return yield* mapEntry(told.element, told.section, facts)
  if (told.kind === 'section') return sectionOutcomes(told.section, facts)
  return told.kind === 'doubtful' ? [{ kind: 'warning', text: doubtfulEncoding }] : []
}

const doubtfulEncoding = 'Some lines are not UTF-8; they were read as windows-1252.'

/** A section without entries is text, which the document keeps. */
function sectionOutcomes({ element, entries }: Section, facts: DocumentFacts): readonly Outcome[] {
  const scene = newScene(facts, 'section')
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
