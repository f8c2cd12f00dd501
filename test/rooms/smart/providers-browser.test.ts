/** Logging in through a provider in Chromium, at a provider that is another site: https://www.w3.org/TR/CSP3/#directive-form-action */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { hasBrowser, inBrowser, launchBrowser } from '../../browser.ts'
import { addApp, addFamily, authorizeParams, type House, openHouse, password } from './house.ts'
import { type IdentityProvider, loopbackFetch, openIdentityProvider, walk } from './identity-provider.ts'

let house: House
let provider: IdentityProvider
/** `localhost` is another site than the provider at 127.0.0.1. */
let origin: string
let browser: Browser

beforeAll(async () => {
  provider = await openIdentityProvider({ originOf: () => origin })
  house = await openHouse({
    toldUrl: port => {
      origin = `http://localhost:${port}`
      return origin
    },
    providers: { settings: [provider.settings()], fetch: loopbackFetch },
  })
  if (hasBrowser) browser = await launchBrowser()
})
afterAll(async () => {
  if (hasBrowser) await browser.close()
  await house.close()
  await provider.close()
})

/** A page; what breaks the policy of one is noted. */
async function openPage(context: BrowserContext) {
  // However long a busy machine takes.
  context.setDefaultTimeout(300_000)
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', error => wrong.push(error.message))
  page.on('console', message => {
    if (message.text().includes('Content Security Policy')) wrong.push(message.text())
  })
  return { page, wrong }
}

async function logInByPassword(page: Page, name: string): Promise<void> {
  await page.goto(`${origin}/auth/login`)
  await page.fill('#name', name)
  await page.fill('#password', password)
  await page.click('form[action="/auth/login"] button')
  await page.waitForURL(`${origin}/account`)
}

/** At the provider, to which the browser has come by itself. */
async function beThere(page: Page, who: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/login/**`)
  await page.fill('input[name=login]', who)
  await page.click('button')
}

async function logOut(page: Page): Promise<void> {
  await page.click('form[action="/auth/logout"] button')
  await page.waitForURL(`${origin}/auth/login`)
}

async function link(page: Page, who: string, then = async () => {}): Promise<void> {
  await page.click('summary:has-text("Link a login")')
  await page.fill('#link-current', password)
  await page.click('button:has-text("Link Our Keycloak")')
  await beThere(page, who)
  await then()
  await page.waitForURL(`${origin}/account?done=linked`)
}

const enter = (page: Page) => page.click('button:has-text("Log in with Our Keycloak")')

it.each([true, false])(
  'somebody links a login, logs in by it, lets an app in by it, and ends it; scripts run: %s',
  javaScriptEnabled =>
    inBrowser(async () => {
      const name = javaScriptEnabled ? 'Anna' : 'Bert'
      await addFamily(house, name)
      const context = await browser.newContext({ javaScriptEnabled })
      const { page, wrong } = await openPage(context)
      await logInByPassword(page, name)
      await link(page, name)
      expect(await page.textContent('main')).toContain('You can log in with it from now on')

      await logOut(page)
      await enter(page)
      // The provider remembers who was there.
      await page.waitForURL(`${origin}/account`)
      expect(await page.textContent('main')).toContain(`logged in as ${name}`)

      await logOut(page)
      const app = await addApp(house)
      const params = authorizeParams(house, app, { aud: `${origin}/fhir` })
      await page.goto(`${origin}/auth/authorize?${params}`)
      await page.waitForURL(`${origin}/auth/login?**`)
      await enter(page)
      await page.waitForURL(`${origin}/auth/consent?**`)
      expect(await page.textContent('main')).toContain('Heart Diary')

      await page.goto(`${origin}/account`)
      // Who is known there is asked anew where a login is linked, and is somebody else now.
      // Where another one was known, this provider has a form of its own in between, which a script of its sends off.
      await link(page, `${name} at work`, async () => {
        if (!javaScriptEnabled) await page.click('button:has-text("Continue")')
      })
      expect(await page.locator('legend:has-text("Our Keycloak")').count()).toBe(2)
      for (const left of [1, 0]) {
        await page.click('button:has-text("End the link to Our Keycloak")')
        // The session was begun with it.
        await page.waitForURL(`${origin}/auth/login`)
        await enter(page)
        if (left === 1) await page.waitForURL(`${origin}/account`)
      }
      await page.waitForSelector('[data-code="smart.provider-unlinked"]')
      // From there somebody goes on by password.
      await page.fill('#name', name)
      await page.fill('#password', password)
      await page.click('form[action="/auth/login"] button')
      await page.waitForURL(`${origin}/account`)
      expect(wrong).toEqual([])
      await context.close()
    })(),
)

it(
  'who has not begun in this browser is logged in by nobody’s answer',
  inBrowser(async () => {
    await addFamily(house, 'Cleo')
    const [own, other] = [await browser.newContext(), await browser.newContext()]
    const { page } = await openPage(own)
    await logInByPassword(page, 'Cleo')
    await link(page, 'cleo')
    await logOut(page)
    // On the way somebody else goes on, and has an answer that nobody has used.
    await page.route(`${provider.issuer}/**`, route => route.fulfill({ contentType: 'text/html', body: 'kept' }))
    await enter(page)
    await page.waitForURL(`${provider.issuer}/auth?**`)
    const answer = `${origin}${await walk(new URL(page.url()), 'cleo')}`
    const { page: victim } = await openPage(other)
    await victim.goto(answer)
    await victim.waitForSelector('[data-code="smart.provider-lost"]')
    await victim.goto(`${origin}/account`)
    await victim.waitForURL(`${origin}/auth/login`)
    await page.goto(answer)
    await page.waitForURL(`${origin}/account`)
    await own.close()
    await other.close()
  }),
)
