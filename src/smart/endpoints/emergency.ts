import { isProblem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { readEmergency } from '../family/as-what.ts'
import { askInEmergency, endContact, nameContact, openEmergency, refuseEmergency } from '../family/emergency.ts'
import { single } from '../form.ts'
import { newContactPage } from '../pages/emergency.ts'
import { paths } from '../parts.ts'
import { addressOf, back, type FamilyParts, passOn } from './family.ts'
import { checkTyped } from './login.ts'
import { type Posted, readPosted } from './posted.ts'

/** POST `/account/emergencies`: an address for somebody who may ask to keep a person in an emergency, after the password. */
export function makeContact(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  return passOn(request, parts, async ({ account, form, patient }) => {
    const wanted = readEmergency(form)
    return newContactPage({
      url: addressOf(await nameContact(account, { patient, ...wanted }, parts), parts),
      ...wanted,
    })
  })
}

interface Named extends Posted {
  readonly patient: string
  readonly contact: string
}

/** What is done with what may be asked for; the account page says whether it was. */
async function act(
  request: WebRequest,
  parts: FamilyParts,
  {
    does,
    done,
    failed,
  }: { readonly does: (named: Named) => Promise<void>; readonly done: string; readonly failed?: string },
): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const named = (name: string) => single(posted.form, name) ?? ''
  try {
    await does({ ...posted, patient: named('patient'), contact: named('contact') })
  } catch (error) {
    if (failed === undefined || !isProblem(error) || error.kind === 'fault') throw error
    return back(failed)
  }
  return back(done)
}

/** POST `/account/emergencies/ask`: asks to keep a person, after the password. */
export function askContact(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const does = async ({ account, form, patient }: Named) => {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    await askInEmergency(account, patient, parts)
  }
  return act(request, parts, { does, done: 'emergency-asked', failed: 'emergency-failed' })
}

/** POST `/account/emergencies/open`: keeps the person, where nobody has said no. */
export function openContact(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const does = ({ account, patient }: Named) => openEmergency(account, patient, parts)
  return act(request, parts, { does, done: 'emergency-opened', failed: 'emergency-failed' })
}

/** POST `/account/emergencies/refuse`: says no. */
export function refuseContact(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const does = ({ account, ...named }: Named) => refuseEmergency(account, named, parts)
  return act(request, parts, { does, done: 'emergency-refused' })
}

/** POST `/account/emergencies/end`: somebody may not ask any more, by their own wish or that of who took the person in. */
export function removeContact(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const does = ({ account, ...named }: Named) => endContact(account, named, parts)
  return act(request, parts, { does, done: 'emergency-ended' })
}
