import { randomInt } from 'node:crypto'
import { generateSecret, generateURI, verify } from 'otplib'
import { type Clock, newResourceId, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { Account } from './accounts.ts'
import { openSealedWords } from './sealed-words.ts'

/** What an account has beside its password, as its owner sees it. */
export interface SecondFactor {
  /** Another one has another id: what was opened with an earlier one, or with none, does not fit to it. */
  readonly id: string
  readonly sinceMs: number
  /** How many of the codes on paper were not used yet. */
  readonly codesLeft: number
}

/** A secret that nothing depends on yet. */
export interface Proposal {
  /** Base32, to be typed into an app that cannot see the picture. */
  readonly secret: string
  /** `otpauth://totp/…`, for a picture. */
  readonly uri: string
  /** To be handed back with the first code; good for half an hour. */
  readonly sealed: string
}

/**
 * Codes that change with the time, from an app of the person (RFC 6238: SHA-1, six digits, thirty seconds, which is what all apps
 * know), and ten codes on paper for the day on which the phone is lost. Each code is good once.
 */
export interface SecondFactors {
  of(account: string): Promise<SecondFactor | undefined>
  propose(account: Account): Proposal
  /** The same proposal once more, for somebody who mistyped; undefined when it is none, or too old. */
  again(account: Account, sealed: string | undefined): Proposal | undefined
  /**
   * Takes a proposal whose first code shows that the app has it, where there is no second factor; resolves to its id and the codes
   * for paper, which are told this once.
   *
   * @throws Problem `unprocessable` · `smart.code-wrong`; `invalid` · `smart.setup-lost`
   */
  accept(account: Account, sealed: string | undefined, code: string): Promise<NewCodes>
  /** The id of the factor if the code is one that is good now; it is not good again. */
  check(account: string, code: string): Promise<string | undefined>
  /** Ten new codes in place of those on paper; undefined where there is no second factor. */
  renewCodes(account: string): Promise<NewCodes | undefined>
  /** Whether there was one. */
  remove(account: string): Promise<boolean>
}

export interface NewCodes {
  readonly id: string
  readonly codes: readonly string[]
}

interface Kept {
  readonly id: string
  readonly secret: string
  readonly sinceMs: number
  /** The time step of the last code that was taken; RFC 6238 §5.2: no code twice. */
  readonly lastStep: number
  /** Keyed hashes of the codes on paper that are left. */
  readonly codes: readonly string[]
}

const collection = 'smart.second-factors'
const setupLifeMs = 30 * 60_000
/** A clock may go wrong by a step; RFC 6238 §5.2 recommends no more. */
const toleranceSeconds = 30
const codeCount = 10
/** Without those that look or sound like others. */
const letters = 'abcdefghjkmnpqrstuvwxyz23456789'
const codeLength = 12

/** Some 59 bits, in groups that can be read aloud. */
function newCode(): string {
  const text = Array.from({ length: codeLength }, () => letters[randomInt(letters.length)]).join('')
  return text.replaceAll(/(.{4})(?=.)/g, '$1-')
}

/** However it was typed. */
function plainCode(typed: string): string {
  return typed.slice(0, 100).toLowerCase().replaceAll(/[\s-]/g, '')
}

export function openSecondFactors(options: {
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly baseUrl: string
}): SecondFactors {
  const { documents, vault, clock } = options
  const { host } = new URL(options.baseUrl)
  const setups = openSealedWords<{ account: string; secret: string }>({
    vault,
    clock,
    purpose: 'smart.second-factor',
    lifeMs: setupLifeMs,
  })
  const macOf = (account: string, code: string) =>
    vault.mac('smart.code-on-paper', Buffer.from(`${account}:${code}`)).toString('base64url')

  function proposal(account: Account, secret: string): Proposal {
    const uri = generateURI({ issuer: `Kinhold ${host}`, label: account.name, secret })
    return { secret, uri, sealed: setups.seal({ account: account.id, secret }) }
  }

  /** The time step of a code of the app; undefined unless it is good at this moment and after the last one. */
  async function stepOf(secret: string, token: string, lastStep: number): Promise<number | undefined> {
    if (!/^\d{6}$/.test(token)) return undefined
    const epoch = Math.floor(clock.nowMs() / 1000)
    const result = await verify({ secret, token, epoch, epochTolerance: toleranceSeconds })
    if (!result.valid || !('timeStep' in result) || result.timeStep <= lastStep) return undefined
    return result.timeStep
  }

  function newCodes(account: string) {
    const codes = Array.from({ length: codeCount }, newCode)
    return { codes, macs: codes.map(code => macOf(account, plainCode(code))) }
  }

  /** What is kept once this code is used. */
  async function after(account: string, kept: Kept, code: string): Promise<Kept | undefined> {
    const step = await stepOf(kept.secret, code, kept.lastStep)
    if (step !== undefined) return { ...kept, lastStep: step }
    const mac = macOf(account, code)
    return kept.codes.includes(mac) ? { ...kept, codes: kept.codes.filter(each => each !== mac) } : undefined
  }

  async function check(account: string, typed: string): Promise<string | undefined> {
    const found = await documents.get<Kept>(collection, account)
    const next = found && (await after(account, found.value, plainCode(typed)))
    if (found === undefined || next === undefined) return undefined
    // Of two who bring one code at the same moment one finds it used.
    const written = await documents.put<Kept>(collection, account, next, { ifRevision: found.revision })
    return written ? next.id : check(account, typed)
  }

  async function renewCodes(account: string): Promise<NewCodes | undefined> {
    const found = await documents.get<Kept>(collection, account)
    if (found === undefined) return undefined
    const { codes, macs } = newCodes(account)
    const next = { ...found.value, codes: macs }
    const written = await documents.put<Kept>(collection, account, next, { ifRevision: found.revision })
    return written ? { id: next.id, codes } : renewCodes(account)
  }

  return {
    check,
    renewCodes,

    async of(account) {
      const kept = (await documents.get<Kept>(collection, account))?.value
      return kept && { id: kept.id, sinceMs: kept.sinceMs, codesLeft: kept.codes.length }
    },

    propose: account => proposal(account, generateSecret()),

    again(account, sealed) {
      const setup = setups.open(sealed)
      return sealed === undefined || setup?.account !== account.id
        ? undefined
        : { ...proposal(account, setup.secret), sealed }
    },

    async accept(account, sealed, code) {
      const setup = setups.open(sealed)
      if (setup?.account !== account.id)
        throw new Problem('invalid', 'smart.setup-lost', 'This took too long. Please start again on your account page.')
      const step = await stepOf(setup.secret, plainCode(code), -1)
      if (step === undefined)
        throw new Problem(
          'unprocessable',
          'smart.code-wrong',
          'This is not the code of this moment. Is the time right on your phone?',
        )
      const { codes, macs } = newCodes(account.id)
      const [id, sinceMs] = [newResourceId(), clock.nowMs()]
      const kept: Kept = { id, secret: setup.secret, sinceMs, lastStep: step, codes: macs }
      // Of two proposals one is taken; the other would replace it without a code of it.
      if (await documents.put<Kept>(collection, account.id, kept, { ifRevision: 0 })) return { id, codes }
      throw new Problem(
        'invalid',
        'smart.setup-lost',
        'There is a second step already. Take it away first, with a code.',
      )
    },

    async remove(account) {
      return (await documents.take<Kept>(collection, account)) !== undefined
    },
  }
}
