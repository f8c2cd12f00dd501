import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Matcher } from '../match.ts'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { batch } from './batch.ts'
import type { BundleInteraction } from './bundle-answer.ts'
import { transaction } from './transaction.ts'

const interactions: ReadonlyMap<unknown, BundleInteraction> = new Map([
  ['batch', batch],
  ['transaction', transaction],
])

/**
 * A Bundle of interactions. Its entries are looked up in a matcher that does not know this interaction itself, so that
 * Bundles cannot be nested.
 *
 * @throws Problem `invalid` · `bundle.type-unsupported`, `bundle.entry-malformed`; `too-large` · `bundle.too-many-entries`
 * @see https://hl7.org/fhir/R4/http.html#transaction
 */
export function batchOrTransaction(matcher: Matcher) {
  return async (request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> => {
    const asked = granted(request)
    const bundle = await readResource(asked, 'Bundle')
    const answer = interactions.get(bundle.type)
    if (answer === undefined)
      throw new Problem('invalid', 'bundle.type-unsupported', 'The Bundle must be a batch or a transaction.', {
        expression: 'Bundle.type',
      })
    return answer(entriesOf(bundle, rooms.limits.bundleEntries), asked, matcher, rooms)
  }
}

function entriesOf(bundle: Resource, most: number): readonly unknown[] {
  const { entry = [] } = bundle
  if (!Array.isArray(entry))
    throw new Problem('invalid', 'bundle.entry-malformed', 'Bundle.entry must be an array.', {
      expression: 'Bundle.entry',
    })
  if (entry.length > most)
    throw new Problem('too-large', 'bundle.too-many-entries', `A Bundle may have at most ${most} entries.`, {
      expression: 'Bundle.entry',
    })
  return entry
}
