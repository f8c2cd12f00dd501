import type { Browser, BrowserContext, Page } from 'playwright-core'
import { type Listening, listen } from '#http'
import { hasBrowser, inBrowser, launchBrowser } from '../../browser.ts'
import { freePort } from '../../free-port.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const owner = { name: 'Anna', password: 'seven purple kites' }

let house: WebHouse
let listening: Listening
let browser: Browser
let context: BrowserContext
let origin: string

beforeAll(async () => {
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  house = await openWebHouse({ baseUrl: origin })
  listening = await listen(house.app, { host: '127.0.0.1', port })
  const account = await house.smart.createAccount(owner)
  const token = await house.smart.mint({ scope: 'user/*.cruds', account, ttlMs: 60_000 })
  const patient = { resourceType: 'Patient', name: [{ family: 'Weber', given: ['Greta'] }] }
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' }
  await fetch(`${origin}/fhir/Patient`, { method: 'POST', headers, body: JSON.stringify(patient) })
  if (!hasBrowser) return
  browser = await launchBrowser()
  context = await browser.newContext()
})
afterAll(async () => {
  if (hasBrowser) await browser.close()
  await listening.close(0)
  await house.close()
})

async function openDocs(): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/docs/`)
  await page.waitForSelector('.opblock-tag')
  return page
}

async function authorize(page: Page): Promise<void> {
  await page.click('button.authorize')
  const [popup] = await Promise.all([
    context.waitForEvent('page'),
    page.locator('.auth-btn-wrapper button.authorize').first().click(),
  ])
  await popup.fill('#name', owner.name)
  await popup.fill('#password', owner.password)
  await popup.click('button[type=submit]')
  await popup.waitForSelector('button[value=allow]')
  expect(await popup.textContent('main')).toContain('API page of this server')
  expect(await popup.textContent('main')).toContain('Greta Weber')
  await Promise.all([popup.waitForEvent('close'), popup.click('button[value=allow]')])
  await page.waitForSelector('.auth-container h6:has-text("Authorized")')
  await page.locator('.btn-done').first().click()
}

describe('the API page in a browser', () => {
  it(
    'is let in by a person with PKCE and aud, without any field to fill in, and then reads what the person keeps',
    inBrowser(async () => {
      const page = await openDocs()
      const wrong: string[] = []
      page.on('pageerror', error => wrong.push(error.message))
      await authorize(page)
      await page.click('#operations-tag-Patient')
      const operation = page.locator('#operations-Patient-get-Patient')
      await operation.locator('.opblock-summary-control').click()
      await operation.locator('button.execute').click()
      const answer = operation.locator('.live-responses-table .response')
      await answer.waitFor()
      expect(await answer.locator('.response-col_status').first().textContent()).toContain('200')
      expect(await answer.textContent()).toContain('Weber')
      // Of a form only what is filled in is sent.
      const posted = page.locator('#operations-Patient-post-Patient-search')
      await posted.locator('.opblock-summary-control').click()
      const [asked] = await Promise.all([
        page.waitForRequest(`${origin}/fhir/Patient/_search`),
        posted.locator('button.execute').click(),
      ])
      expect(asked.postData()).toBe('_count=10')
      const found = posted.locator('.live-responses-table .response')
      await found.waitFor()
      expect(await found.textContent()).toContain('Weber')
      expect(wrong).toEqual([])
    }),
    360_000,
  )

  it(
    'loads nothing from elsewhere, and breaks none of its policies',
    inBrowser(async () => {
      const page = await context.newPage()
      const foreign: string[] = []
      const refused: string[] = []
      page.on('request', request => {
        const { protocol, origin: asked } = new URL(request.url())
        if (protocol !== 'data:' && asked !== origin) foreign.push(request.url())
      })
      page.on('console', message => {
        if (message.text().includes('Content Security Policy')) refused.push(message.text())
      })
      for (const path of ['/', '/account', '/auth/login', '/nothing', '/docs/']) await page.goto(`${origin}${path}`)
      await page.waitForSelector('.opblock-tag')
      expect([foreign, refused]).toEqual([[], []])
    }),
    360_000,
  )
})
