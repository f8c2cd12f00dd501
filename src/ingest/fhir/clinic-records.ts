import { isProblem, type Problem } from '#kernel'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { importFhir } from './import-fhir.ts'
import type { FhirFile } from './read-resources.ts'

/**
 * What the records that a phone has of one clinic become: together, so that they find each other; if that cannot be, each by itself.
 *
 * @param rejected  what a record becomes that cannot be read, or is not the patient's
 */
export async function* importClinic(
  { together, alone }: { readonly together: readonly FhirFile[]; readonly alone: () => Iterable<FhirFile> },
  context: ReadContext,
  rejected: (problem: Problem) => Outcome,
): AsyncGenerator<readonly Outcome[], void, void> {
  const read = await attempt(together, context)
  if (!isProblem(read)) return yield* read
  for (const file of alone()) {
    const one = await attempt([file], context)
    if (isProblem(one)) yield [rejected(one)]
    else yield* one
  }
}

/** What files become, or why they cannot be read, or not together. */
async function attempt(
  files: readonly FhirFile[],
  context: ReadContext,
): Promise<AsyncGenerator<readonly Outcome[]> | Problem> {
  try {
    return await importFhir(files, context)
  } catch (error) {
    if (isProblem(error, 'invalid') || isProblem(error, 'unprocessable')) return error
    throw error
  }
}

/** The server that a resource with this address comes from, as `serverAt`. */
export function serverOf(address: string | undefined): string | undefined {
  return serverAt(address, path => path.replace(/\/_history\/[^/]*$/, '').replace(resource, ''))
}

/** `/Observation/1`, or `/Observation` of a search. */
const resource = /\/[A-Z][A-Za-z]+(?:\/[^/]+)?\/?$/

/**
 * The base address of a server as it is written once for all; undefined when it is none. All of its path counts: a server may keep its
 * tenants apart by it.
 *
 * @param base  of a path the part that is the server's
 */
export function serverAt(address: unknown, base = (path: string) => path): string | undefined {
  if (typeof address !== 'string' || !URL.canParse(address)) return undefined
  const { protocol, origin, pathname } = new URL(address)
  return /^https?:$/.test(protocol) ? `${origin}${base(pathname).replace(/\/+$/, '')}` : undefined
}
