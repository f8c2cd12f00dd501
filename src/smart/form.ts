import type { WebRequest } from '#web'
import { oauthProblem } from './oauth-problem.ts'

const maxFormBytes = 64 * 1024

/**
 * The fields of a posted form.
 *
 * @throws Problem `invalid` · `smart.invalid-request` when it is not a form or is longer than 64 KiB
 */
export async function readForm(request: WebRequest): Promise<URLSearchParams> {
  const mediaType = request.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType !== 'application/x-www-form-urlencoded')
    throw oauthProblem('invalid_request', 'The body must be application/x-www-form-urlencoded.')
  const body = await request.body()
  if (body.length > maxFormBytes) throw oauthProblem('invalid_request', 'The form is too long.')
  return new URLSearchParams(body.toString('utf8'))
}

/**
 * A parameter that may be given once; one without a value counts as absent.
 *
 * @throws Problem `invalid` · `smart.invalid-request` when it is repeated
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-3.1
 */
export function single(params: URLSearchParams, name: string): string | undefined {
  const values = params.getAll(name)
  if (values.length > 1) throw oauthProblem('invalid_request', 'A parameter was given more than once.')
  return values[0] === '' ? undefined : values[0]
}
