/** An authorization code: long enough for one redirect and one request. RFC 6749 §4.1.2 */
export const codeLifeMs = 60_000
/** How long a spent code is remembered, so that a replay can still end what came of it. */
export const spentCodeLifeMs = 24 * 60 * 60_000
/** An access token of an app that a person let in. SMART 2.2: at most an hour. */
export const accessLifeMs = 60 * 60_000
/** An access token of a client that acts without a person. SMART 2.2 backend services: at most five minutes. */
export const backendLifeMs = 5 * 60_000
/** How long an expired token still answers `expired` instead of `unknown`. */
export const expiredKnownMs = 60 * 60_000
/** A sealed authorize request on its way through login and consent. */
export const requestLifeMs = 30 * 60_000
