import type { Grant } from '#access'
import { parseStored } from '#fhir'
import { isProblem } from '#kernel'
import type { PrepareDeps } from '../prepare.ts'
import type { ByteSource } from '../source/byte-source.ts'
import { headOf } from '../source/byte-source.ts'
import { isGzip, unpackGzip } from '../source/gzip.ts'
import type { Spool } from '../source/spool.ts'

/** A file from elsewhere as it comes, or why not, in constant words. `bytes` throws what breaks off while it comes. */
export type FetchFile = (
  url: string,
  ended: AbortSignal,
  headers?: Readonly<Record<string, string>>,
) => Promise<{ readonly bytes: AsyncIterable<Uint8Array> } | { readonly refusal: string }>

/** Where a file is, and what may be needed to get it. */
export interface Input {
  /** What its rows are said to be; nothing depends on it. */
  readonly type?: string
  /** An address, or `Binary/1` of this server. */
  readonly url: string
}

/** What a bulk import needs of the room. */
export type BulkDeps = PrepareDeps & { readonly spool: Spool }

interface Getting {
  readonly grant: Grant
  readonly deps: BulkDeps
  readonly fetch: FetchFile
  readonly signal: AbortSignal
  /** Aborted when the files have taken too long to come. */
  readonly late: AbortSignal
  /** Of the request with which files are fetched. */
  readonly authorization?: string | undefined
}

/** A file that is here, unpacked, or why it is not. Whoever gets it closes it. */
export type Got = { readonly source: ByteSource } | { readonly refusal: string }

/**
 * Gets a file. What is the file's fault is told and not thrown: the others go in.
 *
 * @throws Problem `full` or `busy` · `ingest.spool-unwritable`, `busy` · `ingest.spool-quota`, and that with which the signal was aborted
 */
export async function getFile({ url }: Input, getting: Getting): Promise<Got> {
  const { deps, grant, signal, late } = getting
  if (late.aborted) return tooLate
  const got = await bytesAt(url, getting)
  // Whoever ends it ends what is fetched, which is no fault of the file.
  signal.throwIfAborted()
  if (late.aborted) return tooLate
  if ('refusal' in got) return got
  try {
    await using owned = new AsyncDisposableStack()
    const packed = owned.adopt(await deps.spool.take(wholly(got.bytes, signal), grant.id), closed)
    if (!isGzip(await headOf(packed, 2))) {
      owned.move()
      return { source: packed }
    }
    return { source: await deps.spool.take(unpackGzip(packed, deps.limits), grant.id) }
  } catch (error) {
    signal.throwIfAborted()
    if (late.aborted) return tooLate
    if (error instanceof BrokenOff) return { refusal: 'The file broke off while it came.' }
    if (isProblem(error) && isOfFile.has(error.kind)) return { refusal: error.text }
    throw error
  }
}

/** A server may send so slowly that its file never ends. */
const tooLate = { refusal: 'The files took too long to come.' } as const

const closed = (source: ByteSource): Promise<void> => source.close()

/** What a file is to blame for. */
const isOfFile: ReadonlySet<string> = new Set(['invalid', 'too-large'])

class BrokenOff extends Error {}

async function* wholly(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const pieces = bytes[Symbol.asyncIterator]()
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await pieces.next().catch(() => {
        throw new BrokenOff()
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await pieces.return?.()
  }
}

async function bytesAt(
  url: string,
  { grant, deps, fetch, signal, late, authorization }: Getting,
): Promise<Awaited<ReturnType<FetchFile>>> {
  const id = binaryId(url, deps.baseUrl)
  if (id === undefined)
    return fetch(url, AbortSignal.any([signal, late]), authorization === undefined ? {} : { authorization })
  try {
    const reader = deps.record.reader(grant)
    const stored = await reader.read('Binary', id)
    if (stored.content !== undefined) return { bytes: reader.content(stored) }
    const { json } = stored
    const { data = '' } = (await parseStored(json)) as { readonly data?: string }
    return { bytes: once(Buffer.from(data, 'base64')) }
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return { refusal: 'No such Binary is known here.' }
    throw error
  }
}

/** The id of a Binary of this server that an address means, if it does. */
export function binaryId(url: string, baseUrl: string): string | undefined {
  const relative = url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url
  return /^Binary\/([A-Za-z0-9\-.]{1,64})$/.exec(relative)?.[1]
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield bytes
}
