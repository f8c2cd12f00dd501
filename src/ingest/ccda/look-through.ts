import { createHash } from 'node:crypto'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { ReadContext } from '../read-context.ts'
import type { CdaElement } from './element.ts'
import { patientOf } from './patient.ts'
import { readDocument, type Told } from './read-document.ts'

/** A document of a file or an archive. */
export interface CcdaFile {
  open(): AsyncIterable<Buffer>
}

/** A document that is larger than this is read, and not kept beside what it says. Bytes. */
export const mostKept = 32 * 1024 ** 2

/** What the first reading of a document finds: that it is whole, and whom it is about. */
export interface Looked {
  readonly file: CcdaFile
  readonly header: readonly CdaElement[]
  readonly body: CdaElement | undefined
  readonly isStructured: boolean
  /** It has entries outside of any section, as the export of a phone. */
  readonly isExport: boolean
  readonly digest: string
  /** The document; undefined when it is too large to be kept. */
  readonly data: Buffer | undefined
}

/** What a document says of its person, as often as it does. */
export function peopleOf({ header }: Looked, { senders }: ReadContext): readonly PersonClaims[] {
  const around = { zone: senders.zone, section: undefined }
  return header.filter(({ name }) => name === 'recordTarget').map(one => claimsOf(patientOf(one, around)))
}

export async function lookThrough(
  file: CcdaFile,
  { limits }: ReadContext,
  wanted: 'header' | 'bytes',
): Promise<Looked> {
  const header: CdaElement[] = []
  const hash = createHash('sha256')
  let chunks: Buffer[] | undefined = wanted === 'bytes' ? [] : undefined
  let size = 0
  let body: CdaElement | undefined
  let isStructured = false
  let isExport = false
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
      if (isOfExport(told)) isExport = true
      if (told.kind === 'body' && wanted === 'bytes') body = told.element
    }
  const data = chunks === undefined ? undefined : Buffer.concat(chunks)
  return { file, header, body, isStructured, isExport, digest: hash.digest('hex'), data }
}

async function* noted(chunks: AsyncIterable<Buffer>, note: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    note(chunk)
    yield chunk
  }
}

/** Whether it stands in no section. */
export function isOfExport(told: Told): boolean {
  return told.kind === 'entry' && told.section === undefined
}
