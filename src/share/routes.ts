import type { Grant } from '#access'
import { toInstant } from '#fhir'
import { Problem } from '#kernel'
import type { LinkSummary } from './links.ts'
import type { Opening } from './opening.ts'
import { countField, flagField, instantField, neededText, readFields, textField } from './request-fields.ts'
import { contentType } from './sealed-file.ts'
import type { Share } from './share.ts'
import {
  answering,
  joseAnswer,
  jsonAnswer,
  preflightAnswer,
  type WebRequest,
  type WebResponse,
  type WebRoute,
} from './web.ts'

interface Parts {
  readonly share: Pick<Share, 'create' | 'list' | 'revoke'>
  readonly opening: Opening
  readonly baseUrl: string
  authenticate(bearer: string): Promise<Grant>
}

type Handler = (request: WebRequest, parts: Parts) => Promise<WebResponse>
type Row = readonly [method: 'GET' | 'POST', path: string, handler: Handler, summary: string]

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
  if (opened.kind === 'refused') return jsonAnswer(401, { remainingAttempts: opened.remainingAttempts })
  const { jwe, link } = opened
  const content =
    jwe.length <= longest ? { embedded: jwe } : { location: `${baseUrl}/share/${id}/files/${opening.ticketFor(id)}` }
  const file = { contentType, ...content, lastUpdated: toInstant(link.createdAtMs) }
  return jsonAnswer(200, { status: 'finalized', files: [file] })
}

const openDirect: Handler = async (request, { opening }) =>
  joseAnswer(await opening.openDirect(segment(request, 2), checkRecipient(request.query.get('recipient'))))

const fetchFile: Handler = async (request, { opening }) =>
  joseAnswer(await opening.openTicket(segment(request, 2), segment(request, 4)))

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
  const { expiresAtMs, ...created } = await parts.share.create({
    grant,
    patient: textField(fields, 'patient') ?? grant.patient ?? neededText(fields, 'patient'),
    scopes: neededText(fields, 'scopes'),
    ...present({
      label: textField(fields, 'label'),
      passcode: textField(fields, 'passcode'),
      expiresAtMs: instantField(fields, 'expiresAt'),
      flagDirect: flagField(fields, 'direct'),
    }),
  })
  return jsonAnswer(201, { ...created, expiresAt: toInstant(expiresAtMs) })
}

function told({ createdAtMs, expiresAtMs, ...rest }: LinkSummary): object {
  return { ...rest, createdAt: toInstant(createdAtMs), expiresAt: toInstant(expiresAtMs) }
}

const listLinks: Handler = async (request, parts) => {
  const links = await parts.share.list(await bearerGrant(request, parts))
  return jsonAnswer(200, { links: links.map(told) })
}

const revokeLink: Handler = async (request, parts) => {
  const grant = await bearerGrant(request, parts)
  await parts.share.revoke({ grant, id: segment(request, 2) })
  return jsonAnswer(200, { state: 'revoked' })
}

/** Everything this room answers. The first three rows are the protocol of SMART Health Links, the others ours. */
const rows: readonly Row[] = [
  ['POST', '/share/:id', openManifest, 'The manifest of a SMART Health Link'],
  ['GET', '/share/:id', openDirect, 'The encrypted file of a SMART Health Link with flag U'],
  ['GET', '/share/:id/files/:ticket', fetchFile, 'The encrypted file that a manifest points to'],
  ['POST', '/share', createLink, 'Creates a link to part of a patient’s record'],
  ['GET', '/share', listLinks, 'The links that the bearer may manage'],
  ['POST', '/share/:id/revoke', revokeLink, 'Ends a link'],
]

/** The routes over opened parts; preflights come last. */
export function routesOf(parts: Parts): readonly WebRoute[] {
  const routes = rows.map(([method, path, handler, summary]) => ({
    method,
    path,
    summary,
    handler: answering(request => handler(request, parts)),
  }))
  const preflights = [...new Set(rows.map(([, path]) => path))].map(path => ({
    method: 'OPTIONS' as const,
    path,
    summary: 'CORS preflight',
    handler: async () => preflightAnswer(methodsOf(path)),
  }))
  return [...routes, ...preflights]
}

function methodsOf(path: string): string {
  return rows
    .filter(row => row[1] === path)
    .map(([method]) => method)
    .join(', ')
}
