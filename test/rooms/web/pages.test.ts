import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { Problem } from '#kernel'
import { faultPage, html, jsonResponse, pageResponse, prefersPage, redirectResponse } from '#web'
import { escapeHtml } from '../../../src/web/html.ts'

describe('pages', () => {
  it('escape whatever is put into them', () => {
    const evil = `"><script>alert('&')</script>`
    expect(html`<p title="${evil}">${[evil, html`<b>${evil}</b>`]}</p>`.text).not.toContain('<script')
    fc.assert(fc.property(fc.string(), text => !/[<>"']/.test(escapeHtml(text))))
  })

  it('allow no script, no frame and only their own style', () => {
    const { headers, body } = pageResponse({ title: 'A page', content: html`<p>Text</p>` })
    const policy = String(headers['Content-Security-Policy'])
    const style = /<style>([\s\S]*)<\/style>/.exec(String(body))?.[1] ?? ''
    expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`)
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers).toMatchObject({ 'X-Frame-Options': 'DENY', 'Referrer-Policy': 'no-referrer' })
    expect(headers['Cache-Control']).toBe('no-store')
    expect(String(body)).toContain('<html lang="en">')
  })
})

describe('who gets a page – https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1', () => {
  it.each([
    // Firefox, Chrome and Safari as they ask for what a person typed
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
    'text/html',
    'TEXT/HTML',
    'text/html, application/fhir+json;q=0.5',
    'application/json;q=0.1, text/html;q=0.2',
  ])('%s does', accept => {
    expect(prefersPage(accept)).toBe(true)
  })

  it.each([
    undefined,
    '',
    '*/*',
    'text/*',
    'application/fhir+json',
    'application/fhir+json, text/html;q=0.5',
    'application/fhir+json, text/html',
    'text/html;q=0',
    'text/html;q=0, */*',
    'text/html;q=0.1, */*',
    'text/htmlx',
    'application/json, text/plain, */*',
    'nonsense',
    ';;,,',
  ])('%s does not', accept => {
    expect(prefersPage(accept)).toBe(false)
  })
})

describe('a fault as a page', () => {
  it('says it with its code and status, when to come back, and nothing else of it', () => {
    const problem = new Problem('throttled', 'a.b', 'Too <many>.', { detail: 'only logged', retryAfterSeconds: 7 })
    const { status, headers, body } = faultPage(problem)
    expect([status, headers['Retry-After']]).toEqual([429, '7'])
    expect(body).toContain('data-code="a.b">Too &lt;many&gt;. Try again in 7 seconds.')
    expect(body).not.toContain('only logged')
  })
})

describe('answers that nobody keeps', () => {
  it('say so to caches old and new', () => {
    for (const { headers } of [jsonResponse(200, {}), redirectResponse('/x')])
      expect(headers).toMatchObject({ 'Cache-Control': 'no-store', Pragma: 'no-cache' })
  })
})
