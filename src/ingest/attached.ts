import type { CodeableConcept } from './codes.ts'
import type { Outcome } from './outcome.ts'
import type { DeviceContext } from './told-devices.ts'

/** A file of an export that is kept as it is. */
export interface AttachedFile {
  readonly data: Buffer
  readonly name: string
  readonly contentType: string
  readonly type: CodeableConcept
  /** Ids of the DocumentReference, and of the Binary that it refers to. */
  readonly ids: { readonly document: string; readonly bytes: string }
}

/** Whether whoever imports may keep files. */
export function keepsFiles({ canWrite }: Pick<DeviceContext, 'canWrite'>): boolean {
  return canWrite('DocumentReference') && canWrite('Binary')
}

/** A document and its bytes, which count as one row. */
export function attached(file: AttachedFile, row: string, { subject, source }: DeviceContext): Outcome[] {
  const { data, contentType, ids } = file
  const meta = { source }
  const attachment = {
    contentType,
    url: `Binary/${ids.bytes}`,
    size: data.length,
    title: file.name.slice(0, 200),
  }
  const binary = {
    resourceType: 'Binary',
    id: ids.bytes,
    meta,
    contentType,
    securityContext: subject,
    data: data.toString('base64'),
  }
  const document = {
    resourceType: 'DocumentReference',
    id: ids.document,
    meta,
    status: 'current',
    type: file.type,
    subject,
    content: [{ attachment }],
  }
  return [
    { kind: 'mapped', row, rows: 0, mode: 'create', resource: binary },
    { kind: 'mapped', row, mode: 'create', resource: document },
  ]
}

/** All bytes of a file; undefined when they are more than so many. */
export async function bytesWithin(chunks: AsyncIterable<Uint8Array>, most: number): Promise<Buffer | undefined> {
  const held: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > most) return undefined
    held.push(chunk)
  }
  return Buffer.concat(held)
}
