/** Passkeys in Chromium, by its virtual authenticator: https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/ */
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { hasBrowser, inBrowser, launchBrowser } from '../../browser.ts'
import { addFamily, type House, openHouse, password } from './house.ts'

let house: House
let origin: string
let browser: Browser

beforeAll(async () => {
  house = await openHouse({
    toldUrl: port => {
      origin = `http://localhost:${port}`
      return origin
    },
  })
  if (hasBrowser) browser = await launchBrowser()
})
afterAll(async () => {
  if (hasBrowser) await browser.close()
  await house.close()
})

/** A page with a device that keeps passkeys, and unlocks by itself unless told; what breaks the policy of a page is noted. */
async function openDevice(context: BrowserContext, more: { readonly isUserVerified?: boolean } = {}) {
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', error => wrong.push(error.message))
  page.on('console', message => {
    if (message.text().includes('Content Security Policy')) wrong.push(message.text())
  })
  const session = await context.newCDPSession(page)
  await session.send('WebAuthn.enable')
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      ...more,
    },
  })
  return { page, wrong, session, authenticatorId }
}

const credentialsOf = async (session: CDPSession, authenticatorId: string) =>
  (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials

async function logInByPassword(page: Page, name: string): Promise<void> {
  await page.goto(`${origin}/auth/login`)
  await page.fill('#name', name)
  await page.fill('#password', password)
  await page.click('form[action="/auth/login"] button')
  await page.waitForURL(`${origin}/account`)
}

async function addPasskey(page: Page, name: string): Promise<void> {
  await page.goto(`${origin}/account`)
  await page.click('summary:has-text("Add a passkey")')
  await page.fill('#passkey-name', name)
  await page.fill('#passkey-current', password)
  await page.click('form[action="/account/passkeys"] button')
  await page.click('form[data-passkey=create] button')
}

async function logOut(page: Page): Promise<void> {
  await page.click('form[action="/auth/logout"] button')
  await page.waitForURL(`${origin}/auth/login`)
}

const logInByPasskey = (page: Page) => page.click('form[data-passkey=get] button')

it(
  'somebody adds a passkey, logs in with it without typing anything, and ends it',
  inBrowser(async () => {
    await addFamily(house, 'Anna')
    const context = await browser.newContext()
    const { page, wrong, session, authenticatorId } = await openDevice(context)
    await logInByPassword(page, 'Anna')
    await addPasskey(page, 'My laptop')
    await page.waitForURL(`${origin}/account?done=passkey-added`)
    expect(await page.textContent('main')).toContain('My laptop')
    const [kept] = await credentialsOf(session, authenticatorId)
    expect(kept).toMatchObject({ isResidentCredential: true, rpId: 'localhost', userName: 'Anna' })
    // The same device is not asked twice.
    await addPasskey(page, 'Once more')
    await page.waitForSelector('[data-fault]:not([hidden])')
    expect(await page.textContent('[data-fault]')).toContain('a passkey for this account already')

    await page.goto(`${origin}/account`)
    await logOut(page)
    await logInByPasskey(page)
    await page.waitForURL(`${origin}/account`)
    expect(await page.textContent('main')).toMatch(/logged in as Anna[\s\S]*My laptop[\s\S]*last used on/)

    await page.click('button:has-text("End the passkey My laptop")')
    // The session was begun with it.
    await page.waitForURL(`${origin}/auth/login`)
    await logInByPasskey(page)
    await page.waitForSelector('[data-code="smart.passkey-refused"]')
    expect(wrong).toEqual([])
    await context.close()
  }),
)

it(
  'a copy that counts what was counted before is refused, and the person is told',
  inBrowser(async () => {
    await addFamily(house, 'Bert')
    const context = await browser.newContext()
    const { page, session, authenticatorId } = await openDevice(context)
    await logInByPassword(page, 'Bert')
    await addPasskey(page, 'Copied')
    await page.waitForURL(`${origin}/account?done=passkey-added`)
    const [copy] = await credentialsOf(session, authenticatorId)
    if (copy === undefined) throw new Error('the device kept nothing')
    for (const _ of [1, 2]) {
      await page.goto(`${origin}/account`)
      await logOut(page)
      await logInByPasskey(page)
      await page.waitForURL(`${origin}/account`)
    }
    await logOut(page)
    await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId: copy.credentialId })
    await session.send('WebAuthn.addCredential', { authenticatorId, credential: copy })
    await logInByPasskey(page)
    await page.waitForSelector('[data-code="smart.passkey-copied"]')
    await logInByPassword(page, 'Bert')
    expect(await page.textContent('main')).toContain('somebody may have copied it')
    await context.close()
  }),
)

it(
  'a device that cannot tell who holds it logs nobody in, and the page says so and goes on',
  inBrowser(async () => {
    await addFamily(house, 'Cleo')
    const context = await browser.newContext()
    const { page, session, authenticatorId } = await openDevice(context)
    await logInByPassword(page, 'Cleo')
    await addPasskey(page, 'Locked')
    await page.waitForURL(`${origin}/account?done=passkey-added`)
    await logOut(page)
    await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
    await logInByPasskey(page)
    await page.waitForSelector('[data-fault]:not([hidden])')
    expect(page.url()).toBe(`${origin}/auth/login`)
    await logInByPassword(page, 'Cleo')
    await context.close()
  }),
)

it(
  'without scripts nothing of it is offered at login, and everything else works',
  inBrowser(async () => {
    await addFamily(house, 'Dora')
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(`${origin}/auth/login`)
    expect(await page.isVisible('form[data-passkey=get]')).toBe(false)
    await logInByPassword(page, 'Dora')
    await addPasskeyWithoutScript(page)
    expect(await page.isVisible('[data-without-passkeys]')).toBe(true)
    expect(await page.isVisible('form[data-passkey=create]')).toBe(false)
    await context.close()
  }),
)

async function addPasskeyWithoutScript(page: Page): Promise<void> {
  await page.click('summary:has-text("Add a passkey")')
  await page.fill('#passkey-name', 'My laptop')
  await page.fill('#passkey-current', password)
  await page.click('form[action="/account/passkeys"] button')
  await page.waitForSelector('h1:has-text("A passkey")')
}
