import { lookup as lookUp } from 'node:dns'
import { type ClientRequest, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestSecured } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress, isWithin } from './networks.ts'

/** A name leads where this server may not go. */
export class Forbidden extends Error {}

/** Begins a request to a foreign address; undefined where the address itself says that this server may not go there. */
export type Guarded = (
  url: URL,
  options: Pick<RequestOptions, 'method' | 'headers' | 'signal'>,
) => ClientRequest | undefined

/**
 * Requests to addresses of the open network by https alone, and to those that were allowed beside; wherever the name leads at that
 * moment, so that one which is told otherwise later leads nowhere else. Redirects are not followed. The request ends with `Forbidden`
 * where a name leads to none of these.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network, also by http
 */
export function openGuard(networks: readonly string[]): Guarded {
  return (url, options) => {
    const isAllowed = (address: string) =>
      isWithin(address, networks) || (url.protocol === 'https:' && isPublicAddress(address))
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && !isAllowed(host)) return undefined
    const request = url.protocol === 'https:' ? requestSecured : requestPlain
    return request(url, { ...options, lookup: lookingUp(isAllowed), agent: false })
  }
}

/** Only what may be sent to is found. */
function lookingUp(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0)
      const allowed = found.filter(({ address }) => isAllowed(address))
      const [first] = allowed
      if (first === undefined) return callback(new Forbidden(), '', 0)
      if (options.all === true) return callback(null, allowed)
      callback(null, first.address, first.family)
    })
  }
}
