import { type Clock, equalSecrets, lengthPrefixed, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import { networkOf, type WebRequest } from '#web'
import { single } from '../form.ts'
import { toLoginName } from './account-names.ts'
import type { Account, Accounts } from './accounts.ts'
import { cookieName as nameOfCookies, printCookie, readCookie } from './cookies.ts'
import type { Passkeys } from './passkeys.ts'
import type { ProviderLinks } from './provider-links.ts'
import type { SecondFactors } from './second-factors.ts'

interface Session {
  readonly account: string
  readonly startedAtMs: number
  /**
   * The salt of the password that was typed. A login that was under way while the password changed has the old one, and so
   * opens nothing, in whatever order the two were written.
   */
  readonly salt?: string
  /** The id of the second factor whose code was typed, or that a passkey stood in for; for the same reason. */
  readonly factor?: string
  /** The id of the passkey that it was begun with; for the same reason. */
  readonly passkey?: string
  /** The id of the link to a provider that it was begun by; for the same reason. */
  readonly link?: string
  /** When a page was last asked for, to within some minutes. */
  readonly seenAtMs?: number
  /** The network that it was begun from. */
  readonly network?: string
  /** What the browser called itself. */
  readonly agent?: string
}

/** A browser in which an account is logged in, as its owner sees it. */
export interface SessionSummary {
  /** Names it in forms; worth nothing to anybody else. */
  readonly id: string
  readonly startedAtMs: number
  readonly seenAtMs: number
  readonly network?: string
  readonly agent?: string
}

/** Who sits before the browser, and what its forms must carry. */
export interface Browser {
  /** The value that every form of this browser carries in its field `csrf`. */
  readonly csrf: string
  /** To be sent with the answer: the cookie of a browser that had none. */
  readonly headers: Readonly<Record<string, string>>
  readonly login?: Login
}

export interface Login {
  readonly account: Account
  readonly startedAtMs: number
  /** Names the session. */
  readonly id: string
  /** What it was begun with. */
  readonly shown: Shown
}

/** What somebody has shown of an account: a session is good while the account has each of it. */
export interface Shown {
  /** The id of the account's second factor, when its code was typed or a passkey used, which is both steps in one. */
  readonly factor?: string | undefined
  /** The id of the passkey that was used. */
  readonly passkey?: string | undefined
  /** The id of the link to a provider at which the person logged in: the first step alone, as a password is. */
  readonly link?: string | undefined
}

/** A session that has just begun: the headers that set its cookies, and what its forms must carry. */
export interface NewSession {
  readonly headers: Readonly<Record<string, string[]>>
  readonly csrf: string
}

export interface Browsers {
  load(request: WebRequest): Promise<Browser>
  /**
   * Starts a session of the account as it was when its password was typed, or its passkey or provider asked for, under a new secret, so that a planted
   * one is worth nothing.
   */
  logIn(request: WebRequest, account: Account, shown: Shown): Promise<NewSession>
  /**
   * What names the device, if somebody has logged in from it under this name before; with the id of a second factor only if a code of
   * that was typed there, or a passkey used, which stands for both steps. Who knew the password alone may have made any number of devices.
   */
  deviceOf(request: WebRequest, loginName: string, factor?: string): string | undefined
  logOut(request: WebRequest): Promise<Readonly<Record<string, string>>>
  /** The sessions of an account, newest first. */
  of(account: Account): Promise<readonly SessionSummary[]>
  /** Ends one session of an account; of another's, nothing. */
  end(account: string, id: string): Promise<void>
  /** Ends every session of an account, except one if it is named. */
  logOutEverywhere(account: string, except?: string): Promise<void>
  /** @throws Problem `forbidden` · `smart.form-forged` unless the form was made for this browser by this server */
  checkForm(request: WebRequest, browser: Browser, form: URLSearchParams): void
}

const isText = (text: string | undefined) => text !== undefined

const collection = 'smart.sessions'
const sessionLifeMs = 12 * 60 * 60_000
/** Not each page that is asked for is written down. */
const seenEveryMs = 5 * 60_000
const longestAgent = 200
const deviceLifeMs = 365 * 24 * 60 * 60_000

export function openBrowsers(options: {
  documents: Documents
  vault: Vault
  clock: Clock
  accounts: Accounts
  factors: SecondFactors
  passkeys: Pick<Passkeys, 'isOf' | 'of'>
  links: Pick<ProviderLinks, 'isOf' | 'of'>
  baseUrl: string
  /** For how long nothing may be asked for before a session ends; as long as a session lives unless told. */
  idleMs?: number | undefined
}): Browsers {
  const { documents, vault, clock, accounts, factors, passkeys, links, baseUrl, idleMs = sessionLifeMs } = options
  const secure = baseUrl.startsWith('https:')
  const cookieName = nameOfCookies(baseUrl)
  const deviceName = `${cookieName}-device`

  const nameOf = (secret: string) => vault.mac('smart.session', Buffer.from(secret)).toString('hex')
  const csrfOf = (secret: string) => vault.mac('smart.csrf', Buffer.from(secret)).toString('base64url')
  const deviceMac = (device: string, loginName: string, factor?: string) =>
    vault.mac('smart.device', lengthPrefixed([device, loginName, factor].filter(isText))).toString('base64url')
  const cookie = (name: string, value: string, lifeMs: number) => printCookie(name, value, { lifeMs, secure })

  const seenAt = (session: Session) => session.seenAtMs ?? session.startedAtMs

  /** Whether the session was begun with what the account has now, and is in use. */
  const fits = (session: Session, account: Account, factor: string | undefined) =>
    session.salt === account.password?.saltBase64 &&
    session.factor === factor &&
    clock.nowMs() - seenAt(session) < idleMs

  async function markSeen(id: string, session: Session, revision: number): Promise<void> {
    const nowMs = clock.nowMs()
    if (nowMs - seenAt(session) < Math.min(seenEveryMs, idleMs / 4)) return
    // A lost race means that it was ended, or marked by somebody else.
    await documents.put<Session>(
      collection,
      id,
      { ...session, seenAtMs: nowMs },
      { ifRevision: revision, group: session.account, expiresAtMs: session.startedAtMs + sessionLifeMs },
    )
  }

  async function loadLogin(secret: string): Promise<Login | undefined> {
    const id = nameOf(secret)
    const found = await documents.get<Session>(collection, id)
    const account = found === undefined ? undefined : await accounts.get(found.value.account)
    if (found === undefined || account === undefined) return undefined
    const { value: session, revision } = found
    if (!fits(session, account, (await factors.of(account.id))?.id)) return undefined
    const { startedAtMs, factor, passkey, link } = session
    if (passkey !== undefined && !(await passkeys.isOf(passkey, account.id))) return undefined
    if (link !== undefined && !(await links.isOf(link, account.id))) return undefined
    await markSeen(id, session, revision)
    return { account, startedAtMs, id, shown: { factor, passkey, link } }
  }

  function deviceOf(request: WebRequest, loginName: string, factor?: string): string | undefined {
    const [device = '', ofName = '', ofFactor = ''] = readCookie(request, deviceName)?.split('.') ?? []
    const mac = factor === undefined ? ofName : ofFactor
    return device !== '' && equalSecrets(mac, deviceMac(device, loginName, factor)) ? device : undefined
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

    async logIn(request, account, { factor, passkey, link }) {
      await forget(request)
      const secret = newSecret()
      const startedAtMs = clock.nowMs()
      const agent = request.header('user-agent')?.slice(0, longestAgent)
      const session: Session = {
        account: account.id,
        startedAtMs,
        network: networkOf(request.remoteAddress),
        ...(account.password && { salt: account.password.saltBase64 }),
        ...(factor === undefined ? {} : { factor }),
        ...(passkey === undefined ? {} : { passkey }),
        ...(link === undefined ? {} : { link }),
        ...(agent === undefined ? {} : { agent }),
      }
      const expiresAtMs = startedAtMs + sessionLifeMs
      await documents.put(collection, nameOf(secret), session, { ifRevision: 0, group: account.id, expiresAtMs })
      const loginName = toLoginName(account.name)
      const device = deviceOf(request, loginName) ?? newSecret()
      const macs = [deviceMac(device, loginName), factor && deviceMac(device, loginName, factor)]
      const remembered = [device, ...macs].filter(isText).join('.')
      const cookies = [cookie(cookieName, secret, sessionLifeMs), cookie(deviceName, remembered, deviceLifeMs)]
      return { headers: { 'Set-Cookie': cookies }, csrf: csrfOf(secret) }
    },

    async logOut(request) {
      await forget(request)
      return { 'Set-Cookie': cookie(cookieName, '', 0) }
    },

    async of(account) {
      const factor = (await factors.of(account.id))?.id
      const open = (await links.of(account.id)).filter(({ isOpen }) => isOpen)
      const ways = [...(await passkeys.of(account.id)), ...open]
      const kept = new Set<string | undefined>([undefined, ...ways.map(({ id }) => id)])
      const isKept = ({ passkey, link }: Session) => kept.has(passkey) && kept.has(link)
      const found = await documents.list<Session>(collection, { group: account.id })
      return found
        .filter(({ value }) => fits(value, account, factor) && isKept(value))
        .map(({ name, value: { startedAtMs, seenAtMs = startedAtMs, network, agent } }) => ({
          id: name,
          startedAtMs,
          seenAtMs,
          ...(network === undefined ? {} : { network }),
          ...(agent === undefined ? {} : { agent }),
        }))
        .toSorted((a, b) => b.startedAtMs - a.startedAtMs)
    },

    async end(account, id) {
      const found = await documents.get<Session>(collection, id)
      if (found?.value.account === account) await documents.delete(collection, id)
    },

    async logOutEverywhere(account, except) {
      for (const { name } of await documents.list(collection, { group: account }))
        if (name !== except) await documents.delete(collection, name)
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
