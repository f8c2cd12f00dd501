import { type Grant, permits, publishedTypes, requirePermission, restrict } from '#access'
import { type Resource, toInstant } from '#fhir'
import { Problem } from '#kernel'
import type { Deletion } from '#record'
import { parseQuery, type Query, type Restricted } from '#search'
import { granted } from '../perform.ts'
import { parsePrefer } from '../rest/prefer.ts'
import { searchableTypes } from '../search/compartment.ts'
import type { FhirResponse, GrantedRequest, Route } from '../types.ts'
import { type AskedExport, askedExport } from './asked.ts'
import { membersOf, within } from './group.ts'
import { narrowToPatients } from './levels.ts'

/** All that may be searched, all that lies with patients, or with those of a Group. */
export type ExportLevel = 'system' | 'patients' | 'group'

/** Whom an export is about: undefined is everybody and what is nobody's. */
type Whom = readonly string[] | 'all' | undefined

/**
 * Begins an export and says where to ask for it.
 *
 * @throws Problem `invalid` · `export.async-only` and what `askedExport` throws; `forbidden` · `scope.missing`; `not-found` ·
 *   `record.unknown` for a Group out of reach, `export.patient-unknown`; `not-allowed` · `request.method-unsupported`;
 *   `throttled` · `bulk.too-many-of-owner`; `busy` · `bulk.too-many`
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request
 */
export function kickOff(level: ExportLevel): Route['handler'] {
  return async (request, { id = '' }, rooms) => {
    const asking = granted(request)
    checkAsync(asking)
    const asked = await askedExport(asking, level !== 'system')
    const members = level === 'group' ? await membersOf(id, asking, rooms) : undefined
    const whom = await whomOf(level, asked, { members, reached: ids => within(asking.grant, ids, rooms) })
    const { grant, baseUrl, renew } = asking
    const job = await rooms.bulk.begin({
      grant,
      queries: queriesOf(asked, grant, whom, baseUrl),
      request: urlOf(asking),
      isTelling: asked.filters.length > 0 || asked.patients !== undefined || level === 'group',
      elements: asked.elements,
      ...deletedSince(asked, whom),
      ...(renew === undefined ? {} : { renew }),
    })
    return begun(`${baseUrl}/$export-status/${job}`, asked)
  }
}

/** A HEAD would begin what nobody could ask for: it has no body to refuse it in either. */
function checkAsync(request: GrantedRequest): void {
  if (request.method === 'HEAD')
    throw new Problem('not-allowed', 'request.method-unsupported', 'An export is begun by GET or POST.')
  if (parsePrefer(request).respondAsync) return
  const text = 'An export is made aside: ask with the header Prefer: respond-async.'
  throw new Problem('invalid', 'export.async-only', text, { expression: 'Prefer' })
}

/** @throws Problem `not-found` · `export.patient-unknown` */
async function whomOf(
  level: ExportLevel,
  { patients }: AskedExport,
  {
    members,
    reached,
  }: { readonly members: readonly string[] | undefined; reached(ids: readonly string[]): Promise<readonly string[]> },
): Promise<Whom> {
  if (level === 'system') return undefined
  if (patients === undefined) return members ?? 'all'
  const known = members === undefined ? await reached(patients) : patients.filter(each => members.includes(each))
  if (known.length === patients.length) return patients
  const text = 'One of the patients is not known here, or is no member of the Group.'
  throw new Problem('not-found', 'export.patient-unknown', text, { expression: 'patient' })
}

function queriesOf(asked: AskedExport, grant: Grant, whom: Whom, baseUrl: string): readonly Restricted<Query>[] {
  const types = asked.types ?? wholeTypes(grant, whom)
  for (const type of types) requirePermission(grant, 's', type)
  const filtered = new Set(asked.filters.map(({ type }) => type))
  const plain = types.filter(type => !filtered.has(type))
  const grants = whom === undefined ? [grant] : narrowToPatients(grant, whom)
  return grants.flatMap(each => {
    const permitted = plain.filter(type => permits(each, 's', type))
    const filters = asked.filters.filter(({ type }) => permits(each, 's', type))
    return [
      ...(permitted.length === 0 ? [] : [ofTypes(permitted, asked, baseUrl)]),
      ...filters.map(({ type, params }) => parseQuery(type, narrowed(params, asked), { baseUrl })),
    ].map(query => restrict(query, each))
  })
}

/** Records of access grow by being read, and definitions are about nobody: where they are not the point they are to be named. */
function wholeTypes(grant: Grant, whom: Whom): readonly string[] {
  const types = searchableTypes(grant)
  return whom === undefined ? types : types.filter(type => !publishedTypes.has(type))
}

function ofTypes(types: readonly string[], asked: AskedExport, baseUrl: string): Query {
  return parseQuery(undefined, narrowed(new URLSearchParams({ _type: types.join(',') }), asked), { baseUrl })
}

function narrowed(params: URLSearchParams, { sinceMs, untilMs }: AskedExport): URLSearchParams {
  const all = new URLSearchParams(params)
  if (sinceMs !== undefined) all.append('_lastUpdated', `gt${toInstant(sinceMs)}`)
  if (untilMs !== undefined) all.append('_lastUpdated', `lt${toInstant(untilMs)}`)
  return all
}

/** Who asks what has changed hears what was deleted. What a filter would have found of it nobody can tell any more. */
function deletedSince({ sinceMs, untilMs, types, filters }: AskedExport, whom: Whom) {
  if (sinceMs === undefined || untilMs !== undefined || filters.length > 0) return {}
  const isMeant = ({ type, holder }: Deletion) =>
    (types?.includes(type) ?? true) && type !== 'AuditEvent' && isOf(holder, whom)
  return { deletedSince: { sinceMs, isMeant } }
}

function isOf({ kind, patient }: Deletion['holder'], whom: Whom): boolean {
  if (whom === undefined) return true
  return kind === 'patient' && (whom === 'all' || (patient !== undefined && whom.includes(patient)))
}

export function urlOf({ baseUrl, path, query }: GrantedRequest): string {
  return `${baseUrl}${path}${query.size === 0 ? '' : `?${query}`}`
}

function begun(location: string, { ignored }: AskedExport): FhirResponse {
  const headers = { 'content-location': location }
  return { status: 202, headers, ...(ignored.length === 0 ? {} : { body: leftOut(ignored) }) }
}

function leftOut(names: readonly string[]): Resource {
  const expression = [...new Set(names)].map(name =>
    /^[_$A-Za-z][\w.:-]{0,63}$/.test(name) ? name : '(malformed name)',
  )
  const diagnostics = `Left out, because it is not supported here: ${expression.join(', ')}`
  const issue = [{ severity: 'warning', code: 'not-supported', diagnostics, expression }]
  return { resourceType: 'OperationOutcome', issue }
}
