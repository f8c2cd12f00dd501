import { isProblem, type Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { type AskingParts, askForDeletion, takeDeletionBack } from '../deletion/asking.ts'
import type { Said } from '../deletion/fates.ts'
import { loadDeletion } from '../deletion/view.ts'
import { single } from '../form.ts'
import { deletionPage } from '../pages/deletion.ts'
import { type Parts, paths } from '../parts.ts'
import { checkCode, checkTyped } from './login.ts'
import { readPosted } from './posted.ts'

type DeletionParts = AskingParts & Pick<Parts, 'secondFactors' | 'throttle' | 'log'>

const nothingSaid: Said = { erases: [], heirs: {} }

async function show(
  account: Account,
  { csrf, said, problem }: { readonly csrf: string; readonly said: Said; readonly problem?: Problem },
  parts: DeletionParts,
): Promise<WebResponse> {
  const deletion = await loadDeletion(account, said, parts)
  const hasFactor = (await parts.secondFactors.of(account.id)) !== undefined
  return deletionPage({ csrf, deletion, hasFactor, problem })
}

/** GET `/account/delete`: what it would do. */
export async function showDeletion(request: WebRequest, parts: DeletionParts): Promise<WebResponse> {
  const { csrf, login } = await parts.browsers.load(request)
  if (login === undefined) return redirectResponse(paths.login)
  const said = (await parts.deletions.get(login.account.id)) ?? nothingSaid
  return show(login.account, { csrf, said }, parts)
}

/** What the boxes and lists of the page say; it counts for those of the account alone. */
function readSaid(form: URLSearchParams): Said {
  const heirs = form.getAll('heir').map(text => text.split(' ', 2) as [string, string?])
  const named = heirs.flatMap(([patient, heir]) => (heir === undefined ? [] : [[patient, heir] as const]))
  return { erases: form.getAll('erase'), heirs: Object.fromEntries(named) }
}

/** POST `/account/delete`: asks for it, after the password and, where there is one, the second step. */
export async function askDeletion(request: WebRequest, parts: DeletionParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, login, account } = posted
  const said = readSaid(form)
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    if ((await parts.secondFactors.of(account.id)) !== undefined)
      await checkCode(request, { account, code: single(form, 'code') ?? '' }, parts)
    await askForDeletion(account, { said, actor: actorOf(account), except: login.id }, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return show(account, { csrf: browser.csrf, said, problem: error }, parts)
  }
  return redirectResponse(`${paths.account}?done=deletion`)
}

/** POST `/account/delete/take-back`: the account is kept. */
export async function keepAccount(request: WebRequest, parts: DeletionParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { account } = posted
  const isKept = await takeDeletionBack(account.id, actorOf(account), parts)
  return redirectResponse(`${paths.account}?done=${isKept ? 'deletion-ended' : 'deletion-begun'}`)
}
