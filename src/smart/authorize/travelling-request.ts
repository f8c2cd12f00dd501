import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { type Clock, Problem } from '#kernel'
import type { Vault } from '#vault'
import { oauthProblem } from '../oauth-problem.ts'
import { requestLifeMs } from '../token/lifetimes.ts'
import type { AuthorizationRequest } from './authorization-request.ts'

/** Turns a checked request into text for a URL and back. The server keeps nothing until somebody consents. */
export interface TravellingRequests {
  /** @throws Problem `invalid` · `smart.invalid-request` for one that would not fit into a URL */
  seal(request: AuthorizationRequest): string
  /** @throws Problem `invalid` · `smart.request-lost` for what was not sealed here, or more than half an hour ago */
  open(text: string | undefined): AuthorizationRequest
}

const purpose = 'smart.authorize'
const context = Buffer.from('authorization request')
/** Web servers and proxies refuse longer URLs. */
const maxSealedLength = 12 * 1024
const maxInflatedBytes = 64 * 1024

export function openTravellingRequests({ vault, clock }: { vault: Vault; clock: Clock }): TravellingRequests {
  const lost = (cause?: unknown) =>
    new Problem('invalid', 'smart.request-lost', 'Please go back to the app and start again; this took too long.', {
      cause,
    })

  function read(text: string): AuthorizationRequest {
    const plain = vault.openUnder(purpose, Buffer.from(text, 'base64url'), context)
    return JSON.parse(inflateRawSync(plain, { maxOutputLength: maxInflatedBytes }).toString('utf8'))
  }

  return {
    seal(request) {
      // Long lists of scopes repeat themselves, and a URL should stay short.
      const plain = deflateRawSync(JSON.stringify(request))
      const sealed = vault.sealUnder(purpose, plain, context).toString('base64url')
      if (sealed.length > maxSealedLength) throw oauthProblem('invalid_request', 'The request is too long.')
      return sealed
    },

    open(text) {
      if (text === undefined || text.length > maxSealedLength) throw lost()
      let request: AuthorizationRequest
      try {
        request = read(text)
      } catch (error) {
        throw lost(error)
      }
      if (request.receivedAtMs + requestLifeMs <= clock.nowMs()) throw lost()
      return request
    },
  }
}
