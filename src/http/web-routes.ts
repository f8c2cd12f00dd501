import type { Request, RequestHandler, Response } from 'express'
import type { Smart } from '#smart'
import { type BodyLimits, readBody } from './body.ts'

type WebRoute = Smart['routes'][number]

/** A route of the authorization server as Express runs it. Its own headers win over the strict ones. */
export function webHandler(
  route: WebRoute,
  options: { readonly headers: Readonly<Record<string, string>>; readonly body: BodyLimits },
): RequestHandler {
  return async (request: Request, response: Response) => {
    const url = request.originalUrl
    const question = url.indexOf('?')
    const answer = await route.handler({
      method: request.method,
      path: request.path,
      query: new URLSearchParams(question === -1 ? '' : url.slice(question + 1)),
      header: name => {
        const value = request.headers[name.toLowerCase()]
        return typeof value === 'string' ? value : value?.join(', ')
      },
      body: () => readBody(request, options.body),
      remoteAddress: request.socket.remoteAddress ?? '',
    })
    for (const [name, value] of Object.entries(options.headers)) response.setHeader(name, value)
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
    response.statusCode = answer.status
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }
}
