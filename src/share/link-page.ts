import { html, pageResponse, type WebResponse } from '#web'

/** What a person sees who opens the address inside a link by itself. It is the same whether or not the link exists. */
export function linkPage(): WebResponse {
  return pageResponse({
    title: 'Part of a health record',
    content: html`
<p>This address belongs to a SMART Health Link. What it leads to is encrypted, and only the whole link, which begins with
<code>shlink:/</code>, carries the key.</p>
<p>Open the whole link, or its QR code, in an app or on a page that shows SMART Health Links. If all you have is this address,
ask whoever gave it to you for the link.</p>`,
  })
}
