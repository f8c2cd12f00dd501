import { type Clock, equalSecrets, lengthPrefixed, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { WebRequest } from '#web'
import { single } from '../form.ts'
import { toLoginName } from './account-names.ts'
import type { Account, Accounts } from './accounts.ts'
import { printCookie, readCookie } from './cookies.ts'

interface Session {
  readonly account: string
  readonly startedAtMs: number
  /**
   * The salt of the password that was typed. A login that was under way while the password changed has the old one, and so
   * opens nothing, in whatever order the two were written.
   */
  readonly salt?: string
}

/** Who sits before the browser, and what its forms must carry. */
export interface Browser {
  /** The value that every form of this browser carries in its field `csrf`. */
  readonly csrf: string
  /** To be sent with the answer: the cookie of a browser that had none. */
  readonly headers: Readonly<Record<string, string>>
  readonly login?: { readonly account: Account; readonly startedAtMs: number }
}

/** A session that has just begun: the headers that set its cookies, and what its forms must carry. */
export interface NewSession {
  readonly headers: Readonly<Record<string, string[]>>
  readonly csrf: string
}

export interface Browsers {
  load(request: WebRequest): Promise<Browser>
  /** Starts a session of the account as it was when its password was typed, under a new secret, so that a planted one is worth nothing. */
  logIn(request: WebRequest, account: Account): Promise<NewSession>
  /** What names the device, if somebody has logged in from it under this name before. */
  deviceOf(request: WebRequest, loginName: string): string | undefined
  logOut(request: WebRequest): Promise<Readonly<Record<string, string>>>
  /** Ends every session of an account. */
  logOutEverywhere(account: string): Promise<void>
  /** @throws Problem `forbidden` · `smart.form-forged` unless the form was made for this browser by this server */
  checkForm(request: WebRequest, browser: Browser, form: URLSearchParams): void
}

const collection = 'smart.sessions'
const sessionLifeMs = 12 * 60 * 60_000
const deviceLifeMs = 365 * 24 * 60 * 60_000

export function openBrowsers(options: {
  documents: Documents
  vault: Vault
  clock: Clock
  accounts: Accounts
  baseUrl: string
}): Browsers {
  const { documents, vault, clock, accounts, baseUrl } = options
  const secure = baseUrl.startsWith('https:')
  const cookieName = secure ? '__Host-kinhold' : 'kinhold'
  const deviceName = `${cookieName}-device`

  const nameOf = (secret: string) => vault.mac('smart.session', Buffer.from(secret)).toString('hex')
  const csrfOf = (secret: string) => vault.mac('smart.csrf', Buffer.from(secret)).toString('base64url')
  const deviceMac = (device: string, loginName: string) =>
    vault.mac('smart.device', lengthPrefixed([device, loginName])).toString('base64url')
  const cookie = (name: string, value: string, lifeMs: number) => printCookie(name, value, { lifeMs, secure })

  async function loadLogin(secret: string): Promise<Browser['login']> {
    const session = (await documents.get<Session>(collection, nameOf(secret)))?.value
    const account = session === undefined ? undefined : await accounts.get(session.account)
    if (session === undefined || account === undefined || session.salt !== account.password?.saltBase64)
      return undefined
    return { account, startedAtMs: session.startedAtMs }
  }

  function deviceOf(request: WebRequest, loginName: string): string | undefined {
    const [device = '', mac = ''] = readCookie(request, deviceName)?.split('.') ?? []
    return device !== '' && equalSecrets(mac, deviceMac(device, loginName)) ? device : undefined
  }

  async function forget(request: WebRequest): Promise<void> {
    const secret = readCookie(request, cookieName)
    if (secret !== undefined) await documents.delete(collection, nameOf(secret))
  }

  return {
    deviceOf,

    async load(request) {
      const kept = readCookie(request, cookieName)
      const secret = kept ?? newSecret()
      const login = kept === undefined ? undefined : await loadLogin(kept)
      const headers = kept === undefined ? { 'Set-Cookie': cookie(cookieName, secret, sessionLifeMs) } : {}
      return { csrf: csrfOf(secret), headers, ...(login === undefined ? {} : { login }) }
    },

    async logIn(request, account) {
      await forget(request)
      const secret = newSecret()
      const startedAtMs = clock.nowMs()
      await documents.put<Session>(
        collection,
        nameOf(secret),
        { account: account.id, startedAtMs, ...(account.password && { salt: account.password.saltBase64 }) },
        { ifRevision: 0, group: account.id, expiresAtMs: startedAtMs + sessionLifeMs },
      )
      const loginName = toLoginName(account.name)
      const device = deviceOf(request, loginName) ?? newSecret()
      const remembered = `${device}.${deviceMac(device, loginName)}`
      const cookies = [cookie(cookieName, secret, sessionLifeMs), cookie(deviceName, remembered, deviceLifeMs)]
      return { headers: { 'Set-Cookie': cookies }, csrf: csrfOf(secret) }
    },

    async logOut(request) {
      await forget(request)
      return { 'Set-Cookie': cookie(cookieName, '', 0) }
    },

    async logOutEverywhere(account) {
      for (const { name } of await documents.list(collection, { group: account }))
        await documents.delete(collection, name)
    },

    checkForm(request, browser, form) {
      const site = request.header('sec-fetch-site')
      const origin = request.header('origin')
      // Under our `no-referrer` policy browsers send `Origin: null` from our own pages as well.
      const foreign =
        (site !== undefined && site !== 'same-origin' && site !== 'none') ||
        (origin !== undefined && origin !== 'null' && origin !== baseUrl)
      if (foreign || !equalSecrets(single(form, 'csrf') ?? '', browser.csrf))
        throw new Problem('forbidden', 'smart.form-forged', 'This form was not made for your browser, or is too old.')
    },
  }
}
