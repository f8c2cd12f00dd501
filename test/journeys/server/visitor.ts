/** A person's browser without JavaScript: keeps cookies, reads pages, fills in their forms and follows what they say. */

/** What the browser shows, or where it was sent. */
export interface Page {
  readonly url: URL
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Where a redirect leads that the browser did not follow because it leaves the server. */
  readonly location: URL | undefined
}

/** What is filled in, by field; several values for boxes of one name. A field that the form lacks is an error. */
export type Filled = Readonly<Record<string, string | readonly string[]>>

interface Field {
  readonly name: string
  readonly value: string
  /** Whether a browser would send it if nobody touched it. */
  readonly sent: boolean
  /** Whether a person can type another value. */
  readonly free: boolean
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

function attributesOf(tag: string): ReadonlyMap<string, string> {
  const pairs = tag.matchAll(/\s([a-z-]+)(?:="([^"]*)")?/g)
  const plain = (text: string) => text.replaceAll(/&(#?\w+);/g, (_whole, name: string) => entities[name] ?? '')
  return new Map([...pairs].map(([, name = '', value = '']) => [name, plain(value)]))
}

function fieldsOf(form: string): Field[] {
  const fields: Field[] = []
  for (const [tag, name] of form.matchAll(/<(input|button)\b[^>]*>/g)) {
    const attributes = attributesOf(tag)
    const type = name === 'button' ? 'button' : (attributes.get('type') ?? 'text')
    const picked = type === 'checkbox' || type === 'radio' ? attributes.has('checked') : type !== 'button'
    const free = type === 'text' || type === 'password'
    fields.push({ name: attributes.get('name') ?? '', value: attributes.get('value') ?? '', sent: picked, free })
  }
  for (const [select = ''] of form.matchAll(/<select\b[\s\S]*?<\/select>/g)) {
    const name = attributesOf(/<select\b[^>]*>/.exec(select)?.[0] ?? '').get('name') ?? ''
    for (const [option] of select.matchAll(/<option\b[^>]*>/g)) {
      const attributes = attributesOf(option)
      fields.push({ name, value: attributes.get('value') ?? '', sent: attributes.has('selected'), free: false })
    }
  }
  return fields
}

/** The forms of a page that post to this path. */
function formsOf(page: Page, action: string): readonly (readonly Field[])[] {
  return [...page.text.matchAll(/<form\b([^>]*)>[\s\S]*?<\/form>/g)].flatMap(([form, head = '']) => {
    const attributes = attributesOf(head)
    return attributes.get('action') === action && attributes.get('method') === 'post' ? [fieldsOf(form)] : []
  })
}

const listed = (filled: Filled) =>
  Object.entries(filled).flatMap(([name, values]) => [values].flat().map(value => ({ name, value })))

/** Whether a person could fill a form in like this. */
function fits(form: readonly Field[], filled: Filled): boolean {
  return listed(filled).every(({ name, value }) =>
    form.some(field => field.name === name && (field.free || field.value === value)),
  )
}

/** @throws when the page has no form for this path that a person could fill in like this */
function bodyOf(page: Page, action: string, filled: Filled): URLSearchParams {
  const forms = formsOf(page, action)
  const form = forms.find(each => fits(each, filled))
  if (form === undefined) throw new Error(`none of ${forms.length} forms for ${action} takes ${Object.keys(filled)}`)
  const untouched = form.filter(({ name, sent }) => sent && filled[name] === undefined)
  return new URLSearchParams([...untouched, ...listed(filled)].map(({ name, value }) => [name, value]))
}

const mostRedirects = 10

export class Visitor {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  /** Opens an address and follows its redirects as far as they stay on the server. */
  open(target: string | URL): Promise<Page> {
    return this.#ask(new URL(target, this.#origin), { method: 'GET' })
  }

  /** Sends the form of the page that posts to this path: untouched fields as they are, the others as filled in. */
  submit(page: Page, action: string, filled: Filled): Promise<Page> {
    const body = bodyOf(page, action, filled)
    return this.#ask(new URL(action, page.url), { method: 'POST', body })
  }

  async #ask(url: URL, init: RequestInit, redirects = 0): Promise<Page> {
    if (redirects > mostRedirects) throw new Error('the redirects go in circles')
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: cookie === '' ? {} : { cookie } })
    this.#keep(response.headers.getSetCookie())
    const location = response.headers.get('location')
    const target = location === null ? undefined : new URL(location, url)
    if (target?.origin === this.#origin) {
      await response.arrayBuffer()
      return this.#ask(target, { method: 'GET' }, redirects + 1)
    }
    const text = await response.text()
    return { url, status: response.status, headers: response.headers, text, location: target }
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=')
      if (value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
  }
}
