import { isProblem } from '#kernel'
import { jsonResponse, type WebRequest, type WebResponse } from '#web'
import type { Client } from '../clients/clients.ts'
import { readForm, single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'
import { grantClientCredentials } from '../token/client-credentials.ts'
import { type CodeExchange, exchangeCode } from '../token/exchange-code.ts'
import type { TokenAnswer } from '../token/issue.ts'
import { type Refreshing, refresh } from '../token/refresh.ts'

type TokenParts = CodeExchange & Refreshing & Pick<Parts, 'authenticateClient' | 'record' | 'log'>
type Granting = (form: URLSearchParams, client: Client | undefined, parts: TokenParts) => Promise<TokenAnswer>

/** What each `grant_type` does. */
const grantTypes: ReadonlyMap<string, Granting> = new Map<string, Granting>([
  ['authorization_code', exchangeCode],
  ['refresh_token', refresh],
  ['client_credentials', grantClientCredentials],
])

function chooseGranting(form: URLSearchParams): Granting {
  const name = single(form, 'grant_type')
  if (name === undefined) throw oauthProblem('invalid_request', 'The parameter grant_type is missing.')
  const granting = grantTypes.get(name)
  if (granting === undefined) throw oauthProblem('unsupported_grant_type', 'This grant type is not supported.')
  return granting
}

/** POST `/auth/token`. */
export async function token(request: WebRequest, parts: TokenParts): Promise<WebResponse> {
  let client: Client | undefined
  try {
    const form = await readForm(request)
    const granting = chooseGranting(form)
    client = await parts.authenticateClient(request, form)
    const answer = await granting(form, client, parts)
    note(parts, 'success', client, answer.patient)
    return jsonResponse(200, answer)
  } catch (error) {
    if (isProblem(error)) {
      note(parts, 'failure', client)
      parts.log.info('a token request was refused', { room: 'smart', code: error.code, address: request.remoteAddress })
    }
    throw error
  }
}

function note(parts: TokenParts, outcome: 'success' | 'failure', client: Client | undefined, patient?: string): void {
  const actor = client && ({ kind: 'client', id: client.id, display: client.name, clientId: client.id } as const)
  parts.record.audit({
    action: 'token',
    outcome,
    ...(actor === undefined ? {} : { actor }),
    ...(patient === undefined ? {} : { patient }),
  })
}
