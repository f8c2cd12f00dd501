import type { Grant } from '#access'
import { toInstant } from '#fhir'
import { Problem } from '#kernel'
import { type Form, jsonResponse, prefersPage, type WebRequest, type WebResponse, type WebRoute } from '#web'
import { linkPage } from './link-page.ts'
import type { LinkSummary } from './links.ts'
import type { Management } from './management.ts'
import type { Opening } from './opening.ts'
import { countField, flagField, instantField, neededText, readFields, textField } from './request-fields.ts'
import { contentType } from './sealed-file.ts'

interface Parts {
  readonly management: Management
  readonly opening: Opening
  readonly baseUrl: string
  authenticate(bearer: string): Promise<Grant>
}

type Handler = (request: WebRequest, parts: Parts) => Promise<WebResponse>

/** Files up to this length are embedded when the viewer sets no bound. */
const usualEmbeddedLength = 100_000

function segment(request: WebRequest, at: number): string {
  return request.path.split('/')[at] ?? ''
}

/** @throws Problem `invalid` · `share.recipient-missing` */
function checkRecipient(recipient: string | null | undefined): string {
  if (recipient !== undefined && recipient !== null && recipient.trim() !== '') return recipient
  throw new Problem('invalid', 'share.recipient-missing', 'Please say in `recipient` who opens the link.', {
    expression: 'recipient',
  })
}

const openManifest: Handler = async (request, { opening, baseUrl }) => {
  const id = segment(request, 2)
  const fields = await readFields(request)
  const recipient = checkRecipient(textField(fields, 'recipient'))
  const longest = countField(fields, 'embeddedLengthMax') ?? usualEmbeddedLength
  const opened = await opening.openManifest(id, recipient, textField(fields, 'passcode'))
  if (opened.kind === 'refused') return jsonResponse(401, { remainingAttempts: opened.remainingAttempts })
  const { jwe, link } = opened
  const content =
    jwe.length <= longest ? { embedded: jwe } : { location: `${baseUrl}/share/${id}/files/${opening.ticketFor(id)}` }
  const file = { contentType, ...content, lastUpdated: toInstant(link.createdAtMs) }
  return jsonResponse(200, { status: 'finalized', files: [file] })
}

/** A compact JWE: https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html */
function joseResponse(jwe: string): WebResponse {
  const headers = {
    'Content-Type': 'application/jose',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }
  return { status: 200, headers, body: jwe }
}

/** A person who opens the address by itself, without the key that only the whole link carries, is told what it is. */
const openDirect: Handler = async (request, { opening }) => {
  if (prefersPage(request.header('accept'))) return linkPage()
  return joseResponse(await opening.openDirect(segment(request, 2), checkRecipient(request.query.get('recipient'))))
}

const fetchFile: Handler = async (request, { opening }) =>
  joseResponse(await opening.openTicket(segment(request, 2), segment(request, 4)))

/** @throws Problem `unauthenticated` · `share.token-missing`, or what `authenticate` throws */
async function bearerGrant(request: WebRequest, parts: Parts): Promise<Grant> {
  const token = /^Bearer +(\S+) *$/i.exec(request.header('authorization') ?? '')?.[1]
  if (token === undefined)
    throw new Problem('unauthenticated', 'share.token-missing', 'This needs an access token: Authorization: Bearer …')
  return parts.authenticate(token)
}

/** Leaves out what is not there, since an optional member is absent or has a value. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

const createLink: Handler = async (request, parts) => {
  const grant = await bearerGrant(request, parts)
  const fields = await readFields(request)
  const { expiresAtMs, ...created } = await parts.management.create({
    grant,
    renew: () => bearerGrant(request, parts),
    patient: textField(fields, 'patient') ?? grant.patient ?? neededText(fields, 'patient'),
    scopes: neededText(fields, 'scopes'),
    ...present({
      label: textField(fields, 'label'),
      passcode: textField(fields, 'passcode'),
      expiresAtMs: instantField(fields, 'expiresAt'),
      flagDirect: flagField(fields, 'direct'),
    }),
  })
  return jsonResponse(201, { ...created, expiresAt: toInstant(expiresAtMs) })
}

function told({ createdAtMs, expiresAtMs, ...rest }: LinkSummary): object {
  return { ...rest, createdAt: toInstant(createdAtMs), expiresAt: toInstant(expiresAtMs) }
}

const listLinks: Handler = async (request, parts) => {
  const links = await parts.management.list(await bearerGrant(request, parts))
  return jsonResponse(200, { links: links.map(told) })
}

const revokeLink: Handler = async (request, parts) => {
  const grant = await bearerGrant(request, parts)
  await parts.management.revoke({ grant, id: segment(request, 2) })
  return jsonResponse(200, { state: 'revoked' })
}

interface Row {
  readonly method: WebRoute['method']
  readonly path: string
  readonly access: WebRoute['access']
  readonly query?: readonly string[]
  readonly fields?: readonly string[]
  readonly answers: NonNullable<WebRoute['answers']>
  readonly handle: Handler
  readonly summary: string
}

const created = ['scopes', 'patient?', 'label?', 'expiresAt?', 'passcode?', 'direct?']
const opened = ['recipient', 'passcode?', 'embeddedLengthMax?']

/** Everything this room answers. The first three rows are the protocol of SMART Health Links, the others ours. */
// biome-ignore format: a table is read by its columns
const rows: readonly Row[] = [
  { method: 'POST', path: '/share/:id', access: 'nothing', fields: opened, answers: 'application/json', handle: openManifest, summary: 'The manifest of a SMART Health Link' },
  { method: 'GET', path: '/share/:id', access: 'nothing', query: ['recipient'], answers: 'application/jose', handle: openDirect, summary: 'The encrypted file of a SMART Health Link with flag U' },
  { method: 'GET', path: '/share/:id/files/:ticket', access: 'nothing', answers: 'application/jose', handle: fetchFile, summary: 'The encrypted file that a manifest points to' },
  { method: 'POST', path: '/share', access: 'bearer', fields: created, answers: 'application/json', handle: createLink, summary: 'Creates a link to part of a patient’s record' },
  { method: 'GET', path: '/share', access: 'bearer', answers: 'application/json', handle: listLinks, summary: 'The links that the bearer may manage' },
  { method: 'POST', path: '/share/:id/revoke', access: 'bearer', answers: 'application/json', handle: revokeLink, summary: 'Ends a link' },
]

function formOf({ fields }: Row): { readonly form?: Form } {
  return fields === undefined ? {} : { form: { type: 'application/json', fields } }
}

/** The routes over opened parts. Viewers are pages of any origin; no cookie means anything here, so all are let in. */
export function routesOf(parts: Parts): readonly WebRoute[] {
  return rows.map(row => {
    const { method, path, access, query, answers, summary } = row
    const asked = query === undefined ? {} : { query }
    const handler = (request: WebRequest) => row.handle(request, parts)
    return { method, path, access, readers: 'anybody', answers, summary, ...asked, ...formOf(row), handler }
  })
}
