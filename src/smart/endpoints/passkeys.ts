import { isProblem } from '#kernel'
import { isShared, redirectResponse, type WebRequest, type WebResponse } from '#web'
import { toLoginName } from '../accounts/account-names.ts'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { type PasskeyAnswer, parseAnswer } from '../accounts/passkey-answers.ts'
import { networkCount, type ThrottleKind } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { newPasskeyPage, type PasskeysView } from '../pages/passkeys.ts'
import { type Parts, paths } from '../parts.ts'
import { askToLogIn, checkKnower, enter, refusal } from './login.ts'
import { type Posted, readPosted } from './posted.ts'

type PasskeyParts = Pick<
  Parts,
  'browsers' | 'accounts' | 'throttle' | 'record' | 'log' | 'secondFactors' | 'passkeys' | 'ceremonies' | 'providers'
>

/** What the account page shows of them. */
export async function loadPasskeys(
  account: Account,
  { passkeys, ceremonies, secondFactors }: Pick<Parts, 'passkeys' | 'ceremonies' | 'secondFactors'>,
): Promise<PasskeysView> {
  const hasFactor = (await secondFactors.of(account.id)) !== undefined
  return { host: ceremonies.host, passkeys: await passkeys.of(account.id), hasFactor }
}

const failed = () => redirectResponse(`${paths.account}?done=passkey-failed`)

/** POST `/account/passkeys`: after the password and, where there is one, the second step, the page that asks the browser for a passkey. */
export async function proposePasskey(request: WebRequest, parts: PasskeyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  if (parts.ceremonies.host === undefined) return failed()
  const { form, browser, account } = posted
  try {
    await checkKnower(request, posted, parts)
    const ceremony = await parts.ceremonies.askAdding({ account, name: single(form, 'name') ?? '' }, browser.csrf)
    return newPasskeyPage({ csrf: browser.csrf, ceremony })
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return failed()
  }
}

/** POST `/account/passkeys/confirm`: takes the passkey that the browser made. */
export async function addPasskey(request: WebRequest, parts: PasskeyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, account } = posted
  const { csrf } = browser
  const asked = { sealed: single(form, 'setup'), csrf }
  try {
    const id = await parts.ceremonies.add(asked, account, parseAnswer(single(form, 'response')))
    if (await hasEnded(request, posted, parts)) {
      await parts.passkeys.end(id, account.id)
      return redirectResponse(paths.login)
    }
  } catch (error) {
    const adding = isProblem(error, 'unprocessable') ? parts.ceremonies.addingOf(asked, account) : undefined
    if (adding === undefined || !isProblem(error)) throw error
    const ceremony = await parts.ceremonies.askAdding({ account, name: adding.name }, csrf)
    return newPasskeyPage({ csrf, ceremony, problem: error })
  }
  parts.record.audit({ action: 'reset', outcome: 'success', actor: actorOf(account), detail: 'a passkey was added' })
  return redirectResponse(`${paths.account}?done=passkey-added`)
}

/** Whether the session was ended meanwhile: whoever did that ended the passkeys that were there, and did not see this one. */
async function hasEnded(request: WebRequest, { login }: Posted, { browsers }: PasskeyParts): Promise<boolean> {
  return (await browsers.load(request)).login?.id !== login.id
}

/** POST `/account/passkeys/name`: calls one something else. */
export async function renamePasskey(request: WebRequest, parts: PasskeyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  try {
    if (await parts.passkeys.rename(single(form, 'passkey') ?? '', account.id, single(form, 'name') ?? ''))
      parts.record.audit({
        action: 'reset',
        outcome: 'success',
        actor: actorOf(account),
        detail: 'a passkey got another name',
      })
  } catch (error) {
    if (!isProblem(error, 'unprocessable')) throw error
    return redirectResponse(`${paths.account}?done=passkey-not-renamed`)
  }
  return redirectResponse(`${paths.account}?done=passkey-renamed`)
}

/** POST `/account/passkeys/end`: that one logs nobody in any more, and what it opened ends. */
export async function endPasskey(request: WebRequest, parts: PasskeyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  if (await parts.passkeys.end(single(form, 'passkey') ?? '', account.id))
    parts.record.audit({ action: 'reset', outcome: 'success', actor: actorOf(account), detail: 'a passkey was ended' })
  return redirectResponse(`${paths.account}?done=passkey-ended`)
}

/** What a try is counted under: by itself from a device that has logged in before, as with passwords. */
async function countsOf(
  request: WebRequest,
  answer: PasskeyAnswer | undefined,
  { passkeys, accounts, browsers }: PasskeyParts,
): Promise<readonly [ThrottleKind, string][]> {
  const known = answer && (await passkeys.find(answer.id))
  const account = known && (await accounts.get(known.account))
  const device = account && browsers.deviceOf(request, toLoginName(account.name))
  if (device !== undefined) return [['device', device]]
  const network = networkCount(request.remoteAddress)
  if (answer === undefined || known === undefined) return [network]
  // Strangers who bring what is no passkey here must not keep everybody away who comes by the same proxy.
  return isShared(request.remoteAddress) ? [['passkey', answer.id]] : [network, ['passkey', answer.id]]
}

/** What the form proves, told to the audit where it proves nothing. */
async function readSigned(
  request: WebRequest,
  asked: { readonly sealed: string | undefined; readonly csrf: string },
  answer: PasskeyAnswer | undefined,
  parts: PasskeyParts,
) {
  try {
    return await parts.ceremonies.checkLogin(asked, answer)
  } catch (error) {
    if (!isProblem(error, 'unauthenticated')) throw error
    const { code, text } = error
    throw refusal(request, parts, { code, text, detail: 'a passkey was refused' })
  }
}

/** Whose login the form proves, and what it has shown with that. */
async function checkPasskey(
  request: WebRequest,
  { form, csrf }: { readonly form: URLSearchParams; readonly csrf: string },
  parts: PasskeyParts,
) {
  const answer = parseAnswer(single(form, 'response'))
  const counts = await countsOf(request, answer, parts)
  for (const [kind, counted] of counts) await parts.throttle.admit(kind, counted)
  const asked = { sealed: single(form, 'setup'), csrf }
  const { id, passkey, counter } = await readSigned(request, asked, answer, parts)
  // Read before the signature is counted: a session names what the account had then, and is worth nothing once that is changed.
  const account = await parts.accounts.get(passkey.account)
  const factor = (await parts.secondFactors.of(passkey.account))?.id
  const counted = await parts.passkeys.use(id, counter)
  // Without a password nobody logs in: it was taken away by the administrator, or the account is being deleted.
  if (account?.password === undefined || counted === undefined)
    throw refusal(request, parts, {
      code: 'smart.passkey-refused',
      text: 'This passkey opens no account here that can be logged in to.',
      detail: 'a passkey of an account that nobody can log in to',
    })
  if (counted === 'copied')
    throw refusal(request, parts, {
      code: 'smart.passkey-copied',
      text: 'There seem to be two of this passkey, so it was refused. Log in with your password, and end the passkey on your account page.',
      detail: 'the count of a passkey went back: it was copied',
      account,
    })
  for (const [kind, each] of counts) await parts.throttle.forgive(kind, each)
  return { account, factor, passkey: id }
}

/** POST `/auth/login/passkey`: a login by passkey, which is both steps in one. */
export async function logInByPasskey(request: WebRequest, parts: PasskeyParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const sealed = single(form, 'request')
  try {
    const shown = await checkPasskey(request, { form, csrf: browser.csrf }, parts)
    return await enter(request, { ...shown, sealed }, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return askToLogIn(browser, { sealed, problem: error }, parts)
  }
}
