import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'
import ipaddr from 'ipaddr.js'
import { equalSecrets, type Family, Problem } from '#kernel'
import { parseBearer } from '../bearer.ts'
import { type FiguresOfAll, openExposition } from './exposition.ts'

/** Where figures are shown. */
export const metricsPath = '/metrics'

/** Who may see figures. They say nothing of patients, but when a house is at work and how much. */
export interface MetricsAccess {
  /** What must be shown as a bearer token. */
  readonly token?: string
  /** Whether a program on this machine may see them without. */
  readonly loopback?: boolean
}

/** What a proxy writes: whoever asks through one is not on this machine, whatever the connection says. */
const proxied = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/**
 * Whether it is this machine that asks: by the connection, without a proxy between, and by a name of this machine, so that no
 * page in a browser here asks under a name of its own (DNS rebinding).
 */
function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress = '' } = socket
  if (!ipaddr.isValid(remoteAddress) || ipaddr.process(remoteAddress).range() !== 'loopback') return false
  return proxied.every(name => headers[name] === undefined) && loopbackHost.test(headers.host ?? '')
}

function maySee(request: IncomingMessage, { token, loopback = false }: MetricsAccess): boolean {
  if (loopback && isFromHere(request)) return true
  if (token === undefined || request.headers.authorization === undefined) return false
  return equalSecrets(parseBearer(request.headers.authorization) ?? '', token)
}

/**
 * Answers `/metrics` to whoever may see it.
 *
 * `own` are families of this server alone; `figures` are those of other processes.
 */
export function metricsHandler(
  access: MetricsAccess,
  headers: Readonly<Record<string, string>>,
  { own, figures }: { own(): readonly Family[]; figures?: FiguresOfAll },
): RequestHandler {
  const opening = openExposition(own, figures)
  // Whoever asks hears of it.
  opening.catch(() => undefined)
  return async (request, response) => {
    if (!maySee(request, access))
      throw new Problem('unauthenticated', 'metrics.token-missing', 'Figures are shown to whoever has their token.')
    const { contentType, text } = await opening
    response.writeHead(200, { ...headers, 'content-type': contentType }).end(await text())
  }
}
