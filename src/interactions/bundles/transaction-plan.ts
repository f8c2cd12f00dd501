import type { Resource } from '#fhir'
import { newResourceId, Problem } from '#kernel'
import { criteriaOf, parseIfNoneExist } from '../rest/condition.ts'
import type { BundleEntry } from './bundle-entry.ts'

/** When an entry has its turn. @see https://hl7.org/fhir/R4/http.html#trules */
export type Turn = 'DELETE' | 'POST' | 'PUT' | 'GET'

/** An entry of a transaction, with what is known of it before anything is looked up. */
export interface Planned extends BundleEntry {
  readonly turn: Turn
  readonly type: string
  /** The id that the URL names. */
  readonly id: string | undefined
  /** Search parameters that decide which resource is meant, or whether one is created at all. */
  readonly criteria: string | undefined
  /** The id of the resource if this entry creates one: chosen beforehand, so that others can refer to it. */
  readonly newId: string
  /** What is to be written; of a patch the patch. */
  readonly resource: Resource | undefined
  readonly isPatch: boolean
}

const turns: Readonly<Record<string, Turn>> = {
  delete: 'DELETE',
  'conditional-delete': 'DELETE',
  create: 'POST',
  update: 'PUT',
  'conditional-update': 'PUT',
  patch: 'PUT',
  'conditional-patch': 'PUT',
  read: 'GET',
  vread: 'GET',
  'history-instance': 'GET',
  'history-type': 'GET',
  'history-system': 'GET',
  'search-type': 'GET',
  'search-system': 'GET',
  'search-compartment': 'GET',
  capabilities: 'GET',
  // Operations that only look, by whatever method they are asked.
  $everything: 'GET',
  $summary: 'GET',
  $meta: 'GET',
  $match: 'GET',
  $validate: 'GET',
  $lookup: 'GET',
  '$validate-code': 'GET',
  $subsumes: 'GET',
  $expand: 'GET',
  $translate: 'GET',
}

/** @throws Problem `invalid` · `bundle.entry-unsupported` for what can stand in a batch but not in a transaction */
export function planEntry(entry: BundleEntry): Planned {
  const { match, request } = entry
  const turn = turns[match.route.interaction]
  if (turn === undefined || (turn === 'GET' && match.route.consumes !== undefined))
    throw new Problem(
      'invalid',
      'bundle.entry-unsupported',
      'A transaction cannot contain this interaction; a batch can.',
      {
        expression: 'request.url',
      },
    )
  return {
    ...entry,
    turn,
    type: match.params.type ?? '',
    id: match.params.id,
    criteria: conditionOf(entry),
    newId: newResourceId(),
    resource: request.resource,
    isPatch: match.route.method === 'PATCH',
  }
}

function conditionOf({ match, request }: BundleEntry): string | undefined {
  const { interaction } = match.route
  if (interaction === 'create') return parseIfNoneExist(request.header('if-none-exist'), match.params.type ?? '')
  return interaction.startsWith('conditional-') ? criteriaOf(request.query) : undefined
}
