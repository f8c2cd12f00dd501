import { isProblem, type Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { alsoSetting } from '../accounts/cookies.ts'
import type { Errand, Return } from '../accounts/provider-journeys.ts'
import type { Identity } from '../accounts/provider-protocol.ts'
import type { Provider } from '../accounts/providers.ts'
import { networkCount } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { codePage } from '../pages/login.ts'
import { departurePage, type LinksView } from '../pages/providers.ts'
import { type Parts, paths } from '../parts.ts'
import { askToLogIn, checkKnower, enter, refusal } from './login.ts'
import { readPosted } from './posted.ts'

export type ProviderParts = Pick<
  Parts,
  | 'browsers'
  | 'accounts'
  | 'throttle'
  | 'record'
  | 'log'
  | 'secondFactors'
  | 'halfLogins'
  | 'ceremonies'
  | 'providers'
  | 'links'
  | 'journeys'
>

/** What the account page shows of them. */
export async function loadLinks(
  account: Account,
  { providers, links, secondFactors }: Pick<Parts, 'providers' | 'links' | 'secondFactors'>,
): Promise<LinksView> {
  const hasFactor = (await secondFactors.of(account.id)) !== undefined
  return { providers, links: await links.of(account.id), hasFactor }
}

/** Sends the browser to the provider, and says so to the log where the provider is the reason that it cannot. */
async function depart(
  provider: Provider,
  errand: Errand,
  csrf: string,
  { journeys, log }: Pick<ProviderParts, 'journeys' | 'log'>,
): Promise<WebResponse> {
  try {
    const { url, cookie } = await journeys.begin(provider, errand, csrf)
    return alsoSetting(departurePage({ url, label: provider.label }), cookie)
  } catch (error) {
    warn(error, provider, log)
    throw error
  }
}

/** What went wrong at a provider, for whoever keeps the server; nothing of the person. */
function warn(error: unknown, { n }: Provider, log: Parts['log']): void {
  if (!isProblem(error) || !theirs.has(error.code)) return
  const { code, detail } = error
  log.warn('a provider did not do what it was asked', { room: 'smart', code, detail: `provider ${n}: ${detail}` })
}

const theirs: ReadonlySet<string> = new Set(['smart.provider-unreachable', 'smart.provider-refused'])

/** POST `/auth/login/provider/<n>`: leads to the provider. */
export async function goToProvider(
  request: WebRequest,
  provider: Provider,
  parts: ProviderParts,
): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const sealed = single(form, 'request')
  try {
    return await depart(provider, { request: sealed }, browser.csrf, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return askToLogIn(browser, { sealed, problem: error }, parts)
  }
}

/** POST `/account/links`: after the password and, where there is one, the second step, leads to the provider whose identity is to be linked. */
export async function beginLinking(request: WebRequest, parts: ProviderParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, login, account } = posted
  const provider = parts.providers.find(({ n }) => String(n) === single(form, 'provider'))
  if (provider === undefined) return redirectResponse(`${paths.account}?done=link-failed`)
  try {
    await checkKnower(request, posted, parts)
    await parts.links.checkRoom(account.id)
    return await depart(provider, { linking: { account: account.id, session: login.id } }, browser.csrf, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return redirectResponse(`${paths.account}?done=${doneWith(error)}`)
  }
}

/** POST `/account/links/end`: that identity logs nobody in any more, and what it opened ends. */
export async function endLink(request: WebRequest, parts: ProviderParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  if (await parts.links.end(single(form, 'link') ?? '', account.id))
    parts.record.audit({
      action: 'reset',
      outcome: 'success',
      actor: actorOf(account),
      detail: 'a link to a provider was ended',
    })
  return redirectResponse(`${paths.account}?done=link-ended`)
}

/** GET `/auth/login/provider/<n>`: somebody comes back from there. */
export async function comeBack(request: WebRequest, provider: Provider, parts: ProviderParts): Promise<WebResponse> {
  const browser = await parts.browsers.load(request)
  let returned: Return
  try {
    returned = parts.journeys.read(request, provider, browser.csrf)
  } catch (error) {
    // The way that this browser is on, if it is on one, goes on.
    if (!isProblem(error)) throw error
    return askToLogIn(browser, { sealed: undefined, problem: error }, parts)
  }
  const { linking, request: sealed } = returned
  try {
    const response =
      linking === undefined
        ? await logIn(request, { provider, returned, csrf: browser.csrf }, parts)
        : await link(request, { provider, returned, linking }, parts)
    return alsoSetting(response, parts.journeys.forgetting)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    const response =
      linking === undefined
        ? askToLogIn(browser, { sealed, problem: error }, parts)
        : redirectResponse(`${paths.account}?done=${doneWith(error)}`)
    return alsoSetting(response, parts.journeys.forgetting)
  }
}

/** Who the provider says it is; counted before it is asked, and told to audit and log where it says nothing good. */
async function identify(
  request: WebRequest,
  { provider, returned }: { readonly provider: Provider; readonly returned: Return },
  parts: ProviderParts,
): Promise<Identity> {
  await parts.throttle.admit(...networkCount(request.remoteAddress))
  try {
    return await returned.finish()
  } catch (error) {
    warn(error, provider, parts.log)
    if (!isProblem(error, 'unauthenticated')) throw error
    const { code, text } = error
    throw refusal(request, parts, { code, text, detail: 'the answer of a provider was refused' })
  }
}

async function logIn(
  request: WebRequest,
  back: { readonly provider: Provider; readonly returned: Return; readonly csrf: string },
  parts: ProviderParts,
): Promise<WebResponse> {
  const { returned, csrf } = back
  const found = await parts.links.find(await identify(request, back, parts))
  // Read before the use is noted: a session names what the account had then, and is worth nothing once that is changed.
  const account = found && (await parts.accounts.get(found.account))
  const factor = account && (await parts.secondFactors.of(account.id))
  // Without a password nobody logs in: it was taken away by the administrator, or the account is being deleted.
  if (found === undefined || account?.password === undefined || !(await parts.links.use(found.id)))
    throw refusal(request, parts, {
      code: 'smart.provider-unlinked',
      text: 'This login opens no account here that can be logged in to. Log in with your password, and link it on your account page.',
      detail: 'an identity of a provider that opens no account',
    })
  await parts.throttle.forgive(...networkCount(request.remoteAddress))
  const sealed = returned.request
  if (factor === undefined) return enter(request, { account, link: found.id, sealed }, parts)
  const half = parts.halfLogins.seal({ account: account.id, salt: account.password.saltBase64, csrf, link: found.id })
  return codePage({ csrf, headers: {}, half, request: sealed })
}

async function link(
  request: WebRequest,
  back: { readonly provider: Provider; readonly returned: Return; readonly linking: NonNullable<Errand['linking']> },
  parts: ProviderParts,
): Promise<WebResponse> {
  const { account: id, session } = back.linking
  const isOpen = async () => {
    const { login } = await parts.browsers.load(request)
    return login?.id === session && login.account.id === id ? login.account : undefined
  }
  if ((await isOpen()) === undefined) return redirectResponse(paths.login)
  const identity = await identify(request, back, parts)
  await parts.throttle.forgive(...networkCount(request.remoteAddress))
  const linked = await parts.links.add(identity, id)
  // Whoever ended the session meanwhile ended the links that were there, and did not see this one.
  const account = await isOpen()
  if (account === undefined) {
    await parts.links.end(linked, id)
    return redirectResponse(paths.login)
  }
  const detail = 'an identity at a provider was linked'
  parts.record.audit({ action: 'reset', outcome: 'success', actor: actorOf(account), detail })
  return redirectResponse(`${paths.account}?done=linked`)
}

/** What the account page says of a failure. */
function doneWith({ code }: Problem): string {
  if (code === 'smart.link-known') return 'link-known'
  return code === 'smart.provider-unreachable' ? 'link-unreachable' : 'link-failed'
}
